"""Readers of arrays in `.npy`, `.npz` and IDX files that know the size of an array before they request memory.

Damage is a `ValueError` of one line that starts with the file; nothing is unpickled.
"""

import contextlib
import gzip
import itertools
import math
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from glimpse.datasets.damage import as_one_line, members_of_zip, one_line
from glimpse.datasets.limits import check_array

__all__ = ["ArrayArchive", "ArrayFile", "Header", "Readable", "read_array", "read_header", "read_idx"]

_BLOCK = 1 << 20  # bytes that are read at once
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # those of numpy; others may ask for memory of their own
_NO_ARCHIVE = ": not a .npz file of plain arrays, as np.savez writes it"
_IDX_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_IDX_DIMENSIONS = 8


class Readable(Protocol):
    """A binary file, open for reading."""

    def read(self, size: int = ..., /) -> bytes:
        """Returns at most this number of bytes; none at the end."""
        ...


class Header(NamedTuple):
    """Type and shape of an array in a file.

    Attributes:
        dtype: Type of its values.
        shape: Its shape; no size is negative.
        is_fortran: Whether the first index varies fastest.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_fortran: bool = False

    @property
    def size(self) -> int:
        """Size of the values in bytes."""
        return self.dtype.itemsize * math.prod(self.shape)


def read_header(file: Readable, where: str) -> Header:
    """Returns the header of an array in numpy's format, and leaves the file at its first value.

    Args:
        file: File at the start of the array.
        where: Start of the messages.

    Raises:
        ValueError: If there is no header of an array of numbers.
    """
    header = _any_header(file, where)
    if header.dtype.hasobject or header.dtype.itemsize == 0:
        raise ValueError(f"{where} has no plain values, but {header.dtype}")
    return header


def _any_header(file: Readable, where: str) -> Header:
    """Returns the header of an array in numpy's format, which may be one of Python objects."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        version = np.lib.format.read_magic(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a damaged header may warn too
            shape, is_fortran, dtype = readers[version](file)
    except Exception as error:  # damage raises many types of errors, those of tokenize and of the parser among them
        raise ValueError(f"{where} has no header of an array ({one_line(error)})") from error
    if any(size < 0 for size in shape):
        raise ValueError(f"{where} has a negative size: {shape}")
    return Header(dtype, tuple(map(int, shape)), is_fortran)


def read_array(path: Path, remedy: str = "") -> NDArray[Any]:
    """Returns the array in a `.npy` file.

    Args:
        path: The file.
        remedy: What to do about a damaged file, the end of the message.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it does not hold one array of plain values, or the array is too large.
    """
    with path.open("rb") as file, as_one_line(path, " is damaged", remedy):
        return _read_values(file, read_header(file, "it"), "it")


def read_idx(path: Path) -> NDArray[Any]:
    """Returns the array in an IDX file, the format of MNIST, possibly compressed by gzip.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it does not hold one array, or the array is too large.
    """
    with path.open("rb") as plain:
        is_packed = plain.read(2) == b"\x1f\x8b"
        plain.seek(0)
        with as_one_line(path, " is no complete IDX file"), gzip.open(plain) if is_packed else plain as file:
            return _read_values(file, _idx_header(file), "the array")


