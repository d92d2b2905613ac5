"""MNIST, Fashion-MNIST and EMNIST's digits in torchvision's files: finding, reading and downloading them.

Validation is the last 10,000 training glyphs. Dimensions: N glyphs of 28 x 28 pixels.

References:
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition", 1998 (MNIST).
    H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST", 2017, arXiv:1708.07747.
    G. Cohen, S. Afshar, J. Tapson, A. van Schaik, "EMNIST: an extension of MNIST to handwritten letters", 2017, arXiv:1702.05373.
"""

import gzip
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from glimpse.datasets import folders
from glimpse.datasets.array_files import read_idx
from glimpse.datasets.catalog import Request
from glimpse.datasets.damage import one_line
from glimpse.datasets.digits import Digits, DigitSource, digit_source
from glimpse.datasets.fetch import Progress, Remote, downloaded
from glimpse.datasets.folders import NAME_FOLDER, NotAtHand, missing
from glimpse.datasets.mnist_files import Names, files_of, md5_of_content, traces_of, wanted_layout

__all__ = ["LAYOUTS", "N_CLASSES", "Layout", "download", "is_complete", "load", "open_mnist"]

N_CLASSES = 10
"""Number of classes of every set."""


@dataclass(frozen=True)
class Layout:
    """The files of a set in MNIST's format.

    Attributes:
        kind: Name of torchvision's class.
        folder: Name of the folder.
        prefixes: Prefixes of the names of the training and of the test files.
        archive: Name of the zip archive of all files; None if each is downloaded as a `.gz`.
        counts: Numbers of training and of test glyphs.
        n_valid: Number of training glyphs, the last ones, held out for validation.
        is_transposed: Whether the files store columns before rows.
        md5: MD5 of each unpacked file; empty if unknown.
        time_limit: Seconds that the whole download may take.
    """

    kind: str
    folder: str
    prefixes: tuple[str, str] = ("train", "t10k")
    archive: str | None = None
    counts: tuple[int, int] = (60_000, 10_000)
    n_valid: int = 10_000
    is_transposed: bool = False
    md5: Mapping[str, str] = field(default_factory=dict)
    time_limit: float = 600.0


_MNIST = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
_FASHION_MNIST = {
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}

LAYOUTS = {
    "mnist": Layout("MNIST", "MNIST", md5=_MNIST),  # 12 MB
    "fashion-mnist": Layout("FashionMNIST", "FashionMNIST", md5=_FASHION_MNIST),  # 31 MB
    "emnist-digits": Layout(  # 562 MB
        "EMNIST",
        "EMNIST",
        prefixes=("emnist-digits-train", "emnist-digits-test"),
        archive="gzip.zip",
        counts=(240_000, 40_000),
        is_transposed=True,
        time_limit=3600.0,
    ),
}
"""The files of each set, by its name in the catalog."""


def open_mnist(request: Request) -> DigitSource:
    """Returns the set that the request names, downloaded to the user's cache if it is in none of the folders searched.

    Raises:
        NotAtHand: If it is in none of the folders searched and cannot be downloaded.
        ValueError: If its files are damaged.
    """
    name, folder = request.name, _folder(request)
    images, labels = load(name, folder, train=True)
    held = len(labels) - LAYOUTS[name].n_valid
    train, valid = Digits(images[:held], labels[:held], name), Digits(images[held:], labels[held:], name)
    source = digit_source(name, (train, valid, Digits(*load(name, folder, train=False), name)), path=str(folder))
    note = f"The content of {name} in {folder} is not checked: no digest of its unpacked files is known."
    return replace(source, note=None if LAYOUTS[name].md5 else note)


def is_complete(name: str, folder: Path) -> bool:
    """Returns whether a folder holds all files of a set, in torchvision's layout or put there by hand; no image is read."""
    return files_of(_names(name), folder) is not None


def _names(name: str) -> Names:
    """Returns the names of the files of a set."""
    layout = LAYOUTS[name]
    others = [other for key, other in LAYOUTS.items() if key != name and other.prefixes == layout.prefixes]
    labels = frozenset(other.md5[f"{other.prefixes[0]}-labels-idx1-ubyte"] for other in others if other.md5)
    return Names(layout.folder, layout.prefixes, layout.archive, labels, frozenset(other.folder for other in others))


