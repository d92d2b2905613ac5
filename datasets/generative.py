"""Data sets for generative models: sets from the catalog, or your own pictures.

Dimensions: B images of H x W pixels in C channels.

References:
    K. Gregor, I. Danihelka, A. Graves, D. J. Rezende, D. Wierstra, "DRAW: A Recurrent Neural Network For Image Generation", 2015,
    arXiv:1502.04623, sections 4.2 to 4.5.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import torch

from glimpse.datasets.batches import Split
from glimpse.datasets.catalog import AUTO, AUTO_SETS, GENERATIVE_SETS, Binarization, Request, choices, looked_up, opens_again
from glimpse.datasets.fetch import Progress
from glimpse.datasets.folders import first_at_hand
from glimpse.datasets.pixel_sets import Images, Opened, PixelSet
from glimpse.datasets.split_rule import SplitKind, SplitRule

__all__ = ["GenerativeData", "Redraw", "open_generative"]

Redraw = Literal["dynamic", "none"]


@dataclass(frozen=True)
class GenerativeData:
    """Images of all three splits, ready for a model.

    Attributes:
        name: Name of the set in the catalog; `pictures` for your own.
        path: Folder or file of the set; None if it is not in a file.
        train: Training images, in another random order every epoch.
        valid: Validation images, in one fixed order and the same in every pass.
        test: Test images, in one fixed order and the same in every pass.
        binarization: `fixed` for the set's own bits; `dynamic` for bits sampled with the values as probabilities, anew at each
            visit in training and once in validation and test; `none` for values in 0 to 1.
        sha256: Digest of the data that the images are made from.
        seed: Random seed of the training images; None if the seed determines only their order.
        crop: Height and width in pixels of the crops of the stored images; None if they are not cropped.
        size: Height and width in pixels that your own pictures were resized to; None if they were not resized.
        note: Statement that the images are only a part of the set; None if they are all of it.
        reason: Why `auto` did not take its first set, or why only a part of the set was found; else None.
        split: How glimpse held out images of your own file for validation, else None.
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
    split: SplitKind | None = None

    @property
    def is_subset(self) -> bool:
        """Whether the images are only a part of the set, so that numbers on them are not results on the set."""
        return self.note is not None

    @property
    def source(self) -> str:
        """Argument of `open_generative` that opens the same set: its name, or its path if it was opened by one."""
        return opens_again(GENERATIVE_SETS, self.name, self.path)

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.train.shape[0]

    @property
    def height(self) -> int:
        """Height of the images in pixels."""
        return self.train.shape[1]

    @property
    def width(self) -> int:
        """Width of the images in pixels."""
        return self.train.shape[2]

    def record(self) -> dict[str, Any]:
        """Returns the set's identity, for a run's `config.json`."""
        keys = ("name", "source", "path", "sha256", "binarization", "seed", "is_subset", "note", "reason", "split")
        identity = {"kind": "generative"} | {key: getattr(self, key) for key in keys}
        sizes = {"train": len(self.train), "valid": len(self.valid), "test": len(self.test)}
        options = {key: list(value) if (value := getattr(self, key)) else None for key in ("crop", "size")}
        return identity | options | {"sizes": sizes, "shape": list(self.train.shape)}


