"""Data sets of torch, and lists of items: an item is (image, label), or a dictionary that names the image and the label."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glimpse.datasets.forms.array_names import labels_column, only_column
from glimpse.datasets.forms.cells import is_image, on_host, stacked
from glimpse.datasets.forms.found import Stored
from glimpse.datasets.forms.given import Given
from glimpse.datasets.labels import Labels

__all__ = ["images_of_items"]

_Names = tuple[Any, Any]  # indices or keys of the image and of the label in an item


def images_of_items(given: Given) -> Stored:
    """Returns the images and labels of a data set, with the names of its classes if it has them.

    Args:
        given: A source with a length whose items are (image, label) or dictionaries, and the keys of image and label in these.

    Raises:
        Undecided: If it cannot be decided what in a dictionary is the image or the label.
        ValueError: If an item is neither, has another form than the first one, or its image cannot be read.
    """
    source, labels = given.source, list[Any]()
    where = f"the data set {type(source).__name__}"

    def cells() -> Iterator[Any]:
        names: _Names | None = None
        for number in range(len(source)):
            item = source[number]
            names = names or _names_in(item, given, where)
            image, label = _picked(item, names, f"{where}: item {number}")
            labels.append(_plain(label))
            yield image

    images = stacked(cells(), len(source), given, where)
    return Stored(images, _labels(labels, _class_names(source), where))


def _names_in(item: Any, given: Given, where: str) -> _Names:
    """Returns where the image and the label are in the items of a data set, by its first item."""
    if isinstance(item, tuple | list) and len(item) >= 2:
        return 0, 1
    if not isinstance(item, Mapping):
        raise ValueError(
            f"{where}: items must be (image, label) or dictionaries such as {{'image': ..., 'label': ...}}, got {_described(item)}"
        )
    keys = [str(key) for key in item]
    spelled = dict(zip(keys, item, strict=True))
    holding = [key for key in keys if is_image(item[spelled[key]])]
    images = only_column(where, "images", given.choice.images_key, holding or keys, keys)
    others = [key for key in keys if key != images]
    plain = [key for key in others if key not in holding]
    labels = labels_column(where, given.choice.labels_key, plain, others)
    return spelled[images], spelled[labels]


def _picked(item: Any, names: _Names, where: str) -> tuple[Any, Any]:
    """Returns the image and the label of an item."""
    image, label = names
    try:
        return item[image], item[label]
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"{where} has no {image!r} and {label!r}, but is {_described(item)}") from error


def _described(item: Any) -> str:
    """Returns what an item is: its type, and the keys of a dictionary."""
    return f"a dictionary of {', '.join(map(str, item))}" if isinstance(item, Mapping) else type(item).__name__


def _plain(label: Any) -> Any:
    """Returns a label as a number, a string, or an array of several numbers."""
    array = on_host(label) if hasattr(label, "__array__") else label
    return array.item() if isinstance(array, np.ndarray) and array.size == 1 else array


def _labels(values: list[Any], names: Sequence[str] | None, where: str) -> Labels:
    """Returns labels; integers that index the names of the classes have these names."""
    try:
        plain: NDArray[Any] = np.array(values)
    except ValueError as error:
        raise ValueError(f"{where}: the labels differ in shape; expected a number or a string for each image") from error
    is_named = names is not None and plain.dtype.kind in "iu" and plain.ndim == 1 and plain.min() >= 0 and plain.max() < len(names)
    return Labels.of(plain, f"{where}: labels", names if is_named else None)


def _class_names(source: Any) -> list[str] | None:
    """Returns the names of the classes of a data set, or of that of which it is a subset; None if it has none."""
    while not hasattr(source, "classes") and hasattr(source, "dataset"):
        source = source.dataset
    names = getattr(source, "classes", None)
    is_list = isinstance(names, Sequence) and not isinstance(names, str)
    return [str(name) for name in names] if is_list and names is not None else None
