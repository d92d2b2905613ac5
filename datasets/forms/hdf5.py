"""HDF5 files, by the names of the arrays in them and of their groups, and MATLAB files of version 7.3, which are HDF5.

MATLAB stores the last axis first, strings as numbers and cells as references.
"""

import contextlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glimpse.datasets.array_files import Header
from glimpse.datasets.damage import as_one_line
from glimpse.datasets.forms.arrays import KEPT_IN_FILE, keys_of, stored_parts
from glimpse.datasets.forms.found import Found
from glimpse.datasets.forms.given import Form, Given
from glimpse.datasets.limits import check_array
from glimpse.digest import sha256_of_file

__all__ = ["FORM"]

_MAGIC = b"\x89HDF\r\n\x1a\n"
_MATLAB = b"MATLAB 7.3 MAT-file"
_STRINGS = np.dtype("U1")  # stands for strings of any length


class _Arrays:
    """Arrays in a file of HDF5; links to other files are not followed.

    Args:
        path: The file.
        is_matlab: Whether MATLAB wrote it.
    """

    def __init__(self, path: Path, *, is_matlab: bool) -> None:
        import h5py

        self.path, self._is_matlab = path, is_matlab
        self._file = h5py.File(path, "r")

    @cached_property
    def names(self) -> list[str]:
        """Names of the arrays with those of their groups, separated by `/`."""
        import h5py

        found: list[Any] = []
        with _reading(self.path):
            self._file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
        if any(isinstance(name, bytes) for name in found):  # h5py returns those that are not UTF-8 as they are
            raise ValueError(f"{self.path} is damaged: the name of an array in it is no text")
        return sorted(name for name in found if not name.startswith("#"))

    def header(self, name: str) -> Header:
        """Returns the type and shape of an array; strings have a type of strings."""
        with _reading(self.path):
            return self._header(name)

    def _header(self, name: str) -> Header:
        import h5py

        stored = self._file[name]
        shape = stored.shape[::-1] if self._is_matlab else stored.shape
        if h5py.check_string_dtype(stored.dtype) is not None or stored.dtype.kind == "S":
            return Header(_STRINGS, shape or ())
        if self._is_matlab and _matlab_class(stored) == "char":
            return Header(_STRINGS, (shape[0],))
        if self._is_matlab and _matlab_class(stored) == "cell":
            return Header(_STRINGS, (int(np.prod(shape)),))
        return Header(stored.dtype, shape or ())

    def read(self, name: str, most: int | None = None) -> Any:
        """Returns an array, or at most its first rows; a large one of uint8 stays in its file."""
        with _reading(self.path):
            return self._read(name, most)

    def _read(self, name: str, most: int | None) -> Any:
        import h5py

        stored = self._file[name]
        if self._is_matlab:
            return self._read_matlab(stored, name)[:most]
        if h5py.check_string_dtype(stored.dtype) is not None:
            return np.array(stored.asstr()[:most], dtype=np.str_)
        if most is None and stored.dtype == np.uint8 and stored.ndim > 2 and stored.nbytes > KEPT_IN_FILE:
            return _Rows(stored, self.path)
        shape = stored.shape if most is None else (min(most, stored.shape[0]), *stored.shape[1:])
        check_array(stored.dtype, shape, name)
        return np.asarray(stored[:most])

    def _read_matlab(self, stored: Any, name: str) -> NDArray[Any]:
        kind = _matlab_class(stored)
        check_array(np.dtype(np.uint64) if stored.dtype.hasobject else stored.dtype, stored.shape, name)
        if kind == "cell":
            return np.array([_text(self._file[reference]) for reference in stored[...].reshape(-1)], dtype=np.str_)
        values: NDArray[Any] = stored[...].T
        if kind == "char":
            return np.array(["".join(map(chr, row)).rstrip() for row in values], dtype=np.str_)
        return values


class _Rows:
    """Rows of an array in a file of HDF5, read each time they are indexed.

    Args:
        stored: The array.
        path: The file.
    """

    def __init__(self, stored: Any, path: Path) -> None:
        self._stored, self._path = stored, path
        self.dtype, self.shape, self.ndim = stored.dtype, stored.shape, stored.ndim

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, rows: Any, /) -> Any:
        with _reading(self._path):
            if isinstance(rows, slice):
                return self._stored[rows]
            wanted, place = np.unique(np.arange(len(self))[rows], return_inverse=True)  # HDF5 reads in ascending order
            return self._stored[wanted][place]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        check_array(self.dtype, self.shape, str(self._stored.name))
        values = np.asarray(self._stored[...])
        return values if dtype is None else values.astype(dtype, copy=False)


def _open(given: Given) -> Found:
    """Returns the images and labels in a file of HDF5.

    Raises:
        ValueError: If the file is damaged, or an array has a wrong name, shape, type or range, or is too large.
    """
    is_matlab = _is_matlab(given)
    form = ".mat" if is_matlab else "HDF5"
    with _reading(given.source, form):
        arrays = _Arrays(given.source, is_matlab=is_matlab)
    parts = stored_parts(arrays, given)
    return Found(form, str(given.path), sha256_of_file(given.source), parts, choice=keys_of(given))


def _reading(path: Path, form: str = "HDF5") -> contextlib.AbstractContextManager[None]:
    """Context in which the errors of a damaged file, which HDF5 raises when an array is read, become one line."""
    return as_one_line(path, f" is no {form} file that can be read")


def _is_matlab(given: Given) -> bool:
    return given.head.startswith(_MATLAB)


FORM = Form("an HDF5 file", lambda given: given.head.startswith(_MAGIC) or _is_matlab(given), _open)


def _matlab_class(stored: Any) -> str:
    return str(np.asarray(stored.attrs.get("MATLAB_class", b"")).astype(str))


def _text(stored: Any) -> str:
    return "".join(map(chr, np.asarray(stored[...]).reshape(-1, order="F").tolist()))
