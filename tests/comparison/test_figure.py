"""The figure of a comparison: error against values read, measured and published."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from PIL import Image

from glimpse.comparison import figure
from glimpse.comparison.figure import write_figure
from glimpse.comparison.rows import Comparison
from glimpse.figures.files import save
from glimpse.figures.style import MUTED
from glimpse.settings.catalog import CLASSIFIERS
from glimpse.settings.convolutional import ConvConfig, ConvNetConfig
from tests.helpers.comparisons import CLUTTERED, LABELS, compared, of_nine_models, trained


@pytest.fixture(scope="module")
def suite() -> Comparison:
    """Returns a comparison like that of a finished suite."""
    return of_nine_models()


@pytest.fixture
def drawn(suite: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Figure, list[str]]:
    """Returns the figure of the suite once it is written, and the models reported as missing from it."""
    kept: list[Figure] = []

    def keep(path: Path, figure: Figure) -> None:
        kept.append(figure)
        save(path, figure)

    monkeypatch.setattr(figure, "save", keep)
    undrawn = write_figure(tmp_path / "figure.png", suite)
    with Image.open(tmp_path / "figure.png") as picture:
        assert picture.size == (1800, 792)
    return kept[0], undrawn


def test_no_label_of_the_figure_overlaps_another_or_is_outside(drawn: tuple[Figure, list[str]]) -> None:
    figure, _ = drawn
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    for axes, count in zip(figure.axes, (9 + 11, 9), strict=True):
        labels = [child for child in axes.get_children() if isinstance(child, Annotation)]
        for label in labels:
            label.update_positions(renderer)
        boxes = [Text.get_window_extent(label, renderer) for label in labels]
        frame = axes.get_window_extent(renderer)
        assert len(labels) == count
        assert not any(one.overlaps(two) for one, two in itertools.combinations(boxes, 2))
        assert all(frame.contains(box.x0, box.y0) and frame.contains(box.x1, box.y1) for box in boxes)


def test_a_measured_point_is_joined_with_the_published_one_like_it_and_shown_by_its_multiply_adds(
    drawn: tuple[Figure, list[str]], suite: Comparison
) -> None:
    left, right = drawn[0].axes
    places = {line: np.asarray(line.get_xydata()) for axes in (left, right) for line in axes.get_lines()}
    joined = {tuple(map(tuple, places[line].tolist())) for line in left.get_lines() if line.get_linestyle() == ":"} - {()}
    assert joined == {
        ((row.reading.values, row.error), (row.reading.values, row.published.error_percent))
        for row in suite.rows
        if row.published is not None and row.published.values_read == row.reading.values
    }
    assert len(joined) == 5
    shown = {tuple(point) for line in right.get_lines() if line.get_marker() == "o" for point in places[line].tolist()}
    assert shown == {(row.multiply_adds, row.error) for row in suite.rows}
    assert drawn[0].get_suptitle() == "mnist: 1,000 test images"


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


def test_a_model_without_errors_can_be_drawn_and_another_ending_is_refused(tmp_path: Path) -> None:
    faultless = compared([trained("a", ConvConfig(), range(0))], CLUTTERED)
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
        tmp_path / "a.png", compared([trained("a", ConvConfig(), first), trained("b", ConvNetConfig(), second)], size=(28, 28))
    )
    axes = kept[0].axes[0]
    low, high = axes.get_ylim()
    assert high <= 100
    assert len([tick for tick in axes.get_yticks() if low <= tick <= high]) >= 3


def test_every_kind_has_a_color_of_its_own_and_an_unknown_one_is_gray(
    suite: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Figure] = []
    monkeypatch.setattr(figure, "save", lambda path, drawn: kept.append(drawn))
    kinds = [*CLASSIFIERS, "another"]
    rows = tuple(replace(suite.rows[0], kind=kind, published=None) for kind in kinds)
    write_figure(tmp_path / "a.png", replace(suite, rows=rows, published_only=()))
    colors = [line.get_color() for line in kept[0].axes[0].get_lines() if line.get_marker() == "o" and len(line.get_xdata())]  # type: ignore[arg-type]
    assert len(set(colors)) == len(kinds)
    assert colors[-1] == MUTED
