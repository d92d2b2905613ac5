"""Images with windows on them.

Positions are pixels of the image, x before y; pixel 0 is the center of the first pixel, as matplotlib's `imshow` has it.
Dimensions: N images, C channels, H rows, W columns, T steps. Nothing goes through pyplot: no global state, no display.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.path import Path as Outline
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray
from torch import Tensor

from glimpse.attention.track import Track
from glimpse.figures.style import DIGIT, FRAME, INK, WRONG, dashes, kind_color, time_colors

__all__ = [
    "STEPS_NAMED",
    "add_legend",
    "as_array",
    "axes_at",
    "check_tracks",
    "class_name",
    "draw_center",
    "draw_image",
    "draw_tracks",
    "draw_window",
    "image_aspect",
    "kind_legend",
    "rgb_pictures",
    "verdict",
]

STEPS_NAMED = 8
"""Most steps of which a legend names every one; of more it names the first and the last."""

_LETTERS = 14  # maximum number of letters of a class's name
_MARGIN = 0.06  # of the longer side, around an image, half of it on either side
_CASING = [withStroke(linewidth=2.4, foreground="black")]
_THIN_CASING = [withStroke(linewidth=2.2, foreground=(0, 0, 0, 0.6))]
_ARROW: dict[str, Any] = {"markersize": 5.5, "markeredgecolor": "black", "markeredgewidth": 0.5, "linestyle": ""}
_SQUARE: dict[str, Any] = {"linestyle": "", "marker": "s", "markerfacecolor": "none", "markersize": 6}
_CROSS: dict[str, Any] = {
    "linestyle": "",
    "marker": "+",
    "markersize": 5,
    "markeredgewidth": 1.0,
    "color": DIGIT,
    "path_effects": _CASING,
}
_FRAME_CODES = 2 * [Outline.MOVETO, *3 * [Outline.LINETO], Outline.CLOSEPOLY]


# Images and words


def as_array(tensor: Tensor) -> NDArray[Any]:
    """Returns a tensor of any device and precision as a float64 array."""
    return np.asarray(tensor.detach().double().cpu().numpy())


def rgb_pictures(images: Tensor) -> NDArray[Any]:
    """Returns images (N, C, H, W) as RGB in 0 to 1, shape (N, H, W, 3)."""
    pictures = as_array(images).transpose(0, 2, 3, 1).clip(0, 1)
    return np.repeat(pictures, 3, axis=-1) if pictures.shape[-1] == 1 else pictures


def class_name(label: int, class_names: Sequence[str] | None = None) -> str:
    """Returns the name of a class, the beginning of a long one; its number if it has no name.

    >>> class_name(1), class_name(1, ["cat", "great white shark"])
    ('1', 'great white...')
    """
    name = str(label) if class_names is None or label >= len(class_names) else class_names[label]
    return name if len(name) <= _LETTERS else f"{name[: _LETTERS - 3]}..."


def verdict(
    label: int, predicted: int | None, probability: float | None = None, class_names: Sequence[str] | None = None
) -> tuple[str, dict[str, Any]]:
    """Returns a title in words, and matplotlib's properties of its text: bold and red if the prediction is wrong.

    Args:
        label: True class; below 0 where unknown.
        predicted: Predicted class; None of a model that does not classify.
        probability: Of the predicted class, 0 to 1.
        class_names: Name of each class; the numbers from 0 if None.
    """
    words = [class_name(label, class_names)] if label >= 0 else []
    if predicted is not None and predicted != label:
        words.append(f"predicted {class_name(predicted, class_names)}")
    chance = "" if probability is None else f" ({100 * probability:.0f} %)"
    wrong = len(words) == 2
    return ", ".join(words) + chance, {"color": WRONG, "fontweight": "bold"} if wrong else {"color": INK, "fontweight": "normal"}


def check_tracks(images: Tensor, tracks: Sequence[Track]) -> tuple[int, int]:
    """Returns the numbers N of images and T of steps.

    Raises:
        ValueError: Unless the images are gray or RGB, (N, C, H, W), and every track has N and T of its own, neither 0.
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3) or not images.numel():
        raise ValueError(f"images must have shape (N, C, H, W), C 1 or 3, nothing empty, got {tuple(images.shape)}")
    if not tracks or tracks[0].window.center_x.ndim != 2 or not tracks[0].window.center_x.shape[1]:
        raise ValueError("there must be at least one track, its windows of shape (N, T), T at least 1")
    expected = (len(images), tracks[0].window.center_x.shape[1])
    for track in tracks:
        for name, field in track.window._asdict().items():
            if tuple(field.shape) != expected:
                raise ValueError(f"{name} must have shape {expected}, got {tuple(field.shape)}")
        seen = None if track.patches is None else tuple(track.patches.shape)
        if seen is not None and seen != (*expected, images.shape[1], track.n, track.n):
            raise ValueError(f"patches must have shape {(*expected, images.shape[1], track.n, track.n)}, got {seen}")
        if track.n < 1:
            raise ValueError(f"n must be at least 1, got {track.n}")
    return expected


