"""Comparisons: rows and pairs beside what is published, and their tables, files and figure."""

import csv
import itertools
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from PIL import Image

from glimpse.commands.compare import _print_table
from glimpse.comparison import figure
from glimpse.comparison.figure import write_figure
from glimpse.comparison.files import markdown, write_csv, write_markdown
from glimpse.comparison.rows import Comparison, Trained, compare, first_at_or_below
from glimpse.comparison.table import flat, legend, pair_table, table
from glimpse.evaluation.published import counterpart, published_classification
from glimpse.evaluation.statistics import holm, mcnemar, t_interval, wilson_interval
from glimpse.figures.windows import MUTED, save
from glimpse.settings.classifier import ClassifierSettings
from glimpse.settings.convolutional import ConvConfig, ConvNetConfig
from glimpse.settings.glimpse_classifier import ClassifierConfig
from glimpse.settings.ram import RAMConfig
from glimpse.settings.spatial_transformer import SpatialTransformerConfig

LABELS = np.arange(1000) % 10
CLUTTERED = published_classification(100, 8, "mnist")


def trained(source: str, config: ClassifierSettings, wrong: range, seed: int = 0, **other: Any) -> Trained:
    """Returns a model that gets the images of a range wrong."""
    predicted = LABELS.copy()
    predicted[list(wrong)] = (predicted[list(wrong)] + 1) % 10
    run = {
        "training": {"seed": seed, "precision": "bf16", "compile": True, "cuda_graph": False} | other.pop("training", {}),
        "environment": {"device": "cpu", "threads": 1, "processes": 1},
    }
    facts: dict[str, Any] = {"seed": seed, "images": 1000, "run": run} | other
    return Trained(source, config, predicted, LABELS, 775_072, 7_200_000, 2000.0, **facts)


def progress(*errors: float, rate: float = 500.0) -> list[dict[str, str]]:
    """Returns rows of a metrics.csv with a validation every 100 images, and one between that has none."""
    rows = []
    for i, error in enumerate(errors, start=1):
        common = {"images_per_second": str(rate + i), "seconds": str(2.0 * i)}
        rows += [
            {"images": str(100 * i - 50), "valid_error": ""} | common,
            {"images": str(100 * i), "valid_error": str(error)} | common,
        ]
    return rows


@pytest.fixture(scope="module")
def suite() -> Comparison:
    """Returns a comparison such as a suite ends with: nine models from three seeds, beside what is published."""
    errors: dict[ClassifierSettings, int] = {
        ClassifierConfig(): 31,
        ClassifierConfig(glimpses=4): 39,
        ClassifierConfig(scales=4): 28,
        RAMConfig(): 80,
        RAMConfig(glimpses=4, test_samples=10): 100,
        ClassifierConfig(parametrization="random"): 400,
        ConvConfig(): 140,
        ConvNetConfig(): 9,
        SpatialTransformerConfig(): 50,
    }
    models = [
        trained(f"{i}-{seed}", config, range(wrong + 3 * seed), seed, progress=progress(50.0, wrong / 10 - 1))
        for i, (config, wrong) in enumerate(errors.items())
        for seed in range(3)
    ]
    return compare(models, CLUTTERED, size=(100, 100), facts={"data": "mnist", "device": "cpu", "threads": 1})


# Rows


def test_the_images_to_an_error_are_those_of_the_first_validation_at_or_below_it() -> None:
    rows = progress(9.0, 3.5, 4.0, 3.0)
    assert first_at_or_below(rows, 3.5) == (200, 4.0)
    assert first_at_or_below(rows, 3.4) == (400, 8.0)
    assert first_at_or_below(rows, 2.9) is None
    assert first_at_or_below([], 50.0) is None


def test_runs_that_differ_in_their_seed_alone_are_one_row_in_the_order_of_seeds() -> None:
    config = ClassifierConfig()
    found = compare([trained("b", config, range(40), 1), trained("a", config, range(30), 0)], size=(100, 100))
    (row,) = found.rows
    assert (row.seeds, row.errors, row.sources) == ((0, 1), (3.0, 4.0), ("a", "b"))
    assert row.error == 3.5
    assert row.deviation == pytest.approx(math.sqrt(0.5))
    assert row.interval == t_interval([3.0, 4.0])
    assert found.pairs == ()


def test_one_seed_has_wilsons_interval() -> None:
    (row,) = compare([trained("a", ClassifierConfig(), range(30))], size=(100, 100)).rows
    assert row.interval == pytest.approx([100 * end for end in wilson_interval(30, 1000)])
    assert row.deviation is None


