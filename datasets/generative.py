"""The sets a generative model is trained on, by name, or out of a person's own pictures.

Dimensions: B images of H x W pixels in C channels.

References:
    K. Gregor, I. Danihelka, A. Graves, D. J. Rezende, D. Wierstra, "DRAW: A Recurrent Neural Network For Image Generation", 2015,
    arXiv:1502.04623, sections 4.2 to 4.5.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

import torch

from glimpse.datasets.binarized import find_binarized_mnist, open_binarized_mnist
from glimpse.datasets.digits import Digits, DigitSource, open_digits, search_places
from glimpse.datasets.natural import NaturalName, open_natural
from glimpse.datasets.pictures import open_array_file, open_pictures
from glimpse.datasets.pixels import Images, Opened, PixelSet, StoredImages
from glimpse.datasets.svhn import find_svhn, open_svhn
from glimpse.datasets.two_digit import TwoDigits

__all__ = ["Binarization", "GenerativeData", "GenerativeName", "Redraw", "open_generative"]

GenerativeName = Literal["auto", "binarized-mnist", "dynamic-mnist", "digits", "two-digit", "svhn", "svhn-32", "cifar10"]
Binarization = Literal["fixed", "dynamic", "none"]
Redraw = Literal["dynamic", "none"]

_SVHN_CROP = (54, 54)
_Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class GenerativeData:
    """Images of all three splits, ready for a model.

    Attributes:
        name: Which set; `pictures` for a person's own.
        path: Folder or file it was found in; None for scikit-learn's digits.
        train: Images to learn from, in a random order of its own every epoch.
        valid: Images to choose a model on; one fixed order, and the same images in every pass.
        test: Images to measure the bound on, likewise.
        binarization: `fixed`: the set's own bits; `dynamic`: bits drawn by the values, afresh at each visit in training, once and
            for all in validation and test; `none`: values in 0 to 1.
        sha256: Digest of what the images are made from.
        seed: Key of what is random in the training images themselves; None where it rules their order only.
        crop: Height and width cut out of the stored images, None if they are whole.
        size: Height and width that a person's own pictures were brought to, None if they are as they were.
        note: A sentence for a person where the images are only a part of the set, else None.
        reason: Why `auto` took this set, or why only a part of the set was taken, else None.
    """

    name: str
    path: str | None
    train: PixelSet
    valid: PixelSet
    test: PixelSet
    binarization: Binarization
    sha256: str
    seed: int | None = None
    crop: tuple[int, int] | None = None
    size: tuple[int, int] | None = None
    note: str | None = None
    reason: str | None = None

    @property
    def is_subset(self) -> bool:
        """Whether the images are only a part of the set, so that no number from them is a result on it."""
        return self.note is not None

    @property
    def source(self) -> str:
        """What opens the same set again: its name, or the path of what a person brought."""
        return self.path if self.name in ("pictures", "svhn") and self.path else self.name

    @property
    def channels(self) -> int:
        """Channels of every image."""
        return self.train.shape[0]

    @property
    def height(self) -> int:
        """Rows of every image."""
        return self.train.shape[1]

    @property
    def width(self) -> int:
        """Columns of every image."""
        return self.train.shape[2]

    def record(self) -> dict[str, Any]:
        """Returns the set's identity, for a run's `config.json`."""
        keys = ("name", "source", "path", "sha256", "binarization", "seed", "is_subset", "note", "reason")
        identity = {"kind": "generative"} | {key: getattr(self, key) for key in keys}
        sizes = {"train": len(self.train), "valid": len(self.valid), "test": len(self.test)}
        options = {key: list(value) if (value := getattr(self, key)) else None for key in ("crop", "size")}
        return identity | options | {"sizes": sizes, "shape": list(self.train.shape)}


def open_generative(
    name_or_path: str = "auto",
    *,
    data_dir: Path | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    binarization: Redraw | None = None,
    crop: tuple[int, int] | None = None,
    size: tuple[int, int] | None = None,
    progress: _Progress | None = None,
    download: bool = True,
) -> GenerativeData:
    """Returns a set of images to train a generative model on.

    Sets are looked for in `data_dir`, in the folder that the environment's `GLIMPSE_DATA` names, then in the user's cache, the only
    place that anything is written to.

    - `binarized-mnist`: MNIST's fixed binarization, 50,000 / 10,000 / 10,000.
    - `dynamic-mnist`: MNIST, split alike and binarized by intensity: training afresh at each visit, the rest once and for all.
    - `digits`: scikit-learn's, in MNIST's frame, 1,197 / 300 / 300, binarized likewise; needs neither files nor a network.
    - `two-digit`: two of MNIST's digits on 60 x 60 pixels, binarized likewise.
    - `svhn`: house numbers in full, 64 x 64, cropped to 54 x 54; its folder holds `train/`, `test/` and perhaps `extra/`.
    - `svhn-32`, `cifar10`: 32 x 32 in color; the last tenth of the training part is held out for validation.
    - `auto`: the first of `binarized-mnist`, `dynamic-mnist`, `digits` that is there or can be fetched.
    - The path of a folder of pictures, of a `.npz` file, or of a folder with full house numbers.

    Args:
        name_or_path: One of these names, or a path.
        data_dir: Folder to look in first.
        seed: Key of the training's order, binarization, places and crops, 0 to 2^64 - 1.
        device: Where the images are kept and the batches are made.
        binarization: Instead of the set's own, `dynamic` or `none`; not for a set whose bits are fixed.
        crop: Height and width to cut out: anywhere in training, from the middle else. If None, 54 x 54 for `svhn`, else none.
        size: Height and width to bring a person's own pictures to.
        progress: Called while a download or a preparation runs, with what is done and what there is, 0 if unknown.
        download: Whether to download what is not there.

    Raises:
        FileNotFoundError: If the set is not there and cannot be fetched.
        ValueError: If there is no such set, its files are not what they should be, or an option does not go with it.
    """
    if data_dir is not None and not data_dir.is_dir():
        raise FileNotFoundError(f"no folder {data_dir} to look for data in")
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed must be in 0 to 2^64 - 1, got {seed}")
    if size is not None and min(size) < 1:
        raise ValueError(f"size must be a height and a width of at least 1, got {size}")
    if binarization not in (None, *get_args(Redraw)):
        raise ValueError(f"binarization must be one of {', '.join(get_args(Redraw))}, got {binarization!r}")
    wanted = _Wanted(data_dir, seed, device, binarization, crop, size, progress, download)
    if name_or_path not in get_args(GenerativeName):
        return _own(Path(name_or_path), wanted)
    if size is not None:
        raise ValueError(f"{name_or_path} has its own size; only a person's own pictures are brought to another")
    return _auto(wanted) if name_or_path == "auto" else _named(name_or_path, wanted)


@dataclass(frozen=True)
class _Wanted:
    """The options of `open_generative`."""

    data_dir: Path | None
    seed: int
    device: torch.device | str
    binarization: Redraw | None
    crop: tuple[int, int] | None
    size: tuple[int, int] | None
    progress: _Progress | None
    download: bool

    @property
    def places(self) -> list[Path]:
        return search_places(self.data_dir)


def _auto(wanted: _Wanted) -> GenerativeData:
    if find_binarized_mnist(wanted.places):
        return _named("binarized-mnist", wanted)
    source = open_digits("auto", data_dir=wanted.data_dir, progress=wanted.progress, download=wanted.download)
    name = "dynamic-mnist" if source.name == "mnist" else "digits"
    missing = f"binarized-mnist is not in {', '.join(str(place) for place in wanted.places)}"
    reason = f"{missing}; {source.reason}" if source.reason else missing
    return replace(_glyphs(name, source, wanted), reason=reason)


def _named(name: str, wanted: _Wanted) -> GenerativeData:
    match name:
        case "binarized-mnist":
            return _stored(name, open_binarized_mnist(wanted.places), "fixed", wanted)
        case "dynamic-mnist":
            return _glyphs(name, _mnist(wanted), wanted)
        case "digits":
            return _glyphs(name, open_digits("sklearn"), wanted)
        case "two-digit":
            return _two_digit(_mnist(wanted), wanted)
        case "svhn":
            return _svhn(find_svhn(wanted.places), wanted)
        case _:
            opened = open_natural(cast(NaturalName, name), wanted.places, progress=wanted.progress, download=wanted.download)
            return _stored(name, opened, "none", wanted)


def _own(path: Path, wanted: _Wanted) -> GenerativeData:
    """Returns what lies at a path: full house numbers, or a person's own pictures, fixed where all values are black or white."""
    is_svhn = find_svhn([path]) is not None
    if wanted.size is not None and (is_svhn or path.suffix == ".npz"):
        raise ValueError(f"{path}: only the pictures of a folder are brought to another size; leave size out, or use crop")
    if path.suffix == ".npz":
        opened = open_array_file(path)
    elif not path.is_dir():
        raise ValueError(
            f"no set called {str(path)!r}, and no such folder: choose {', '.join(get_args(GenerativeName))}, or a path"
        )
    elif is_svhn:
        return _svhn(find_svhn([path]), wanted)
    else:
        opened = open_pictures(path, wanted.size, wanted.progress)
    values = (images.pixels for images in (opened.train, opened.valid, opened.test))
    is_binary = all(bool(((pixels == 0) | (pixels == 255)).all()) for pixels in values)
    return _stored("pictures", opened, "fixed" if is_binary else "none", wanted)


