"""Trajectories as a table: one row for each image, step and window, the same columns and numbers in every file format.

`COLUMNS` is the schema. Rows stand in the order of the images, of each image in the order of the steps, of each step in the order
of the windows, equally many for every image. Positions are pixels of the image, counted from 0, x before y. Absent is -1 in a
column of integers, NaN in one of floats and empty in one of names; in files it is null (jsonl, parquet), empty (csv), or as here
(npz).
Dimensions: R rows, K classes, P numbers seen through a window, N images, T steps, M windows a step.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glimpse.attention.track import Track, WindowKind
from glimpse.attention.window import Window
from glimpse.trajectories.views import UNKNOWN, Trajectories

__all__ = ["COLUMNS", "VERSION", "Column", "Table"]

VERSION = 1
"""Of the schema; a file of another one is refused."""


class Column(NamedTuple):
    """One column of the schema.

    Attributes:
        name: As in every format.
        dtype: Of the numpy array; `str` for strings of any length.
        meaning: What it tells.
        unit: Of the numbers, empty where they have none.
        may_miss: Whether values can be absent.
        each: For a column of several numbers a row, what one of them is called; csv numbers them from 0: `pixel_0`, `pixel_1`, ...
        optional: Name shared by the columns that a table has together or not at all; empty if it always has the column.
    """

    name: str
    dtype: Literal["int64", "float32", "<U7", "str"]
    meaning: str
    unit: str = ""
    may_miss: bool = False
    each: str = ""
    optional: Literal["", "label_name", "prediction_name", "pixels"] = ""

    def has_type(self, values: NDArray[Any]) -> bool:
        """Returns whether an array has the column's type."""
        return values.dtype.kind == "U" if self.dtype == "str" else values.dtype == self.dtype


COLUMNS = (
    Column("version", "int64", "version of this schema, 1"),
    Column("index", "int64", "position of the image in its source, from 0"),
    Column("step", "int64", "which step, from 1"),
    Column("window", "<U7", "what the window is for: glimpse, read or write"),
    Column("scale", "int64", "which of a step's nested windows, from 0, the smallest"),
    Column("center_x", "float32", "column of the window's center", "pixels", may_miss=True),
    Column("center_y", "float32", "row of the window's center", "pixels", may_miss=True),
    Column("stride", "float32", "distance between neighboring filters", "pixels", may_miss=True),
    Column("sigma", "float32", "standard deviation of the filters; absent without blur", "pixels", may_miss=True),
    Column("intensity", "float32", "factor on what is read; a write divides by it", may_miss=True),
    Column("left", "float32", "center of the leftmost filters: center_x - (n - 1) / 2 * stride", "pixels", may_miss=True),
    Column("top", "float32", "center of the topmost filters: center_y - (n - 1) / 2 * stride", "pixels", may_miss=True),
    Column("right", "float32", "center of the rightmost filters: center_x + (n - 1) / 2 * stride", "pixels", may_miss=True),
    Column("bottom", "float32", "center of the lowest filters: center_y + (n - 1) / 2 * stride", "pixels", may_miss=True),
    Column("probabilities", "float32", "of the K classes after this step; K is 0 without classes", "", True, "probability"),
    Column("prediction", "int64", "most probable class after this step; absent without classes", may_miss=True),
    Column("label", "int64", "true class; absent if unknown", may_miss=True),
    Column("digit_x", "float32", "column of the center of the digit's frame; absent if unknown", "pixels", may_miss=True),
    Column("digit_y", "float32", "row of the center of the digit's frame; absent if unknown", "pixels", may_miss=True),
    Column("prediction_name", "str", "name of the predicted class, if classes have names", "", True, optional="prediction_name"),
    Column("label_name", "str", "name of the true class, if classes have names", may_miss=True, optional="label_name"),
    Column("pixels_channels", "int64", "channels C of what the window saw or wrote", optional="pixels"),
    Column("pixels_side", "int64", "side n of it", "pixels", optional="pixels"),
    Column(
        "pixels",
        "float32",
        "what the window saw or wrote: C x n x n numbers, channel by channel, row by row; absent up to P behind a smaller one",
        may_miss=True,
        each="pixel",
        optional="pixels",
    ),
)
"""All columns in their order."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # characters that would break a line of text


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of trajectories, checked when they are put together.

    Attributes:
        columns: An array for each name in `COLUMNS`, in that order: shape (R,); (R, K) for probabilities, (R, P) for pixels.
        is_whole: Whether every image has the same steps and windows. Of a frame that was filtered in another program some may be
            missing; such a table is not written.

    Raises:
        ValueError: If the version is another, columns, types, lengths or the order of the rows are not as above, or a row is there
            twice.
    """

    columns: Mapping[str, NDArray[Any]]
    is_whole: bool = True

    def __post_init__(self) -> None:
        _check_columns(self.columns)
        _check_values(self.columns)
        if self.is_whole:
            _check_order(self)
        else:
            _check_twice(self)

    def __len__(self) -> int:
        return len(self.columns["version"])

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    @property
    def is_ordered(self) -> bool:
        """Whether every image has the same steps and windows, in their order."""
        try:
            _check_order(self)
        except ValueError:
            return False
        return True

    @property
    def rows_per_image(self) -> int:
        """Number T * M of rows of every image of a whole table, 0 in a table without rows."""
        step, window, scale = (self.columns[name] for name in ("step", "window", "scale"))
        starts = np.flatnonzero((step == 1) & (window == window[:1]) & (scale == scale[:1]))
        return int(starts[1]) if len(starts) > 1 else len(self)

    def equals(self, other: "Table") -> bool:
        """Returns whether both hold the same columns with the same values, absent ones too."""
        return list(self.columns) == list(other.columns) and all(
            np.array_equal(values, other[name], equal_nan=values.dtype.kind == "f") for name, values in self.columns.items()
        )

    def continues(self, other: "Table") -> bool:
        """Returns whether this can stand below the other in one file: the same columns, classes, steps and windows."""
        shapes = [{name: (values.dtype, *values.shape[1:]) for name, values in table.columns.items()} for table in (self, other)]
        if shapes[0] != shapes[1] or not (len(self) and len(other)):
            return shapes[0] == shapes[1]
        count = self.rows_per_image
        return count == other.rows_per_image and all(
            np.array_equal(self[name][:count], other[name][:count]) for name in ("step", "window", "scale")
        )

    @classmethod
    def from_trajectories(cls, trajectories: Trajectories, pixels: bool = False) -> "Table":
        """Returns the table of some trajectories.

        Args:
            trajectories: Of N images, T steps and M windows a step, R = N T M.
            pixels: Whether to take along what was seen or written through the windows, if any of them kept it.
        """
        columns = _columns(trajectories)
        if pixels and any(track.patches is not None for track in trajectories.tracks):
            columns |= _pixels(trajectories)
        return cls({c.name: columns[c.name].astype(c.dtype, copy=False) for c in COLUMNS if c.name in columns})


