"""A comparison as a figure: error against values read of an image, with a label for every point."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from glimpse.comparison.labels import NEAREST, place_labels
from glimpse.comparison.rows import Comparison, Row
from glimpse.figures.files import check_ending, save
from glimpse.figures.style import INK, MUTED, PALETTE, fill_ticks, make_logarithmic, tidy

__all__ = ["write_figure"]

_KINDS = ("glimpse", "ram", "random-glimpses", "conv", "convnet", "spatial-transformer", "search")  # in the palette's order
_LETTERS = 7.5  # points, of a label


class _Point(NamedTuple):
    """A marker of the figure: measured with its error's interval, published without.

    Attributes:
        values: Place on the horizontal axis.
        error: Error in percent.
        kind: Kind of classifier.
        label: Text next to it.
        interval: 95 % interval of the error.
        like: Error of the published result of a model like it, at the same place.
    """

    values: float
    error: float
    kind: str
    label: str
    interval: tuple[float, float] | None = None
    like: float | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """Where its bar ends, the error itself twice where it has none."""
        return self.interval or (self.error, self.error)

    @property
    def color(self) -> str:
        """Color of its kind."""
        return PALETTE[_KINDS.index(self.kind)] if self.kind in _KINDS else MUTED


def write_figure(path: str | Path, comparison: Comparison) -> list[str]:
    """Writes a figure of the error against the values read of an image, and against multiply-adds, all axes logarithmic.

    Measured points are filled, published ones hollow; a line joins a measured point with the published result of a model like it.
    Publications state no multiply-adds.

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
    by_cost = [point._replace(values=row.multiply_adds, like=None) for point, row in zip(measured, comparison.rows, strict=True)]
    figure = Figure(figsize=(15.0, 6.6), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2), sharey=True)
    for axes, filled, hollow in ((left, measured, published), (right, by_cost, [])):
        _draw_points(axes, filled, hollow)
        _scale(axes.xaxis, [point.values for point in (*filled, *hollow)])
        tidy(axes, legend=False)
    _scale_errors(left, [*measured, *published])
    left.set(xlabel="values read of an image", ylabel=f"error on the {comparison.part_name} (%)")
    right.set(xlabel="multiply-adds for an image, in millions")
    right.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1e6:,.10g}"))
    figure.suptitle(f"{comparison.conditions.data}: {comparison.n:,} {comparison.part_name}", x=0.01, ha="left", fontsize=11)
    left.legend(loc="lower left", frameon=False, fontsize=8.5, bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0)
    _label(left, [*measured, *published])
    _label(right, by_cost)
    save(path, figure)
    unstated = [result for result in comparison.published_only if result.values_read is None]
    unstated += [row.published for row in comparison.rows if row.published is not None and row.published.values_read is None]
    return [f"{result.model} ({result.source})" for result in unstated]


def _draw_points(axes: Axes, measured: Sequence[_Point], published: Sequence[_Point]) -> None:
    """Draws the markers and bars, and names them for the legend."""
    for point in measured:
        low, high = point.ends
        bars = [[max(0.0, point.error - low)], [max(0.0, high - point.error)]]
        axes.errorbar(point.values, point.error, bars, marker="o", color=point.color, markersize=6.5, capsize=3, linewidth=1.2)
        if point.like is not None:
            axes.plot([point.values] * 2, [point.error, point.like], color=point.color, linewidth=1.0, linestyle=":", zorder=1)
    for point in published:
        axes.plot(point.values, point.error, "s", color=point.color, markerfacecolor="none", markersize=10, zorder=3)
    axes.plot([], [], "o", color=INK, label="measured, with 95 % interval")
    if published:
        axes.plot([], [], "s", color=INK, markerfacecolor="none", markersize=8, label="published")
    if any(point.like is not None for point in measured):
        axes.plot([], [], ":", color=INK, linewidth=1.0, label="to the published result of a model like it")


def _points(comparison: Comparison) -> tuple[list[_Point], list[_Point]]:
    """Returns the measured and the published points; a published row that several measured ones are compared with is one point."""
    measured = [
        _Point(row.reading.values, row.error, row.kind, row.model + _seeds(len(row.seeds)), row.interval, _like(row))
        for row in comparison.rows
    ]
    matched = [row.published for row in comparison.rows if row.published is not None]
    results = dict.fromkeys([*matched, *comparison.published_only])
    published = [
        _Point(result.values_read, result.error_percent, result.kind, f"{result.model}\n({result.source})")
        for result in results
        if result.values_read is not None
    ]
    return measured, published


def _seeds(count: int) -> str:
    """Returns what a label says of several seeds."""
    return f" ({count} seeds)" if count > 1 else ""


def _like(row: Row) -> float | None:
    """Returns the published error of a model like a measured one, if it is at the same place of the figure."""
    return row.published.error_percent if row.published and row.published.values_read == row.reading.values else None


def _scale(axis: Axis, values: Sequence[float]) -> None:
    """Makes a horizontal axis logarithmic, with room for the labels and plain numbers; few of them if it is long."""
    low, high = min(values), max(values)
    axis.axes.set_xlim(low / 2.2, high * 2.2)
    make_logarithmic(axis, (1, 2, 5) if high < 50 * low else (1,))


def _scale_errors(axes: Axes, points: Sequence[_Point]) -> None:
    """Makes the axis of the errors logarithmic, unless one is 0."""
    if min(point.error for point in points) > 0:
        ends = [end for point in points for end in (point.error, *point.ends)]
        least = min(point.error for point in points)
        low, high = max(min(ends), least / 4) / 1.25, min(max(ends) * 1.25, 100.0)  # the bar of few seeds may reach down to 0
        axes.set_ylim(low, high)
        make_logarithmic(axes.yaxis, (1, 2, 3, 5))
        fill_ticks(axes.yaxis)


def _label(axes: Axes, points: Sequence[_Point]) -> None:
    """Writes a label near every point, once everything else is drawn."""
    canvas = axes.figure.canvas
    canvas.draw()  # the layout must be known
    renderer = canvas.get_renderer()  # type: ignore[attr-defined]
    unit = axes.figure.dpi / 72
    sizes = []
    for point in points:
        text = axes.text(point.values, point.error, point.label, fontsize=_LETTERS)
        sizes.append(text.get_window_extent(renderer).size)
        text.remove()
    places = axes.transData.transform([(point.values, point.error) for point in points])
    markers = np.array([_marker_box(axes, point, 6 * unit) for point in points])
    frame = np.array(axes.get_window_extent(renderer).extents)
    for point, offset in zip(points, place_labels(places, np.array(sizes), markers, frame, unit=unit).tolist(), strict=True):
        _annotate(axes, point, offset)


def _marker_box(axes: Axes, point: _Point, half: float) -> tuple[float, ...]:
    """Returns the box around a point's marker and bar in the figure's pixels."""
    low, high = point.ends
    lowest = axes.get_ylim()[0]
    x, top = axes.transData.transform((point.values, max(high, lowest)))
    bottom = axes.transData.transform((point.values, max(low, lowest)))[1]
    return x - half, bottom - half, x + half, top + half


def _annotate(axes: Axes, point: _Point, offset: tuple[float, float]) -> None:
    """Writes a point's label at an offset in points, with a thin line to the point where it is far away."""
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
        fontsize=_LETTERS,
        color=MUTED if point.interval is None else INK,
        arrowprops=line if max(abs(x), abs(y)) > NEAREST else None,
    )
    annotation.set_in_layout(False)  # the axes stay where they are