# What is drawn


def draw_image(axes: Axes, picture: NDArray[Any], *, strip: float = 0.0) -> None:
    """Draws an image (H, W, 3) with a dark margin that shows windows running over its edge.

    Args:
        axes: Empty; its shape should be that of `image_aspect`.
        picture: RGB in 0 to 1.
        strip: Height of a strip for text below, as a share of the axes' width.
    """
    height, width = picture.shape[:2]
    down, across = _margins(height, width)
    bottom = height - 0.5 + down
    below = strip * (width + 2 * across)
    axes.imshow(picture, interpolation="nearest", aspect="equal")
    axes.set(facecolor=FRAME, xticks=[], yticks=[], anchor="N")
    axes.spines[:].set_visible(False)
    if strip:
        axes.axhspan(bottom, bottom + below, facecolor=FRAME, zorder=5)  # over the windows
    axes.set_xlim(-0.5 - across, width - 0.5 + across)
    axes.set_ylim(bottom + below, -0.5 - down)


def axes_at(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Returns new axes at a place in inches from the figure's upper left corner."""
    across, down = figure.get_size_inches()
    return figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))


def image_aspect(height: int, width: int) -> float:
    """Returns height by width of an image of H x W pixels with its margin."""
    down, across = _margins(height, width)
    return (height + 2 * down) / (width + 2 * across)


def _margins(height: int, width: int) -> tuple[float, float]:
    """Returns the vertical and the horizontal margin of an image in pixels: room for a window as long as the longer side.

    They are never more than that side itself, of a very long image.
    """
    margin, longer = _MARGIN / 2 * max(height, width), max(height, width)
    down, across = (margin + min(longer - side, side) / 2 for side in (height, width))
    return down, across


def draw_tracks(axes: Axes, tracks: Sequence[Track], row: int, *, now: int | None = None) -> list[Artist]:
    """Draws an image's windows as boxes in time's colors with a path through their centers, and returns what it drew.

    A box runs through the centers of the outermost filters: its side is (n - 1) times the stride. A band of one sigma around it,
    and a fainter one of two, show how far the filters blur. Of nested windows the smallest is strong and the others are thin;
    what is written is dashed.

    Args:
        axes: Where the image is drawn.
        tracks: Fields of shape (N, T).
        row: Which image.
        now: The step to show, those before it faded, none after it, with arrows as in `draw_window`; None shows all steps alike.
    """
    drawn: list[Artist] = []
    for track in sorted(tracks, key=lambda track: -track.scale):
        drawn += _draw_track(axes, track, row, now)
    return drawn


