"""Comparisons as tables with a legend, and as files."""

import csv
from pathlib import Path

import pytest

from glimpse.comparison.files import markdown, write_csv, write_markdown
from glimpse.comparison.rows import Comparison
from glimpse.comparison.table import headline, legend, pair_table, published_table, table
from glimpse.evaluation.statistics import t_interval
from glimpse.settings.convolutional import ConvConfig, ConvNetConfig
from tests.helpers.comparisons import CLUTTERED, compared, of_nine_models, trained


@pytest.fixture(scope="module")
def suite() -> Comparison:
    """Returns a comparison like that of a finished suite."""
    return of_nine_models()


def test_the_table_shows_error_interval_published_and_samples(suite: Comparison) -> None:
    columns, rows = table(suite)
    cells = {row[0]: dict(zip(columns, row, strict=True)) for row in rows}
    low, high = t_interval([3.1, 3.4, 3.7])
    assert cells["glimpse 8 of 12x12"] | {"to published": ""} == {
        "model": "glimpse 8 of 12x12",
        "seeds": 3,
        "error %": "3.40",
        "95 % interval": f"{low:.2f}-{high:.2f}",
        "samples": None,
        "published": "3.36 a",
        "parameters": "775k",
        "multiply-adds": "7.2M",
        "values read": "1,152",
        "train/s": "502",
        "infer/s": "2,000",
        "to published": "",
    }
    assert (cells["ram 8 of 12x12x4"]["error %"], cells["ram 8 of 12x12x4"]["samples"]) == ("8.30", "mean")
    assert (cells["ram 4 of 12x12x4"]["error %"], cells["ram 4 of 12x12x4"]["samples"]) == ("10.30", 10)
    assert cells["ram 4 of 12x12x4"]["values read"] == "23,040"
    assert cells["conv"]["values read"] == "10,000*"
    assert cells["glimpse 8 of 12x12"]["to published"] == "200, 4 s"
    assert cells["spatial-transformer"]["published"] is None
    assert len(rows) == 9
    others = {row[0]: row[1:] for row in published_table(suite)[1]}
    assert others["RAM, 6 glimpses, 12x12, 4 scales"] == ("11.58", "3,456", "RAM, second-hand")
    assert len(others) == len(CLUTTERED) - 6


def test_single_runs_are_named_in_the_table_and_with_the_lowest_error_but_columns_without_a_value_are_left_out() -> None:
    found = compared([trained("runs/a", ConvConfig(), range(9)), trained("runs/b", ConvNetConfig(), range(7))])
    columns, rows = table(found)
    assert [row[columns.index("run")] for row in rows] == ["runs/a", "runs/b"]
    assert {"samples", "published", "to published"}.isdisjoint(columns)
    assert all(any(row[i] is not None for row in rows) for i in range(len(columns)))
    low, high = found.rows[1].interval
    assert headline(found) == f"Lowest error of 2 models: 0.70 % (95 % interval {low:.2f} to {high:.2f}), convnet, runs/b"


def test_every_letter_next_to_a_published_number_is_in_the_legend(suite: Comparison) -> None:
    text = "\n".join(legend(suite))
    columns, rows = table(suite)
    cells = [row[columns.index("published")] for row in rows]
    assert {str(cell).split()[1] for cell in cells if cell is not None} == set("ab")
    assert "published in: a DRAW, Table 1; b public reproduction." in text
    assert "trained on cpu, 1 thread, bf16, compiled: " in text
    assert "trained with 1k images: " in text
    budgets = [trained("a", ConvConfig(), range(9), images=2_900_096), trained("b", ConvNetConfig(), range(9), images=None)]
    lines = [line for line in legend(compared(budgets)) if line.startswith("trained with")]
    assert lines == ["trained with 2.9M images: conv"]
    alone = legend(compared([trained("a", ConvConfig(), range(9))]))
    assert not any(line.startswith(("to published", "ram", "train/s", "95 % interval, several")) for line in alone)
    assert [line for line in alone if line.startswith("published")] == ["published: no number for this task is known here."]
    assert any(line.startswith("95 % interval, one seed") for line in alone)
    assert not any(line.startswith("95 % interval, one seed") for line in legend(suite))


def test_a_csv_contains_every_row_and_number(suite: Comparison, tmp_path: Path) -> None:
    write_csv(tmp_path / "new" / "rows.csv", suite)
    with (tmp_path / "new" / "rows.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["row"] for row in rows] == ["measured"] * 9 + ["published"] * len(suite.published_only)
    first = rows[0]
    assert float(first["error_percent"]) == suite.rows[0].error
    assert first["errors_by_seed"] == "3.1 3.4 3.7"
    assert (first["published_error_percent"], first["published_in"]) == ("3.36", "DRAW, Table 1")
    assert (first["images_to_published_error_on_validation"], first["seeds_that_reached_it"]) == ("200", "3")
    assert (first["parameters"], first["multiply_adds"], first["values_read"]) == ("775072", "7200000", "1152")
    assert {float(row["published_error_percent"]) for row in rows if row["published_error_percent"]} == {
        row.error_percent for row in CLUTTERED
    }
    assert all(row.keys() == suite.flat()[0].keys() for row in rows)


def test_markdown_contains_the_table_the_legend_and_every_pair(suite: Comparison, tmp_path: Path) -> None:
    write_markdown(tmp_path / "rows.md", suite)
    text = (tmp_path / "rows.md").read_text()
    assert text == markdown(suite)
    lines = text.splitlines()
    assert lines[0].startswith("| model | seeds | error % | 95 % interval |")
    tables = [line for line in lines if line.startswith("|")]
    parts = (table(suite), published_table(suite), pair_table(suite))
    assert len(tables) == sum(2 + len(rows) for _, rows in parts)
    assert len({line.count("|") for line in tables[: 2 + len(table(suite)[1])]}) == 1
    assert "10,000\\*" in text
    assert "the lowest seed of each; a small p says so; p, Holm: corrected for 36 tests" in text
