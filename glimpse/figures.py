"""Figures, written as PNG files: images with the windows drawn on them, and curves of error.

Positions are pixels of the image, x before y; pixel 0 is the center of the first pixel, as matplotlib's `imshow` has it.
Dimensions: N images, C channels, H rows, W columns, T glimpses. Nothing goes through pyplot: no global state, no display.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator
from numpy.typing import NDArray
from torch import Tensor

from glimpse.atomic import write_atomically
from glimpse.attention import Window

__all__ = ["error_by_glimpse_figure", "error_curves", "window_sheet"]

_DPI = 150
_CELL, _GAP, _TITLE, _STRIP, _LEGEND = 1.5, 0.08, 0.2, 0.14, 0.3  # inches: an image's width on the sheet, the rest around it
_MARGIN = 0.06  # of the longer side, around an image
_INK, _MUTED, _WRONG, _FRAME = "#222222", "#777777", "#c81e1e", "#262626"
_PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#222222")  # M. Okabe and K. Ito, told apart by all


def window_sheet(
    images: Tensor,
    window: Window,
    predictions: Tensor,
    labels: Tensor,
    path: str | Path,
    *,
    n: int,
    probabilities: Tensor | None = None,
    columns: int = 8,
) -> None:
    """Writes a sheet of images with the windows of every glimpse drawn on them.

    A box runs through the centers of the outermost filters: its side is (n - 1) times the stride. A line joins the windows'
    centers in their order. Below each image stand the classes after each glimpse; above it the label, the last class where it
    is another, then in red, and its probability.

    Args:
        images: Grey or RGB images in 0 to 1, shape (N, C, H, W), C 1 or 3.
        window: Fields of shape (N, T).
        predictions: Class after each glimpse, integers, shape (N, T).
        labels: True classes, integers, shape (N,).
        path: File to write, ending in `.png`; its folder is made.
        n: Filters along each axis of the window, at least 1.
        probabilities: Probability of the predicted class after each glimpse, shape (N, T).
        columns: Images side by side, at least 1.

    Raises:
        ValueError: If the shapes do not fit, nothing is there to draw, or n or columns is below 1.
        OSError: If the file cannot be written.
    """
    _check_sheet(images, window, predictions, labels, probabilities, n, columns)
    pictures, fields = _pictures(images), {name: _array(field) for name, field in window._asdict().items()}
    classes, truth = _array(predictions).astype(int), _array(labels).astype(int)
    certainty = None if probabilities is None else _array(probabilities)[:, -1]
    colors = _time_colors(classes.shape[1])
    figure, cells = _sheet(len(pictures), min(columns, len(pictures)), *images.shape[2:])
    for i, axes in enumerate(cells):
        _draw_image(axes, pictures[i])
        _draw_windows(axes, *(fields[name][i] for name in ("center_x", "center_y", "stride")), n=n, colors=colors)
        _write_title(axes, truth[i], classes[i, -1], None if certainty is None else certainty[i])
        _write_classes(axes, classes[i], truth[i], colors)
    _add_time_legend(figure, colors)
    _save(figure, path)


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
    _save(figure, path)


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
    _save(figure, path)


# The sheet


def _sheet(count: int, columns: int, height: int, width: int) -> tuple[Figure, list[Axes]]:
    """Returns a figure with one framed cell for each image of H x W pixels, in rows from the top, and room for the legend below."""
    rows = -(-count // columns)
    tall = _CELL * (height + _MARGIN * max(height, width)) / width + _STRIP  # inches
    across = max(columns * (_CELL + _GAP) + _GAP, 2.4)
    down = rows * (tall + _TITLE) + _LEGEND
    figure = Figure(figsize=(across, down), dpi=_DPI)
    cells = []
    for i in range(count):
        left = (across - columns * (_CELL + _GAP) + _GAP) / 2 + i % columns * (_CELL + _GAP)
        bottom = down - (i // columns + 1) * (tall + _TITLE)
        cells.append(figure.add_axes((left / across, bottom / down, _CELL / across, tall / down)))
    return figure, cells


def _draw_image(axes: Axes, picture: NDArray[Any]) -> None:
    """Draws an image (H, W, 3) with a margin that shows windows running over its edge, and a strip below for text."""
    height, width = picture.shape[:2]
    axes.imshow(picture, interpolation="nearest", aspect="equal")
    margin = _MARGIN / 2 * max(height, width)
    axes.set(facecolor=_FRAME, xticks=[], yticks=[], anchor="N")
    axes.spines[:].set_visible(False)
    across = width + 2 * margin
    strip = _STRIP / _CELL * across
    axes.axhspan(height - 0.5 + margin, height - 0.5 + margin + strip, facecolor=_FRAME, zorder=5)  # over the windows
    axes.set_xlim(-0.5 - margin, width - 0.5 + margin)
    axes.set_ylim(height - 0.5 + margin + strip, -0.5 - margin)


def _draw_windows(
    axes: Axes, center_x: NDArray[Any], center_y: NDArray[Any], stride: NDArray[Any], *, n: int, colors: list[Any]
) -> None:
    """Draws T windows as boxes in time's colors and the path through their centers."""
    axes.plot(center_x, center_y, color="white", linewidth=0.7, alpha=0.7, scalex=False, scaley=False)
    for x, y, side, color in zip(center_x, center_y, (n - 1) * stride, colors, strict=True):
        corner = (x - side / 2, y - side / 2)
        axes.add_patch(Rectangle(corner, side, side, fill=False, edgecolor=color, linewidth=1.0, joinstyle="miter"))
        axes.plot([x], [y], marker="o", markersize=2.2, color=color, scalex=False, scaley=False)