class ArrayArchive:
    """Arrays in a `.npz` file, read one by one when they are asked for; a context manager.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a zip archive.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise FileNotFoundError(f"no file {path}")
        self.path = path
        with as_one_line(path, _NO_ARCHIVE):
            self._archive = zipfile.ZipFile(path)
            members = members_of_zip(self._archive)
        self._members = {member.filename.removesuffix(".npy"): member for member in members}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._archive.close()

    @property
    def names(self) -> list[str]:
        """Names of the arrays, sorted."""
        return sorted(self._members)

    def header(self, name: str) -> Header:
        """Returns the type and shape of an array without reading it; the type may be that of Python objects, which are not read.

        Raises:
            ValueError: If the member is damaged or no array.
        """
        with self._member(name) as file:
            return _any_header(file, name)

    def read(self, name: str, most: int | None = None) -> NDArray[Any]:
        """Returns an array.

        Args:
            name: Name of the array.
            most: Largest number of its first rows to read; all if None.

        Raises:
            ValueError: If the member is damaged, no array, or too large.
        """
        with self._member(name) as file:
            return _read_values(file, read_header(file, name), name, most)

    @contextlib.contextmanager
    def _member(self, name: str) -> Iterator[Readable]:
        member = self._members[name]
        with as_one_line(self.path, _NO_ARCHIVE):
            if member.compress_type not in _PACKINGS:
                raise ValueError(f"{name} is packed in a way that numpy does not write")
            with self._archive.open(member) as file:
                yield file


class ArrayFile:
    """Rows of an array in a `.npy` file, read each time they are indexed.

    In contrast to a memory map, a file that another process cuts short is an error, not the end of this process. A slice is another
    view of the file; an index or an array of indices reads. `numpy.asarray` reads all.

    Args:
        path: The file.
        rows: Rows of the file that are seen; all if None.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it does not hold one array of plain values, row after row, in full.
    """

    def __init__(self, path: Path, rows: range | None = None) -> None:
        self.path = path
        with path.open("rb") as file:
            header = read_header(file, str(path))
            self._start, end = file.tell(), file.seek(0, 2)
        if header.is_fortran or not header.shape:
            raise ValueError(f"{path} does not hold an array of rows")
        if end - self._start != header.size:
            raise ValueError(f"{path} holds {end - self._start:,} bytes of values, its header states {header.size:,}")
        self._header, self._rows = header, range(header.shape[0]) if rows is None else rows

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return self._header.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape, with the number of rows seen first."""
        return len(self._rows), *self._header.shape[1:]

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: Any) -> Any:
        if isinstance(rows, slice):
            return ArrayFile(self.path, self._rows[rows])
        index = np.asarray(rows)
        if index.dtype.kind not in "iu" or index.ndim > 1:
            raise TypeError(f"rows are chosen by an integer, a slice or integers of shape (B,), got {rows!r}")
        wanted = np.array([self._rows[int(row)] for row in np.atleast_1d(index)], dtype=np.int64)
        read = self._read(wanted)
        return read[0] if index.ndim == 0 else read

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        read = self._read(np.asarray(self._rows, dtype=np.int64))
        return read if dtype is None else read.astype(dtype, copy=False)

    def _read(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Returns these rows of the file, one read for each run of consecutive rows."""
        shape = (len(rows), *self._header.shape[1:])
        content = np.empty(check_array(self.dtype, shape, str(self.path)), dtype=np.uint8)
        width = self.dtype.itemsize * math.prod(shape[1:])
        starts = [0, *(np.flatnonzero(np.diff(rows) != 1) + 1).tolist(), len(rows)]
        with self.path.open("rb") as file:
            for first, last in itertools.pairwise(starts):
                if first < last:
                    file.seek(self._start + int(rows[first]) * width)
                    _fill(file, content[first * width : last * width], str(self.path))
        return content.view(self.dtype).reshape(shape)


def _idx_header(file: Readable) -> Header:
    start = file.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _IDX_TYPES or not 1 <= start[3] <= _IDX_DIMENSIONS:
        raise ValueError(f"it starts with {start.hex(' ') or 'nothing'}, which is no header of an IDX file")
    sizes = file.read(4 * start[3])
    if len(sizes) < 4 * start[3]:
        raise ValueError("it ends in its header")
    return Header(np.dtype(_IDX_TYPES[start[2]]), tuple(int(size) for size in np.frombuffer(sizes, ">u4")))


def _read_values(file: Readable, header: Header, where: str, most: int | None = None) -> NDArray[Any]:
    """Returns the values after a header, or those of the first rows; then the rest of the file is not read."""
    if most is not None and header.shape and not header.is_fortran:
        rows = min(most, header.shape[0])
        header = header._replace(shape=(rows, *header.shape[1:]))
    content = np.empty(check_array(header.dtype, header.shape, where), dtype=np.uint8)
    _fill(file, content, where)
    if most is None and file.read(1):  # reading to the end checks an archive's checksum
        raise ValueError(f"{where} holds more bytes than its header states")
    values = content.view(header.dtype)
    if not header.is_fortran:
        return values.reshape(header.shape)
    return values.reshape(header.shape[::-1]).T[: None if most is None else most]


def _fill(file: Readable, content: NDArray[np.uint8], where: str) -> None:
    """Reads from a file until the content is full."""
    done = 0
    while done < len(content):
        block = file.read(min(_BLOCK, len(content) - done))
        if not block:
            raise ValueError(f"{where} ends after {done:,} of {len(content):,} bytes")
        content[done : done + len(block)] = np.frombuffer(block, np.uint8)
        done += len(block)