def load(name: str, folder: Path, *, train: bool) -> tuple[Tensor, Tensor]:
    """Returns the official training or test glyphs (N, 28, 28), uint8 and upright, and their labels (N,), int64.

    Raises:
        ValueError: If the files are damaged, or their content is not the official one.
    """
    layout = LAYOUTS[name]
    prefix, expected = layout.prefixes[0 if train else 1], layout.counts[0 if train else 1]
    found = files_of(_names(name), folder)
    if found is None:
        raise ValueError(f"{folder} does not hold all files of {name}: {wanted_layout(_names(name))}")
    files = [found[prefix, kind] for kind in ("images", "labels")]
    remedy = "remove its files, or name another --data-dir"
    try:
        images, labels = map(read_idx, files)
    except (ValueError, OSError) as error:
        raise ValueError(f"{name} in {folder} is damaged ({one_line(error)}); {remedy}") from error
    if images.shape != (expected, 28, 28) or labels.shape != (expected,) or not images.dtype == labels.dtype == np.uint8:
        raise ValueError(f"the files of {name} in {folder} hold {images.shape} images, expected {expected} of 28 x 28")
    if labels.max() >= N_CLASSES:
        raise ValueError(f"{files[1]} holds labels up to {labels.max()}, expected 0 to {N_CLASSES - 1}; {remedy}")
    for file, kind in zip(files, ("images-idx3", "labels-idx1"), strict=True):
        known = layout.md5.get(f"{prefix}-{kind}-ubyte")
        if known is not None and md5_of_content(file) != known:
            raise ValueError(f"{file} is damaged: its MD5 is not that of {name}, {known}; {remedy}")
    upright = images.transpose(0, 2, 1) if layout.is_transposed else images
    return torch.from_numpy(np.ascontiguousarray(upright)), torch.from_numpy(labels.astype(np.int64))


def download(name: str, progress: Progress | None = None) -> None:
    """Downloads a set to the user's cache, from torchvision's mirrors and with its checksums.

    Args:
        name: Name of the set in the catalog.
        progress: Called after each block.

    Raises:
        OSError: If no mirror answers or delivers the files within the time limit, or the cache cannot be written.
    """
    layout = LAYOUTS[name]
    raw = folders.cache_folder() / layout.folder / "raw"
    for arrived in downloaded(_remote(layout), raw, layout.time_limit, progress):
        for unpacked in _unpack(arrived, layout.prefixes):
            unpacked.replace(raw / unpacked.name)


def _folder(request: Request) -> Path:
    """Returns the folder with a set, downloaded if necessary."""
    remedy = f"{NAME_FOLDER}, or use --digits sklearn"
    for folder in request.places:
        if is_complete(request.name, folder):
            return folder
    reason = missing(request.name, request.places)
    if not request.download:
        _refuse_traces(request)
        raise NotAtHand(reason, remedy)
    try:
        download(request.name, request.progress)
    except OSError as error:
        _refuse_traces(request)
        raise NotAtHand(f"{reason} and cannot be downloaded ({error})", remedy) from error
    return folders.cache_folder()


def _refuse_traces(request: Request) -> None:
    """Raises FileNotFoundError if a folder searched, besides the cache, holds some files of a set or an archive of them.

    The error is no `NotAtHand`, so that no other digits take the place of a set that was put there.
    """
    names = _names(request.name)
    for folder in request.places:
        traces = traces_of(names, folder) if folder != folders.cache_folder() else []
        if traces:
            listed = ", ".join(str(path.relative_to(folder)) for path in traces[:6])
            raise FileNotFoundError(
                f"{folder} holds files of {request.name} that cannot be used as they are: {listed}; unpack archives and complete"
                f" the files, wanted are {wanted_layout(names)}; or name a single file with --digits"
            )


def _torchvision(layout: Layout) -> Any:
    """Returns torchvision's class for a set."""
    from torchvision import datasets

    return getattr(datasets, layout.kind)


def _remote(layout: Layout) -> list[Remote]:
    kind = _torchvision(layout)
    if layout.archive is not None:
        return [Remote(layout.archive, kind.md5, [kind.url])]
    return [Remote(file, md5, [mirror + file for mirror in kind.mirrors]) for file, md5 in kind.resources]


def _unpack(archive: Path, prefixes: tuple[str, str]) -> Iterator[Path]:
    """Yields the files of an archive, unpacked next to it: the one in a `.gz`, or those in a `.zip` with these prefixes."""
    if archive.suffix == ".gz":
        yield _gunzip(archive, archive.with_suffix(""))
        return
    with zipfile.ZipFile(archive) as members:
        for member in members.namelist():
            name = member.rsplit("/", 1)[-1]
            if name.startswith(prefixes) and name.endswith("-ubyte.gz"):
                with members.open(member) as packed:
                    yield _gunzip(packed, archive.with_name(name.removesuffix(".gz")))


def _gunzip(packed: Path | IO[bytes], target: Path) -> Path:
    with gzip.open(packed) as unpacked, target.open("wb") as out:
        shutil.copyfileobj(unpacked, out)
    return target
