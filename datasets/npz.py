"""Reads images and labels from `.npz` files and validates the arrays.

Dimensions: N images of H x W pixels in C channels, channels last as in most such files.
"""

from math import isqrt
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glimpse.datasets.array_files import ArrayArchive
from glimpse.datasets.labels import Labels

__all__ = ["Labeled", "Part", "read_images", "read_labeled"]

Part = Literal["all", "train", "valid", "test"]
_NAMES: dict[Part, tuple[str, str]] = {
    "train": ("X_train", "y_train"),
    "valid": ("X_valid", "y_valid"),
    "test": ("X_test", "y_test"),
}
_WHOLE = ("images", "labels")


class Labeled(NamedTuple):
    """Images with their labels, one for each.

    Attributes:
        images: Shape (N, H, W, C), uint8, or float32 in 0 to 1.
        labels: Labels of the N images.
    """

    images: NDArray[Any]
    labels: Labels

    def at(self, rows: slice | NDArray[np.int64]) -> "Labeled":
        """Returns the images in these rows, a slice or indices."""
        return Labeled(self.images[rows], self.labels.at(rows))


def read_labeled(path: Path, most: int | None = None) -> dict[Part, Labeled]:
    """Returns the parts of a `.npz` file: those of `train`, `valid` and `test` that it has, or `all` if it is not split.

    The arrays are named `X_train`/`y_train`, `X_valid`/`y_valid`, `X_test`/`y_test`, or `images`/`labels`. In a file with a
    validation or a test part but no `X_train`, `images`/`labels` are the training part. Other arrays are not read.

    Args:
        path: The file.
        most: Largest number of images of each part to read, the first ones; all if None.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not a readable `.npz`, or an array has a wrong name, shape, type or range, or is too large.
    """
    with ArrayArchive(path) as arrays:
        found = set(arrays.names)
        names = {part: pair for part, pair in _NAMES.items() if not found.isdisjoint(pair)}
        if not names or ("train" not in names and found >= set(_WHOLE)):
            names["train" if names else "all"] = _WHOLE
        for name in (name for pair in names.values() for name in pair):
            if name not in found:
                listed = ", ".join(arrays.names) or "nothing"
                raise ValueError(
                    f"{path}: no array {name!r}; expected images and labels, or X_train and y_train, ..., found {listed}"
                )
        return _checked(arrays, names, most)


def read_images(path: Path) -> dict[Part, Labeled]:
    """Returns the parts of a `.npz` file, with or without labels; if it is not split, all images are the training part.

    The arrays are named as in `read_labeled`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not a readable `.npz`, or an array has a wrong name, shape, type or range, or is too large.
    """
    with ArrayArchive(path) as arrays:
        names = {part: pair for part, pair in _NAMES.items() if pair[0] in arrays.names}
        if "train" not in names and _WHOLE[0] in arrays.names:
            names["train"] = _WHOLE
        if not names:
            listed = ", ".join(arrays.names) or "nothing"
            raise ValueError(f"{path}: no images; expected images, or X_train and X_test, found {listed}")
        return _checked(arrays, names)


def _checked(arrays: ArrayArchive, names: dict[Part, tuple[str, str]], most: int | None = None) -> dict[Part, Labeled]:
    """Returns the images and labels of these names; missing labels are unknown."""
    parts = {part: _labeled(arrays, *pair, most) for part, pair in names.items()}
    shapes = {part: data.images.shape[1:] for part, data in parts.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(f"{arrays.path}: the parts have images of different shapes (height, width, channels): {shapes}")
    return parts


def _labeled(arrays: ArrayArchive, x_name: str, y_name: str, most: int | None) -> Labeled:
    """Returns images and their labels; their numbers are compared before any value is read."""
    path, is_labeled = arrays.path, y_name in arrays.names
    counts = [(arrays.header(name).shape or (0,))[0] for name in (x_name, *([y_name] if is_labeled else []))]
    if len(set(counts)) > 1:
        raise ValueError(f"{path}: {counts[0]} images in {x_name} but {counts[1]} labels in {y_name}")
    images = _images(arrays.read(x_name, most), f"{path}: {x_name}")
    if not is_labeled:
        return Labeled(images, Labels.unknown(len(images)))
    return Labeled(images, Labels.of(arrays.read(y_name, most), f"{path}: {y_name}"))


def _images(array: NDArray[Any], where: str) -> NDArray[Any]:
    images = _with_channels(array, where)
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind != "f":
        raise ValueError(f"{where} must be uint8, or float in 0 to 1, got {images.dtype}; convert 0 to 255 with .astype('uint8')")
    low, high = float(images.min()), float(images.max())
    if not (low >= 0 and high <= 1):  # true for NaN too
        raise ValueError(f"{where} must be in 0 to 1 if it is float, got {low:g} to {high:g}; divide 0 to 255 by 255")
    return images.astype(np.float32)


def _with_channels(array: NDArray[Any], where: str) -> NDArray[Any]:
    """Returns the images as (N, H, W, C)."""
    if array.size == 0:
        raise ValueError(f"{where} is empty, shape {array.shape}")
    if array.ndim == 4 and array.shape[3] <= 4:
        return array
    if array.ndim == 3:
        return array[..., None]
    if array.ndim == 2 and (side := isqrt(array.shape[1])) ** 2 == array.shape[1]:
        return array.reshape(-1, side, side, 1)
    hint = "; move the channels last" if array.ndim == 4 and array.shape[1] <= 4 else ""
    raise ValueError(f"{where} must be (N, H, W), (N, H, W, C) with C up to 4, or square rows (N, S * S), got {array.shape}{hint}")