def open_generative(
    name_or_path: str = AUTO,
    *,
    data_dir: Path | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    binarization: Redraw | None = None,
    crop: tuple[int, int] | None = None,
    size: tuple[int, int] | None = None,
    split: SplitKind = "stratified",
    progress: Progress | None = None,
    download: bool = True,
) -> GenerativeData:
    """Returns a data set for a generative model.

    The folders searched are `data_dir`, the folder in the environment variable `GLIMPSE_DATA` and the user's cache. Downloads and
    prepared images go to the user's cache.

    Args:
        name_or_path: A name in `GENERATIVE_SETS`; `auto` for the first of `AUTO_SETS` that is found or can be downloaded; or the
            path of a folder of pictures, a `.npz` file or a folder with SVHN's house numbers in full.
        data_dir: Folder to search first; never written to.
        seed: Random seed of the training's order, binarization, positions and crops, 0 to 2^64 - 1.
        device: Device that the images are kept on and the batches are made on.
        binarization: `dynamic` or `none` in place of the set's default; not for a set of bits.
        crop: Height and width in pixels to crop: at random positions in training, from the middle in validation and test. The set's
            default if None.
        size: Height and width in pixels to resize your own pictures to; not resized if None.
        split: How images of your own file are held out for validation if it has a test part and no validation part.
        progress: Called during a download or a preparation.
        download: Whether to download a set that is not found.

    Raises:
        FileNotFoundError: If the set is not found and cannot be downloaded, or `data_dir` is not a folder.
        ValueError: If there is no such set, its files are damaged, or an option does not fit it.
    """
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed must be in 0 to 2^64 - 1, got {seed}")
    if size is not None and min(size) < 1:
        raise ValueError(f"size must be a height and a width of at least 1, got {size}")
    if binarization not in (None, *get_args(Redraw)):
        raise ValueError(f"binarization must be one of {', '.join(get_args(Redraw))}, got {binarization!r}")
    wanted = _Wanted(seed, device, binarization, crop, size)

    def opened(request: Request) -> GenerativeData:
        rule = SplitRule(split)
        full = replace(request, data_dir=data_dir, size=size, split=rule, progress=progress, download=download)
        return _made(request.name, GENERATIVE_SETS[request.name].open(full), wanted)

    request = Request(AUTO) if name_or_path == AUTO else looked_up(GENERATIVE_SETS, name_or_path)
    if request is None:
        listed = ", ".join(choices(GENERATIVE_SETS))
        raise ValueError(f"no set called {name_or_path!r}, and no such folder: choose {listed}, or a path")
    if size is not None and (request.name == AUTO or GENERATIVE_SETS[request.name].is_named):
        raise ValueError(f"{name_or_path} takes no size: only the pictures of a folder are resized")
    if request.name != AUTO:
        return opened(request)
    data, reason = first_at_hand(AUTO_SETS, lambda name: opened(Request(name)))
    return replace(data, reason=reason)


@dataclass(frozen=True)
class _Wanted:
    """Options of `open_generative` that determine how images become data sets."""

    seed: int
    device: torch.device | str
    binarization: Redraw | None
    crop: tuple[int, int] | None
    size: tuple[int, int] | None


def _made(name: str, opened: Opened, wanted: _Wanted) -> GenerativeData:
    """Returns opened images as data sets, cropped and binarized as wanted or else by the set's defaults."""
    own = GENERATIVE_SETS[name].binarization or ("fixed" if _is_black_and_white(opened) else "none")
    if own == "fixed" and wanted.binarization is not None:
        raise ValueError(f"{name} is binarized already: leave binarization out, or use another set")
    binarization, crop = wanted.binarization or own, wanted.crop or opened.crop

    def part(images: Images, split: Split) -> PixelSet:
        is_drawn = binarization == "dynamic"
        return opened.make(images, split, seed=wanted.seed, binarized=is_drawn, crop=crop, device=wanted.device)

    train, valid, test = part(opened.train, "train"), part(opened.valid, "valid"), part(opened.test, "test")
    return GenerativeData(
        name,
        opened.path,
        train,
        valid,
        test,
        binarization,
        opened.sha256,
        seed=wanted.seed if train.is_drawn else None,
        crop=crop,
        size=wanted.size,
        note=opened.note,
        reason=opened.reason,
        split=opened.split,
    )


def _is_black_and_white(opened: Opened) -> bool:
    values = (images.pixels for images in (opened.train, opened.valid, opened.test))
    return all(bool(((pixels == 0) | (pixels == 255)).all()) for pixels in values)
