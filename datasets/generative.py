"""The sets a generative model is trained on, by their names in the catalog, or out of your own pictures.

Dimensions: B images of H x W pixels in C channels.

References:
    K. Gregor, I. Danihelka, A. Graves, D. J. Rezende, D. Wierstra, "DRAW: A Recurrent Neural Network For Image Generation", 2015,
    arXiv:1502.04623, sections 4.2 to 4.5.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import torch

from glimpse.datasets.batches import Split
from glimpse.datasets.catalog import AUTO, AUTO_SETS, GENERATIVE_SETS, Binarization, Request, choices, looked_up, opens_again
from glimpse.datasets.folders import first_at_hand
from glimpse.datasets.pixel_sets import Images, Opened, PixelSet

__all__ = ["GenerativeData", "Redraw", "open_generative"]

Redraw = Literal["dynamic", "none"]


@dataclass(frozen=True)
class GenerativeData:
    """Images of all three splits, ready for a model.

    Attributes:
        name: Which set; `pictures` for your own.
        path: Folder or file it was found in; None if it is not in a file.
        train: Images to learn from, in a random order of its own every epoch.
        valid: Images to choose a model on; one fixed order, and the same images in every pass.
        test: Images to measure the bound on, likewise.
        binarization: `fixed`: the set's own bits; `dynamic`: bits drawn by the values, afresh at each visit in training, once and
            for all in validation and test; `none`: values in 0 to 1.
        sha256: Digest of what the images are made from.
        seed: Key of what is random in the training images themselves; None where it rules their order only.
        crop: Height and width cut out of the stored images, None if they are whole.
        size: Height and width that your own pictures were brought to, None if they are as they were.
        note: A sentence that says so where the images are only a part of the set, else None.
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
        """What opens the same set again: its name, or the path of what is named by one."""
        return opens_again(GENERATIVE_SETS, self.name, self.path)

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
    name_or_path: str = AUTO,
    *,
    data_dir: Path | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    binarization: Redraw | None = None,
    crop: tuple[int, int] | None = None,
    size: tuple[int, int] | None = None,
    progress: Callable[[int, int], None] | None = None,
    download: bool = True,
) -> GenerativeData:
    """Returns a set of images to train a generative model on.

    The sets are the entries of `GENERATIVE_SETS`; the file of each says what it is. They are looked for in `data_dir`, in the
    folder that the environment's `GLIMPSE_DATA` names, then in the user's cache, the only place that anything is written to.
    `auto` is the first of `AUTO_SETS` that is there or can be fetched. A path names a folder of pictures, a `.npz` file, or a
    folder with full house numbers.

    Args:
        name_or_path: A name in `GENERATIVE_SETS`, `auto`, or a path.
        data_dir: Folder to look in first.
        seed: Key of the training's order, binarization, places and crops, 0 to 2^64 - 1.
        device: Where the images are kept and the batches are made.
        binarization: Instead of the set's own, `dynamic` or `none`; not for a set whose bits are fixed.
        crop: Height and width to cut out: anywhere in training, from the middle else. The set's own if None.
        size: Height and width to bring your own pictures to.
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
    wanted = _Wanted(seed, device, binarization, crop, size)

    def opened(request: Request) -> GenerativeData:
        full = replace(request, data_dir=data_dir, size=size, progress=progress, download=download)
        return _made(request.name, GENERATIVE_SETS[request.name].open(full), wanted)

    request = Request(AUTO) if name_or_path == AUTO else looked_up(GENERATIVE_SETS, name_or_path)
    if request is None:
        listed = ", ".join(choices(GENERATIVE_SETS))
        raise ValueError(f"no set called {name_or_path!r}, and no such folder: choose {listed}, or a path")
    if size is not None and (request.name == AUTO or GENERATIVE_SETS[request.name].is_named):
        raise ValueError(f"{name_or_path} has its own size; only the pictures of a folder are brought to another size")
    if request.name != AUTO:
        return opened(request)
    data, reason = first_at_hand(AUTO_SETS, lambda name: opened(Request(name)))
    return replace(data, reason=reason)


@dataclass(frozen=True)
class _Wanted:
    """How the images that were read are to be made into sets: the options of `open_generative`."""

    seed: int
    device: torch.device | str
    binarization: Redraw | None
    crop: tuple[int, int] | None
    size: tuple[int, int] | None


def _made(name: str, opened: Opened, wanted: _Wanted) -> GenerativeData:
    """Returns opened images as sets, cropped and binarized as wanted or else in their own way."""
    own = GENERATIVE_SETS[name].binarization or ("fixed" if _is_black_and_white(opened) else "none")
    if own == "fixed" and wanted.binarization is not None:
        raise ValueError(f"{name} is binarized already: leave binarization out, or take another set")
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
    )


def _is_black_and_white(opened: Opened) -> bool:
    values = (images.pixels for images in (opened.train, opened.valid, opened.test))
    return all(bool(((pixels == 0) | (pixels == 255)).all()) for pixels in values)
