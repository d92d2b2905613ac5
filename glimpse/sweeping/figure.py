"""Figure of a sweep: its trials in order, their validations during training, and the metric against each setting."""

import math
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from glimpse.figures.files import save
from glimpse.figures.style import INK, MUTED, PALETTE, make_logarithmic, tidy
from glimpse.settings.variation import setting_text
from glimpse.sweeping.results import SweepResult, SweepTrial

__all__ = ["sweep_figure"]

_COLORS = {"complete": PALETTE[0], "pruned": MUTED, "diverged": PALETTE[1], "running": PALETTE[2], "stopped": PALETTE[4]}
_LABELS = {"error": "validation error (%)", "bound": "validation bound (nats)"}
_COLUMNS = 3


def sweep_figure(found: SweepResult, path: str | Path) -> None:
    """Writes a figure of a sweep.

    The first panel has the lowest value of every trial and the lowest so far, the second all validations during training, the third
    the importance of the settings if it is known; the others show the lowest values against each setting.

    Args:
        found: The sweep.
        path: File to write, ending in `.png`.

    Raises:
        ValueError: If no trial has been validated yet, or the file has another extension.
        OSError: If the file cannot be written.
    """
    trials = [trial for trial in found.trials if trial.best is not None]
    if not trials:
        raise ValueError(f"no trial in {found.out} has been validated yet: there is nothing to draw")
    names = list(dict.fromkeys(name for trial in trials for name in trial.settings))
    count = 2 + bool(found.importance) + len(names)
    rows = -(-count // _COLUMNS)
    figure = Figure(figsize=(12.0, 0.5 + 3.2 * rows), dpi=130, layout="constrained")
    grid = iter(figure.subplots(rows, min(_COLUMNS, count), squeeze=False).flatten())
    panels = [next(grid), next(grid)]
    _draw_history(panels[0], trials)
    _draw_curves(panels[1], trials)
    if found.importance:
        _draw_importance(next(grid), found)
    notations = dict(text.split("=", maxsplit=1) for text in found.varied)
    for name in names:
        panels.append(next(grid))
        _draw_setting(panels[-1], trials, name, notations.get(name, ""))
    for axes in panels:
        _draw_metric(axes, trials, _LABELS[found.metric])
    for axes in grid:
        axes.set_axis_off()
    save(path, figure)


def _draw_history(axes: Axes, trials: Sequence[SweepTrial]) -> None:
    """Draws the lowest value of every trial in order, and the lowest so far of the completed ones."""
    for status, color in _COLORS.items():
        points = [(i, trial.best) for i, trial in enumerate(trials, start=1) if trial.status == status]
        if points:
            axes.plot(*zip(*points, strict=True), color=color, marker="o", markersize=4, linestyle="", label=status)
    values = (trial.best if trial.status == "complete" else None for trial in trials)
    lowest = list(accumulate((math.inf if value is None else value for value in values), min))
    known = [(i, value) for i, value in enumerate(lowest, start=1) if math.isfinite(value)]
    if known:
        axes.step(*zip(*known, strict=True), where="post", color=INK, linewidth=1.0, label="lowest so far")
    axes.set_xlabel("trial", fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    tidy(axes)


def _draw_curves(axes: Axes, trials: Sequence[SweepTrial]) -> None:
    """Draws the validations of every trial during training, the best ones on top."""
    for trial in sorted(trials, key=lambda trial: -(trial.best or 0.0)):
        color = _COLORS.get(trial.status, MUTED)
        axes.plot(*zip(*trial.validations, strict=True), color=color, linewidth=1.0, marker=".", markersize=4, alpha=0.8)
    axes.set_xlabel("training images seen", fontsize=9)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    tidy(axes, legend=False)


def _draw_importance(axes: Axes, found: SweepResult) -> None:
    """Draws the importance of the settings, the largest on top."""
    names = list(found.importance)[::-1]
    axes.barh(names, [found.importance[name] for name in names], color=PALETTE[0], height=0.6)
    axes.set_xlabel("share of the variance between completed trials", fontsize=9)
    axes.set_xlim(left=0)
    axes.set_ylim(-1, len(names))
    tidy(axes, legend=False)


def _draw_setting(axes: Axes, trials: Sequence[SweepTrial], name: str, notation: str) -> None:
    """Draws the lowest values of the trials against a setting, given with the notation of its range or choices."""
    having = [trial for trial in trials if name in trial.settings]
    colors = [_COLORS.get(trial.status, MUTED) for trial in having]
    values, lowest = [trial.settings[name] for trial in having], [trial.best for trial in having]
    if ":" in notation:
        axes.scatter(values, lowest, color=colors, s=18)  # type: ignore[arg-type]
    else:
        choices = notation.split(",")
        axes.scatter([choices.index(setting_text(value)) for value in values], lowest, color=colors, s=18)  # type: ignore[arg-type]
        axes.set_xticks(range(len(choices)), choices)
        axes.margins(x=0.15)
    if notation.endswith(":log"):
        few = max(values) > 30 * min(values)  # type: ignore[operator]
        make_logarithmic(axes.xaxis, (1, 3) if few else (1, 2, 5))
    axes.set_xlabel(name, fontsize=9)
    tidy(axes, legend=False)


def _draw_metric(axes: Axes, trials: Sequence[SweepTrial], label: str) -> None:
    """Labels the axis of the metric, which is logarithmic if its values differ by more than a factor of 5."""
    values = [value for trial in trials for _, value in trial.validations if math.isfinite(value)]
    if min(values) > 0 and max(values) > 5 * min(values):
        make_logarithmic(axes.yaxis, (1, 2, 3, 5))
    axes.set_ylabel(label, fontsize=9)
