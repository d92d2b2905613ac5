"""Files of trajectories that another program has saved again, such as a frame that was filtered or sorted by pandas.

Such a file has no mark of its end, so that nothing tells whether it is complete. Its columns are found by their names; other
columns, such as an index, are left out. Integers may be stored as floats, and lists as single columns or the other way round.
"""

import csv
import io
import json
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq
from numpy.typing import NDArray

from glimpse.trajectories.arrow import columns_of, type_of
from glimpse.trajectories.table import COLUMNS, Column, Table
from glimpse.trajectories.text_files import numbered

__all__ = ["read_resaved"]

_BLOCK = 1 << 24  # bytes read at a time
_ABSENT = ["", "nan", "NaN", "null", "None", "NA", "<NA>", "N/A"]


def read_resaved(file: BinaryIO, kind: str) -> tuple[Table, list[str]]:
    """Returns the table in a file that another program has saved, and what had to be changed or is missing.

    Rows that are not in order are sorted by image, step and window.

    Args:
        file: The file, at its beginning.
        kind: `csv`, `jsonl` or `parquet`.

    Raises:
        ValueError: If a column is missing or has values of another kind, a row is there twice, or the last line is cut off.
    """
    table = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}[kind](file)
    columns, unknown = _columns(table)
    found, is_sorted = _arranged(columns)
    notes = [f"other columns are left out: {', '.join(repr(name) for name in unknown)}"] if unknown else []
    if is_sorted:
        notes.append("its rows were sorted")
    if not found.is_whole:
        notes.append("some images lack steps or windows")
    return found, notes


def _csv(file: BinaryIO) -> pa.Table:
    """Returns the columns of a CSV file, integers as floats."""
    content = file.read().removeprefix(b"\xef\xbb\xbf")
    if not content.endswith(b"\n"):
        raise ValueError("it is cut off: its last line does not end")
    names = next(csv.reader(io.StringIO(content.partition(b"\n")[0].decode())))
    types: dict[str, pa.DataType] = {}
    for column in COLUMNS:
        types |= dict.fromkeys(numbered(column.each, names), pa.float32()) if column.each else {column.name: _loose(column)}
    return pa.csv.read_csv(
        pa.BufferReader(content),
        read_options=pa.csv.ReadOptions(use_threads=False, block_size=_BLOCK),
        convert_options=pa.csv.ConvertOptions(column_types=types, null_values=_ABSENT),
    )


def _jsonl(file: BinaryIO) -> pa.Table:
    """Returns the columns of a file of JSON Lines, integers as floats."""
    content = file.read()
    if content.lstrip()[:1] == b"[":
        raise ValueError("it is one JSON array: save it as JSON Lines, one object a line")
    names = json.loads(content.partition(b"\n")[0])
    schema = pa.schema([(c.name, type_of(c) if c.each else _loose(c)) for c in COLUMNS if c.name in names])
    return pa.json.read_json(
        pa.BufferReader(content),
        read_options=pa.json.ReadOptions(use_threads=False, block_size=_BLOCK),
        parse_options=pa.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="infer"),
    )


def _parquet(file: BinaryIO) -> pa.Table:
    return pq.ParquetFile(file, page_checksum_verification=True).read(use_threads=False)


def _loose(column: Column) -> pa.DataType:
    """Returns the type that a column of single values may have in another program's file."""
    return pa.float64() if column.dtype == "int64" else type_of(column)


def _columns(table: pa.Table) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """Returns the columns of the schema in their order, and the names of all others."""
    names = table.column_names
    groups = {
        c.name: numbered(c.each, names)
        for c in COLUMNS
        if c.each and c.name not in names and (not c.optional or f"{c.each}_0" in names)
    }
    known = {c.name for c in COLUMNS} | {name for group in groups.values() for name in group}
    chosen = table.select([i for i, name in enumerate(names) if name in known])
    for i, name in enumerate(chosen.column_names):
        column = next((c for c in COLUMNS if c.name == name), None)
        if column is not None:
            chosen = chosen.set_column(i, name, _plain(column, chosen.column(i)))
    return columns_of(chosen, groups), [name for name in names if name not in known]


def _plain(column: Column, values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Returns values as the schema has them: null instead of NaN among integers, lists instead of their text."""
    if column.dtype == "int64" and pa.types.is_floating(values.type):
        return pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    if column.each and (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        return pa.chunked_array([pa.array([json.loads(text) for text in values.to_pylist()], type_of(column))])
    return values


def _arranged(columns: dict[str, NDArray[Any]]) -> tuple[Table, bool]:
    """Returns a table of rows in any order, of which some may be missing, and whether they had to be sorted."""
    in_order = Table(columns, is_whole=False)
    if in_order.is_ordered:
        return Table(columns), False
    kinds = np.unique(columns["window"], return_inverse=True)[1]
    order = np.lexsort((columns["scale"], kinds, columns["step"], columns["index"]))
    ordered = {name: values[order] for name, values in columns.items()}
    is_sorted = bool((order != np.arange(len(order))).any())
    return Table(ordered, is_whole=Table(ordered, is_whole=False).is_ordered), is_sorted
