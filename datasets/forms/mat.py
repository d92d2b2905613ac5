"""MATLAB files of version 5 to 7, by the names of the variables in them and of the fields of structures, such as affNIST's.

References:
    T. Tieleman, "affNIST", www.cs.toronto.edu/~tijmen/affNIST, 2013.
"""

import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glimpse.datasets.array_files import Header
from glimpse.datasets.damage import as_one_line
from glimpse.datasets.forms.arrays import keys_of, stored_parts
from glimpse.datasets.forms.found import Found
from glimpse.datasets.forms.given import Form, Given
from glimpse.datasets.limits import check_bytes
from glimpse.digest import sha256_of_file

__all__ = ["FORM"]

_MAGIC = b"MATLAB 5.0 MAT-file"
_HEADER = 128  # bytes before the first variable
_COMPRESSED = 15


class _Variables:
    """Variables of a file, with the fields of structures by names such as `affNISTdata.image`.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        from scipy.io import loadmat

        self.path = path
        with as_one_line(path, " is no .mat file that can be read"):
            check_bytes(_unpacked_size(path), "it")
            self._values = dict(_arrays(loadmat(str(path), simplify_cells=True)))

    @property
    def names(self) -> list[str]:
        """Names of the arrays."""
        return sorted(self._values)

    def header(self, name: str) -> Header:
        """Returns the type and shape of an array."""
        return Header(self._values[name].dtype, self._values[name].shape)

    def read(self, name: str, most: int | None = None) -> NDArray[Any]:
        """Returns an array, or at most its first rows."""
        return self._values[name][:most]


def _open(given: Given) -> Found:
    """Returns the images and labels in a MATLAB file.

    Raises:
        ValueError: If the file is damaged, or an array has a wrong name, shape, type or range, or is too large.
    """
    parts = stored_parts(_Variables(given.source), given)
    return Found(".mat", str(given.path), sha256_of_file(given.source), parts, choice=keys_of(given))


FORM = Form("a .mat file", lambda given: given.head.startswith(_MAGIC), _open)


def _arrays(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, NDArray[Any]]]:
    """Yields the arrays of numbers or strings with at least one axis, and those in structures."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _arrays(value, f"{before}{name}.")
        elif isinstance(value, list) and value and all(isinstance(each, str) for each in value):
            yield before + name, np.array(value, dtype=np.str_)
        elif isinstance(value, np.ndarray) and value.ndim and not name.startswith("__"):
            strings = value.dtype.kind == "O" and all(isinstance(each, str) for each in value.reshape(-1))
            if strings or value.dtype.kind != "O":
                yield before + name, value.astype(np.str_) if strings else value


def _unpacked_size(path: Path) -> int:
    """Returns the size of all variables in bytes, from their headers; compressed variables hold theirs in their first bytes."""
    total, position = 0, _HEADER
    with path.open("rb") as file:
        order = "<" if file.read(_HEADER)[126:128] == b"IM" else ">"
        while len(tag := file.read(8)) == 8:
            kind, size = (int(number) for number in np.frombuffer(tag, f"{order}u4"))
            packed = zlib.decompressobj().decompress(file.read(min(size, 256)), 8) if kind == _COMPRESSED else tag
            total += int(np.frombuffer(packed[4:8], f"{order}u4")[0]) if len(packed) == 8 else size
            position += 8 + size
            file.seek(position)
    return total
