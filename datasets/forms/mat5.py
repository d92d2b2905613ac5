"""Reads MATLAB's format 5, which versions 5 to 7 write: arrays of numbers and strings, cells of strings, and structures of these.

Every size in the file is compared with the bytes that there are before it is used; scipy's reader ends the process on some damaged
files. An array is a tree of elements: a tag of type and size, and the content, padded to eight bytes.

References:
    The MathWorks, "MAT-File Format", version R2022b.
"""

import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glimpse.datasets.limits import check_bytes

__all__ = ["read_arrays"]

_HEADER = 128  # bytes before the first variable
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}  # types of elements
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}  # classes of arrays
_CELL, _STRUCT, _CHAR = 1, 2, 4
_TEXTS = {1: "latin1", 2: "latin1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_COMPLEX, _LOGICAL = 0x08, 0x02
_DEEPEST = 8  # structures and cells within each other
_MOST_CELLS = 10_000_000


class _Element(NamedTuple):
    """An element: its type, its content, and the bytes that follow it."""

    kind: int
    content: memoryview
    rest: memoryview


class _Matrix(NamedTuple):
    """An array: its name and its values, None if they are of a kind that is not read."""

    name: str
    values: Any


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Returns the arrays in a file by name, without axes of length 1; fields of a structure are named `structure.field`.

    Args:
        path: The file.

    Returns:
        Arrays of numbers, and arrays of strings for matrices of characters and for cells of strings. Single values, complex
        numbers, sparse arrays, objects and functions are left out.

    Raises:
        ValueError: If the file is damaged or its arrays are too large.
        OSError: If it cannot be read.
    """
    check_bytes(path.stat().st_size, "it")
    content = memoryview(path.read_bytes())
    order = {b"IM": "<", b"MI": ">"}.get(bytes(content[126:_HEADER]))
    if order is None:
        raise ValueError("it has no mark of the order of bytes")
    found: dict[str, NDArray[Any]] = {}
    rest, unpacked = content[_HEADER:], 0
    while len(rest):
        kind, body, rest = _element(rest, order)
        if kind == _COMPRESSED:
            plain = _unpacked(body, order)
            unpacked += len(plain)
            check_bytes(unpacked, "it")
            kind, body, _ = _element(plain, order)
        if kind != _MATRIX:
            raise ValueError(f"an element of type {kind} is no variable")
        name, values = _matrix(body, order, 0)
        found |= dict(_named(name, values))
    return found


def _named(name: str, values: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yields the arrays of a variable with their names."""
    if isinstance(values, dict):
        for field, value in values.items():
            yield from _named(f"{name}.{field}", value)
    elif isinstance(values, np.ndarray) and values.ndim and not name.startswith("__"):
        yield name, values


def _unpacked(body: memoryview, order: str) -> memoryview:
    """Returns a compressed element, after its size has been checked."""
    try:
        start = zlib.decompressobj().decompress(body, 8)
        if len(start) < 8:
            raise ValueError("a compressed variable ends in its tag")
        size = 8 + int(np.frombuffer(start, f"{order}u4")[1])
        check_bytes(size, "a variable")
        stream = zlib.decompressobj()
        content = stream.decompress(body, size)
        more = stream.decompress(stream.unconsumed_tail, 1)
    except zlib.error as error:
        raise ValueError(f"a compressed variable cannot be unpacked: {error}") from error
    if len(content) != size or more or not stream.eof:
        raise ValueError("a compressed variable has another size than its tag states")
    return memoryview(content)


def _element(content: memoryview, order: str) -> _Element:
    """Returns the first element."""
    if len(content) < 8:
        raise ValueError("it ends within a tag")
    kind, size = (int(number) for number in np.frombuffer(content[:8], f"{order}u4"))
    if kind >> 16:  # a small element: type and size share four bytes, and the content is in the other four
        kind, size = kind & 0xFFFF, kind >> 16
        if size > 4:
            raise ValueError(f"a small element has {size} bytes")
        return _Element(kind, content[4 : 4 + size], content[8:])
    if size > len(content) - 8:
        raise ValueError(f"an element has {size:,} bytes, {len(content) - 8:,} are left")
    padding = 0 if kind == _COMPRESSED else -size % 8
    return _Element(kind, content[8 : 8 + size], content[8 + size + padding :])


def _numbers(content: memoryview, order: str) -> tuple[NDArray[Any], memoryview]:
    """Returns the numbers in the first element, and the bytes that follow it."""
    kind, body, rest = _element(content, order)
    if kind not in _NUMBERS:
        raise ValueError(f"an element of type {kind} has no numbers")
    return np.frombuffer(body, order + _NUMBERS[kind]), rest


def _matrix(content: memoryview, order: str, depth: int) -> _Matrix:
    """Returns the array in the content of an element."""
    if depth > _DEEPEST:
        raise ValueError(f"structures are more than {_DEEPEST} deep")
    if not len(content):
        return _Matrix("", np.empty(0))
    flags, content = _numbers(content, order)
    shape, content = _numbers(content, order)
    _, name, content = _element(content, order)
    if len(flags) != 2 or not 2 <= len(shape) <= 32 or (shape < 0).any():
        raise ValueError(f"an array has the flags {flags.tolist()} and the shape {shape.tolist()[:32]}")
    kind, marks = int(flags[0]) & 0xFF, int(flags[0]) >> 8
    sizes = tuple(map(int, shape))
    text = bytes(name).decode("latin1")
    if kind in _CLASSES and not marks & _COMPLEX:
        return _Matrix(text, _values(content, order, kind, marks, sizes))
    if kind == _CHAR:
        return _Matrix(text, _strings(content, order, sizes))
    if kind == _CELL:
        return _Matrix(text, _cell(content, order, sizes, depth))
    if kind == _STRUCT:
        return _Matrix(text, _structure(content, order, sizes, depth))
    return _Matrix(text, None)


def _values(content: memoryview, order: str, kind: int, marks: int, sizes: tuple[int, ...]) -> NDArray[Any]:
    """Returns an array of numbers in the type of its class."""
    stored, _ = _numbers(content, order)
    if len(stored) != math.prod(sizes):
        raise ValueError(f"an array of shape {sizes} has {len(stored):,} values")
    check_bytes(np.dtype(_CLASSES[kind]).itemsize * len(stored), "an array")
    typed = stored.astype(np.bool_ if marks & _LOGICAL else _CLASSES[kind])
    return typed.reshape(sizes, order="F").squeeze()


def _strings(content: memoryview, order: str, sizes: tuple[int, ...]) -> Any:
    """Returns the rows of a matrix of characters as strings: one string if there is one row."""
    kind, body, _ = _element(content, order)
    if kind not in _TEXTS or len(sizes) != 2:
        raise ValueError(f"characters are of type {kind} and shape {sizes}")
    encoding = _TEXTS[kind] + ({"<": "-le", ">": "-be"}[order] if _TEXTS[kind] in ("utf-16", "utf-32") else "")
    letters = bytes(body).decode(encoding, errors="replace")
    if len(letters) != math.prod(sizes):
        raise ValueError(f"a matrix of characters of shape {sizes} has {len(letters):,} of them")
    rows = ["".join(letters[row :: sizes[0]]).rstrip() for row in range(sizes[0])] if letters else [""]
    return rows[0] if len(rows) == 1 else np.array(rows, dtype=np.str_)


def _cell(content: memoryview, order: str, sizes: tuple[int, ...], depth: int) -> Any:
    """Returns a cell of strings as an array; None for other cells."""
    strings = []
    for _ in range(_count(content, sizes)):
        value, content = _inner(content, order, depth)
        if not isinstance(value, str):
            return None
        strings.append(value)
    return np.array(strings, dtype=np.str_) if len(strings) > 1 else None


def _structure(content: memoryview, order: str, sizes: tuple[int, ...], depth: int) -> Any:
    """Returns the fields of a single structure; None for an array of structures."""
    lengths, content = _numbers(content, order)
    _, names, content = _element(content, order)
    if len(lengths) != 1 or not 0 < int(lengths[0]) <= 64 or len(names) % int(lengths[0]):
        raise ValueError(f"the names of fields have lengths {lengths.tolist()[:4]} and {len(names)} bytes")
    if math.prod(sizes) != 1:
        return None
    fields: dict[str, Any] = {}
    width = int(lengths[0])
    for start in range(0, len(names), width):
        value, content = _inner(content, order, depth)
        fields[bytes(names[start : start + width]).partition(b"\0")[0].decode("latin1")] = value
    return fields


def _inner(content: memoryview, order: str, depth: int) -> tuple[Any, memoryview]:
    """Returns the values of the array in the first element, and the bytes that follow it."""
    kind, body, rest = _element(content, order)
    if kind != _MATRIX:
        raise ValueError(f"an element of type {kind} is no array")
    return _matrix(body, order, depth + 1).values, rest


def _count(content: memoryview, sizes: tuple[int, ...]) -> int:
    """Returns the number of cells, each of which has at least a tag."""
    count = math.prod(sizes)
    if count > min(_MOST_CELLS, len(content) // 8):
        raise ValueError(f"a cell of shape {sizes} has {len(content):,} bytes")
    return count
