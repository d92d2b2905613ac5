"""Tables of labeled images: a row for each image, with the path of its picture or with its pixels.

    file,label          label,pixel0,pixel1,...         5,0,0,...       file,label,split
    a/1.jpg,cat         5,0,0,...                       (no header)     a/1.jpg,cat,train

Dimensions: N images of H x W pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glimpse.datasets.forms.array_names import Vocabulary, part_named
from glimpse.datasets.forms.found import PartName, Stored, Undecided
from glimpse.datasets.forms.given import Given
from glimpse.datasets.forms.picture_files import Picture, stored_pictures
from glimpse.datasets.forms.pixels import arranged, in_range
from glimpse.datasets.labels import Labels
from glimpse.datasets.picture_files import PICTURE_ENDINGS

__all__ = ["Table", "TableImages", "images_in"]

_FILES = ("file", "filename", "filepath", "path", "image", "imagepath", "imagefile", "imageid", "img", "imgpath", "picture", "id")
_PARTS = ("split", "set", "subset", "part", "partition", "usage", "fold")
_INDEX = ("", "index", "id", "unnamed: 0", "unnamed")
_MOST_NAMED = 5


@dataclass(frozen=True)
class Table:
    """Columns of a table.

    Attributes:
        name: Name of the table, for messages.
        columns: Values of each column by name, shape (N,).
        root: Folder that paths of pictures are relative to.
        has_header: Whether the columns have names of their own; else they are numbered from 1.
    """

    name: str
    columns: Mapping[str, NDArray[Any]]
    root: Path
    has_header: bool = True


@dataclass(frozen=True)
class TableImages:
    """Images of a table.

    Attributes:
        parts: Images and labels by part.
        files: Files of the pictures; empty for a table of pixels.
        notes: What was assumed, one sentence each.
    """

    parts: Mapping[PartName, Stored]
    files: Sequence[Path] = ()
    notes: tuple[str, ...] = ()


def images_in(table: Table, given: Given) -> TableImages:
    """Returns the images that a table names or holds.

    Args:
        table: The table.
        given: What it was found in, with the names of the columns of images and labels.

    Raises:
        Undecided: If it cannot be decided which columns hold the images or the labels.
        ValueError: If pictures are missing, or pixels have a wrong number or range.
    """
    labels = _labels_column(table, given)
    part = next((name for name in table.columns if name.lower() in _PARTS and _names_parts(table.columns[name])), None)
    others = [name for name in table.columns if name not in (labels, part)]
    rows = _rows_by_part(None if part is None else table.columns[part], len(table.columns[labels]))
    files = _files_column(table, others, given.choice.images_key)
    if files is None:
        return TableImages(_pixels(table, labels, others, rows, given))
    paths = _paths(table, files)
    names = [str(value) for value in table.columns[labels].tolist()]
    pictures = {name: [Picture(paths[row], names[row]) for row in chosen] for name, chosen in rows.items()}
    Labels.of(table.columns[labels], f"{table.name}: {labels}")  # refuses missing labels
    return TableImages(stored_pictures(pictures, given, table.name), paths, _repeated(table, paths, names))


def _repeated(table: Table, paths: Sequence[Path], labels: Sequence[str]) -> tuple[str, ...]:
    """Returns a note if pictures are in several rows, which may be in different parts.

    Raises:
        ValueError: If a picture has two labels.
    """
    first: dict[Path, str] = {}
    for path, label in zip(paths, labels, strict=True):
        if first.setdefault(path, label) != label:
            raise ValueError(f"{table.name}: {path} has two labels, {first[path]} and {label}")
    again = len(paths) - len(first)
    return (
        (f"{again:,} of {len(paths):,} rows repeat a picture of another row: what is trained on may be tested on.",)
        if again
        else ()
    )


def _labels_column(table: Table, given: Given) -> str:
    key, names = given.choice.labels_key, [*table.columns]
    if key is not None:
        if key not in table.columns:
            raise Undecided(table.name, f"no column {key!r}", _listed(names))
        return key
    if not table.has_header and len(names) > 2 and not any(_is_path(table.columns[name]) for name in names):
        return _end_with_labels(table, names)
    words = Vocabulary()
    known = [name for name in names if words.understood(name).holds == "labels"]
    if len(known) == 1:
        return known[0]
    files = _files_column(table, names, given.choice.images_key)
    rest = [name for name in names if name != files and name.lower() not in (*_PARTS, *_INDEX)]
    if not known and files is not None and len(rest) == 1:
        return rest[0]
    what = f"{' and '.join(known[:4])} may all be the labels" if known else "which column holds the labels is not clear"
    raise Undecided(table.name, what, _listed(names))


def _end_with_labels(table: Table, names: Sequence[str]) -> str:
    """Returns the column of labels in a table of pixels without a header: the first one or the last one.

    It is the only one of them that holds strings, or several values; else the first one, unless the last one has fewer values.

    Raises:
        Undecided: If both may be the labels.
    """
    first, last = names[0], names[-1]
    strings = [name for name in (first, last) if table.columns[name].dtype.kind in "UOT"]
    if len(strings) == 1:
        return strings[0]
    of_first, of_last = (len({*table.columns[name].tolist()}) for name in (first, last))
    if of_first == 1 < of_last:
        return last
    if 1 < of_last < of_first:
        raise Undecided(table.name, "the first and the last column may both be the labels", _listed(names))
    return first


def _files_column(table: Table, names: Sequence[str], key: str | None) -> str | None:
    """Returns the column of paths, None if there is none."""
    if key is not None:
        if key not in table.columns:
            raise Undecided(table.name, f"no column {key!r}", _listed([*table.columns]))
        return key
    strings = [name for name in names if table.columns[name].dtype.kind in "UOT"]
    if len(table.columns) > 32 and not any(_is_path(table.columns[name]) for name in strings):
        return None
    named = [name for name in strings if "".join(filter(str.isalnum, name.lower())) in _FILES]
    paths = [name for name in strings if _is_path(table.columns[name])]
    return next(iter(paths or named), None)


def _is_path(values: NDArray[Any]) -> bool:
    return len(values) > 0 and Path(str(values[0])).suffix.lower() in PICTURE_ENDINGS


def _names_parts(values: NDArray[Any]) -> bool:
    return all(part_named(str(value)) is not None for value in np.unique(values.astype(str)))


def _rows_by_part(values: NDArray[Any] | None, count: int) -> dict[PartName, NDArray[np.int64]]:
    if values is None:
        return {"all": np.arange(count)}
    parts = [part_named(str(value)) or "all" for value in values.tolist()]
    order: Sequence[PartName] = ("train", "valid", "test")
    rows: dict[PartName, NDArray[np.int64]] = {name: np.flatnonzero([part == name for part in parts]) for name in order}
    return {name: chosen for name, chosen in rows.items() if len(chosen)}


def _paths(table: Table, column: str) -> list[Path]:
    """Returns the files of a column: as they are, in a folder next to the table, or without their endings.

    Raises:
        ValueError: If files are missing.
    """
    values = [str(value).replace("\\", "/") for value in table.columns[column].tolist()]
    folders = [table.root, *sorted(path for path in table.root.iterdir() if path.is_dir() and not path.name.startswith("."))]
    tried = ((folder, ending) for folder in folders for ending in ("", *sorted(PICTURE_ENDINGS)))
    folder, ending = next(((folder, end) for folder, end in tried if (folder / (values[0] + end)).is_file()), (table.root, ""))
    paths = [folder / (value + ending) for value in values]
    missing = [value for value, path in zip(values, paths, strict=True) if not path.is_file()]
    if missing:
        more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        named = ", ".join(missing[:_MOST_NAMED])
        raise ValueError(f"{table.name}: {len(missing):,} of {len(paths):,} files in {column} are not in {folder}: {named}{more}")
    return paths


def _pixels(
    table: Table, labels: str, others: Sequence[str], rows: Mapping[PartName, NDArray[np.int64]], given: Given
) -> dict[PartName, Stored]:
    """Returns images whose pixels are the columns of numbers besides the labels, row after row of the image."""
    numbers = {name: _as_numbers(table.columns[name]) for name in others}
    columns = [name for name, values in numbers.items() if values is not None]
    if isqrt(len(columns)) ** 2 != len(columns):
        columns = [name for name in columns if name.lower() not in _INDEX]
    side = isqrt(len(columns))
    if side**2 != len(columns) or side < 2:
        what = f"{len(columns)} columns of numbers besides {labels}, which are no square image, and no column of picture files"
        raise Undecided(table.name, what, _listed([*table.columns]))
    if given.choice.size not in (None, (side, side)):
        raise ValueError(f"{table.name} holds images of {side} x {side}: only pictures are brought to another size")
    values = np.stack([np.asarray(numbers[name]) for name in columns], axis=1)  # (N, S * S)
    images = in_range([arranged(values, f"{table.name}: pixels")], [f"{table.name}: pixels"], as_stored=given.as_stored)[0]
    classes = Labels.of(table.columns[labels], f"{table.name}: {labels}")
    return {part: Stored(images[chosen], classes.at(chosen)) for part, chosen in rows.items()}


def _as_numbers(values: NDArray[Any]) -> NDArray[Any] | None:
    """Returns a column as numbers, None if it holds others."""
    if values.dtype.kind in "biuf":
        return values
    try:
        return values.astype(np.float64)
    except (ValueError, TypeError):
        return None


def _listed(names: Sequence[str]) -> list[str]:
    """Returns column names for a message, the middle of many left out."""
    return [*names] if len(names) <= 12 else [*names[:8], "...", *names[-2:]]
