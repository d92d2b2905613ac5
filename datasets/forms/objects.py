"""Objects of Python: frames of pandas and polars, data sets of Hugging Face and of torch, pairs of arrays; and parts of them.

    frame               columns as in a CSV, or a column of images
    datasets.Dataset    a feature of images and one of classes; a DatasetDict has parts
    Dataset of torch    items (image, label) or {"image": ..., "label": ...}; a list of such items likewise
    (images, labels)    two arrays or tensors
    {"images": ..., "labels": ...}  named arrays, as in a .npz file: also {"x_train": ..., "y_train": ..., "x_test": ...}
    {"train": ..., "test": ...}     parts, each in one of these forms

Nothing of pandas, polars or Hugging Face's package is imported: an object is recognized by what it can do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glimpse.datasets.forms.array_names import labels_column, only_column, part_named
from glimpse.datasets.forms.arrays import keys_of
from glimpse.datasets.forms.cells import is_image, on_host, stacked
from glimpse.datasets.forms.found import Found, PartName, Stored
from glimpse.datasets.forms.given import Form, Given
from glimpse.datasets.forms.items import images_of_items
from glimpse.datasets.forms.named import KIND, holds_arrays, images_of_dictionary
from glimpse.datasets.forms.picture_files import digest_of_files
from glimpse.datasets.forms.pixels import arranged, in_range
from glimpse.datasets.forms.tables import Table, images_in
from glimpse.datasets.labels import Labels
from glimpse.digest import sha256_of_bytes, sha256_of_images

__all__ = ["FORM", "OBJECTS"]

OBJECTS = (
    "a frame of pandas or polars, a data set of Hugging Face or torch that has a length, a pair (images, labels), a dictionary of"
    ' named arrays such as {"x_train": ..., "y_train": ...}, or a dictionary of these with the keys "train", "valid" and "test"'
)
"""The objects of Python, for messages."""


class _Opened(NamedTuple):
    """Parts of an object, and the files of its pictures if it names any."""

    parts: Mapping[PartName, Stored]
    files: Sequence[Path] = ()


def _takes(given: Given) -> bool:
    source = given.source
    if isinstance(source, Path | str | bytes) or source is None:
        return False
    return (isinstance(source, Mapping) and _parts_of(source) is not None) or _kind(source) is not None


def _open(given: Given) -> Found:
    """Returns the images and labels of an object of Python.

    Raises:
        Undecided: If it cannot be decided what in it are the images or the labels.
        ValueError: If an image cannot be read, or images and labels do not fit.
    """
    whole: dict[PartName, Any] = {"all": given.source}
    named = (_parts_of(given.source) if isinstance(given.source, Mapping) else None) or whole
    opened = {part: _opened(replace(given, source=source)) for part, source in named.items()}
    parts: Mapping[PartName, Stored] = (
        opened["all"].parts if "all" in opened else {part: _whole(part, each) for part, each in opened.items()}
    )
    shapes = {part: tuple(stored.images.shape[1:]) for part, stored in parts.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(f"the parts have images of different shapes (height, width, channels): {shapes}; choose one with size")
    kinds = {_kind(source) or "" for source in named.values()}
    choice = keys_of(given) if given.choice.size is None else replace(given.choice, fit=given.choice.fit or "pad")
    return Found(" and ".join(sorted(kinds)), None, _digest(opened, parts), parts, choice=choice)


FORM = Form("from Python a frame, a data set or arrays", _takes, _open)


def _parts_of(source: Mapping[Any, Any]) -> dict[PartName, Any] | None:
    """Returns the parts in a mapping, None if its keys are no parts or a value is in no form."""
    parts = {part_named(str(name)): value for name, value in source.items()}
    if not parts or None in parts or any(_kind(value) is None for value in parts.values()):
        return None
    return {part: value for part, value in parts.items() if part is not None}


def _kind(source: Any) -> str | None:
    """Returns what an object is, None if it is in no form."""
    module = type(source).__module__.partition(".")[0]
    if module in ("pandas", "polars") and type(source).__name__ == "DataFrame":
        return f"a frame of {module}"
    if hasattr(source, "features") and hasattr(source, "column_names") and hasattr(source, "__len__"):
        return "a data set of Hugging Face"
    if holds_arrays(source):
        return KIND
    if isinstance(source, tuple) and len(source) == 2 and all(_is_array(each) for each in source):
        return "arrays"
    if (
        not isinstance(source, Mapping | tuple)
        and hasattr(source, "__getitem__")
        and hasattr(source, "__len__")
        and not _is_array(source)
    ):
        return "a data set of torch"
    return None


def _is_array(value: Any) -> bool:
    return (hasattr(value, "__array__") and hasattr(value, "shape")) or (
        isinstance(value, list) and len(value) > 0 and not isinstance(value[0], tuple | Mapping)
    )


def _opened(given: Given) -> _Opened:
    kind = _kind(given.source)
    if kind is not None and kind.startswith("a frame"):
        return _frame(given, kind)
    if kind == "a data set of Hugging Face":
        return _Opened({"all": _hugging_face(given)})
    if kind == "arrays":
        images, labels = given.source
        return _Opened({"all": _arrays(on_host(images), on_host(labels), given)})
    if kind == KIND:
        return _Opened(images_of_dictionary(given))
    return _Opened({"all": images_of_items(given)})


def _whole(part: PartName, opened: _Opened) -> Stored:
    if "all" not in opened.parts:
        raise ValueError(f"the part {part} has parts of its own: give it without its column of parts")
    return opened.parts["all"]


def _frame(given: Given, kind: str) -> _Opened:
    """Returns the images of a frame: in a column of images, in files that a column names, or in columns of pixels."""
    frame = given.source
    columns = {str(name): np.asarray(frame[name].to_numpy()) for name in frame.columns}
    holding = [name for name, values in columns.items() if values.dtype == object and len(values) and is_image(values[0])]
    if not holding:
        found = images_in(Table(kind, columns, Path.cwd()), given)
        return _Opened(found.parts, found.files)
    images = only_column(kind, "images", given.choice.images_key, holding)
    plain, others = ([name for name in columns if name not in without] for without in (holding, [images]))
    labels = labels_column(kind, given.choice.labels_key, plain, others)
    classes = Labels.of(columns[labels], f"{kind}: {labels}")
    return _Opened({"all": Stored(stacked(columns[images], len(classes), given, kind), classes)})


def _hugging_face(given: Given) -> Stored:
    """Returns the images and labels of a data set of Hugging Face, with the names of its classes."""
    source, kind = given.source, "the data set of Hugging Face"
    features = source.features
    names = list(source.column_names)
    holding = [name for name in names if type(features[name]).__name__ in ("Image", "Array2D", "Array3D")]
    if not holding and len(source):
        holding = [name for name in names if is_image(source[0][name])]
    images = only_column(kind, "images", given.choice.images_key, holding or names, names)
    plain, others = ([name for name in names if name not in without] for without in (holding, [images]))
    classes = [name for name in plain if hasattr(features[name], "names")]
    key = given.choice.labels_key or (classes[0] if len(classes) == 1 else None)
    labels = labels_column(kind, key, plain, others)
    values = Labels.of(np.array(list(source[labels])), f"{kind}: {labels}", getattr(features[labels], "names", None))
    cells = (source[row][images] for row in range(len(source)))
    return Stored(stacked(cells, len(source), given, kind), values)


def _arrays(images: NDArray[Any], labels: NDArray[Any], given: Given) -> Stored:
    classes = Labels.of(labels, "labels")
    pixels = arranged(images, "images", len(classes))
    if len(pixels) != len(classes):
        raise ValueError(f"{len(pixels)} images but {len(classes)} labels")
    return Stored(in_range([pixels], ["images"], as_stored=given.as_stored)[0], classes)


def _digest(opened: Mapping[PartName, _Opened], parts: Mapping[PartName, Stored]) -> str:
    """Returns the SHA-256 of all images, or of the files of pictures, with the labels and their names."""
    files = [file for each in opened.values() for file in each.files]
    labels = [(stored.labels.codes, stored.labels.names) for stored in parts.values()]
    if files:
        lines = [digest_of_files(Path.cwd(), files), *(f"{codes.tolist()}{names}" for codes, names in labels)]
        return sha256_of_bytes("\n".join(lines).encode())
    pixels = sha256_of_images(*((stored.images[np.arange(len(stored.labels))], stored.labels.codes) for stored in parts.values()))
    return sha256_of_bytes("\n".join([pixels, *(str(names) for _, names in labels)]).encode())