@pytest.mark.parametrize("other", [{"training": {"images": 7}}, {"run": None, "seed": 1}])
def test_other_settings_or_models_without_a_run_are_other_rows(other: dict[str, Any]) -> None:
    one = trained("one", ClassifierConfig(), range(30), 0, training={"images": 5})
    two = trained("two", ClassifierConfig(), range(40), **{"seed": 1} | other)
    names = [row.model for row in compare([one, two], size=(100, 100)).rows]
    assert len(set(names)) == 2
    if "training" in other:
        assert names == ["glimpse 8 of 12x12, images=5", "glimpse 8 of 12x12, images=7"]


def test_the_same_settings_and_seed_twice_are_two_rows_named_by_where_they_lie() -> None:
    found = compare([trained("here", ClassifierConfig(), range(30)), trained("there", ClassifierConfig(), range(40))], size=(9, 9))
    assert [row.model for row in found.rows] == ["glimpse 8 of 12x12, here", "glimpse 8 of 12x12, there"]


def test_pairs_are_tested_on_the_images_that_one_of_the_first_seeds_gets_wrong() -> None:
    models = [
        trained("c", ClassifierConfig(), range(500), 1),
        trained("a", ClassifierConfig(), range(30), 0),
        trained("b", ConvConfig(), range(20, 60)),
        trained("d", ConvNetConfig(), range(25)),
    ]
    found = compare(models, size=(100, 100))
    counts = [(pair.first, pair.second, pair.only_first, pair.only_second) for pair in found.pairs]
    glimpse = "glimpse 8 of 12x12"
    assert counts == [(glimpse, "conv", 20, 30), (glimpse, "convnet", 5, 0), ("conv", "convnet", 35, 20)]
    assert [pair.p for pair in found.pairs] == [mcnemar(20, 30), mcnemar(5, 0), mcnemar(35, 20)]
    assert [pair.p_holm for pair in found.pairs] == holm([pair.p for pair in found.pairs])


def test_models_measured_on_other_images_or_none_are_refused() -> None:
    one = trained("a", ClassifierConfig(), range(30))
    with pytest.raises(ValueError, match="a and b were measured on other test images"):
        compare([one, replace(one, source="b", labels=LABELS[::-1])], size=(100, 100))
    with pytest.raises(ValueError, match="at least one model"):
        compare([], size=(100, 100))


def test_rates_are_medians_and_the_published_error_counts_only_when_every_seed_reached_it() -> None:
    config = ClassifierConfig()
    both = [trained(str(seed), config, range(30), seed, progress=progress(9.0, *[3.36] * (seed + 1))) for seed in range(2)]
    (row,) = compare(both, CLUTTERED, size=(100, 100)).rows
    assert row.training_rate == pytest.approx((501.5 + 502) / 2)
    assert row.reached == ((200, 4.0), (200, 4.0))
    assert row.when_reached == (200, 4.0)
    assert row.trained_on == "cpu, 1 thread, bf16, compiled"
    (row,) = compare([both[0], replace(both[1], progress=progress(9.0))], CLUTTERED, size=(100, 100)).rows
    assert row.reached == ((200, 4.0), None)
    assert row.when_reached is None


# Published


@pytest.mark.parametrize(
    ("config", "error"),
    [
        (ClassifierConfig(), 3.36),
        (ClassifierConfig(glimpses=4), 4.18),
        (ClassifierConfig(encoder="none", parametrization="paper", supervision="last", sigma=1.0), 3.36),
        (ClassifierConfig(scales=4), None),
        (ClassifierConfig(glimpses=6), None),
        (ClassifierConfig(window=8), None),
        (ClassifierConfig(parametrization="random"), None),
        (RAMConfig(), 8.11),
        (RAMConfig(glimpses=4, test_samples=10), 9.41),
        (RAMConfig(glimpses=6), 11.58),
        (RAMConfig(window=8), None),
        (ConvConfig(), 14.35),
        (ConvNetConfig(), 0.92),
        (SpatialTransformerConfig(), None),
    ],
)
def test_a_model_stands_beside_the_published_error_of_its_like_alone(config: ClassifierSettings, error: float | None) -> None:
    found = compare([trained("a", config, range(30))], CLUTTERED, size=(100, 100))
    (row,) = found.rows
    assert (row.published.error_percent if row.published else None) == error
    assert len(found.alone) == len(CLUTTERED) - (error is not None)


def test_a_published_row_states_what_it_reads_as_its_words_do() -> None:
    for row, side in [(row, 100) for row in CLUTTERED] + [(row, 60) for row in published_classification(60, 4, "mnist")]:
        whole = "whole image" in row.note
        assert (row.values_read == side * side) == whole
        if "glimpses" in row.model:
            assert f"{row.glimpses} glimpses" in row.model
        if "12x12" in row.model:
            assert row.glimpses is not None
            scales = next((n for n in (3, 4) if f"{n} scales" in row.model), 1)
            assert row.values_read == row.glimpses * 144 * scales
        elif not whole:
            assert row.values_read is None
    assert counterpart((), "ram", glimpses=8, values_read=4608) is None


