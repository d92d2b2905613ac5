"""Choices that several requests share: the machine and the images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from glimpse.environment import THREAD_LIMIT
from glimpse.settings.base import Range
from glimpse.settings.requests.options import chosen, flag

__all__ = [
    "ClassWeights",
    "ClutterChoice",
    "Fit",
    "FormChoice",
    "GenerativeChoice",
    "ImageChoice",
    "ImageSelection",
    "Machine",
    "PictureHandling",
    "SetChoice",
    "Split",
    "TrainingImageChoice",
]

ClassWeights = Literal["balanced"]
"""How much each class counts in training."""

Fit = Literal["pad", "resize", "crop"]
"""How a picture is brought to a size of another shape."""

Split = Literal["test", "valid"]
"""Part of a data set that a trained model is evaluated on."""


@dataclass(frozen=True)
class Machine:
    """Device and threads of a computation.

    Attributes:
        device: `auto` (CUDA if available, else the CPU), `cpu`, `cuda`, `cuda:N` or `mps`.
        threads: Number of CPU threads, 1 to 1024; None for the number of idle cores.

    Raises:
        ValueError: If the number of threads is out of range.
    """

    device: str = "auto"
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.threads is not None:
            Range(1, THREAD_LIMIT).check("threads", self.threads)


@dataclass(frozen=True)
class ClutterChoice:
    """Parameters of the clutter recipe; None for those of the trained model, else the recipe's defaults.

    Attributes:
        canvas: Side of the images in pixels.
        pieces: Number of distractors per image.
        piece_size: Side of a distractor in pixels.
        border: Width in pixels of the margin that the digit does not enter.
    """

    canvas: int | None = None
    pieces: int | None = None
    piece_size: int | None = None
    border: int | None = None


@dataclass(frozen=True)
class FormChoice:
    """How your own images are read where their form does not decide it; None for the choice of the trained model, else the default.

    Attributes:
        size: Height and width in pixels that pictures are brought to.
        fit: How a picture of another shape is brought to that size: scaled to fit and padded with black (`pad`, the default),
            stretched (`resize`), or scaled to cover and cropped about its middle (`crop`).
        images_key: Name of the array or the column of the images.
        labels_key: Name of the array or the column of the labels.

    Raises:
        ValueError: If the size is not a positive height and width, or there is no such fit.
    """

    size: tuple[int, int] | None = None
    fit: Fit | None = None
    images_key: str | None = None
    labels_key: str | None = None

    def __post_init__(self) -> None:
        if self.size is not None and not (
            isinstance(self.size, tuple) and len(self.size) == 2 and all(isinstance(side, int) and side > 0 for side in self.size)
        ):
            raise ValueError(f"size must be a height and a width in pixels, such as (96, 96), got {self.size!r}")
        if self.fit not in (None, *get_args(Fit)):
            raise ValueError(f"fit must be one of {', '.join(get_args(Fit))}, got {self.fit!r}")

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "FormChoice":
        """Returns the choice in a run's record or in a model's description of its data."""
        read = {name: record.get(name) for name in ("size", "fit", "images_key", "labels_key")}
        return cls(**read | {"size": tuple(read["size"]) if read["size"] else None})

    def over(self, other: "FormChoice") -> "FormChoice":
        """Returns this choice, with that of another in place of what is None."""
        return replace(other, **chosen(self))


@dataclass(frozen=True)
class ImageChoice:
    """Labeled images: cluttered digits, or your own.

    Attributes:
        data: Your own images in any form that `glimpse.datasets.open` takes, a path or an object of Python, in place of generated
            images.
        data_dir: Folder searched first for MNIST and other downloads.
        digits: Source of the digits; None or `auto` for the source of the trained model, else MNIST if it is found.
        clutter: Parameters of the clutter recipe.
        form: How your own images are read.
    """

    data: Path | object | None = None
    data_dir: Path | None = None
    digits: str | None = None
    clutter: ClutterChoice = ClutterChoice()
    form: FormChoice = FormChoice()

    @property
    def generated(self) -> dict[str, Any]:
        """The chosen parameters of generated images: those of the recipe and `digits`, by name."""
        return chosen(self.clutter) | ({} if self.digits is None else {"digits": self.digits})


@dataclass(frozen=True)
class TrainingImageChoice(ImageChoice):
    """Images to train a classifier on.

    Attributes:
        data: Built set or file of images and labels, in place of generated images.
        data_dir: Folder searched first for MNIST and other downloads.
        digits: Source of the digits; None or `auto` for MNIST where it is found.
        clutter: Parameters of the recipe.
        distort: Number of distorted copies of every training digit, besides the originals; None for the number of the
            preset, or of the run whose settings are used.
        split_seed: Seed of the split of images without parts; None for 0, or for the seed of the run whose settings are used.
        class_weights: `balanced` to repeat training images of smaller classes of your own images until all classes have as many in
            each epoch; None for the images as they are, or as in the run whose settings are used.
    """

    distort: int | None = None
    split_seed: int | None = None
    class_weights: ClassWeights | None = None

    @property
    def generated(self) -> dict[str, Any]:
        """The chosen parameters of generated images: those of the recipe, `digits` and `distort`, by name."""
        return super().generated | ({} if self.distort is None else {"distort": self.distort})


@dataclass(frozen=True)
class GenerativeChoice:
    """Images to train a generator on; None for those of its preset.

    Attributes:
        data: Name of a set, or path of your own images.
        data_dir: Folder searched first for the sets.
        binarization: `dynamic` samples black or white pixels by their intensities, `none` keeps the intensities; None for the
            default of the set.
        crop: Height and width in pixels of the crops.
        size: Height and width in pixels that the images of a folder are resized to.
    """

    data: str | None = None
    data_dir: Path | None = None
    binarization: Literal["dynamic", "none"] | None = None
    crop: tuple[int, int] | None = None
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class SetChoice:
    """The data set that a trained generator is used with.

    Attributes:
        data: Name or path of a set, in place of the one that the generator was trained on.
        data_dir: Folder searched first for the sets.
    """

    data: Path | None = None
    data_dir: Path | None = None


@dataclass(frozen=True)
class PictureHandling:
    """Changes of your own image files before a model sees them, in this order.

    Attributes:
        stretch: Whether the intensities used are scaled to the whole range. A dark ground becomes black, a light one white; without
            a clear ground the darkest pixel becomes black and the lightest white.
        invert: Whether dark and light are swapped.
        resize: Number of pixels that the longer side is scaled to; None for no scaling.
        pad: Whether the picture is centered on a canvas of the size of the training images, filled with the color of its border.

    Raises:
        ValueError: If `resize` is not in 1 to 16,384.
    """

    stretch: bool = False
    invert: bool = False
    resize: int | None = None
    pad: bool = False

    def __post_init__(self) -> None:
        if self.resize is not None:
            Range(1, 16_384).check("resize", self.resize)


@dataclass(frozen=True)
class ImageSelection:
    """A selection of images of a data set, or your own image files.

    Attributes:
        split: Part of the set.
        indices: Positions in that part, counted from 0: a string such as `0,5,10-19`, or numbers; None for the first ones.
        pictures: Image files, and folders that stand for the image files in them, in place of the images of a set.
        handling: Changes of the image files before the model sees them.

    Raises:
        ValueError: If image files are to be changed and there are none.
    """

    split: Split = "test"
    indices: str | Sequence[int] | None = None
    pictures: tuple[Path, ...] = ()
    handling: PictureHandling = PictureHandling()

    def __post_init__(self) -> None:
        changes = [name for name, value in chosen(self.handling).items() if value is not False]
        if changes and not self.pictures:
            raise ValueError(f"{flag(changes[0])} is for --image: other images are already as the model requires")