def _svhn(folder: Path | None, wanted: _Wanted) -> GenerativeData:
    if folder is None:
        raise FileNotFoundError(
            f"svhn is not in {', '.join(str(place) for place in wanted.places)} and is not downloaded: unpack its train.tar.gz,"
            " extra.tar.gz and test.tar.gz into one folder and name it with --data-dir; or take svhn-32"
        )
    opened = open_svhn(folder, wanted.progress)
    return _stored("svhn", opened, "none", replace(wanted, crop=wanted.crop or _SVHN_CROP))


def _mnist(wanted: _Wanted) -> DigitSource:
    source = open_digits("auto", data_dir=wanted.data_dir, progress=wanted.progress, download=wanted.download)
    if source.reason is not None:
        raise FileNotFoundError(f"{source.reason}; name a folder that has it with --data-dir, or take the set digits")
    return source


def _glyphs(name: str, source: DigitSource, wanted: _Wanted) -> GenerativeData:
    train, valid, test = (Images(part.images[:, None], part.labels) for part in (source.train, source.valid, source.test))
    return _stored(name, Opened(train, valid, test, source.path, source.sha256), "dynamic", wanted)


def _two_digit(source: DigitSource, wanted: _Wanted) -> GenerativeData:
    if wanted.crop is not None:
        raise ValueError("two-digit has no crop: its images are made at their size")
    binarization = wanted.binarization or "dynamic"

    def part(digits: Digits, split: Any) -> TwoDigits:
        return TwoDigits(digits.to(wanted.device), split, seed=wanted.seed, binarized=binarization == "dynamic")

    parts = part(source.train, "train"), part(source.valid, "valid"), part(source.test, "test")
    return GenerativeData("two-digit", source.path, *parts, binarization, source.sha256, seed=wanted.seed)


def _stored(name: str, opened: Opened, own: Binarization, wanted: _Wanted) -> GenerativeData:
    """Returns opened images as sets, binarized as wanted or else in their own way."""
    if own == "fixed" and wanted.binarization is not None:
        raise ValueError(f"{name} is binarized already: leave binarization out, or take another set")
    binarization = wanted.binarization or own

    def part(images: Images, split: Any) -> StoredImages:
        drawn = binarization == "dynamic"
        return StoredImages(images, split, seed=wanted.seed, binarized=drawn, crop=wanted.crop, device=wanted.device)

    parts = part(opened.train, "train"), part(opened.valid, "valid"), part(opened.test, "test")
    return GenerativeData(
        name,
        opened.path,
        *parts,
        binarization,
        opened.sha256,
        seed=wanted.seed if binarization == "dynamic" or wanted.crop else None,
        crop=wanted.crop,
        size=wanted.size,
        note=opened.note,
        reason=opened.reason,
    )