def _draw_track(axes: Axes, track: Track, row: int, now: int | None) -> list[Artist]:
    """Draws one track's windows, up to a step if it is given."""
    window = track.window.rows(row)
    steps = len(window.center_x)
    shown = np.arange(steps if now is None else now + 1)
    x, y, stride, sigma = (as_array(field)[shown] for field in window[:4])  # (T,) up to now
    half = (track.n - 1) / 2 * stride
    strong = track.scale == 0
    line = dashes(track.kind)
    rgba = np.column_stack([time_colors(steps, track.kind)[shown], np.full(len(shown), 1.0 if strong else 0.75)])  # (T, 4)
    wide = np.full(len(shown), (1.1 if strong else 0.6) * (1 if steps <= 16 else 0.6))
    if now is not None:
        rgba[:now, 3] *= 0.5 * 0.9 ** np.arange(now - 1, -1, -1)
        wide[now] = 1.1 if strong else 0.6
    blurred = np.isfinite(sigma) & strong & (shown >= (now or 0))
    artists = _draw_blur(axes, x[blurred], y[blurred], half[blurred], sigma[blurred], rgba[blurred, :3])
    if strong:
        artists += axes.plot(x, y, color="white", linewidth=0.7, alpha=0.7, linestyle=line, scalex=False, scaley=False)
        artists.append(axes.scatter(x, y, s=5, c=rgba, linewidths=0, zorder=3))
    casing = np.column_stack([np.zeros((len(shown), 3)), 0.35 * rgba[:, 3]])  # keeps a box visible on bright pixels
    for color, style, more in ((casing, (0, ()), 0.9), (rgba, line, 0.0)):
        boxes = PolyCollection(list(_squares(x, y, half)), facecolors="none", edgecolors=color, linewidths=wide + more)
        boxes.set(linestyle=[style], snap=True)
        artists.append(axes.add_collection(boxes, autolim=False))
    if now is not None and strong:
        artists += _draw_arrows(axes, x[now], y[now], half[now], rgba[now, :3])
    return artists


def _draw_blur(
    axes: Axes, x: NDArray[Any], y: NDArray[Any], half: NDArray[Any], sigma: NDArray[Any], colors: NDArray[Any]
) -> list[Artist]:
    """Draws two bands around boxes, to one and to two sigma from them; the more boxes, the fainter."""
    artists: list[Artist] = []
    for inner, outer, alpha in ((0, 1, 0.34), (1, 2, 0.15)):
        inside, outside = _squares(x, y, half + inner * sigma), _squares(x, y, half + outer * sigma)
        corners = np.concatenate([outside, outside[:, :1], inside[:, ::-1], inside[:, -1:]], axis=1)  # (T, 10, 2)
        faces = np.column_stack([colors, np.full(len(x), alpha / max(1, len(x)) ** 0.4)])
        bands = PathCollection([Outline(band, _FRAME_CODES) for band in corners], facecolors=faces, linewidths=0)
        artists.append(axes.add_collection(bands, autolim=False))
    return artists


def _squares(x: NDArray[Any], y: NDArray[Any], half: NDArray[Any]) -> NDArray[Any]:
    """Returns the corners of squares around centers, shape (T, 4, 2)."""
    sides = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    return np.asarray(np.stack([x, y], axis=-1)[:, None] + half[:, None, None] * sides)


def draw_window(axes: Axes, track: Track, row: int, step: int) -> list[Artist]:
    """Draws the window of one step in the color of its kind, and returns what it drew.

    A box runs through the centers of the outermost filters, with a dot in its middle; what is written is dashed. A side of the box
    that is outside the axes is shown by an arrow at their edge.

    Args:
        axes: Where the image is drawn.
        track: Fields of shape (N, T).
        row: Index of the image.
        step: Index of the step, from 0.
    """
    x, y, stride = (float(field[row, step]) for field in track.window[:3])
    side, color = (track.n - 1) * stride, kind_color(track.kind)
    corner, style = (x - side / 2, y - side / 2), dashes(track.kind)  # dashes let a box below be seen
    box = Rectangle(corner, side, side, fill=False, edgecolor=color, linewidth=1.1, linestyle=style, path_effects=_THIN_CASING)
    dot = axes.plot([x], [y], marker="o", markersize=1.8, color=color, scalex=False, scaley=False)
    return [axes.add_patch(box), *dot, *_draw_arrows(axes, x, y, side / 2, color)]


