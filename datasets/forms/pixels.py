"""Arrays of images in any layout and range as (N, H, W, C), uint8 or float32 in 0 to 1.

Dimensions: N images of H x W pixels in C channels.
"""

from collections.abc import Iterator, Sequence
from math import isqrt, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glimpse.datasets.picture_files import to_eight_bits

__all__ = ["arranged", "in_range"]

_MOST_CHANNELS = 4
_BLOCK = 1 << 24  # numbers that are examined at once


def arranged(array: Any, where: str, count: int | None = None) -> Any:
    """Returns images in one order of their axes, shape (N, H, W, C); a view where possible.

    Args:
        array: Shape (N, H, W), (N, H, W, C), (N, C, H, W) or (N, S * S), with C up to 4; or with N last, as in MATLAB. Rows that
            stay in a file are returned as they are, shape (N, H, W) or (N, H, W, C), if their axes are in this order.
        where: Name of the array, for messages.
        count: Number of images N, if known; the first axis counts images if None.

    Raises:
        ValueError: If the array is empty or has another shape.
    """
    shape = tuple(array.shape)
    if 0 in shape:
        raise ValueError(f"{where} is empty, shape {shape}")
    if not isinstance(array, np.ndarray):
        if count in (None, shape[0]) and (len(shape) == 3 or (len(shape) == 4 and shape[3] <= _MOST_CHANNELS)):
            return array
        array = np.asarray(array)
    if count is not None and shape[0] != count and shape[-1] == count:
        array = np.moveaxis(array, -1, 0)
    if array.ndim == 4 and array.shape[3] <= _MOST_CHANNELS:
        return array
    if array.ndim == 4 and array.shape[1] <= _MOST_CHANNELS:
        return np.moveaxis(array, 1, 3)
    if array.ndim == 3:
        return array[..., None]
    if array.ndim == 2 and (side := isqrt(array.shape[1])) ** 2 == array.shape[1]:
        return array.reshape(-1, side, side, 1)
    raise ValueError(
        f"{where} must be (N, H, W), (N, H, W, C) or (N, C, H, W) with C up to {_MOST_CHANNELS}, or square rows (N, S * S), "
        f"got {shape}"
    )


def in_range(arrays: Sequence[Any], names: Sequence[str], *, as_stored: bool = False) -> list[Any]:
    """Returns the images of all parts of a set as uint8, or as float32 in 0 to 1; rows that stay in a file if they are uint8.

    Integers and whole floats are 0 to 255, or black and white if all are 0 or 1; other floats are 0 to 1; 16 bits are
    rounded to 8.

    Args:
        arrays: Images of each part.
        names: Name of each array, for messages.
        as_stored: Whether 0 and 1 in uint8 stay as they are: for runs that were started with an earlier version.

    Raises:
        ValueError: If values are missing or not in one of these ranges.
    """
    each = [_limits(array) for array in arrays]
    limits = float(np.min([low for low, _ in each])), float(np.max([high for _, high in each]))
    is_alike = len({array.dtype for array in arrays}) == 1
    return [
        _converted(array, name, limits if is_alike else own, as_stored=as_stored)
        for array, name, own in zip(arrays, names, each, strict=True)
    ]


def _converted(array: Any, where: str, limits: tuple[float, float], *, as_stored: bool) -> Any:
    kind, (low, high) = array.dtype.kind, limits
    if array.dtype == np.uint8 and (high > 1 or as_stored):
        return array
    array = np.asarray(array)
    if kind == "b" or (kind in "iu" and low >= 0 and high <= 1):
        return array.astype(np.uint8) * np.uint8(255)
    if kind in "iu" and low >= 0 and high <= 255:
        return array.astype(np.uint8)
    if array.dtype == np.uint16 and high > np.iinfo(np.uint16).max // 2:
        return to_eight_bits(array)
    if kind == "f" and low >= 0 and high <= 1:
        return array.astype(np.float32, copy=False)
    if kind == "f" and low >= 0 and high <= 255 and _are_whole(array):
        return array.astype(np.uint8)
    if kind not in "iuf":
        raise ValueError(f"{where} must be numbers, got {array.dtype}")
    raise ValueError(f"{where} {_out_of_range(array, low, high)}")


def _out_of_range(array: NDArray[Any], low: float, high: float) -> str:
    """Returns why numbers are no pixels, and what they seem to be."""
    got = f"got {low:g} to {high:g}"
    if array.dtype.kind != "f":
        return f"must be in 0 to 255 if it is integers, {got}; scale it to 0 to 255 and store it with .astype('uint8')"
    if low != low or high != high:
        return "has missing values (NaN); images need a value for each pixel"
    if low >= 0:
        return f"must be in 0 to 1 if it is float, {got}; divide 0 to 255 by 255"
    if low >= -1 and high <= 1:
        return f"must be in 0 to 1 if it is float, {got}; -1 to 1 becomes 0 to 1 by (x + 1) / 2"
    mean, deviation = float(array.mean(dtype=np.float64)), float(array.std(dtype=np.float64))
    moments = f"mean {mean:.2g}, standard deviation {deviation:.2g}"
    if abs(mean) < 0.5 and 0.5 < deviation < 2:
        return f"is standardized ({got}, {moments}): undo it with x * deviation + mean of the original, so that it is in 0 to 1"
    return f"must be in 0 to 1 if it is float, {got} ({moments})"


def _limits(array: Any) -> tuple[float, float]:
    """Returns the least and the greatest value, NaN if there is one."""
    if array.dtype.kind not in "biuf":
        return 0.0, 0.0
    each = [(block.min(), block.max()) for block in _blocks(array)]
    return float(np.min([low for low, _ in each])), float(np.max([high for _, high in each]))


def _are_whole(array: NDArray[Any]) -> bool:
    return all(bool((block == np.rint(block)).all()) for block in _blocks(array))


def _blocks(array: Any) -> Iterator[NDArray[Any]]:
    """Yields the rows of an array, some at a time."""
    rows = max(1, _BLOCK // prod(array.shape[1:]))
    for start in range(0, len(array), rows):
        yield np.asarray(array[start : start + rows])
