"""Dictionaries of named arrays, tensors and lists, by the same rules for names as in `.npz` files.

    {"x_train": ..., "y_train": ..., "x_test": ..., "y_test": ...}
    {"images": ..., "labels": ..., "class_names": [...]}
    {"train": {"images": ..., "labels": ...}, "test": {"images": ..., "labels": ...}, "class_names": [...]}

scikit-learn's `Bunch` and the archives that `numpy.load` opens are dictionaries too.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glimpse.datasets.array_files import Header
from glimpse.datasets.forms.arrays import stored_parts
from glimpse.datasets.forms.cells import is_image, on_host, stacked
from glimpse.datasets.forms.found import PartName, Stored
from glimpse.datasets.forms.given import Given

__all__ = ["KIND", "holds_arrays", "images_of_dictionary"]

KIND = "a dictionary of arrays"
"""Name of the form."""


def holds_arrays(source: Any) -> bool:
    """Returns whether an object is a dictionary with an array, a tensor or a list of values, also in dictionaries in it."""
    if not isinstance(source, Mapping) or any(isinstance(value, tuple) for value in source.values()):
        return False
    return any(_is_array(value) or holds_arrays(value) for value in source.values())


def images_of_dictionary(given: Given) -> dict[PartName, Stored]:
    """Returns the parts of the images in a dictionary of arrays.

    Args:
        given: The dictionary, and the names of images and labels in it.

    Raises:
        Undecided: If it cannot be decided which arrays are the images or the labels.
        ValueError: If an array has a wrong shape, type or range, or there are not as many labels as images.
    """
    return stored_parts(_NamedArrays(given), given)


class _NamedArrays:
    """Arrays of a dictionary by name, a source of arrays like a file; values of other types are left out.

    Args:
        given: The dictionary, and the size to which pictures in lists are brought.
    """

    path = KIND

    def __init__(self, given: Given) -> None:
        self._arrays = {name: _array(value, given, f"{KIND}: {name}") for name, value in _flat(given.source)}

    @property
    def names(self) -> list[str]:
        """Names of the arrays."""
        return [*self._arrays]

    def header(self, name: str) -> Header:
        """Returns the type and shape of an array."""
        return Header(self._arrays[name].dtype, self._arrays[name].shape)

    def read(self, name: str, most: int | None = None) -> NDArray[Any]:
        """Returns an array, or at most its first rows."""
        return self._arrays[name][:most]


def _flat(source: Mapping[Any, Any], folder: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the arrays in a dictionary by name; those of a dictionary in it are in a folder."""
    for name, value in source.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{folder}{name}/")
        elif _is_array(value):
            yield f"{folder}{name}", value


def _is_array(value: Any) -> bool:
    if isinstance(value, Mapping | str | bytes | tuple):
        return False
    return (hasattr(value, "__array__") and hasattr(value, "shape") and len(value.shape) > 0) or _is_list(value)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 0 and not isinstance(value[0], tuple | Mapping)


def _array(value: Any, given: Given, where: str) -> NDArray[Any]:
    """Returns a value as an array; pictures, or arrays that are the images of a list, are brought into one."""
    if isinstance(value, list) and is_image(value[0]) and not isinstance(value[0], list):
        return stacked(value, len(value), given, where)
    try:
        array = on_host(value)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where} is no array: its rows differ in shape or type") from error
    if array.dtype != object or array.ndim != 1:
        return array
    if is_image(array[0]):
        return stacked(array, len(array), given, where)
    return _strings(array) if any(isinstance(each, str) for each in array) else array


def _strings(values: Sequence[Any] | NDArray[Any]) -> NDArray[np.str_]:
    """Returns strings of Python as an array of strings, empty where they are missing."""
    return np.array(["" if value is None or value != value else str(value) for value in values], dtype=np.str_)
