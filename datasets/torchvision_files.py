"""Sets of 32 x 32 pixels in color in the files that torchvision has: found in a folder, downloaded, or else only a part of them.

The last tenth of the training part is held out for validation. Dimensions: N images of 32 x 32 pixels in 3 channels.
"""

import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from glimpse.datasets import folders
from glimpse.datasets.batches import held_out
from glimpse.datasets.catalog import Request
from glimpse.datasets.fetch import PROBE_SECONDS, Progress, Remote, download_file, is_reachable
from glimpse.datasets.folders import NotAtHand, missing
from glimpse.datasets.pixel_sets import Images, Opened, digest

__all__ = ["TorchvisionFiles", "channels_first", "open_torchvision_files"]

_TIME_LIMIT = 3600.0  # seconds for 170 or 246 MB


@dataclass(frozen=True)
class TorchvisionFiles:
    """What the files of a set are.

    Attributes:
        files: Names of all files that torchvision reads, within its root.
        remote: Files to download; an archive is unpacked.
        read: Function of the root and of whether the training part is wanted, that returns its images or the test's.
        part: File within a place that holds a part of the set, taken where there is no more.
        roots: Folders within a place that may be torchvision's root; the last one is downloaded to.
    """

    files: list[str]
    remote: list[Remote]
    read: Callable[[Path, bool], Images]
    part: str
    roots: tuple[str, ...] = ("",)


def open_torchvision_files(request: Request, stored: TorchvisionFiles) -> Opened:
    """Returns a set, downloaded into the user's cache if it is in none of the places, or the part of it that is found there.

    A part without a test part gives up another tenth for it, its last.

    Raises:
        NotAtHand: If there is neither the set nor a part of it.
        ValueError: If files are damaged.
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
        raise NotAtHand(reason, "name a folder that has it with --data-dir, or take the set digits")
    return _held_out(*_part(part), part, note=f"only a part of {name}: no number from it is a result on the set", reason=reason)


def channels_first(images: NDArray[Any]) -> torch.Tensor:
    """Returns images (N, 32, 32, 3) as a tensor (N, 3, 32, 32).

    Raises:
        ValueError: If they have another shape or type.
    """
    if images.shape[1:] != (32, 32, 3) or images.dtype != np.uint8:
        raise ValueError(f"uint8 images of 32 x 32 x 3 expected, got {images.dtype} {images.shape}")
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()


def _held_out(train: Images, test: Images, path: Path, note: str | None = None, reason: str | None = None) -> Opened:
    kept = len(train.labels) - held_out(len(train.labels))
    parts = train.at(slice(kept)), train.at(slice(kept, None)), test
    return Opened(*parts, str(path), digest(*parts), note, reason)


def _part(file: Path) -> tuple[Images, Images]:
    """Returns the training and the test part of a part of a set."""
    try:
        stored = np.load(file, allow_pickle=False)
        if isinstance(stored, np.ndarray):
            images = Images.unlabeled(channels_first(stored))
            kept = len(stored) - held_out(len(stored))
            return images.at(slice(kept)), images.at(slice(kept, None))
        train, test = (
            Images(channels_first(stored[f"{split}_images"]), torch.from_numpy(stored[f"{split}_labels"]).long())
            for split in ("train", "test")
        )
    except Exception as error:  # damage shows as any of a dozen kinds
        raise ValueError(f"{file} is damaged ({' '.join(str(error).split())}); get it again") from error
    return train, test


def _find(stored: TorchvisionFiles, places: list[Path]) -> Path | None:
    """Returns the first folder that torchvision would read the set from; nothing is read."""
    roots = (place / folder for place in places for folder in stored.roots)
    return next((root for root in roots if all((root / file).is_file() for file in stored.files)), None)


def _read(name: str, stored: TorchvisionFiles, root: Path, *, train: bool) -> Images:
    try:
        return stored.read(root, train)
    except Exception as error:  # torchvision checks digests, and unpickles, with errors of many kinds
        raise ValueError(f"{name} in {root} is damaged ({' '.join(str(error).split())}); remove its files") from error


def _download(stored: TorchvisionFiles, progress: Progress | None) -> Path:
    """Returns the folder in the user's cache that a set has been downloaded to, with the checksums that torchvision knows."""
    if not is_reachable(stored.remote[0].urls):
        raise ConnectionError(f"its server does not answer within {PROBE_SECONDS:g} s")
    root = folders.cache_folder() / stored.roots[-1]
    root.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + _TIME_LIMIT
    for file in stored.remote:
        with tempfile.TemporaryDirectory(dir=root, prefix="download-") as scratch:
            _put(download_file(file, Path(scratch), deadline, progress), root)
    return root


def _put(arrived: Path, root: Path) -> None:
    """Moves a file that has arrived, or the folder in it if it is an archive, to where torchvision looks for it."""
    if arrived.suffix != ".gz":
        arrived.replace(root / arrived.name)
        return
    with tarfile.open(arrived) as archive:
        archive.extractall(arrived.parent, filter="data")
    (folder,) = (path for path in arrived.parent.iterdir() if path.is_dir())
    (root / folder.name).mkdir(exist_ok=True)
    for file in folder.iterdir():
        file.replace(root / folder.name / file.name)
