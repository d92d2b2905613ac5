"""Your own pictures as input of a model: their files, their ground and range, and how they are fitted to a model.

Intensities are in 0 to 1. Dimensions: pictures of H x W pixels in C channels.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from glimpse.datasets.picture_files import pictures_in
from glimpse.settings.requests import PictureHandling

__all__ = ["Ground", "PictureFacts", "facts_of", "fitted", "ink_extent", "picture_paths", "resized_to_fit"]

Ground = Literal["dark", "light"]
"""Whether a picture shows light things on a dark ground, or dark things on a light ground."""

_BORDER = 0.04  # width of the border that shows the ground, as a share of the shorter side
_COARSE = 256  # pixels along the longer side of a picture in which ink is searched
_UNEVEN = 0.05  # share of the border that may stay lighter than a black, or darker than a white ground after stretching
_NEAR = 0.4  # the ground is dark if it is within this share of the range from the darkest pixel, light if from the lightest


class PictureFacts(NamedTuple):
    """Facts of a picture that decide how a model sees it.

    Attributes:
        low: Smallest intensity.
        high: Largest intensity; equal to `low` if the picture is blank.
        ground: Ground of the picture; None if it is neither clearly dark nor clearly light.
        level: Intensity of the ground, the median of the border.
    """

    low: float
    high: float
    ground: Ground | None
    level: float

    @property
    def off(self) -> float:
        """Difference of the ground from black or white; 0 if there is no ground."""
        return 0.0 if self.ground is None else self.level if self.ground == "dark" else 1 - self.level


def picture_paths(paths: Iterable[str | Path]) -> tuple[Path, ...]:
    """Returns files as they are, and in place of each folder the pictures in it; see `pictures_in`.

    Raises:
        ValueError: If a folder holds no pictures.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        found += pictures_in(path) if path.is_dir() else [path]
    return tuple(found)


def facts_of(image: Tensor) -> PictureFacts:
    """Returns the range and the ground of a picture.

    The ground is the median intensity of the border, compared with the darkest and the lightest pixel of the whole picture.

    Args:
        image: Shape (C, H, W).
    """
    gray = image.mean(dim=0)
    low, high, level = float(gray.min()), float(gray.max()), float(_border(gray[None]).median())
    place = (level - low) / (high - low) if high > low else 0.5
    return PictureFacts(low, high, "dark" if place < _NEAR else "light" if place > 1 - _NEAR else None, level)


def ink_extent(image: Tensor) -> float:
    """Returns the longer side of the box around the ink of a picture, as a share of the picture's longer side.

    Ink differs from the ground, the median of the border, by more than half of the greatest difference. Pictures of more than 256
    pixels are averaged before, so that noise is no ink.

    Args:
        image: Shape (C, H, W).
    """
    gray = image.mean(dim=0, keepdim=True)
    scale = min(1.0, _COARSE / max(gray.shape[1:]))
    if scale < 1:
        height, width = (max(1, round(scale * side)) for side in gray.shape[1:])
        gray = F.interpolate(gray[None], (height, width), mode="area")[0]
    away = (gray - _border(gray).median()).abs()[0]
    ink = away > away.max() / 2
    rows, columns = ink.any(dim=1).nonzero(), ink.any(dim=0).nonzero()
    if not len(rows):
        return 0.0
    return int(max(rows.max() - rows.min(), columns.max() - columns.min()) + 1) / max(gray.shape[1:])


def fitted(image: Tensor, handling: PictureHandling, size: tuple[int, int] | None = None) -> Tensor:
    """Returns a picture as a model is to see it.

    Args:
        image: Shape (C, H, W).
        handling: Changes, in the order of its fields.
        size: Height and width of the model's training images, for padding; None if unknown.

    Returns:
        Shape (C, H', W'). A side that is longer than the canvas is not padded.

    Raises:
        ValueError: If the picture is to be padded and the size is unknown.
    """
    if handling.stretch:
        image = _stretched(image)
    if handling.invert:
        image = 1 - image
    if handling.resize is not None:
        scale = handling.resize / max(image.shape[1:])
        height, width = (max(1, round(scale * side)) for side in image.shape[1:])
        image = F.interpolate(image[None], (height, width), mode="bilinear", antialias=True)[0]
    return _padded(image, size) if handling.pad else image


def resized_to_fit(height: int, width: int, size: tuple[int, int]) -> int:
    """Returns the length of the longer side of a picture of H x W pixels, scaled to fit into a size, height and width.

    >>> resized_to_fit(3000, 4000, (100, 100)), resized_to_fit(100, 10, (18, 27))
    (100, 18)
    """
    return max(1, int(max(height, width) * min(size[0] / height, size[1] / width) + 1e-6))


def _stretched(image: Tensor) -> Tensor:
    """Returns a picture in the whole range, its ground black or white in spite of noise and uneven light."""
    (low, high), ground, gray = image.aminmax(), facts_of(image).ground, image.mean(dim=0, keepdim=True)
    if ground == "dark":
        low = _quantile(_border(gray), 1 - _UNEVEN)
    elif ground == "light":
        high = _quantile(_border(gray), _UNEVEN)
    return ((image - low) / (high - low).clamp(min=torch.finfo(image.dtype).tiny)).clamp(0, 1)


def _quantile(values: Tensor, share: float) -> Tensor:
    """Returns the value below which this share of all values is; `torch.quantile` takes 16 million values at most."""
    return values.flatten().kthvalue(1 + round(share * (values.numel() - 1))).values


def _border(image: Tensor) -> Tensor:
    """Returns the pixels of the border of a picture (C, H, W), shape (C, N)."""
    height, width = image.shape[1:]
    wide = max(1, round(_BORDER * min(height, width)))
    border = torch.ones(height, width, dtype=torch.bool, device=image.device)
    border[wide : height - wide, wide : width - wide] = False
    return image[:, border]


def _padded(image: Tensor, size: tuple[int, int] | None) -> Tensor:
    """Returns a picture in the middle of a canvas of the color of its border."""
    if size is None:
        raise ValueError("--pad needs the size of the images that the model was trained on, which is unknown")
    height, width = image.shape[1:]
    tall, wide = max(height, size[0]), max(width, size[1])
    canvas = _border(image).median(dim=1).values[:, None, None].repeat(1, tall, wide)
    top, left = (tall - height) // 2, (wide - width) // 2
    canvas[:, top : top + height, left : left + width] = image
    return canvas
