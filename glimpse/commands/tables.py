"""Tables on a terminal: columns only as narrow as their longest word, and parts one below the other where they do not fit."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from glimpse.commands.printable import printable

__all__ = ["cell", "table_parts"]

_FRAME = 3  # columns of the terminal that a column's frame and padding take


class _Column(NamedTuple):
    """A column of a table.

    Attributes:
        heading: Heading.
        cells: Cells from top to bottom.
        least: Width of the narrowest form: no word is split.
        most: Width of the widest cell.
    """

    heading: str
    cells: tuple[str, ...]
    least: int
    most: int


def cell(value: object) -> str:
    """Returns a value as the text of a table cell; None is `-`."""
    if isinstance(value, float):
        return f"{value:g}"
    return "-" if value is None else printable(str(value))


def table_parts(columns: Sequence[str], rows: Iterable[Sequence[object]], names: int = 1) -> Iterator[Table]:
    """Yields the parts of a table for stdout, one below the other; numbers are aligned right.

    On a terminal the parts have a frame and its width; text wraps between words, and the first columns, which name the rows, are
    repeated in each part. Without a terminal there is one part without a frame, with each row on one line.

    Args:
        columns: Headings.
        rows: Cells of every row; None is shown as `-`.
        names: Number of columns that name the rows, at least 1.
    """
    cells = [[cell(value) for value in row] for row in rows]
    is_terminal = sys.stdout.isatty()
    width = Console().width if is_terminal else sys.maxsize
    most = max(width // (names + 1) - _FRAME, 1)  # leaves room for a column that is not repeated
    made = [_column(heading, tuple(row[i] for row in cells), most, is_name=i == 0) for i, heading in enumerate(columns)]
    for part in _parts(made, names, width) if is_terminal else [made]:
        yield _table(part, _widths(part, width), framed=is_terminal)


def _column(heading: str, cells: tuple[str, ...], limit: int, *, is_name: bool) -> _Column:
    """Returns a column with its widths.

    Args:
        heading: Heading.
        cells: Cells from top to bottom.
        limit: The most that the narrowest form may take.
        is_name: Whether the column stays as wide as its widest cell within that limit.
    """
    texts = (heading, *cells)
    most = max(map(cell_len, texts))
    longest = most if is_name else max(cell_len(word) for text in texts for word in (text.split() or [""]))
    return _Column(heading, cells, min(longest, limit), most)


def _parts(columns: Sequence[_Column], names: int, width: int) -> Iterator[list[_Column]]:
    """Yields the columns of each part: as many as fit, after those that name the rows."""
    first = [*columns[:names]]
    part = first
    for column in columns[names:]:
        if len(part) > names and sum(each.least + _FRAME for each in (*part, column)) + 1 > width:
            yield part
            part = first
        part = [*part, column]
    yield part


def _widths(columns: Sequence[_Column], width: int) -> list[int]:
    """Returns widths that fit, taken from the widest column that can be narrower, one by one."""
    widths = [column.most for column in columns]
    while sum(widths) + _FRAME * len(widths) + 1 > width:
        wide = [i for i, column in enumerate(columns) if widths[i] > column.least]
        if not wide:
            break
        widths[max(wide, key=widths.__getitem__)] -= 1
    return widths


def _table(columns: Sequence[_Column], widths: Sequence[int], *, framed: bool) -> Table:
    """Returns a table with columns of given widths."""
    table = Table(box=Table().box if framed else None, pad_edge=framed)
    for column, width in zip(columns, widths, strict=True):
        right = all(_is_number(text) for text in column.cells)
        table.add_column(column.heading, justify="right" if right else "left", width=width, overflow="fold")
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*map(Text, row))
    return table


def _is_number(text: str) -> bool:
    """Returns whether a cell is `-` or a number, which may end in k, M or G."""
    try:
        float(text.replace(",", "").rstrip("kMG"))
    except ValueError:
        return text == "-"
    return True