def _write_title(axes: Axes, label: int, predicted: int, probability: float | None) -> None:
    """Writes the label above an image, and the predicted class where it is another."""
    wrong = label != predicted
    text = f"{label}, taken for {predicted}" if wrong else f"{label}"
    text += "" if probability is None else f" ({100 * probability:.0f} %)"
    axes.set_title(text, fontsize=7.5, pad=2.5, color=_WRONG if wrong else _INK, fontweight="bold" if wrong else "normal")


def _write_classes(axes: Axes, classes: NDArray[Any], label: int, colors: list[Any]) -> None:
    """Writes the class after each glimpse into the strip below an image: in time's color where it is right, grey where not."""
    for t, (predicted, color) in enumerate(zip(classes, colors, strict=True)):
        right = predicted == label
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


def _add_time_legend(figure: Figure, colors: list[Any]) -> None:
    """Adds a legend of the glimpses' colors; of the first and the last alone where there are many."""
    shown = range(len(colors)) if len(colors) <= 8 else (0, len(colors) - 1)
    handles = [Line2D([], [], color=colors[t], marker="s", markerfacecolor="none", linestyle="", markersize=6) for t in shown]
    names = [f"glimpse {t + 1}" if t == 0 or len(colors) > 8 else str(t + 1) for t in shown]
    figure.legend(
        handles, names, loc="lower center", ncols=len(names), frameon=False, fontsize=7.5, handletextpad=0.1, borderpad=0.1
    )


def _time_colors(glimpses: int) -> list[Any]:
    """Returns a color for each glimpse, from violet to yellow, all visible on black."""
    return [colormaps["plasma"](value) for value in np.linspace(0.36, 0.97, glimpses)]


def _pictures(images: Tensor) -> NDArray[Any]:
    """Returns images as RGB in 0 to 1, shape (N, H, W, 3)."""
    pictures = _array(images).transpose(0, 2, 3, 1).clip(0, 1)
    return np.repeat(pictures, 3, axis=-1) if pictures.shape[-1] == 1 else pictures


def _array(tensor: Tensor) -> NDArray[Any]:
    """Returns a tensor of any device and precision as a float64 array."""
    return np.asarray(tensor.detach().double().cpu().numpy())


def _check_sheet(
    images: Tensor, window: Window, predictions: Tensor, labels: Tensor, probabilities: Tensor | None, n: int, columns: int
) -> None:
    """Raises a ValueError unless the sheet's arguments fit together."""
    if images.ndim != 4 or images.shape[1] not in (1, 3) or not images.numel():
        raise ValueError(f"images must have shape (N, C, H, W), C 1 or 3, nothing empty, got {tuple(images.shape)}")
    if predictions.ndim != 2 or not predictions.shape[1]:
        raise ValueError(f"predictions must have shape (N, T), T at least 1, got {tuple(predictions.shape)}")
    expected = (len(images), predictions.shape[1])
    fields = {**window._asdict(), "predictions": predictions}
    if probabilities is not None:
        fields["probabilities"] = probabilities
    for name, field in fields.items():
        if tuple(field.shape) != expected:
            raise ValueError(f"{name} must have shape {expected}, got {tuple(field.shape)}")
    if tuple(labels.shape) != expected[:1]:
        raise ValueError(f"labels must have shape {expected[:1]}, got {tuple(labels.shape)}")
    if min(n, columns) < 1:
        raise ValueError(f"n and columns must be at least 1, got {n} and {columns}")


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
        axes.axhline(error, color=_MUTED, linewidth=0.9, linestyle=(0, (5, 3)))
        axes.annotate(
            f"{name}: {error:g} %",
            (1, error),
            (-3, 2),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            ha="right",  # where curves have fallen below
            va="bottom",
            fontsize=7.5,
            color=_MUTED,
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
    axes.tick_params(colors=_INK, labelsize=8.5)
    axes.legend(frameon=False, fontsize=8.5)


def _save(figure: Figure, path: str | Path) -> None:
    """Writes a figure as PNG, whole or not at all."""
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"path must end in .png, got {path}")
    content = io.BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content.getvalue())