def test_a_model_that_reads_other_windows_or_scales_than_the_published_one_stands_beside_no_number() -> None:
    for canvas, pieces, scales, error in ((100, 8, 4, 8.11), (60, 4, 3, 4.04)):
        rows = published_classification(canvas, pieces, "mnist")
        found = [counterpart(rows, "ram", glimpses=8, values_read=8 * 144 * n) for n in range(1, 6)]
        assert [None if row is None else row.error_percent for row in found] == [
            error if n == scales else None for n in range(1, 6)
        ]


# What is shown


def test_the_table_says_error_interval_published_and_samples(suite: Comparison) -> None:
    columns, rows = table(suite)
    cells = {row[0]: dict(zip(columns, row, strict=True)) for row in rows}
    low, high = t_interval([3.1, 3.4, 3.7])
    assert cells["glimpse 8 of 12x12"] | {"to published": ""} == {
        "model": "glimpse 8 of 12x12",
        "seeds": 3,
        "error %": "3.40",
        "95 % interval": f"{low:.2f}-{high:.2f}",
        "published": "3.36 a",
        "parameters": "775k",
        "multiply-adds": "7.2M",
        "values read": "1,152",
        "train/s": "502",
        "infer/s": "2,000",
        "to published": "",
    }
    assert cells["ram 8 of 12x12x4"]["error %"] == "8.30 (0 samples)"
    assert cells["ram 4 of 12x12x4"]["error %"] == "10.30 (10 samples)"
    assert cells["ram 4 of 12x12x4"]["values read"] == "23,040"
    assert cells["conv"]["values read"] == "10,000*"
    assert cells["glimpse 8 of 12x12"]["to published"] == "200, 4 s"
    assert cells["spatial-transformer"]["published"] is None
    assert cells["RAM, 6 glimpses, 12x12, 4 scales"]["published"] == "11.58 c"
    assert len(rows) == 9 + len(CLUTTERED) - 6


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_a_terminal_of_120_columns_is_enough_and_none_is_so_narrow_that_a_number_is_cut(
    suite: Comparison, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    _print_table(*table(suite), "title")
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in capsys.readouterr().out.splitlines()]
    assert max(map(len, lines)) <= max(columns, 120)
    for row in table(suite)[1]:
        cells = " ".join("-" if cell is None else str(cell) for cell in row[1:])
        assert any(" ".join(line.split()).endswith(cells) for line in lines), cells


def test_every_letter_beside_a_published_number_is_in_the_legend(suite: Comparison) -> None:
    text = "\n".join(legend(suite))
    used = {str(row[4]).split()[1] for row in table(suite)[1] if row[4] is not None}
    assert used == set("abcde")
    where = ["DRAW, Table 1", "public reproduction", "RAM, second-hand", "public reproduction, number of pieces unclear"]
    assert "; ".join(f"{letter} {source}" for letter, source in zip("abcde", [*where, "DCN, second-hand"], strict=True)) in text
    assert "trained on cpu, 1 thread, bf16, compiled: " in text
    assert "trained with 1k images: " in text
    budgets = [trained("a", ConvConfig(), range(9), images=2_900_096), trained("b", ConvNetConfig(), range(9), images=None)]
    lines = [line for line in legend(compare(budgets, size=(100, 100))) if line.startswith("trained with")]
    assert lines == ["trained with 2.9M images: conv"]
    alone = legend(compare([trained("a", ConvConfig(), range(9))], size=(100, 100)))
    assert not any(line.startswith(("to published", "ram", "train/s", "95 % interval, several")) for line in alone)
    assert [line for line in alone if line.startswith("published")] == ["published: no number for this task is known here."]
    assert any(line.startswith("95 % interval, one seed") for line in alone)
    assert not any(line.startswith("95 % interval, one seed") for line in legend(suite))


