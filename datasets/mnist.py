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
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from torch import Tensor

from glimpse.datasets import folders
from glimpse.datasets.catalog import Request
from glimpse.datasets.digits import Digits, DigitSource, digit_source
from glimpse.datasets.fetch import Progress, Remote, downloaded
from glimpse.datasets.folders import NAME_FOLDER, NotAtHand, missing

__all__ = ["LAYOUTS", "Layout", "download", "is_complete", "load", "open_mnist"]


@dataclass(frozen=True)
class Layout:
    """The files of a set in MNIST's format.

    Attributes:
        kind: Name of torchvision's class.
        folder: Name of the folder.
        options: Further arguments of the class.
        prefixes: Prefixes of the names of the training and of the test files.
        archive: Name of the zip archive of all files; None if each is downloaded as a `.gz`.
        counts: Numbers of training and of test glyphs.
        n_valid: Number of training glyphs, the last ones, held out for validation.
        is_transposed: Whether the files store columns before rows.
        time_limit: Seconds that the whole download may take.
    """

    kind: str
    folder: str
    options: dict[str, str] = field(default_factory=dict)
    prefixes: tuple[str, str] = ("train", "t10k")
    archive: str | None = None
    counts: tuple[int, int] = (60_000, 10_000)
    n_valid: int = 10_000
    is_transposed: bool = False
    time_limit: float = 600.0


LAYOUTS = {
    "mnist": Layout("MNIST", "MNIST"),  # 12 MB
    "fashion-mnist": Layout("FashionMNIST", "FashionMNIST"),  # 31 MB
    "emnist-digits": Layout(  # 562 MB
        "EMNIST",
        "EMNIST",
        options={"split": "digits"},
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
    return digit_source(name, (train, valid, Digits(*load(name, folder, train=False), name)), path=str(folder))


def is_complete(name: str, folder: Path) -> bool:
    """Returns whether a folder holds all files of a set; nothing is read."""
    raw, prefixes = folder / LAYOUTS[name].folder / "raw", LAYOUTS[name].prefixes
    return all((raw / f"{prefix}-{kind}-ubyte").is_file() for prefix in prefixes for kind in ("images-idx3", "labels-idx1"))


def load(name: str, folder: Path, *, train: bool) -> tuple[Tensor, Tensor]:
    """Returns the official training or test glyphs (N, 28, 28), uint8 and upright, and their labels (N,), int64.

    Raises:
        ValueError: If the files are damaged.
    """
    layout = LAYOUTS[name]
    expected = layout.counts[0 if train else 1]
    try:
        opened = _torchvision(layout)(folder, train=train, download=False, **layout.options)
    except (RuntimeError, ValueError, AssertionError, OSError, EOFError, IndexError) as error:
        raise ValueError(f"{name} in {folder} is damaged ({error}); remove its files, or name another --data-dir") from error
    images, labels = opened.data, opened.targets.long()
    if images.shape != (expected, 28, 28) or labels.shape != (expected,):
        raise ValueError(f"the files of {name} in {folder} hold {tuple(images.shape)} images, expected {expected} of 28 x 28")
    return (images.mT.contiguous() if layout.is_transposed else images), labels


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
        raise NotAtHand(reason, remedy)
    try:
        download(request.name, request.progress)
    except OSError as error:
        raise NotAtHand(f"{reason} and cannot be downloaded ({error})", remedy) from error
    return folders.cache_folder()


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
