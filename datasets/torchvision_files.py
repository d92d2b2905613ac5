"""Small photographs: CIFAR-10, and SVHN's single digits, both 32 x 32 in color, as torchvision lays them out.

Where a whole set is neither at hand nor to be had, a part of it serves if there is one, and says so.

References:
    A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", technical report, 2009 (CIFAR-10).
    Y. Netzer, T. Wang, A. Coates, A. Bissacco, B. Wu, A. Y. Ng, "Reading Digits in Natural Images with Unsupervised Feature
    Learning", NIPS workshop, 2011 (SVHN).
"""

import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from glimpse.datasets import fetch
from glimpse.datasets.arrays import held_out
from glimpse.datasets.pixels import Images, Opened, digest

__all__ = ["NaturalName", "open_natural"]

NaturalName = Literal["cifar10", "svhn-32"]

_TIME_LIMIT = 3600.0  # seconds for 170 or 246 MB
_FOLDERS = {"cifar10": ("",), "svhn-32": ("", "SVHN", "svhn")}  # where torchvision's root may lie within a place
_PARTS = {"cifar10": "cifar10_subset/cifar10_subset.npz", "svhn-32": "svhn_subset/svhn_train_first1083_images.npy"}


def open_natural(
    name: NaturalName, places: list[Path], *, progress: Callable[[int, int], None] | None = None, download: bool = True
) -> Opened:
    """Returns a set with the last tenth of its training part held out for validation.

    It is downloaded into the user's cache if it is in none of the places. If that fails, the part of the set serves that is found
    as `cifar10_subset/cifar10_subset.npz` or `svhn_subset/svhn_train_first1083_images.npy`; the latter knows no classes and has no
    test part, for which it gives up another tenth, its last.

    Args:
        name: Which set.
        places: Folders to look in, first to last.
        progress: Called while a download runs, with the bytes that are there of the present file and with its size.
        download: Whether to download what is not there.

    Raises:
        FileNotFoundError: If there is neither the set nor a part of it.
        ValueError: If files are damaged.
    """
    root = _find(name, places)
    missing = f"{name} is not in {', '.join(str(place) for place in places)}"
    if root is None and download:
        try:
            root = _download(name, progress)
        except OSError as error:
            missing = f"{missing} and cannot be downloaded ({error})"
    if root is not None:
        return _held_out(_load(name, root, train=True), _load(name, root, train=False), root)
    part = next((file for place in places if (file := place / _PARTS[name]).is_file()), None)
    if part is None:
        raise FileNotFoundError(f"{missing}; name a folder that has it with --data-dir, or take the set digits")
    return _held_out(*_part(part), part, note=f"only a part of {name}: no number from it is a result on the set", reason=missing)


def _held_out(train: Images, test: Images, path: Path, note: str | None = None, reason: str | None = None) -> Opened:
    kept = len(train.labels) - held_out(len(train.labels))
    parts = train.at(slice(kept)), train.at(slice(kept, None)), test
    return Opened(*parts, str(path), digest(*parts), note, reason)


def _part(file: Path) -> tuple[Images, Images]:
    """Returns the training and the test part of a part of a set."""
    try:
        stored = np.load(file, allow_pickle=False)
        if isinstance(stored, np.ndarray):
            images = Images.unlabelled(_channels_first(stored))
            kept = len(stored) - held_out(len(stored))
            return images.at(slice(kept)), images.at(slice(kept, None))
        train, test = (
            Images(_channels_first(stored[f"{split}_images"]), torch.from_numpy(stored[f"{split}_labels"]).long())
            for split in ("train", "test")
        )
    except Exception as error:  # damage shows as any of a dozen kinds
        raise ValueError(f"{file} is damaged ({' '.join(str(error).split())}); get it again") from error
    return train, test


def _channels_first(images: NDArray[Any]) -> torch.Tensor:
    if images.shape[1:] != (32, 32, 3) or images.dtype != np.uint8:
        raise ValueError(f"uint8 images of 32 x 32 x 3 expected, got {images.dtype} {images.shape}")
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()


def _find(name: NaturalName, places: list[Path]) -> Path | None:
    """Returns the first folder that torchvision would read the set from; nothing is read."""
    roots = (place / folder for place in places for folder in _FOLDERS[name])
    return next((root for root in roots if all((root / file).is_file() for file in _files(name))), None)


def _files(name: NaturalName) -> list[str]:
    from torchvision.datasets import CIFAR10, SVHN

    if name == "cifar10":
        names = [file for file, _ in (*CIFAR10.train_list, *CIFAR10.test_list)] + [CIFAR10.meta["filename"]]
        return [f"{CIFAR10.base_folder}/{file}" for file in names]
    return [SVHN.split_list[split][1] for split in ("train", "test")]


def _load(name: NaturalName, root: Path, *, train: bool) -> Images:
    from torchvision.datasets import CIFAR10, SVHN

    try:
        if name == "cifar10":
            opened = CIFAR10(root, train=train)
            return Images(_channels_first(opened.data), torch.tensor(opened.targets))
        opened = SVHN(root, split="train" if train else "test")
        return Images(torch.from_numpy(np.ascontiguousarray(opened.data)), torch.from_numpy(opened.labels))
    except Exception as error:  # torchvision checks digests, and unpickles, with errors of many kinds
        raise ValueError(f"{name} in {root} is damaged ({' '.join(str(error).split())}); remove its files") from error


def _download(name: NaturalName, progress: Callable[[int, int], None] | None) -> Path:
    """Returns the folder in the user's cache that a set has been downloaded to, with the checksums that torchvision knows."""
    files = _remote(name)
    if not fetch._answers(files[0].urls):
        raise ConnectionError(f"its server does not answer within {fetch.PROBE_SECONDS:g} s")
    root = fetch.cache_folder() / _FOLDERS[name][-1]
    root.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + _TIME_LIMIT
    for file in files:
        with tempfile.TemporaryDirectory(dir=root, prefix="download-") as scratch:
            arrived = fetch._from_any(file, Path(scratch), deadline, progress)
            _put(arrived, root)
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


def _remote(name: NaturalName) -> list["fetch._Remote"]:
    from torchvision.datasets import CIFAR10, SVHN

    if name == "cifar10":
        return [fetch._Remote(CIFAR10.filename, CIFAR10.tgz_md5, [CIFAR10.url])]
    wanted = (SVHN.split_list[split] for split in ("train", "test"))
    return [fetch._Remote(file, md5, [url]) for url, file, md5 in wanted]
