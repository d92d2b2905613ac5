"""A comparison as a figure: error against values read of an image, with a label beside every point."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, MaxNLocator
from matplotlib.transforms import Bbox

from glimpse.comparison.rows import Comparison
from glimpse.figures.files import check_ending, save
from glimpse.figures.style import INK, MUTED, PALETTE, make_logarithmic, tidy

__all__ = ["write_figure"]

_KINDS = ("glimpse", "ram", "random-glimpses", "conv", "convnet", "spatial-transformer")  # in the palette's order
_DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), *itertools.product((1, -1), (1, -1)), *itertools.product((1, -1), (0.5, -0.5)))
"""From a marker to its label: to the sides first, where lines of text lie."""
_DISTANCES = (10, 14, 19, 25, 31, 38, 46, 56, 68, 82, 98, 115)  # points from a marker to its label, the nearest first


class _Point(NamedTuple):
    """A marker of the figure: measured with its error's interval, published without."""

    values: float
    error: float
    kind: str
    label: str
    interval: tuple[float, float] | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """Where its bar ends, the error itself twice where it has none."""
        return self.interval or (self.error, self.error)

    @property
    def color(self) -> str:
        """Color of its kind."""
        return PALETTE[_KINDS.index(self.kind)] if self.kind in _KINDS else INK


