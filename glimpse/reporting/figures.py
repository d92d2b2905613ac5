"""Figures of a report: curves of a training, error by glimpse, reliability, confusion, and KL divergence by step."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator
from numpy.typing import NDArray

from glimpse.evaluation.statistics import wilson_interval
from glimpse.figures.style import INK, MUTED, PALETTE, fill_ticks, make_logarithmic, tidy
from glimpse.figures.windows import draw_image, image_aspect, rgb_pictures, verdict
from glimpse.reporting.seen import Bin, Worst

__all__ = ["Curve", "by_step", "confusion_matrix", "curves", "error_by_glimpse", "reliability_diagram", "worst_images"]

_NUMBERED = 20  # largest number of classes whose counts are written into a confusion matrix
_COLUMNS = 8  # images in a row


class Curve(NamedTuple):
    """A curve over the images seen in training.

    Attributes:
        images: Numbers of images.
        values: As many values.
    """

    images: Sequence[float]
    values: Sequence[float]


def curves(panels: Mapping[str, Mapping[str, Curve]]) -> Figure:
    """Returns a figure with a panel for each group of curves over the images seen in training.

    Args:
        panels: Curves by name, by the label of the vertical axis.
    """
    figure = Figure(figsize=(5.2 * len(panels), 3.6), layout="constrained")
    for axes, (label, lines) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for (name, curve), color in zip(lines.items(), PALETTE, strict=False):
            marker = "o" if len(curve.images) < 30 else ""
            axes.plot(*curve, color=color, marker=marker, markersize=3.5, linewidth=1.5, label=name)
        if min(min(curve.values) for curve in lines.values()) > 0:
            make_logarithmic(axes.yaxis, (1, 2, 5))
            fill_ticks(axes.yaxis)
        axes.set(xlabel="training images seen", ylabel=label)
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        tidy(axes)
    return figure


def error_by_glimpse(errors: Sequence[float], images: int) -> Figure:
    """Returns a figure of the error after each glimpse in percent, with 95 % Wilson intervals.

    Args:
        errors: Errors in percent, the first after one glimpse.
        images: Number of images.
    """
    figure = Figure(figsize=(6.0, 3.6), layout="constrained")
    axes = figure.subplots()
    steps = np.arange(1, len(errors) + 1)
    ends = np.array([wilson_interval(round(error * images / 100), images) for error in errors]) * 100  # (T, 2)
    whiskers = np.abs(ends.T - np.array(errors))
    axes.errorbar(steps, errors, whiskers, color=PALETTE[0], marker="o", markersize=4.5, capsize=3, linewidth=1.6)
    for step, error in zip(steps, errors, strict=True):
        axes.annotate(f"{error:.2f}", (step, error), (6, 4), textcoords="offset points", fontsize=8, color=INK)
    if min(errors) > 0:
        make_logarithmic(axes.yaxis, (1, 2, 5))
        fill_ticks(axes.yaxis)
    axes.set(xlabel="glimpses taken", ylabel="error (%)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    tidy(axes, legend=False)
    return figure


def reliability_diagram(bins: Sequence[Bin]) -> Figure:
    """Returns a figure of the share of correct predictions by their probability, and of the number of images in each bin."""
    figure = Figure(figsize=(6.0, 4.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    filled = [each for each in bins if each.images]
    confidence = [each.confidence for each in filled]
    right = np.array([each.right / each.images for each in filled])
    ends = np.array([wilson_interval(each.right, each.images) for each in filled])
    above.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="--", label="perfectly calibrated")
    above.errorbar(
        confidence, right, np.abs(ends.T - right), color=PALETTE[0], marker="o", markersize=5, capsize=3, label="with 95 % interval"
    )
    above.set(ylabel="share correct", ylim=(0, 1.02))
    width = bins[0].high - bins[0].low
    below.bar(
        [each.low for each in bins], [each.images for each in bins], width=width, align="edge", color=PALETTE[0], edgecolor="white"
    )
    below.set(xlabel="probability of the predicted class", ylabel="images", xlim=(0, 1), yscale="symlog")
    for axes in (above, below):
        tidy(axes, legend=axes is above)
    return figure


def confusion_matrix(confusion: Sequence[Sequence[int]], class_names: Sequence[str]) -> Figure:
    """Returns a figure of a confusion matrix, colored by the logarithm of the counts; with the counts of at most 20 classes.

    Args:
        confusion: Number of images by true (rows) and predicted class (columns), K x K.
        class_names: K names.
    """
    counts = np.array(confusion)
    side = min(8.0, max(4.2, 1.2 + 0.48 * len(counts)))
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    shown = np.ma.masked_equal(counts, 0)
    top = max(2, int(counts.max()))
    axes.imshow(shown, cmap="Blues", norm=LogNorm(1, top))
    if len(counts) <= _NUMBERED:
        for row, column in np.argwhere(counts > 0):
            dark = math.log(counts[row, column]) > 0.6 * math.log(top)
            axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", fontsize=7, color="white" if dark else INK)
        names = [name[:12] for name in class_names]
        axes.set_xticks(range(len(counts)), names, rotation=90 if max(map(len, names)) > 2 else 0)
        axes.set_yticks(range(len(counts)), names)
    axes.set(xlabel="predicted class", ylabel="true class")
    axes.tick_params(labelsize=8, length=0)
    axes.spines[:].set_visible(False)
    return figure


def worst_images(worst: Worst, class_names: Sequence[str] | None) -> Figure:
    """Returns a sheet of misclassified images, each with its true and its predicted class."""
    count, columns = len(worst.labels), min(_COLUMNS, len(worst.labels))
    rows = -(-count // columns)
    figure = Figure(
        figsize=(1.35 * columns, rows * (1.3 * image_aspect(*worst.images.shape[2:]) + 0.25)), dpi=130, layout="constrained"
    )
    cells = figure.subplots(rows, columns, squeeze=False).flatten()
    facts = zip(worst.labels.tolist(), worst.predicted.tolist(), worst.probabilities.tolist(), strict=True)
    for axes, picture, (label, predicted, probability) in zip(cells, rgb_pictures(worst.images), facts, strict=False):
        draw_image(axes, picture)
        text, style = verdict(label, predicted, probability, class_names)
        axes.set_title(text, fontsize=min(6.5, 150 / len(text)), pad=2, **style)
    for axes in cells[count:]:
        axes.set_axis_off()
    return figure


def by_step(divergences: Sequence[float]) -> Figure:
    """Returns a figure of the KL divergence of each step, and of its sum up to there, in nats."""
    figure = Figure(figsize=(10.4, 3.4), layout="constrained")
    for axes, values, label in zip(
        figure.subplots(1, 2), (divergences, np.cumsum(divergences)), ("of the step", "up to the step"), strict=True
    ):
        _draw_steps(axes, np.asarray(values))
        axes.set(xlabel="step", ylabel=f"KL divergence {label} (nats)")
    return figure


def _draw_steps(axes: Axes, values: NDArray[Any]) -> None:
    """Draws a bar for each step."""
    axes.bar(np.arange(1, len(values) + 1), values, color=PALETTE[0], width=0.8)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    tidy(axes, legend=False)
    axes.grid(axis="x", visible=False)
