"""Figure of a diagnosis: the error by glimpse, class, ink and clutter, split into search and reading."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from glimpse.evaluation.diagnosis import NEAR, Diagnosis, ErrorCount, GlimpseCount, RangeCount, range_text
from glimpse.figures.files import save
from glimpse.figures.style import INK, MUTED, PALETTE, make_logarithmic, tidy

__all__ = ["diagnosis_figure", "diagnosis_plot"]

_READING, _SEARCH = PALETTE[0], PALETTE[1]
_LABEL = 9.0  # points, of an axis's label
_LETTERS = 40  # letters of all labels that fit below an axis
_NAMED = 12  # maximum number of bars that are labeled one by one


def diagnosis_figure(diagnosis: Diagnosis, path: str | Path, *, title: str = "", class_names: Sequence[str] | None = None) -> None:
    """Writes a figure of a diagnosis: the error after each glimpse as lines, and by class, ink and clutter as bars.

    Bars and lines are split into errors lost by search and by reading, if these are known. The whiskers are 95 % Wilson intervals
    of the error, the numbers below the bars count images.

    Args:
        diagnosis: What is drawn.
        path: File to write, ending in `.png`.
        title: Name of the model and the images.
        class_names: Name of each class; the numbers from 0 if None.

    Raises:
        ValueError: If the file has another extension.
        OSError: If the file cannot be written.
    """
    save(path, diagnosis_plot(diagnosis, title=title, class_names=class_names))


def diagnosis_plot(diagnosis: Diagnosis, *, title: str = "", class_names: Sequence[str] | None = None) -> Figure:
    """Returns the figure that `diagnosis_figure` writes."""
    panels = [name for name in ("by_glimpse", "by_class", "by_ink", "by_clutter") if getattr(diagnosis, name) is not None]
    rows = -(-len(panels) // 2)
    figure = Figure(figsize=(11.0, 0.9 + 3.1 * rows), dpi=130, layout="constrained")
    below = "bars with 95 % intervals; below each group its number of images"
    figure.suptitle("\n".join(filter(None, (title, _summary(diagnosis), below))), fontsize=10, color=INK)
    grid = figure.subplots(rows, min(2, len(panels)), squeeze=False).flatten()
    for axes, name in zip(grid, panels, strict=False):
        if name == "by_glimpse":
            _draw_glimpses(axes, diagnosis.by_glimpse or ())
        elif name == "by_class":
            names = class_names or [str(label) for label in range(len(diagnosis.by_class))]
            _draw_bars(axes, diagnosis.by_class, names, "class")
        else:
            groups: Sequence[RangeCount] = getattr(diagnosis, name)
            labels = [range_text(group) for group in groups]
            what = "ink of the digit" if name == "by_ink" else "clutter on the digit, in % of the digit's ink"
            _draw_bars(axes, [group.count for group in groups], labels, what)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    return figure


def _summary(diagnosis: Diagnosis) -> str:
    """Returns the total error in words."""
    total = diagnosis.total
    split = ""
    if total.by_search is not None and total.by_reading is not None:
        split = (
            f": {total.by_search:,} lost by search (last window over {NEAR:g} px from the digit), {total.by_reading:,} by reading"
        )
    return f"{total.error:.2f} % error, {total.errors:,} of {total.images:,} images{split}"


def _draw_glimpses(axes: Axes, glimpses: Sequence[GlimpseCount]) -> None:
    """Draws the error after each glimpse, its two parts, and how often the window is off the digit, on a logarithmic axis."""
    counts = [glimpse.count for glimpse in glimpses]
    images = counts[0].images
    lines = {
        "error": ([count.errors for count in counts], INK, "-"),
        "lost by reading": ([count.by_reading or 0 for count in counts], _READING, "-"),
        "lost by search": ([count.by_search or 0 for count in counts], _SEARCH, "-"),
        "window off the digit": ([images - glimpse.on_digit for glimpse in glimpses], MUTED, "--"),
    }
    for label, (values, color, style) in lines.items():
        percent = [100 * value / images or math.nan for value in values]  # a logarithmic axis has no 0
        axes.plot(range(1, len(values) + 1), percent, color=color, linestyle=style, marker="o", markersize=4, label=label)
    make_logarithmic(axes.yaxis, (1, 2, 5))
    axes.set_xlabel("glimpse", fontsize=_LABEL)
    axes.set_ylabel("images (%)", fontsize=_LABEL)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    tidy(axes)


def _draw_bars(axes: Axes, counts: Sequence[ErrorCount], labels: Sequence[str], what: str) -> None:
    """Draws the error of each group as a bar, with its number of images below it; the colors are those of `_draw_glimpses`."""
    at = range(len(counts))
    split = counts[0].by_search is not None
    below = [0.0] * len(counts)
    for name, color in (("by_reading", _READING), ("by_search", _SEARCH)) if split else (("errors", _READING),):
        share = [100 * getattr(count, name) / max(1, count.images) for count in counts]
        axes.bar(at, share, bottom=below, color=color, width=0.72)
        below = [low + high for low, high in zip(below, share, strict=True)]
    for x, count in zip(at, counts, strict=True):
        if count.images:
            low, high = count.interval
            axes.vlines(x, low, high, color=INK, linewidth=1.0)
    if len(counts) <= _NAMED:
        long = sum(map(len, labels)) > _LETTERS
        style: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if long else {}
        joined = ", " if long else "\n"
        names = [f"{label[: _LETTERS // 2]}{joined}{count.images:,}" for label, count in zip(labels, counts, strict=True)]
        axes.set_xticks(at, names, **style)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(_NAMED, integer=True))
    axes.set_xlabel(what, fontsize=_LABEL)
    axes.set_ylabel("error (%)", fontsize=_LABEL)
    axes.set_ylim(bottom=0)
    tidy(axes, legend=False)
    axes.grid(axis="x", visible=False)
