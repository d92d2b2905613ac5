"""Limits on the memory that a file may ask for, checked before it is requested.

A small compressed file can declare arrays of many gigabytes. A reader therefore learns the size from the header, checks it, and
only then reads:

- an array of any format, such as HDF5, MATLAB or IDX: `check_array(dtype, shape, f"{path}: images")`;
- a picture, after its header and before its pixels are decoded: `check_pixels(width, height, str(path))`;
- bytes of another kind, such as a text: `check_bytes(size, str(path))`;
- bytes that are unpacked into a folder: `check_unpacked(size, folder, str(path))`.

`glimpse.datasets.array_files` has the readers of `.npy`, `.npz` and IDX files that do so.
"""

import math
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "LIFT",
    "MOST_BYTES",
    "MOST_PIXELS",
    "MOST_SIDE",
    "NO_LIMITS",
    "TooLarge",
    "are_lifted",
    "check_array",
    "check_bytes",
    "check_pixels",
    "check_unpacked",
]

MOST_BYTES = 8_000_000_000
"""Largest size of one array in bytes; free memory is a limit too."""

MOST_PIXELS = 64_000_000
"""Largest number of pixels of a picture; decoding needs about 10 bytes for each."""

MOST_SIDE = 50_000
"""Largest width and height of a picture in pixels."""

NO_LIMITS = "GLIMPSE_NO_LIMITS"
"""Environment variable that lifts all limits if it is set to anything but 0."""

LIFT = f"if you trust the file, lift the limit with glimpse --no-limits or {NO_LIMITS}=1"
"""Second half of the message about a limit."""

_SMALL = 1 << 26  # bytes that are not compared with the free memory, since a batch of images must be read quickly


class TooLarge(ValueError):
    """Raised if reading would need more memory than the limit."""


def are_lifted() -> bool:
    """Returns whether the limits are lifted."""
    return os.environ.get(NO_LIMITS, "0") not in ("", "0")


def check_array(dtype: "np.dtype[Any]", shape: Sequence[int], where: str) -> int:
    """Returns the size of an array in bytes, if it may be read.

    Args:
        dtype: Type of its values.
        shape: Its shape, as the file states it.
        where: Start of the message: file and name of the array.

    Raises:
        TooLarge: If it is larger than `MOST_BYTES` or the free memory.
        ValueError: If the array holds Python objects, or a size is negative.
    """
    if dtype.hasobject:
        raise ValueError(f"{where} holds Python objects, which are not read")
    if any(size < 0 for size in shape):
        raise ValueError(f"{where} has a negative size: {tuple(shape)}")
    return check_bytes(dtype.itemsize * math.prod(shape), where)


def check_bytes(size: int, where: str) -> int:
    """Returns a number of bytes, if they may be read.

    Args:
        size: Number of bytes.
        where: Start of the message.

    Raises:
        TooLarge: If there are more than `MOST_BYTES`, or more than fit into the free memory.

    >>> check_bytes(9_000_000_000, "images")
    Traceback (most recent call last):
    glimpse.datasets.limits.TooLarge: images takes 9.0 GB, the limit is 8 GB; if you trust the file, lift the limit with \
glimpse --no-limits or GLIMPSE_NO_LIMITS=1
    """
    import psutil

    if not are_lifted():
        if size > MOST_BYTES:
            raise TooLarge(f"{where} takes {size / 1e9:,.1f} GB, the limit is {MOST_BYTES / 1e9:g} GB; {LIFT}")
        free = psutil.virtual_memory().available if size > _SMALL else size
        if size > free:
            raise TooLarge(f"{where} is too large for this machine's memory: {size / 1e9:,.1f} GB, {free / 1e9:,.1f} GB are free")
    return size


def check_unpacked(size: int, folder: Path, where: str) -> int:
    """Returns a number of bytes, if they may be written to a folder.

    Args:
        size: Number of bytes.
        folder: The folder, which exists.
        where: Start of the message.

    Raises:
        TooLarge: If there are more than `MOST_BYTES`, or more than the disk has room for.
    """
    if not are_lifted():
        if size > MOST_BYTES:
            raise TooLarge(f"{where} takes more than {MOST_BYTES / 1e9:g} GB, the limit; {LIFT}")
        free = shutil.disk_usage(folder).free if size > _SMALL else size
        if size > free:
            raise TooLarge(f"{where} takes more than the {free / 1e9:,.1f} GB that are free for {folder}")
    return size


def check_pixels(width: int, height: int, where: str) -> None:
    """Checks the size of a picture.

    Args:
        width: Width in pixels.
        height: Height in pixels.
        where: Start of the message.

    Raises:
        TooLarge: If it has more than `MOST_PIXELS` pixels, or a side of more than `MOST_SIDE`.
    """
    if not are_lifted() and (width * height > MOST_PIXELS or max(width, height) > MOST_SIDE):
        limit = f"{MOST_PIXELS / 1e6:g} million pixels and {MOST_SIDE:,} a side"
        raise TooLarge(f"{where} has {width:,} x {height:,} pixels, the limit is {limit}; {LIFT}")
