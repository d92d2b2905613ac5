"""What a form of labeled images is opened as.

Dimensions: N images of H x W pixels in C channels, K classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from glimpse.datasets.labels import Labels
from glimpse.settings.requests import FormChoice

__all__ = ["Found", "ImageRows", "PartName", "Stored", "Undecided"]

PartName = Literal["all", "train", "valid", "test"]
"""Part of a set; `all` for a set that is not split."""


class ImageRows(Protocol):
    """Images that are read by their index: an array, an array in a file, or pictures that are decoded when they are asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape (N, H, W) or (N, H, W, C)."""
        ...

    @property
    def ndim(self) -> int:
        """Number of dimensions, 3 or 4."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any:
        """Returns the images with these indices, an array of shape (B,): uint8, or float32 in 0 to 1."""
        ...


class Stored(NamedTuple):
    """Images of one part.

    Attributes:
        images: N images.
        labels: Their labels.
        centers: Center (x, y) of each digit's frame in pixels, shape (N, 2); None if unknown.
    """

    images: ImageRows
    labels: Labels
    centers: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Found:
    """Labeled images as they were recognized.

    Attributes:
        form: How they were recognized, in a few words.
        path: Folder or file, absolute; None for an object of Python.
        sha256: Digest of the images and labels.
        parts: Their parts by name: `all`, or those of `train`, `valid` and `test` that there are.
        class_names: Names of all classes; None for the labels that images have.
        frame: Height and width of the digits' frame around each center, in pixels; None if unknown.
        choice: The choices that the images depend on.
        notes: What was left out or assumed, one sentence each.
    """

    form: str
    path: str | None
    sha256: str
    parts: Mapping[PartName, Stored]
    class_names: Sequence[str] | None = None
    frame: tuple[int, int] | None = None
    choice: FormChoice = field(default_factory=FormChoice)
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name for messages: the path, or the form of an object of Python."""
        return self.form if self.path is None else self.path


class Undecided(ValueError):
    """Raised if it cannot be decided which of several arrays, columns or files are the images or the labels.

    Args:
        where: Name of the file or the object.
        what: What is not decided, the first half of the message.
        found: What was found.
        remedy: What to do, by default the options that name images and labels.
    """

    def __init__(
        self, where: object, what: str, found: Sequence[str], remedy: str = "name them with --images-key and --labels-key"
    ) -> None:
        listed = ", ".join(found[:_MOST]) + (f" and {len(found) - _MOST} more" if len(found) > _MOST else "")
        super().__init__(f"{where}: {what}; found {listed or 'nothing'}: {remedy}")


_MOST = 16
