"""A comparison as files: a CSV of every number, and the table with its legend and tests in Markdown."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from glimpse.atomic import write_atomically
from glimpse.comparison.rows import Comparison
from glimpse.comparison.table import flat, legend, pair_table, pair_title, table

__all__ = ["markdown", "write_csv", "write_markdown"]


def write_csv(path: Path, comparison: Comparison) -> None:
    """Writes every row, measured or published, with everything that is known of it; several values in a cell stand apart by spaces.

    Raises:
        OSError: If the file cannot be written.
    """
    rows, text = flat(comparison), io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _plain(value) for name, value in row.items()} for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.getvalue().encode())


def write_markdown(path: Path, comparison: Comparison) -> None:
    """Writes what `markdown` returns.

    Raises:
        OSError: If the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, markdown(comparison).encode())


def markdown(comparison: Comparison) -> str:
    """Returns the table, what its columns mean, what it was measured with, and the tests between models."""
    facts = [f"{name}: {value}" for name, value in comparison.facts.items()]
    lines = _markdown_table(*table(comparison))
    lines += ["", *(f"- {line}" for line in (*legend(comparison), f"test images: {comparison.n:,}", *facts))]
    if comparison.pairs:
        lines += ["", pair_title(comparison), "", *_markdown_table(*pair_table(comparison))]
    return "\n".join(lines) + "\n"


def _markdown_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Returns the lines of a table in Markdown."""
    lines = [list(columns), ["---"] * len(columns), *([_cell(value) for value in row] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def _cell(value: object) -> str:
    """Returns a cell's text in Markdown."""
    return "-" if value is None else str(value).replace("|", "\\|").replace("*", "\\*")


def _plain(value: object) -> object:
    """Returns a cell's value for a CSV file."""
    if isinstance(value, list):
        return " ".join("" if item is None else str(item) for item in value)
    return value
