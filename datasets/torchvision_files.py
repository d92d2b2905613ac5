"""Sets of 32 x 32 pixels in color in torchvision's files: found in a folder or downloaded, or a part of the set.

The last tenth of the training part is held out for validation. Dimensions: N images of 32 x 32 pixels in 3 channels.
"""

import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from glimpse.datasets import folders
from glimpse.datasets.array_files import ArrayArchive, read_array
from glimpse.datasets.catalog import Request
from glimpse.datasets.damage import as_one_line, one_line
from glimpse.datasets.fetch import Progress, Remote, downloaded
from glimpse.datasets.folders import NAME_FOLDER, NotAtHand, missing
from glimpse.datasets.pixel_sets import Images, Opened, digest

__all__ = ["TorchvisionFiles", "channels_first", "open_torchvision_files"]

_N_CLASSES = 10
_TIME_LIMIT = 3600.0  # seconds for 170 or 246 MB


@dataclass(frozen=True)
class TorchvisionFiles:
    """The files of a set.

    Attributes:
        files: All files that torchvision reads, relative to its root.
        remote: Files to download; archives are unpacked.
        read: Function of torchvision's root and a flag that returns the training images if the flag is true, else the test images.
        part: File with a part of the set, relative to a folder searched; used if the set is not available.
        roots: Candidates for torchvision's root, relative to a folder searched; downloads go to the last one.
    """

    files: list[str]
    remote: list[Remote]
    read: Callable[[Path, bool], Images]
    part: str
    roots: tuple[str, ...] = ("",)


def open_torchvision_files(request: Request, stored: TorchvisionFiles) -> Opened:
    """Returns a set, downloaded to the user's cache if it is in none of the folders searched; without a network, a part of it.

    The last tenth of the training images is held out for validation. A part without test images holds out its last tenth as test
    images first.

    Args:
        request: What to open.
        stored: The files of the set.

    Raises:
        NotAtHand: If neither the set nor a part of it is available.
        ValueError: If a file is damaged.
    """
    name, root, reason = request.name, _find(stored, request.places), missing(request.name, request.places)
    if root is None and request.download:
        try:
            root = _download(stored, request.progress)
        except OSError as error:
            reason = f"{reason} and cannot be downloaded ({error})"
    if root is not None:
        return _held_out(_read(name, stored, root, train=True), _read(name, stored, root, train=False), root)
    part = next((file for place in request.places if (file := place / stored.part).is_file()), None)
    if part is None:
        raise NotAtHand(reason, f"{NAME_FOLDER}, or use the set digits")
    return _held_out(*_part(part), part, note=f"only a part of {name}: no number from it is a result on the set", reason=reason)


def channels_first(images: NDArray[Any]) -> torch.Tensor:
    """Returns uint8 images (N, 32, 32, 3) as a tensor (N, 3, 32, 32).

    Raises:
        ValueError: If they have another shape or type.
    """
    if images.shape[1:] != (32, 32, 3) or images.dtype != np.uint8:
        raise ValueError(f"expected uint8 images of 32 x 32 x 3, got {images.dtype} {images.shape}")
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()


def _held_out(train: Images, test: Images, path: Path, note: str | None = None, reason: str | None = None) -> Opened:
    parts = *train.without_last_tenth(), test
    return Opened(*parts, str(path), digest(*parts), note, reason)


def _part(file: Path) -> tuple[Images, Images]:
    """Returns the training and test images in a file with a part of a set."""
    with as_one_line(file, " is damaged", "; get it again"):
        if file.suffix == ".npy":
            return Images.unlabeled(channels_first(read_array(file))).without_last_tenth()
        with ArrayArchive(file) as stored:
            train, test = (
                Images(channels_first(stored.read(f"{split}_images")), _labels(stored.read(f"{split}_labels")))
                for split in ("train", "test")
            )
    return train, test


def _labels(labels: NDArray[Any]) -> torch.Tensor:
    """Returns labels of ten classes as int64."""
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or not 0 <= labels.min() <= labels.max() < _N_CLASSES:
        raise ValueError(f"expected labels of 0 to {_N_CLASSES - 1}, got {labels.dtype} {labels.shape}")
    return torch.from_numpy(labels.astype(np.int64))


def _find(stored: TorchvisionFiles, places: list[Path]) -> Path | None:
    """Returns the first root with all files of the set, None if there is none; nothing is read."""
    roots = (place / folder for place in places for folder in stored.roots)
    return next((root for root in roots if all((root / file).is_file() for file in stored.files)), None)


def _read(name: str, stored: TorchvisionFiles, root: Path, *, train: bool) -> Images:
    try:
        return stored.read(root, train)
    except Exception as error:  # torchvision checks digests and unpickles, with many types of errors
        raise ValueError(f"{name} in {root} is damaged ({one_line(error)}); remove its files") from error


def _download(stored: TorchvisionFiles, progress: Progress | None) -> Path:
    """Downloads a set to the user's cache, with torchvision's checksums, and returns torchvision's root there."""
    root = folders.cache_folder() / stored.roots[-1]
    for arrived in downloaded(stored.remote, root, _TIME_LIMIT, progress):
        _put(arrived, root)
    return root


def _put(arrived: Path, root: Path) -> None:
    """Moves a downloaded file, or the folder in it if it is an archive, to torchvision's root."""
    if arrived.suffix != ".gz":
        arrived.replace(root / arrived.name)
        return
    with tarfile.open(arrived) as archive:
        archive.extractall(arrived.parent, filter="data")
    (folder,) = (path for path in arrived.parent.iterdir() if path.is_dir())
    (root / folder.name).mkdir(exist_ok=True)
    for file in folder.iterdir():
        file.replace(root / folder.name / file.name)
