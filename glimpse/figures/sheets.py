"""Figures: sheets of images with the windows drawn on them, and curves of error, written as PNG files.

Positions are pixels of the image, x before y; pixel 0 is the center of the first pixel, as matplotlib's `imshow` has it.
Dimensions: N images, C channels, H rows, W columns, T steps.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator
from numpy.typing import NDArray
from torch import Tensor

from glimpse.attention.track import Track
from glimpse.figures.windows import (
    INK,
    MUTED,
    WRONG,
    add_legend,
    as_array,
    check_tracks,
    draw_center,
    draw_image,
    draw_tracks,
    image_aspect,
    rgb_pictures,
    save,
    time_colors,
    verdict,
)

__all__ = ["error_by_glimpse_figure", "error_curves", "window_sheet"]

_DPI = 150
_CELL, _GAP, _TITLE, _STRIP, _LEGEND = 1.5, 0.08, 0.2, 0.14, 0.3  # inches: an image's width on the sheet, the rest around it
_HEAD, _NARROWEST = 0.26, 3.4  # inches: a title over the whole sheet, a sheet with room for the legend
_PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#222222")  # M. Okabe and K. Ito, told apart by all


def window_sheet(
    images: Tensor,
    tracks: Sequence[Track],
    predictions: Tensor | None,
    labels: Tensor,
    *,
    probabilities: Tensor | None = None,
    digits: Tensor | None = None,
    columns: int = 8,
    title: str = "",
) -> Figure:
    """Returns a sheet of images with the windows of every step drawn on them, as `glimpse.figures.windows.draw_tracks` does.

    Below each image stand the classes after each step; above it the label, the last class where it is another, in red where the
    label is known, and its probability.

    Args:
        images: Grey or RGB images in 0 to 1, shape (N, C, H, W), C 1 or 3.
        tracks: Fields of shape (N, T).
        predictions: Class after each step, integers, shape (N, T); None of a model that does not classify.
        labels: True classes, integers, shape (N,); below 0 where unknown.
        probabilities: Probability of the predicted class after each step, shape (N, T).
        digits: Centers (x, y) of the digits in pixels, marked by a cross, shape (N, 2); not a number where unknown.
        columns: Images side by side, at least 1.
        title: What stands over the sheet.

    Raises:
        ValueError: If the shapes do not fit, nothing is there to draw, or columns is below 1.
    """
    _check_sheet(images, tracks, predictions, labels, probabilities, digits, columns)
    pictures, truth = rgb_pictures(images), as_array(labels).astype(int)
    classes = None if predictions is None else as_array(predictions).astype(int)
    certainty = None if probabilities is None else as_array(probabilities)[:, -1]
    strip = 0.0 if classes is None else _STRIP
    figure, cells = _sheet(len(pictures), min(columns, len(pictures)), *images.shape[2:], strip=strip, title=title)
    for i, axes in enumerate(cells):
        draw_image(axes, pictures[i], strip=strip / _CELL)
        draw_tracks(axes, tracks, i)
        if digits is not None:
            draw_center(axes, digits[i])
        _write_title(axes, truth[i], None if classes is None else classes[i, -1], None if certainty is None else certainty[i])
        if classes is not None:
            _write_classes(axes, classes[i], truth[i], time_colors(classes.shape[1]))
    add_legend(figure, tracks, center=digits is not None and bool(digits.isfinite().any()))
    return figure


def error_curves(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    path: str | Path,
    *,
    references: Mapping[str, float] | None = None,
) -> None:
    """Writes a figure of the error on validation against the images seen in training.

    Args:
        curves: For each name the images seen and the errors in percent, as many of one as of the other.
        path: File to write, ending in `.png`; its folder is made.
        references: Errors in percent to draw as dashed lines, by name.

    Raises:
        ValueError: If there is no curve, one is empty, or its two sides differ in length.
        OSError: If the file cannot be written.
    """
    for name, (seen, errors) in curves.items():
        if not 0 < len(seen) == len(errors):
            raise ValueError(f"curve {name!r} has {len(seen)} image counts and {len(errors)} errors, expected equally many")
    figure, axes = _plot(curves, references, marker="")
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


# The sheet


def _sheet(count: int, columns: int, height: int, width: int, *, strip: float, title: str) -> tuple[Figure, list[Axes]]:
    """Returns a figure with one framed cell for each image of H x W pixels, in rows from the top, and room for the legend below."""
    rows = -(-count // columns)
    tall = _CELL * image_aspect(height, width) + strip  # inches
    across = max(columns * (_CELL + _GAP) + _GAP, _NARROWEST)
    head = _HEAD if title else 0.0
    down = head + rows * (tall + _TITLE) + _LEGEND
    figure = Figure(figsize=(across, down), dpi=_DPI)
    figure.text(0.5, 1 - 0.08 / down, title, ha="center", va="top", fontsize=10, color=INK)
    cells = []
    for i in range(count):
        left = (across - columns * (_CELL + _GAP) + _GAP) / 2 + i % columns * (_CELL + _GAP)
        bottom = down - head - (i // columns + 1) * (tall + _TITLE)
        cells.append(figure.add_axes((left / across, bottom / down, _CELL / across, tall / down)))
    return figure, cells


def _write_title(axes: Axes, label: int, predicted: int | None, probability: float | None) -> None:
    """Writes the label above an image, and the predicted class where it is another."""
    text, wrong = verdict(label, predicted, probability)
    axes.set_title(text, fontsize=7.5, pad=2.5, color=WRONG if wrong else INK, fontweight="bold" if wrong else "normal")


def _write_classes(axes: Axes, classes: NDArray[Any], label: int, colors: NDArray[Any]) -> None:
    """Writes the class after each step into the strip below an image: in time's color unless it is known to be wrong, then grey."""
    for t, (predicted, color) in enumerate(zip(classes, colors, strict=True)):
        right = label < 0 or predicted == label
        axes.annotate(
            str(predicted),
            ((t + 0.5) / len(classes), 0),
            (0, 2.2),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=min(7.0, 60 / len(classes)),
            fontweight="bold" if right else "normal",
            color=color if right else "#8a8a8a",
            zorder=6,
        )


