"""Tables as text: JSON Lines, one object a row, and CSV, one line a row below a line of names.

Numbers stand in their shortest form that reads back as the same float32. Text has no end of its own, so the last line carries a
mark that other readers do not see, and a file cut off between two rows is told from a whole one: in JSON Lines a space before the
last line break, in CSV quotes around the last row's window, the only ones in the file besides those around names of classes. A file
without the mark was cut off, or saved again by another program; see `glimpse.trajectories.resaved`.
"""

import contextlib
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
from numpy.typing import NDArray

from glimpse.trajectories.arrow import array_of, columns_of, type_of
from glimpse.trajectories.table import COLUMNS, Table

__all__ = ["Unmarked", "csv_sink", "jsonl_sink", "numbered", "read_csv", "read_jsonl"]

_ROWS = 10_000  # made into text at a time
_BLOCK = 1 << 24  # bytes read at a time: far more than a line
_WINDOW = [c.name for c in COLUMNS].index("window")
_MARKED = re.compile(rb'([^,"]*,){%d}"[^,"]*"' % _WINDOW)  # a last row, in CSV


class Unmarked(ValueError):
    """Raised for a file that does not end as this package writes it."""


@contextlib.contextmanager
def jsonl_sink(file: BinaryIO, folder: Path) -> Iterator[Callable[[Table], None]]:
    """Context with a function that appends a table to a file of JSON Lines.

    Raises:
        ValueError: At the end if there was not one row: no line, no file.
    """
    last = b""

    def write(table: Table) -> None:
        nonlocal last
        for texts in _texts(table, "null", _json_string):
            *lines, following = _json_lines(texts)
            file.write(last + b"".join(lines))
            last = following

    yield write
    if not last:
        raise ValueError("a file of JSON Lines cannot hold a table without rows")
    file.write(last[:-1] + b" \n")


@contextlib.contextmanager
def csv_sink(file: BinaryIO, folder: Path) -> Iterator[Callable[[Table], None]]:
    """Context with a function that appends a table to a file of comma-separated values."""
    last = b""

    def write(table: Table) -> None:
        nonlocal last
        last = last or (",".join(_csv_names(table)) + "\n").encode()
        for texts in _texts(table, "", _quoted):
            *lines, following = _joined([texts[name] for name in texts if table[name].shape[1:] != (0,)], ",")
            file.write(last + b"".join(lines))
            last = following

    yield write
    cells = last.split(b",")
    file.write(b",".join([*cells[:_WINDOW], b'"' + cells[_WINDOW] + b'"', *cells[_WINDOW + 1 :]]))


def read_jsonl(file: BinaryIO) -> dict[str, NDArray[Any]]:
    """Returns the columns of a file of JSON Lines.

    Raises:
        Unmarked: If its end is not marked.
        ValueError: If a line is no object with the columns of the first.
    """
    content = file.read()
    _check_end(content.endswith(b" \n"))
    first = json.loads(content.partition(b"\n")[0])
    if not isinstance(first, dict):
        raise ValueError("its first line is no object")
    schema = pa.schema([(c.name, type_of(c)) for c in COLUMNS if c.name in first])
    table = pa.json.read_json(
        pa.BufferReader(content),
        read_options=pa.json.ReadOptions(use_threads=False, block_size=_BLOCK),
        parse_options=pa.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="infer"),
    )
    for name in first:
        if content.count(f"{json.dumps(name)}:".encode()) != len(table):
            raise ValueError(f"some of its rows have no {name}, or two")
    return columns_of(table)