def _draw_arrows(axes: Axes, x: float, y: float, half: float, color: Any) -> list[Artist]:
    """Draws arrows to the sides of a square around (x, y) that are outside the axes, at the edge of the axes."""
    (left, right), (top, bottom) = sorted(axes.get_xlim()), sorted(axes.get_ylim())
    inset = 0.045 * (right - left)
    along = min(max(x, left + inset), right - inset), min(max(y, top + inset), bottom - inset)
    places = set()
    for place, low, high, vertical in ((x, left, right, False), (y, top, bottom, True)):
        for side in (place - half, place + half):
            if not low <= side <= high:
                at, marker = (low + inset, "<^"[vertical]) if side < low else (high - inset, ">v"[vertical])
                places.add((along[0], at, marker) if vertical else (at, along[1], marker))
    return [
        artist
        for column, row, marker in sorted(places)
        for artist in axes.plot([column], [row], marker=marker, color=color, scalex=False, scaley=False, **_ARROW)
    ]


def draw_center(axes: Axes, center: Tensor) -> None:
    """Draws a small cross at a digit's center (x, y); nothing where it is NaN."""
    x, y = center.tolist()
    if np.isfinite([x, y]).all():
        axes.plot([x], [y], **_CROSS, scalex=False, scaley=False, zorder=4)


def add_legend(figure: Figure, tracks: Sequence[Track], *, center: bool = False, now: int | None = None) -> None:
    """Adds a legend of the steps' colors below; only of the first and the last where there are many or several kinds.

    Args:
        figure: With room at its bottom.
        tracks: What is drawn.
        center: Whether crosses are drawn at the digits' centers.
        now: The only step whose colors are named, to the right.
    """
    steps, kinds = tracks[0].window.center_x.shape[1], list(dict.fromkeys(track.kind for track in tracks))
    few = steps <= STEPS_NAMED and len(kinds) == 1
    handles, names = [], []
    for kind in kinds:
        for t in range(steps) if few else sorted({0, steps - 1}) if now is None else [now]:
            line = {"linestyle": "--" if kind == "write" else "-"} if len(kinds) > 1 else _SQUARE
            handles.append(Line2D([], [], color=time_colors(steps, kind)[t], **line))
            names.append(kind if now is not None else f"{kind} {t + 1}" if t == 0 or not few else str(t + 1))
    if center:
        handles.append(Line2D([], [], **_CROSS))
        names.append("digit's center")
    figure.legend(
        handles,
        names,
        loc="lower center" if now is None else "center right",
        ncols=len(names),
        frameon=False,
        fontsize=7.5,
        handlelength=1.6 if len(kinds) > 1 else None,
        handletextpad=0.4 if len(kinds) > 1 else 0.1,
        columnspacing=1.2,
        borderpad=0.1,
    )


def kind_legend(figure: Figure, tracks: Sequence[Track], *, loc: str) -> None:
    """Adds a legend of the kinds of windows, in the colors and lines of `draw_window`.

    Args:
        figure: With room at the place.
        tracks: What is drawn, one track of each kind.
        loc: Place of the legend, such as `lower right`.
    """
    handles = [Line2D([], [], color=kind_color(track.kind), linestyle=dashes(track.kind), linewidth=1.3) for track in tracks]
    names = [f"{track.kind} window" for track in tracks]
    figure.legend(  # type: ignore[call-overload]
        handles,
        names,
        loc=loc,
        ncols=len(names),
        frameon=False,
        fontsize=7,
        handlelength=2.0,
        handletextpad=0.4,
        columnspacing=1.2,
        borderpad=0.1,
    )
