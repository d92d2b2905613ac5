"""A comparison as files: CSV of the rows and of the tests between models, and the table with legend and tests in Markdown."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from glimpse.atomic import write_atomically
from glimpse.comparison.rows import Comparison
from glimpse.comparison.table import legend, pair_table, pair_title, published_table, table

__all__ = ["markdown", "pairs_path", "write_csv", "write_markdown"]


def write_csv(path: Path, comparison: Comparison) -> None:
    """Writes every row, measured or published, with everything that is known of it; several values in a cell stand apart by spaces.

    The tests between models, where there are several, go into a second file next to it, `NAME-pairs.csv`.

    Raises:
        OSError: If a file cannot be written.
    """
    _write_rows(path, comparison.flat())
    if comparison.pairs:
        _write_rows(pairs_path(path), [pair._asdict() for pair in comparison.pairs])


def pairs_path(path: Path) -> Path:
    """Returns the file of the tests between models, next to that of the rows."""
    return path.with_name(f"{path.stem}-pairs{path.suffix}")


def _write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Writes rows with the same names as a CSV file."""
    text = io.StringIO()
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
    """Returns the table, its columns' meaning, what it was measured with, other published results, and tests between models."""
    facts = [f"{name.replace('_', ' ')}: {value}" for name, value in comparison.conditions.as_dict().items() if name != "part"]
    lines = _markdown_table(*table(comparison))
    lines += ["", *(f"- {line}" for line in (*legend(comparison), f"{comparison.part_name}: {comparison.n:,}", *facts))]
    if comparison.published_only:
        lines += ["", "Published only", "", *_markdown_table(*published_table(comparison))]
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