def read_csv(file: BinaryIO) -> dict[str, NDArray[Any]]:
    """Returns the columns of a file of comma-separated values.

    Raises:
        Unmarked: If its end is not marked.
        ValueError: If a row has more or fewer cells than the line of names.
    """
    content = file.read()
    head, _, rows = content.partition(b"\n")
    names, last = head.decode().split(","), content[content.rfind(b"\n", 0, -1) + 1 :]
    has_names = any(c.name in names for c in COLUMNS if c.dtype == "str")
    is_marked = _MARKED.match(last) is not None and (has_names or content.count(b'"') == 2)
    _check_end(content.endswith(b"\n") and is_marked and (not rows or b'"' not in head))
    groups = {c.name: numbered(c.each, names) for c in COLUMNS if c.each and (not c.optional or f"{c.each}_0" in names)}
    types = {c.name: type_of(c) for c in COLUMNS if not c.each} | {
        name: pa.float32() for group in groups.values() for name in group
    }
    table = pa.csv.read_csv(
        pa.BufferReader(content),
        read_options=pa.csv.ReadOptions(use_threads=False, block_size=_BLOCK),
        convert_options=pa.csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True),
    )
    columns = columns_of(table, groups)
    _check_end(content.count(b'"') == 2 + sum(_quoted(name).count('"') for name in _class_names(columns) if name))
    return columns


def _class_names(columns: Mapping[str, NDArray[Any]]) -> Iterator[str]:
    """Yields the names of classes in all rows."""
    for column in COLUMNS:
        if column.dtype == "str" and column.name in columns:
            yield from columns[column.name].tolist()


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _json_string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _check_end(marked: bool) -> None:
    """Raises Unmarked if the last line is not marked."""
    if not marked:
        raise Unmarked("it was cut off, or saved again by another program: its last line is not marked as the last")


def numbered(each: str, names: Sequence[str]) -> list[str]:
    """Returns the names that are numbered from 0 without a gap: `pixel_0`, `pixel_1`, ..."""
    return list(itertools.takewhile(set(names).__contains__, (f"{each}_{i}" for i in range(len(names)))))


def _csv_names(table: Table) -> list[str]:
    """Returns the first line's names, one for each number of a row."""
    names: list[str] = []
    for column in COLUMNS:
        if column.name in table.columns:
            each = [f"{column.each}_{i}" for i in range(table[column.name].shape[1])] if column.each else [column.name]
            names += each
    return names


def _texts(table: Table, absent: str, quoted: Callable[[str], str]) -> Iterator[dict[str, pa.Array]]:
    """Yields each column's text, some thousand rows at a time; the numbers of a row are joined by commas."""
    present = [c for c in COLUMNS if c.name in table.columns]
    for start in range(0, len(table), _ROWS):
        rows = slice(start, start + _ROWS)
        yield {
            c.name: _strings(table[c.name][rows], absent, quoted)
            if c.dtype == "str"
            else _text(array_of(c, table[c.name][rows]), absent)
            for c in present
        }


def _strings(values: NDArray[Any], absent: str, quoted: Callable[[str], str]) -> pa.Array:
    return pa.array([quoted(value) if value else absent for value in values.tolist()], pa.string())


def _text(values: pa.Array, absent: str) -> pa.Array:
    if not pa.types.is_list(values.type) and not pa.types.is_fixed_size_list(values.type):
        return pc.fill_null(pc.cast(values, pa.string()), absent)
    offsets = np.cumsum([0, *pc.list_value_length(values).to_pylist()], dtype=np.int32)
    return pc.binary_join(pa.ListArray.from_arrays(offsets, _text(values.flatten(), absent)), ",")


def _json_lines(texts: dict[str, pa.Array]) -> list[bytes]:
    """Returns one line for each row: an object of all columns."""
    pieces: list[Any] = []
    for column in COLUMNS:
        if column.name in texts:
            before, behind = ("[", "]") if column.each else ('"', '"') if column.dtype == "<U7" else ("", "")
            pieces += [f'{"," if pieces else "{"}"{column.name}":{before}', texts[column.name], behind]
    return _joined([*pieces, "}"], "")


def _joined(pieces: list[Any], between: str) -> list[bytes]:
    """Returns one line for each row of some arrays of text."""
    lines = pc.binary_join_element_wise(*pieces, between)
    return [line + b"\n" for line in pc.cast(lines, pa.binary()).to_pylist()]
