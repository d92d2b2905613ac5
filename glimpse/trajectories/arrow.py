"""Columns of trajectories as arrays of Arrow, where what is absent is null, and back.

Files are read without threads of Arrow: one that is still alive when Python ends aborts the process.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from glimpse.trajectories.table import COLUMNS, Column
from glimpse.trajectories.views import UNKNOWN

__all__ = ["array_of", "columns_of", "type_of"]

_TYPES = {"int64": pa.int64(), "float32": pa.float32(), "<U7": pa.string(), "str": pa.string()}
_ABSENT = {"int64": UNKNOWN, "float32": np.nan, "<U7": "", "str": ""}


def type_of(column: Column) -> pa.DataType:
    """Returns the type of a column; one of several numbers a row has lists of them."""
    return pa.list_(_TYPES[column.dtype]) if column.each else _TYPES[column.dtype]


def array_of(column: Column, values: NDArray[Any]) -> pa.Array:
    """Returns a column, shape (R,) or (R, width), as an array of R values or lists."""
    flat = values.reshape(-1)
    absent = (np.isnan(flat) if column.dtype == "float32" else flat == _ABSENT[column.dtype]) if column.may_miss else None
    flat = pa.array(flat, _TYPES[column.dtype], mask=absent)
    if values.ndim == 1:
        return flat
    width = values.shape[1]
    if not width:
        return pa.ListArray.from_arrays(np.zeros(len(values) + 1, np.int32), flat)
    return pa.FixedSizeListArray.from_arrays(flat, width)


def columns_of(table: pa.Table, groups: dict[str, list[str]] | None = None) -> dict[str, NDArray[Any]]:
    """Returns the columns of a table in their order, then those that are not of the schema.

    Args:
        table: Of the schema's columns or others.
        groups: For columns of several numbers a row the names of the columns, in the table, that hold one each.

    Raises:
        ValueError: If a column is there twice, is of another type or lacks a value that cannot be absent.
    """
    names, groups = table.column_names, groups or {}
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"it has two columns {', '.join(sorted(twice))}")
    grouped = {name for group in groups.values() for name in group}
    found: dict[str, NDArray[Any]] = {}
    for column in COLUMNS:
        if column.name in groups:
            parts = [_values(column, table[name]) for name in groups[column.name]]
            found[column.name] = np.stack(parts, axis=1) if parts else np.empty((len(table), 0), np.float32)
        elif column.name in names:
            found[column.name] = _lists(column, table[column.name]) if column.each else _values(column, table[column.name])
    return found | {name: np.empty(len(table)) for name in names if name not in found and name not in grouped}


def _values(column: Column, array: pa.ChunkedArray) -> NDArray[Any]:
    """Returns one value a row.

    Raises:
        ValueError: If one is absent that cannot be, or no kind of window.
    """
    if array.null_count and not column.may_miss:
        raise ValueError(f"{column.name} is absent in {array.null_count} rows")
    array = array.cast(_TYPES[column.dtype])
    values = (pc.fill_null(array, _ABSENT[column.dtype]) if array.null_count else array).to_numpy()
    if column.dtype == "<U7" and max(map(len, values), default=0) > 7:
        raise ValueError(f"{column.name} is {max(values, key=len)[:40]!r}")
    return np.asarray(values, dtype=column.dtype)


def _lists(column: Column, array: pa.ChunkedArray) -> NDArray[Any]:
    """Returns the numbers of each row.

    Raises:
        ValueError: If they are not equally many in all rows.
    """
    fixed = array.type.list_size if pa.types.is_fixed_size_list(array.type) else 0
    lengths = pc.unique(pc.list_value_length(array)).to_pylist() or [fixed]
    if len(lengths) != 1 or lengths[0] is None:
        raise ValueError(f"{column.name} has rows of different lengths: {', '.join(map(str, lengths[:5]))}")
    return _values(column, pc.list_flatten(array)).reshape(len(array), lengths[0])