def write_figure(path: str | Path, comparison: Comparison) -> list[str]:
    """Writes a figure of the error against the values read of an image, both logarithmic: measured filled, published hollow.

    Args:
        path: File to write, ending in `.png`; its folder is made.
        comparison: What is drawn; a bar is the error's 95 % interval.

    Returns:
        Names of the published rows that do not state what they read, and are therefore not drawn.

    Raises:
        ValueError: If the ending is another.
        OSError: If the file cannot be written.
    """
    check_ending(path, ".png")
    measured, published = _points(comparison)
    figure = Figure(figsize=(9.5, 6.0), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    _draw_points(axes, measured, published)
    _scale(axes, [*measured, *published])
    axes.set(xlabel="values read of an image", ylabel="test error (%)")
    tidy(axes, legend=False)
    figure.legend(loc="outside upper right", ncols=2, frameon=False, fontsize=8.5)
    _Labels(axes, [*measured, *published]).place()
    save(path, figure)
    unstated = [result for result in comparison.alone if result.values_read is None]
    unstated += [row.published for row in comparison.rows if row.published is not None and row.published.values_read is None]
    return [f"{result.model} ({result.source})" for result in unstated]


def _draw_points(axes: Axes, measured: Sequence[_Point], published: Sequence[_Point]) -> None:
    """Draws the markers and bars, and names them for the legend."""
    for point in measured:
        low, high = point.ends
        bars = [[max(0.0, point.error - low)], [max(0.0, high - point.error)]]
        axes.errorbar(point.values, point.error, bars, marker="o", color=point.color, markersize=6.5, capsize=3, linewidth=1.2)
    for point in published:
        axes.plot(point.values, point.error, "s", color=point.color, markerfacecolor="none", markersize=10, zorder=3)
    axes.plot([], [], "o", color=INK, label="measured, with 95 % interval")
    if published:
        axes.plot([], [], "s", color=INK, markerfacecolor="none", markersize=8, label="published")


def _points(comparison: Comparison) -> tuple[list[_Point], list[_Point]]:
    """Returns the measured and the published points; a published row that stands beside several measured ones is one point."""
    measured = [
        _Point(row.reading.values, row.error, row.kind, row.model + _seeds(len(row.seeds)), row.interval) for row in comparison.rows
    ]
    results = dict.fromkeys([row.published for row in comparison.rows if row.published is not None] + list(comparison.alone))
    published = [
        _Point(result.values_read, result.error_percent, result.kind, f"{result.model}\n({result.source})")
        for result in results
        if result.values_read is not None
    ]
    return measured, published


def _seeds(count: int) -> str:
    """Returns what a label says of several seeds."""
    return f" ({count} seeds)" if count > 1 else ""


def _scale(axes: Axes, points: Sequence[_Point]) -> None:
    """Gives both axes their scale, with room for the labels and plain numbers."""
    low, high = min(point.values for point in points), max(point.values for point in points)
    axes.set_xlim(low / 2.2, high * 2.2)
    make_logarithmic(axes.xaxis, (1, 2, 5))
    if min(point.error for point in points) > 0:
        ends = [end for point in points for end in (point.error, *point.ends)]
        least = min(point.error for point in points)
        low, high = max(min(ends), least / 4) / 1.25, min(max(ends) * 1.25, 100.0)  # the bar of few seeds may reach down to 0
        axes.set_ylim(low, high)
        make_logarithmic(axes.yaxis, (1, 2, 3, 5))
        if high <= 4 * low:
            axes.yaxis.set_major_locator(FixedLocator(MaxNLocator(8, steps=[1, 2, 5, 10]).tick_values(low, high)))


class _Placed(NamedTuple):
    """A label that was tried at an offset: its text, its box in pixels and how much it would cover there."""

    text: Any
    box: Bbox
    covered: float


class _Labels:
    """Writes every point's label as near to it as there is room: over no other label, marker, bar or line, inside the axes.

    Args:
        axes: With everything else drawn.
        points: What is labelled.
    """

    def __init__(self, axes: Axes, points: Sequence[_Point]) -> None:
        self.axes, self.points = axes, points
        canvas = axes.figure.canvas
        canvas.draw()  # the layout must be known
        self.renderer = canvas.get_renderer()  # type: ignore[attr-defined]
        self.frame = axes.get_window_extent(self.renderer)
        self.per_point = axes.figure.dpi / 72
        self.markers = [_marker_box(axes, point, 6 * self.per_point) for point in points]
        self.labels: list[Bbox] = []

    def place(self) -> None:
        """Places all labels: first those that fit right beside their point, last, where it covers least, one that fits nowhere."""
        waiting = list(range(len(self.points)))
        for distance in _DISTANCES:
            waiting = [i for i in waiting if not self._fits(i, distance)]
        for i in waiting:
            offsets = itertools.product(_DISTANCES, _DIRECTIONS)
            attempts = [self._tried(i, (x * distance, y * distance)) for distance, (x, y) in offsets]
            best = min(attempts, key=lambda attempt: attempt.covered)
            for attempt in attempts:
                if attempt is not best:
                    attempt.text.remove()
            self._keep(best)

    def _fits(self, i: int, distance: float) -> bool:
        """Places a point's label at a distance if it covers nothing there, and returns whether it did."""
        for x, y in _DIRECTIONS:
            attempt = self._tried(i, (x * distance, y * distance))
            if attempt.covered <= 1e-6:
                self._keep(attempt)
                return True
            attempt.text.remove()
        return False

    def _tried(self, i: int, offset: tuple[float, float]) -> _Placed:
        """Returns the label of a point at an offset."""
        point = self.points[i]
        text = _annotate(self.axes, point, offset)
        text.update_positions(self.renderer)
        box = Text.get_window_extent(text, self.renderer)  # an annotation's own includes its line
        covered = sum(_area(box, other) for other in (*self.labels, *self.markers))
        covered += box.width * box.height - _area(box, self.frame)
        if text.arrow_patch is not None:
            others = self.labels + self.markers[:i] + self.markers[i + 1 :]
            start = self.axes.transData.transform((point.values, point.error))
            covered += _crossings(start, offset, self.per_point, others)
        return _Placed(text, box, covered)

    def _keep(self, placed: _Placed) -> None:
        """Notes that a label stays where it is, with a margin around it."""
        box = placed.box
        self.labels.append(Bbox.from_extents(box.x0 - 2, box.y0 - 2, box.x1 + 2, box.y1 + 2))


def _crossings(start: Any, offset: tuple[float, float], per_point: float, boxes: Sequence[Bbox]) -> int:
    """Returns how many points of the line from a marker to its label lie in boxes, beginning outside the marker."""
    along = [start + [part * end * per_point for end in offset] for part in np.linspace(0, 1, 40)]
    outside = [point for point in along if max(abs(point - start)) > 7 * per_point]
    return sum(box.contains(*point) for point in outside for box in boxes)


def _marker_box(axes: Axes, point: _Point, half: float) -> Bbox:
    """Returns the box around a point's marker and bar in the figure's pixels."""
    low, high = point.ends
    lowest = axes.get_ylim()[0]
    x, top = axes.transData.transform((point.values, max(high, lowest)))
    bottom = axes.transData.transform((point.values, max(low, lowest)))[1]
    return Bbox.from_extents(x - half, bottom - half, x + half, top + half)


def _annotate(axes: Axes, point: _Point, offset: tuple[float, float]) -> Any:
    """Returns a point's label at an offset in points, with a thin line to the point where it is far away."""
    x, y = offset
    relpos = (0.0 if x > 0 else 1.0 if x < 0 else 0.5, 0.0 if y > 0 else 1.0 if y < 0 else 0.5)
    line = {"arrowstyle": "-", "color": "#9a9a9a", "linewidth": 0.8, "shrinkA": 0, "shrinkB": 5, "relpos": relpos}
    side = "left" if x > 0 else "right" if x < 0 else "center"
    annotation = axes.annotate(
        point.label,
        (point.values, point.error),
        offset,
        textcoords="offset points",
        ha=side,
        va="bottom" if y > 0 else "top" if y < 0 else "center",
        multialignment=side,
        fontsize=7.5,
        color=MUTED if point.interval is None else INK,
        arrowprops=line if max(abs(x), abs(y)) > _DISTANCES[0] else None,
    )
    annotation.set_in_layout(False)  # the axes stay where they are
    return annotation


def _area(one: Bbox, other: Bbox) -> float:
    """Returns the area that two boxes share."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return float(max(0.0, width) * max(0.0, height))