def _check_sheet(
    images: Tensor,
    tracks: Sequence[Track],
    predictions: Tensor | None,
    labels: Tensor,
    probabilities: Tensor | None,
    digits: Tensor | None,
    columns: int,
) -> None:
    """Raises a ValueError unless the sheet's arguments fit together."""
    count, steps = check_tracks(images, tracks)
    for name, field, expected in (
        ("predictions", predictions, (count, steps)),
        ("probabilities", probabilities, (count, steps)),
        ("labels", labels, (count,)),
        ("digits", digits, (count, 2)),
    ):
        if field is not None and tuple(field.shape) != expected:
            raise ValueError(f"{name} must have shape {expected}, got {tuple(field.shape)}")
    if columns < 1:
        raise ValueError(f"columns must be at least 1, got {columns}")


# The curves


def _plot(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], references: Mapping[str, float] | None, *, marker: str
) -> tuple[Figure, Axes]:
    """Returns a figure with a line for each curve and a dashed one for each reference, the errors on a logarithmic axis."""
    if not curves:
        raise ValueError("expected at least one curve, got none")
    references = references or {}
    figure = Figure(figsize=(6.4, 4.0), dpi=_DPI, layout="constrained")
    axes = figure.subplots()
    for i, (name, (x, y)) in enumerate(curves.items()):
        axes.plot(
            x,
            y,
            color=_PALETTE[i % len(_PALETTE)],
            linestyle=_line_style(i),
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
        _make_logarithmic(axes)
    _tidy(axes)
    return figure, axes


def _line_style(i: int) -> str:
    """Returns how the curve of this index is drawn; the style changes where the colors begin again."""
    return ("-", "--", ":", "-.")[i // len(_PALETTE) % 4]


def _make_logarithmic(axes: Axes) -> None:
    """Gives the errors a logarithmic axis with plain numbers on it."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5), numticks=20))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_formatter(NullFormatter())


def _tidy(axes: Axes) -> None:
    """Removes the frame's upper and right side, adds a light grid and the legend."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e4e4e4", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=8.5)
    axes.legend(frameon=False, fontsize=8.5)
