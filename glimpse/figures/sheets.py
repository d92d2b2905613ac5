"""Sheets of images with their windows, labels and predictions.

Positions are pixels of the image, x before y; pixel 0 is the center of the first pixel, as matplotlib's `imshow` has it.
Dimensions: N images, C channels, H rows, W columns, T steps.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from glimpse.attention.track import Track
from glimpse.figures.style import INK, OTHER, time_colors
from glimpse.figures.windows import (
    STEPS_NAMED,
    add_legend,
    as_array,
    check_tracks,
    draw_center,
    draw_image,
    draw_tracks,
    image_aspect,
    rgb_pictures,
    verdict,
)

__all__ = ["Looked", "window_sheet"]

_DPI = 150
_CELL, _GAP, _TITLE, _STRIP, _LEGEND = 1.5, 0.08, 0.2, 0.14, 0.3  # inches: an image's width on the sheet, the rest around it
_LETTERS = 28  # letters of a title in the usual size that fit above an image
_HEAD, _NARROWEST = 0.26, 3.4  # inches: a title over the whole sheet, a sheet with room for the legend of a few steps,
_STEP, _CENTER = 0.48, 1.1  # a step in a legend of all steps, and the mark of the center


class Looked(NamedTuple):
    """Images, where a model looked at them, and what it predicted.

    Attributes:
        images: Gray or RGB images in 0 to 1, shape (N, C, H, W), C 1 or 3.
        tracks: Windows with fields of shape (N, T).
        labels: True classes, integers, shape (N,); below 0 where unknown.
        predictions: Class after each step, integers, shape (N, T); None of a model that does not classify.
        probabilities: Probability of the predicted class after each step, shape (N, T).
        digits: Centers (x, y) of the digits in pixels, shape (N, 2); NaN where unknown.
        class_names: Name of each class; None for numbers.
    """

    images: Tensor
    tracks: Sequence[Track]
    labels: Tensor
    predictions: Tensor | None = None
    probabilities: Tensor | None = None
    digits: Tensor | None = None
    class_names: Sequence[str] | None = None

    def check(self) -> None:
        """Raises a ValueError unless the shapes fit together and there is something to draw."""
        count, steps = check_tracks(self.images, self.tracks)
        for name, expected in (
            ("predictions", (count, steps)),
            ("probabilities", (count, steps)),
            ("labels", (count,)),
            ("digits", (count, 2)),
        ):
            field = getattr(self, name)
            if field is not None and tuple(field.shape) != expected:
                raise ValueError(f"{name} must have shape {expected}, got {tuple(field.shape)}")


def window_sheet(looked: Looked, *, columns: int = 8, title: str = "") -> Figure:
    """Returns a sheet of images with the windows of every step drawn on them, as `glimpse.figures.windows.draw_tracks` does.

    Below each image stand the numbers of the classes after each step; above it the label, the last class where it is another, in
    red where the label is known, and its probability. A cross marks the center of a digit.

    Args:
        looked: What is drawn.
        columns: Images per row, at least 1.
        title: Title of the sheet.

    Raises:
        ValueError: If the shapes do not fit, nothing is there to draw, or columns is below 1.
    """
    looked.check()
    if columns < 1:
        raise ValueError(f"columns must be at least 1, got {columns}")
    pictures, truth = rgb_pictures(looked.images), as_array(looked.labels).astype(int)
    classes = None if looked.predictions is None else as_array(looked.predictions).astype(int)
    certainty = None if looked.probabilities is None else as_array(looked.probabilities)[:, -1]
    strip = 0.0 if classes is None else _STRIP
    steps = looked.tracks[0].window.center_x.shape[1]
    least = max(_NARROWEST, _STEP * steps + _CENTER) if steps <= STEPS_NAMED else _NARROWEST
    figure, cells = _sheet(
        len(pictures), min(columns, len(pictures)), looked.images.shape[2:], strip=strip, least=least, title=title
    )
    for i, axes in enumerate(cells):
        draw_image(axes, pictures[i], strip=strip / _CELL)
        draw_tracks(axes, looked.tracks, i)
        if looked.digits is not None:
            draw_center(axes, looked.digits[i])
        predicted = None if classes is None else classes[i, -1]
        text, style = verdict(truth[i], predicted, None if certainty is None else certainty[i], looked.class_names)
        axes.set_title(text, fontsize=7.5 if len(text) <= _LETTERS else 7.5 * _LETTERS / len(text), pad=2.5, **style)
        if classes is not None:
            _write_classes(axes, classes[i], truth[i], time_colors(classes.shape[1]))
    add_legend(figure, looked.tracks, center=looked.digits is not None and bool(looked.digits.isfinite().any()))
    return figure


def _sheet(count: int, columns: int, size: Sequence[int], *, strip: float, least: float, title: str) -> tuple[Figure, list[Axes]]:
    """Returns a figure with one framed cell for each image of size (H, W), in rows from the top, with room for a legend below."""
    rows = -(-count // columns)
    tall = _CELL * image_aspect(*size) + strip  # inches
    across = max(columns * (_CELL + _GAP) + _GAP, least)
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


def _write_classes(axes: Axes, classes: NDArray[Any], label: int, colors: NDArray[Any]) -> None:
    """Writes the class after each step into the strip below an image: in time's color unless it is known to be wrong, then gray."""
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
            color=color if right else OTHER,
            zorder=6,
        )
