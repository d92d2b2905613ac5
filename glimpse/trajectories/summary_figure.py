"""A summary of trajectories as a figure: distance, coverage, error and width over steps, and where the window was at each."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from glimpse.attention.track import WindowKind
from glimpse.figures.files import check_ending, save
from glimpse.figures.style import PALETTE, dashes, tidy
from glimpse.trajectories.summary import FAR, StepSummary, Summary, cell_side

__all__ = ["summary_figure", "summary_plot"]

_MAPS = 8  # heat maps at most in a row
_CAPPED = 0.995  # quantile of the cells at which the color scale ends
_NAMED = 0.05  # percent of the centers outside the image that a title names
_COLORS: dict[WindowKind, str] = {"glimpse": PALETTE[0], "read": PALETTE[0], "write": PALETTE[1]}


def summary_figure(summary: Summary, path: str | Path) -> None:
    """Writes a figure of a summary: curves over steps above, below them a heat map of the window's centers at each step.

    The heat maps cover the image; the brighter, the more of the images have their window's center there. All maps of a kind have
    the scale of the color bar, which ends at the 99.5th percentile of the cells with a center, so that one cell does not darken
    all others. Centers outside the image count at its edge, and the title names their share. Of many steps evenly spaced ones are
    shown.

    Args:
        summary: What `summarize_trajectories` returned.
        path: File to write, ending in `.png`; its folder is made.

    Raises:
        ValueError: If the ending is another.
        OSError: If the file cannot be written.
    """
    check_ending(path, ".png")
    save(path, summary_plot(summary))


def summary_plot(summary: Summary) -> Figure:
    """Returns the figure that `summary_figure` writes."""
    kinds = list(summary.heat)
    panels = [_draw_width]
    if any(value is not None for step in summary.steps for value in _shares(step).values()):
        panels.insert(0, _draw_shares)
    if any(step.distance is not None for step in summary.steps):
        panels.insert(0, _draw_distance)
    figure = Figure(figsize=(11.0, 3.2 + 1.75 * len(kinds)), dpi=130, layout="constrained")
    parts = figure.subfigures(1 + len(kinds), 1, squeeze=False, height_ratios=[3.2] + [1.75] * len(kinds))[:, 0]
    for axes, panel in zip(parts[0].subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for kind in kinds:
            panel(axes, [step for step in summary.steps if step.window == kind], kind if len(kinds) > 1 else "")
        axes.set_ylim(bottom=0)  # last, since it ends the fitting to what is drawn
        axes.set_xlabel("step")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        tidy(axes)
    for part, kind in zip(parts[1:], kinds, strict=True):
        _draw_maps(part, summary, kind)
    return figure


def _draw_distance(axes: Axes, steps: Sequence[StepSummary], name: str) -> None:
    """Draws the median distance from the digit with its quartiles."""
    known = [(step.step, step.distance, *step.distance_quartiles) for step in steps if step.distance_quartiles is not None]
    t, median, low, high = zip(*known, strict=True)
    color = _COLORS[steps[0].window]
    axes.fill_between(t, low, high, color=color, alpha=0.18, linewidth=0, label=f"{name} quartiles".strip())
    axes.plot(t, median, color=color, marker="o", markersize=4, label=f"{name} median".strip())
    axes.set_ylabel("window's center to digit's (px)")


def _shares(step: StepSummary) -> dict[str, float | None]:
    """Returns the percentages of a step by their name in the legend."""
    return {"error": step.error, f"window over {FAR:g} px away": step.far, "digit covered by the box": step.covered}


def _draw_shares(axes: Axes, steps: Sequence[StepSummary], name: str) -> None:
    """Draws the percentages that are known for every step: error, images missed, digits covered."""
    for label, color in zip(_shares(steps[0]), PALETTE, strict=False):
        known = [value for step in steps if (value := _shares(step)[label]) is not None]
        if len(known) == len(steps):
            line = dashes(steps[0].window)
            (curve,) = axes.plot([step.step for step in steps], known, color=color, linestyle=line, marker="o", markersize=4)
            curve.set_label(f"{name} {label}".strip())
    axes.set_ylim(0, 102)
    axes.set_ylabel("%")


def _draw_width(axes: Axes, steps: Sequence[StepSummary], name: str) -> None:
    """Draws stride and sigma with their quartiles."""
    t, color = [step.step for step in steps], _COLORS[steps[0].window]
    low, high = zip(*(step.stride_quartiles for step in steps), strict=True)
    axes.fill_between(t, low, high, color=color, alpha=0.18, linewidth=0)
    axes.plot(t, [step.stride for step in steps], color=color, marker="o", markersize=4, label=f"{name} stride".strip())
    blurred = [(step.step, step.sigma, *step.sigma_quartiles) for step in steps if step.sigma_quartiles is not None]
    if blurred:
        t_blurred, sigma, low, high = zip(*blurred, strict=True)
        axes.fill_between(t_blurred, low, high, color=color, alpha=0.1, linewidth=0)
        axes.plot(t_blurred, sigma, color=color, linestyle="--", marker="s", markersize=3, label=f"{name} sigma".strip())
    axes.set_ylabel("median (px)")


def _draw_maps(part: SubFigure, summary: Summary, kind: WindowKind) -> None:
    """Draws the heat maps of a window's centers."""
    maps = 100 * summary.heat[kind]
    shown = np.unique(np.linspace(0, len(maps) - 1, min(_MAPS, len(maps))).round().astype(int))
    steps = [step for step in summary.steps if step.window == kind]
    height, width = summary.size
    side = cell_side(height, width)
    extent = (-0.5, maps.shape[2] * side - 0.5, maps.shape[1] * side - 0.5, -0.5)
    top = float(np.quantile(maps[maps > 0], _CAPPED))
    scale = PowerNorm(0.5, vmin=0, vmax=top)
    drawn = part.subplots(1, len(shown), squeeze=False)[0]
    for axes, t in zip(drawn, shown, strict=True):
        picture = axes.imshow(maps[t], cmap="inferno", extent=extent, interpolation="nearest", norm=scale)
        outside = f"\n{steps[t].outside:.1f} % outside" if steps[t].outside >= _NAMED else ""
        axes.set_title(f"{kind} {t + 1}{outside}", fontsize=8.5)
        axes.set(xticks=[0, width - 1], yticks=[0, height - 1])
        axes.tick_params(labelsize=7, length=2)
    bar = part.colorbar(picture, ax=drawn, extend="max" if maps.max() > top else "neither", pad=0.01, aspect=14)
    ticks = [0.0, top / 4, top]
    bar.set_ticks(ticks, labels=[f"{tick:.2g}" for tick in ticks], fontsize=7)
    bar.set_label(f"% of images in {side} x {side} px", fontsize=7)
