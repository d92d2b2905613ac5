"""Curves of a classifier's error, over training and over glimpses, written as PNG files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from glimpse.figures.files import save
from glimpse.figures.style import MUTED, PALETTE, fill_ticks, line_style, make_logarithmic, tidy

__all__ = ["error_by_glimpse_figure", "error_curves"]


def error_curves(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    path: str | Path,
    *,
    references: Mapping[str, float] | None = None,
    log_images: bool = False,
) -> None:
    """Writes a figure of the error on validation against the images seen in training.

    Args:
        curves: For each name the images seen and the errors in percent, as many of one as of the other.
        path: File to write, ending in `.png`; its folder is made.
        references: Errors in percent to draw as dashed lines, by name.
        log_images: Whether the axis of the images is logarithmic, too.

    Raises:
        ValueError: If there is no curve, one is empty, or its two sides differ in length.
        OSError: If the file cannot be written.
    """
    for name, (seen, errors) in curves.items():
        if not 0 < len(seen) == len(errors):
            raise ValueError(f"curve {name!r} has {len(seen)} image counts and {len(errors)} errors, expected equally many")
    figure, axes = _plot(curves, references, marker="")
    if log_images:
        make_logarithmic(axes.xaxis, (1, 2, 5))
    axes.set_xlabel("training images seen")
    axes.set_ylabel("validation error (%)")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    save(path, figure)


def error_by_glimpse_figure(
    curves: Mapping[str, Sequence[float]], path: str | Path, *, references: Mapping[str, float] | None = None
) -> None:
    """Writes a figure of the error after each glimpse.

    Args:
        curves: For each name the errors in percent, the first after one glimpse.
        path: File to write, ending in `.png`; its folder is made.
        references: Errors in percent to draw as dashed lines, by name.

    Raises:
        ValueError: If there is no curve or one is empty.
        OSError: If the file cannot be written.
    """
    for name, errors in curves.items():
        if not len(errors):
            raise ValueError(f"curve {name!r} has no errors")
    figure, axes = _plot({name: (range(1, len(errors) + 1), errors) for name, errors in curves.items()}, references, marker="o")
    axes.set_xlabel("glimpses taken")
    axes.set_ylabel("error (%)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    save(path, figure)


def _plot(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], references: Mapping[str, float] | None, *, marker: str
) -> tuple[Figure, Axes]:
    """Returns a figure with a line for each curve and a dashed one for each reference, the errors on a logarithmic axis."""
    if not curves:
        raise ValueError("expected at least one curve, got none")
    references = references or {}
    figure = Figure(figsize=(6.4, 4.0), dpi=150, layout="constrained")
    axes = figure.subplots()
    for i, (name, (x, y)) in enumerate(curves.items()):
        axes.plot(
            x,
            y,
            color=PALETTE[i % len(PALETTE)],
            linestyle=line_style(i),
            marker=marker,
            markersize=4,
            linewidth=1.6,
            label=name,
        )
    for name, error in references.items():
        axes.axhline(error, color=MUTED, linewidth=0.9, linestyle=(0, (5, 3)))
        axes.annotate(
            f"{name}: {error:g} %",
            (1, error),
            (-3, 2),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            ha="right",  # where curves have fallen below
            va="bottom",
            fontsize=7.5,
            color=MUTED,
        )
    if min([*(min(y) for _, y in curves.values()), *references.values()]) > 0:
        make_logarithmic(axes.yaxis, (1, 2, 3, 5))
        fill_ticks(axes.yaxis)
    tidy(axes)
    return figure, axes