# From trajectories


def _columns(trajectories: Trajectories) -> dict[str, NDArray[Any]]:
    """Returns all columns but those of the pixels, in any order."""
    tracks, predictions, believed = trajectories.tracks, trajectories.predictions, trajectories.probabilities
    shape = (len(trajectories), trajectories.steps, len(tracks))  # (N, T, M)
    believed = torch.empty(*shape[:2], 0) if believed is None else believed  # (N, T, K)
    predictions = torch.full(shape[:2], UNKNOWN) if predictions is None else predictions  # (N, T)
    tensors = {
        "version": torch.tensor(VERSION),
        "index": trajectories.index[:, None, None],
        "step": torch.arange(1, shape[1] + 1)[:, None],
        "scale": torch.tensor([track.scale for track in tracks]),
        **_windows(tracks),
        "prediction": predictions[:, :, None],
        "label": trajectories.labels[:, None, None],
        "digit_x": trajectories.digits[:, :1, None],
        "digit_y": trajectories.digits[:, 1:, None],
    }
    columns: dict[str, NDArray[Any]] = {name: tensor.expand(shape).reshape(-1).numpy() for name, tensor in tensors.items()}
    kinds = np.array([track.kind for track in tracks], "<U7")
    columns["window"] = np.broadcast_to(kinds, shape).reshape(-1)
    if trajectories.class_names is not None and trajectories.probabilities is not None:
        names = np.array([*map(_plain_name, trajectories.class_names), ""], dtype=np.str_)  # UNKNOWN is the last
        columns |= {f"{name}_name": names[columns[name]] for name in ("prediction", "label")}
    columns["probabilities"] = (
        believed.numpy().repeat(shape[2], axis=1).reshape(len(kinds) * shape[0] * shape[1], believed.shape[2])
    )
    return columns


def _plain_name(name: str) -> str:
    """Returns the name of a class on one line, in characters that UTF-8 has."""
    return _CONTROL.sub(" ", name.encode("utf-8", "replace").decode())


def _windows(tracks: Sequence[Track]) -> dict[str, Tensor]:
    """Returns the windows' fields and extents, shape (N, T, M) each."""
    half = torch.tensor([(track.n - 1) / 2 for track in tracks])
    fields = {name: torch.stack([getattr(track.window, name) for track in tracks], dim=-1) for name in Window._fields}
    reach = half * fields["stride"]
    return fields | {
        "left": fields["center_x"] - reach,
        "top": fields["center_y"] - reach,
        "right": fields["center_x"] + reach,
        "bottom": fields["center_y"] + reach,
    }


