"""Curves of error, checked by their rendered pixels."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

from glimpse.figures.curves import error_by_glimpse_figure, error_curves
from tests.helpers.pixels import pixels, places


def curve_places(path: Path, color: str) -> NDArray[Any]:
    """Returns where a color such as #0072b2 is in a picture."""
    return places(pixels(path), [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)], tolerance=10)


def test_curves_follow_their_numbers(tmp_path: Path) -> None:
    error_curves({"down": ([0, 1e6], [80.0, 4.0]), "up": ([0, 1e6], [4.0, 80.0])}, tmp_path / "curves.png")
    for color, falls in (("#0072b2", True), ("#d55e00", False)):
        spots = curve_places(tmp_path / "curves.png", color)
        spots = spots[spots[:, 0] < 600]  # not the legend
        slope = np.polyfit(spots[:, 0], spots[:, 1], 1)[0]
        assert (slope > 0) == falls  # rows count downwards


@pytest.mark.parametrize("errors", [[64.0, 16.0, 4.0], [64.0, 32.0, 0.0]])  # straight on the logarithmic, on the linear axis
def test_the_error_axis_is_logarithmic_unless_an_error_is_zero(tmp_path: Path, errors: list[float]) -> None:
    error_by_glimpse_figure({"model": errors}, tmp_path / "errors.png")
    spots = curve_places(tmp_path / "errors.png", "#0072b2")
    x, y = spots[spots[:, 0] < 780].T  # not the legend, and not the last third
    x -= x.min()
    line = np.polyfit(x, y, 1)
    assert np.abs(np.polyval(line, x) - y).max() < 8  # half a marker
    assert line[0] > 0.2


def test_a_reference_is_drawn_at_its_error(tmp_path: Path) -> None:
    error_by_glimpse_figure({"model": [10.0, 3.36]}, tmp_path / "errors.png", references={"paper": 3.36})
    dashes, curve = (curve_places(tmp_path / "errors.png", color) for color in ("#777777", "#0072b2"))
    rows, counts = np.unique(dashes[:, 1], return_counts=True)
    end = curve[np.abs(curve[:, 0] - curve[curve[:, 1] > 300][:, 0].max()) <= 4]
    assert abs(rows[counts.argmax()] - end[:, 1].mean()) < 4


@pytest.mark.parametrize("curves", [{}, {"a": ([], [])}, {"a": ([1, 2], [3.0])}])
def test_curves_without_points_are_refused(tmp_path: Path, curves: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="curve"):
        error_curves(curves, tmp_path / "curves.png")
    with pytest.raises(ValueError, match="curve"):
        error_by_glimpse_figure({name: [] for name in curves}, tmp_path / "curves.png")


def test_many_curves_are_distinguishable(tmp_path: Path) -> None:
    error_curves({str(i): ([0, 1], [i + 1.0, i + 2.0]) for i in range(9)}, tmp_path / "curves.png")


@pytest.mark.parametrize("errors", [[11.0, 6.2], [3.4, 3.1], [50.0, 0.9]])
def test_the_error_axis_has_at_least_three_numbers_to_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, errors: list[float]
) -> None:
    kept: list[Figure] = []
    monkeypatch.setattr("glimpse.figures.curves.save", lambda path, figure: kept.append(figure))
    error_curves({"seed": ([1.0, 2.0], errors)}, tmp_path / "a.png")
    axes = kept[0].axes[0]
    low, high = axes.get_ylim()
    assert len([tick for tick in axes.get_yticks() if low <= tick <= high]) >= 3
    assert low < min(errors) < max(errors) < high
    assert high / low < 1.5 * max(errors) / min(errors)