def test_a_csv_holds_every_row_and_number(suite: Comparison, tmp_path: Path) -> None:
    write_csv(tmp_path / "new" / "rows.csv", suite)
    with (tmp_path / "new" / "rows.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["row"] for row in rows] == ["measured"] * 9 + ["published"] * len(suite.alone)
    first = rows[0]
    assert float(first["error_percent"]) == suite.rows[0].error
    assert first["errors_by_seed"] == "3.1 3.4 3.7"
    assert (first["published_error_percent"], first["published_in"]) == ("3.36", "DRAW, Table 1")
    assert (first["images_to_published_error_on_validation"], first["seeds_that_reached_it"]) == ("200", "3")
    assert (first["parameters"], first["multiply_adds"], first["values_read"]) == ("775072", "7200000", "1152")
    assert {float(row["published_error_percent"]) for row in rows if row["published_error_percent"]} == {
        row.error_percent for row in CLUTTERED
    }
    assert all(row.keys() == flat(suite)[0].keys() for row in rows)


def test_markdown_holds_the_table_the_legend_and_every_pair(suite: Comparison, tmp_path: Path) -> None:
    write_markdown(tmp_path / "rows.md", suite)
    text = (tmp_path / "rows.md").read_text()
    assert text == markdown(suite)
    lines = text.splitlines()
    assert lines[0].startswith("| model | seeds | error % | 95 % interval |")
    tables = [line for line in lines if line.startswith("|")]
    assert len(tables) == 2 + len(table(suite)[1]) + 2 + len(pair_table(suite)[1])
    assert len({line.count("|") for line in tables[: 2 + len(table(suite)[1])]}) == 1
    assert "10,000\\*" in text
    assert "the lowest seed of each; a small p says so; p, Holm: corrected for 36 tests" in text


@pytest.fixture
def drawn(suite: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Figure, list[str]]:
    """Returns the figure of the suite after it was written, and what was said not to be on it."""
    kept: list[Figure] = []

    def keep(path: Path, figure: Figure) -> None:
        kept.append(figure)
        save(path, figure)

    monkeypatch.setattr(figure, "save", keep)
    undrawn = write_figure(tmp_path / "figure.png", suite)
    with Image.open(tmp_path / "figure.png") as picture:
        assert picture.size == (1425, 900)
    return kept[0], undrawn


def test_no_label_of_the_figure_lies_over_another_or_outside(drawn: tuple[Figure, list[str]]) -> None:
    figure, _ = drawn
    (axes,) = figure.axes
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    labels = [child for child in axes.get_children() if isinstance(child, Annotation)]
    for label in labels:
        label.update_positions(renderer)
    boxes = [Text.get_window_extent(label, renderer) for label in labels]
    frame = axes.get_window_extent(renderer)
    assert len(labels) == 9 + 11
    assert not any(one.overlaps(two) for one, two in itertools.combinations(boxes, 2))
    assert all(frame.contains(box.x0, box.y0) and frame.contains(box.x1, box.y1) for box in boxes)


def test_the_figure_shows_what_was_measured_filled_and_what_is_published_hollow(
    drawn: tuple[Figure, list[str]], suite: Comparison
) -> None:
    figure, undrawn = drawn
    lines = [line for line in figure.axes[0].get_lines() if len(line.get_xdata()) == 1]  # type: ignore[arg-type]
    points = {marker: set() for marker in "os"}  # type: dict[str, set[tuple[float, float]]]
    for line in lines:
        if line.get_marker() in points:
            points[str(line.get_marker())].add((float(line.get_xdata()[0]), float(line.get_ydata()[0])))  # type: ignore[index,arg-type]
        assert (line.get_markerfacecolor() == "none") == (line.get_marker() == "s")
    assert points["o"] == {(row.reading.values, row.error) for row in suite.rows}
    assert points["s"] == {(row.values_read, row.error_percent) for row in CLUTTERED if row.values_read is not None}
    assert undrawn == [f"{row.model} ({row.source})" for row in CLUTTERED if row.values_read is None]
    labels = [child for child in figure.axes[0].get_children() if isinstance(child, Annotation)]
    sources = tuple(f"({row.source})" for row in CLUTTERED)
    assert all((label.get_color() == MUTED) == label.get_text().endswith(sources) for label in labels)


def test_a_faultless_model_can_be_drawn_and_another_ending_is_refused(tmp_path: Path) -> None:
    faultless = compare([trained("a", ConvConfig(), range(0))], CLUTTERED, size=(100, 100))
    write_figure(tmp_path / "a.png", faultless)
    assert (tmp_path / "a.png").stat().st_size > 0
    with pytest.raises(ValueError, match=r"must end in \.png"):
        write_figure(tmp_path / "a.jpg", faultless)


@pytest.mark.parametrize("wrong", [(820, 910), (990, 1000), (31, 45), (300, 310)])
def test_the_errors_axis_has_numbers_to_read_and_ends_at_100_percent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: tuple[int, int]
) -> None:
    kept: list[Figure] = []
    monkeypatch.setattr(figure, "save", lambda path, drawn: kept.append(drawn))
    first, second = (range(len(LABELS) * count // 1000) for count in wrong)
    write_figure(
        tmp_path / "a.png", compare([trained("a", ConvConfig(), first), trained("b", ConvNetConfig(), second)], size=(28, 28))
    )
    (axes,) = kept[0].axes
    low, high = axes.get_ylim()
    assert high <= 100
    assert len([tick for tick in axes.get_yticks() if low <= tick <= high]) >= 3