def _pixels(trajectories: Trajectories) -> dict[str, NDArray[Any]]:
    """Returns the columns of the pixels: every patch flat, shorter ones filled up."""
    tracks = trajectories.tracks
    shape = (len(trajectories), trajectories.steps, len(tracks))  # (N, T, M)
    sizes = [(0, 0) if track.patches is None else tuple(track.patches.shape[2:4]) for track in tracks]  # C, n
    pixels = np.full((*shape, max(channels * side**2 for channels, side in sizes)), np.nan, np.float32)
    for m, (track, (channels, side)) in enumerate(zip(tracks, sizes, strict=True)):
        if track.patches is not None:
            pixels[:, :, m, : channels * side**2] = track.patches.flatten(2).numpy()
    return {
        "pixels_channels": np.broadcast_to([channels for channels, _ in sizes], shape).reshape(-1),
        "pixels_side": np.broadcast_to([side for _, side in sizes], shape).reshape(-1),
        "pixels": pixels.reshape(shape[0] * shape[1] * shape[2], pixels.shape[3]),
    }


# Checks


def _check_columns(columns: Mapping[str, NDArray[Any]]) -> None:
    """Checks names, version, types and shapes.

    Raises:
        ValueError: If one of them is another than expected.
    """
    if "version" not in columns:
        raise ValueError("it has no column version")
    if (other := columns["version"][columns["version"] != VERSION]).size:
        raise ValueError(f"it has version {other[0]}, this program reads version {VERSION}")
    present = {c.optional for c in COLUMNS if c.name in columns}
    expected = [c.name for c in COLUMNS if not c.optional or c.optional in present]
    if missing := [name for name in expected if name not in columns]:
        raise ValueError(f"it has no column {', '.join(missing)}")
    if list(columns) != expected:
        unknown = [name for name in columns if name not in expected]
        raise ValueError(f"its columns are {', '.join(unknown) or 'in another order'}, expected {', '.join(expected)}")
    for column in COLUMNS:
        values = columns.get(column.name)
        if values is None:
            continue
        if not column.has_type(values) or values.ndim != 1 + bool(column.each):
            raise ValueError(f"{column.name} has type {values.dtype} and shape {values.shape}, expected {column.dtype}")
        if len(values) != len(columns["version"]):
            raise ValueError(f"{column.name} has {len(values)} rows, version has {len(columns['version'])}")


def _check_values(columns: Mapping[str, NDArray[Any]]) -> None:
    """Checks that the windows' kinds are known, no number is infinite and every class has one name.

    Raises:
        ValueError: If not so.
    """
    kinds = get_args(WindowKind)
    if (wrong := columns["window"][~np.isin(columns["window"], kinds)]).size:
        raise ValueError(f"window must be {', '.join(kinds)}, got {str(wrong[0])!r}")
    for name, values in columns.items():
        if values.dtype.kind == "f" and np.isinf(values).any():
            raise ValueError(f"{name} is infinite in row {1 + np.argwhere(np.isinf(values))[0, 0]}")
    for name in ("prediction", "label"):
        if f"{name}_name" in columns:
            _check_names(columns, name)


def _check_names(columns: Mapping[str, NDArray[Any]], name: str) -> None:
    """Raises ValueError if a class of the column `prediction` or `label` has two names."""
    names = columns[f"{name}_name"]
    _, first, place = np.unique(columns[name], return_index=True, return_inverse=True)
    expected = names[first][place]
    if (names != expected).any():
        row = int(np.argmax(names != expected))
        raise ValueError(f"row {row + 1} has {name}_name {str(names[row])!r}, expected {str(expected[row])!r}")


def _check_order(table: Table) -> None:
    """Checks that every image has the same steps and windows, in their order, and one index, label and digit.

    Raises:
        ValueError: If not so; it names the row, from 1.
    """
    rows, count = len(table), table.rows_per_image
    if not rows:
        return
    windows = max(int((table["step"][:count] == 1).sum()), 1)
    if count % windows or table["step"][:count].tolist() != np.repeat(np.arange(1, count // windows + 1), windows).tolist():
        raise ValueError(f"the steps of the first image are {table['step'][:count].tolist()}, expected 1, 2, 3 and so on")
    if rows % count:
        raise ValueError(f"the last image has {rows % count} rows, the first has {count}")
    patterns = {
        name: np.resize(table[name][:count], rows) for name in ("step", "pixels_channels", "pixels_side") if name in table.columns
    }
    patterns |= {name: np.resize(table[name][:windows], rows) for name in ("window", "scale")}
    patterns |= {name: np.repeat(table[name][::count], count) for name in ("index", "label", "digit_x", "digit_y")}
    for name, expected in patterns.items():
        same = (table[name] == expected) | ((table[name] != table[name]) & (expected != expected))
        if not same.all():
            row = int(np.argmin(same))
            raise ValueError(f"row {row + 1} has {name} {table[name][row]}, expected {expected[row]}")


def _check_twice(table: Table) -> None:
    """Raises ValueError if two rows are of the same image, step and window."""
    names = ("index", "step", "window", "scale")
    order = np.lexsort([table[name] for name in reversed(names)])
    same = np.all([table[name][order][1:] == table[name][order][:-1] for name in names], axis=0)
    if same.any():
        row = order[int(np.argmax(same))]
        raise ValueError(f"image {table['index'][row]} has two rows of step {table['step'][row]}")
