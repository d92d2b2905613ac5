"""Labels in any spelling as classes: integers, whole floats, booleans, one-hot rows and strings.

Classes are the distinct labels in sorted order, integers by value and strings by character. Each class is named after its label.
Dimensions: N images, K classes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glimpse.settings.base import short

__all__ = ["Labels", "class_names", "listed", "numbers"]

_MOST_LISTED = 12


@dataclass(frozen=True)
class Labels:
    """Labels of N images.

    Attributes:
        names: Distinct labels as strings, in the order of their classes; some may have no image.
        codes: Index in `names` of each image's label, shape (N,), int64; -1 if it is unknown.
    """

    names: tuple[str, ...]
    codes: NDArray[np.int64]

    @classmethod
    def of(cls, array: NDArray[Any], where: str, names: Sequence[str] | None = None) -> "Labels":
        """Returns the labels in an array.

        Args:
            array: Integers, whole floats, booleans or strings, shape (N,), (N, 1) or (1, N); or one-hot rows, shape (N, K).
            where: Name of the array, for messages.
            names: Names of the labels 0 to K - 1; None if each is named after its value.

        Raises:
            ValueError: If the array has another shape, or labels are missing, fractions or of another type.
        """
        plain = _plain(_as_strings(array, where) if array.dtype.kind in "OSUT" else array, where)
        if names is not None and plain.dtype.kind == "i":
            outside = plain[(plain < 0) | (plain >= len(names))]
            if len(outside):
                raise ValueError(f"{where} has {outside[0]}, but names for 0 to {len(names) - 1} only")
            return cls(tuple(names), plain)
        values, codes = np.unique(plain, return_inverse=True)
        return cls(tuple(map(str, values.tolist())), codes.astype(np.int64))

    @classmethod
    def unknown(cls, count: int) -> "Labels":
        """Returns unknown labels of a number of images."""
        return cls((), np.full(count, -1, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.codes)

    def at(self, rows: slice | NDArray[np.int64]) -> "Labels":
        """Returns the labels of the images in these rows, a slice or indices."""
        return Labels(self.names, self.codes[rows])

    @property
    def present(self) -> list[str]:
        """Names of the labels that at least one image has."""
        counts = np.bincount(self.codes[self.codes >= 0], minlength=len(self.names))
        return [name for name, count in zip(self.names, counts, strict=True) if count]

    def classes(self, names: Sequence[str], where: str) -> NDArray[np.int64]:
        """Returns the class of each image: the index of its label in names, -1 if it is unknown; shape (N,), int64.

        Raises:
            ValueError: If a label is not one of the names.
        """
        place = {name: index for index, name in enumerate(names)}
        unknown = [name for name in self.present if name not in place]
        if unknown:
            raise ValueError(f"{where}: the model has classes {listed(names)}, the images have {listed(unknown)}")
        return np.array([*(place.get(name, -1) for name in self.names), -1], dtype=np.int64)[self.codes]  # code -1 is the last


def class_names(parts: Iterable[Labels]) -> tuple[str, ...]:
    """Returns the names of the classes that the images of several parts have.

    The order is that of the parts if they agree on it; otherwise names are sorted, by value if all are integers.
    """
    parts = [*parts]
    present = {name for part in parts for name in part.present}
    if len({part.names for part in parts}) == 1:
        return tuple(name for name in parts[0].names if name in present)
    return tuple(sorted(present, key=lambda name: (int(name), "") if all(map(_is_integer, present)) else (0, name)))


def numbers(count: int) -> tuple[str, ...]:
    """Returns the names of classes that have no others: 0 to count - 1."""
    return tuple(map(str, range(count)))


def listed(names: Sequence[str]) -> str:
    """Returns names in a few words: a range of integers, or the first names, cut off if they are long, and how many more.

    >>> listed(["0", "1", "2"]), listed(["cat", "dog"])
    ('0 to 2', 'cat, dog')
    """
    if len(names) > 2 and tuple(names) == numbers(len(names)):
        return f"0 to {len(names) - 1}"
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return ", ".join(map(short, names[:_MOST_LISTED])) + more


def _plain(array: NDArray[Any], where: str) -> NDArray[Any]:
    """Returns labels as int64 or strings, shape (N,)."""
    if array.ndim == 2 and 1 in array.shape:
        array = array.reshape(-1)
    if array.ndim not in (1, 2):
        raise ValueError(f"{where} must be labels (N,) or one-hot rows (N, K), got shape {array.shape}")
    kind = array.dtype.kind
    if kind == "U":
        if array.ndim == 2:
            raise ValueError(f"{where} must be one string for each image, got shape {array.shape}")
        return _numbers_in(array)
    if kind not in "biuf":
        raise ValueError(f"{where} must be integers or strings, got {array.dtype}")
    if array.ndim == 2:
        return _one_hot(array, where)
    if kind == "f":
        _refuse_fractions(array, where)
    elif kind == "u" and array.size and int(array.max()) > np.iinfo(np.int64).max:
        raise ValueError(f"{where} has a label of {array.max()}, larger than 2^63 - 1")
    return array.astype(np.int64)


def _one_hot(array: NDArray[Any], where: str) -> NDArray[np.int64]:
    if not (((array == 0) | (array == 1)).all() and (array.sum(axis=1) == 1).all()):
        hint = "a number or a string for each image, or rows with a single 1"
        raise ValueError(f"{where} has shape {array.shape}, but its rows are not one-hot; expected {hint}")
    classes: NDArray[np.int64] = array.argmax(axis=1).astype(np.int64)
    return classes


def _refuse_fractions(array: NDArray[Any], where: str) -> None:
    missing = int(np.isnan(array).sum())
    if missing:
        raise ValueError(f"{where} is missing (NaN) for {missing:,} of {len(array):,} images; remove those images or label them")
    wrong = array[~(np.abs(array) < 2**53) | (array != np.rint(array))]
    if len(wrong):
        raise ValueError(f"{where} must be classes, got fractions such as {wrong[0]:g}; expected integers or strings")


def _as_strings(array: NDArray[Any], where: str) -> NDArray[Any]:
    """Returns an array of bytes, strings or objects as one of strings; objects that are all numbers as one of numbers."""
    if array.dtype.kind in "UT":
        text = array.astype(np.str_)
        _refuse_missing(int((text == "").sum()), text.size, where)
        return text
    values = array.reshape(-1).tolist()
    _refuse_missing(sum(value is None or value != value or value == "" for value in values), len(values), where)
    if all(isinstance(value, bool | int | float | np.number) for value in values):
        return np.array(values).reshape(array.shape)
    strings = [value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value for value in values]
    other = next((value for value in strings if not isinstance(value, str | int)), None)
    if other is not None:
        raise ValueError(f"{where} must be integers or strings, got {type(other).__name__}")
    return np.array([str(value) for value in strings], dtype=np.str_).reshape(array.shape)


def _refuse_missing(missing: int, total: int, where: str) -> None:
    if missing:
        raise ValueError(f"{where} is missing for {missing:,} of {total:,} images; remove those images or label them")


def _numbers_in(strings: NDArray[Any]) -> NDArray[Any]:
    """Returns strings that are all plain integers as int64, so that 10 comes after 9; others unchanged."""
    values = np.unique(strings)
    if not (len(values) and all(map(_is_integer, values.tolist()))):
        return strings
    return strings.astype(np.int64)


def _is_integer(name: str) -> bool:
    """Returns whether a string is an integer as Python writes it, of at most 18 digits, so that it can be converted and back."""
    digits = name.removeprefix("-")
    return len(digits) <= 18 and digits.isascii() and digits.isdecimal() and (digits == "0" or digits[0] != "0") and name != "-0"
