"""Pictures of a generator's trajectories: the input, what is read and written at each step, and the canvas as it grows.

Every step shows only its own windows. Patches are drawn as the decoder returns them, before the division by the window's intensity,
on a gray scale around 0: gray changes nothing, white adds to the canvas, black takes away.
Dimensions: N images of H x W pixels in C channels, T steps, windows of n x n.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray
from torch import Tensor

from glimpse.attention.track import Track
from glimpse.figures.files import rendered, tiled
from glimpse.figures.style import INK, MUTED, kind_color
from glimpse.figures.windows import as_array, axes_at, draw_image, draw_window, image_aspect, kind_legend, rgb_pictures, verdict
from glimpse.generation.figures import reconstruction_sheet, shown_steps
from glimpse.generation.sampling import Drawn
from glimpse.trajectories.views import Trajectories, written_limit

__all__ = ["drawing_frames", "drawing_sheet", "drawing_windows"]

_MOST_STEPS = 16  # on a sheet
_DPI = 130
_EDGE, _HEAD, _FOOT, _GAP, _NAME = 0.12, 0.36, 0.44, 0.05, 0.22  # inches: around a sheet, between cells, a row's name
_CELL, _PATCH = 0.78, 0.5  # inches: width of an image at a step, and of a patch


class _Shown(NamedTuple):
    """Everything that is drawn of one image.

    Attributes:
        name: Index and, if known, the label.
        image: RGB in 0 to 1, shape (H, W, 3).
        canvases: The canvas after every step, shape (T, H, W, 3).
        seen: What was read, shape (T, n, n, 3).
        written: What was written, shape (T, n, n, 3).
        tracks: The read and the write windows.
        row: Index of the image in the tracks.
    """

    name: str
    image: NDArray[Any]
    canvases: NDArray[Any]
    seen: NDArray[Any]
    written: NDArray[Any]
    tracks: tuple[Track, Track]
    row: int


class _Scales(NamedTuple):
    """Gray scales of what is read and of what is written: the numbers that are black and white.

    Attributes:
        read: From 0, or the least number that is read, to the greatest.
        write: Symmetric around 0; one of a hundred numbers that are written is beyond it, so that the others can be seen.
    """

    read: tuple[float, float]
    write: tuple[float, float]

    @classmethod
    def of(cls, trajectories: Trajectories) -> Self:
        """Returns the scales that fit all images and steps."""
        seen, written = (_patches(track) for track in trajectories.tracks)
        most = written_limit(written)
        return cls((min(0.0, float(seen.min())), max(1e-6, float(seen.max()))), (-most, most))

    def __str__(self) -> str:
        low, high = self.read
        written = f"black {self.write[0]:.3g} or less, gray 0, white {self.write[1]:.3g} or more"
        return f"read: black {low:.3g}, white {high:.3g}   written: {written}"


def drawing_sheet(trajectories: Trajectories) -> NDArray[np.uint8]:
    """Returns the pixels of a sheet with a block for each image, shape (H', W', 3).

    A block has the input and the last canvas, and for each step the input with its read window, what was read, what was written,
    and the canvas with the write window; of more than 16 steps 16 are shown.

    Args:
        trajectories: Of a generator, with patches and canvases.
    """
    scales = _Scales.of(trajectories)
    blocks = [rendered(_block(shown, _MOST_STEPS)) for shown in _each(trajectories, scales)]
    return np.concatenate([*blocks, rendered(_foot(trajectories, scales, width=blocks[0].shape[1]))])


def drawing_frames(trajectories: Trajectories) -> list[NDArray[np.uint8]]:
    """Returns the frames of an animation of the images side by side, shape (H', W', 3), one for each step.

    Args:
        trajectories: Of a generator, with patches and canvases.
    """
    scales, dpi = _Scales.of(trajectories), 100 if len(trajectories) > 4 else 150
    cards = [_Card(shown, dpi) for shown in _each(trajectories, scales)]
    columns = int(np.ceil(np.sqrt(len(cards) / 2)))  # a card is twice as wide as high
    frames = []
    for t in range(trajectories.steps):
        grid = tiled([card.at(t) for card in cards], columns)
        frames.append(np.concatenate([rendered(_clock(t, trajectories, grid.shape[1], dpi)), grid]))
    return frames


def drawing_windows(trajectories: Trajectories, title: str = "") -> Figure:
    """Returns a compact sheet: each image, the canvas along the steps with the windows of that step, and the last canvas.

    Args:
        trajectories: Of a generator, with canvases.
        title: Title of the sheet.
    """
    canvases = trajectories.canvases
    assert canvases is not None
    drawn = Drawn(torch.cat([canvases[:, :1], canvases], dim=1), trajectories.tracks)  # the canvas before step 1 is not shown
    return reconstruction_sheet(drawn, trajectories.images, title=title)


# What is drawn


def _each(trajectories: Trajectories, scales: _Scales) -> Iterator[_Shown]:
    """Yields what is drawn of each image."""
    read, write = trajectories.tracks
    assert trajectories.canvases is not None
    pictures = rgb_pictures(trajectories.images)
    for row in range(len(trajectories)):
        text, _ = verdict(int(trajectories.labels[row]), None)
        yield _Shown(
            name=f"#{int(trajectories.index[row])}   {text}".rstrip(),
            image=pictures[row],
            canvases=rgb_pictures(trajectories.canvases[row]),
            seen=_gray(_patches(read)[row], scales.read),
            written=_gray(_patches(write)[row], scales.write),
            tracks=(read, write),
            row=row,
        )


def _patches(track: Track) -> Tensor:
    assert track.patches is not None
    return track.patches


def _gray(patches: Tensor, limits: tuple[float, float]) -> NDArray[Any]:
    """Returns patches (T, C, n, n) as RGB in 0 to 1, shape (T, n, n, 3)."""
    shades = (as_array(patches).transpose(0, 2, 3, 1) - limits[0]) / (limits[1] - limits[0])
    return np.broadcast_to(shades.clip(0, 1), (*shades.shape[:3], 3))


def _draw_patch(axes: Axes, patch: NDArray[Any], kind: str) -> AxesImage:
    """Draws a patch (n, n, 3) in a frame of the color of its kind."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(color=kind_color(kind), linewidth=1.6)  # type: ignore[arg-type]
    return axes.imshow(patch, interpolation="nearest", vmin=0, vmax=1)


# The sheet


def _block(shown: _Shown, most: int) -> Figure:
    """Returns the figure of one image."""
    steps = shown_steps(len(shown.canvases), most)
    tall = _CELL * image_aspect(*shown.image.shape[:2])
    heights = (tall, _PATCH, _PATCH, tall)
    tops = [_HEAD + sum(heights[:k]) + k * _GAP for k in range(4)]
    side = (tops[3] + tall - _HEAD - _GAP - 0.16) / 2  # of the two images on the left, with room for a name between them
    first = _EDGE + side + _GAP + _NAME
    figure = Figure(figsize=(first + len(steps) * (_CELL + _GAP) + _EDGE, tops[3] + tall + _EDGE), dpi=_DPI)
    across, down = figure.get_size_inches()
    figure.text(_EDGE / across, 1 - 0.06 / down, shown.name, va="top", fontsize=9, color=INK)
    for top, picture, name in ((_HEAD, shown.image, "input"), (_HEAD + side + _GAP + 0.16, shown.canvases[-1], "last canvas")):
        axes = axes_at(figure, _EDGE, top, side, side)
        draw_image(axes, picture)
        axes.set_title(name, fontsize=6.5, pad=2, color=INK)
    for top, height, name in zip(tops, heights, ("input", "read", "written", "canvas"), strict=True):
        middle = 1 - (top + height / 2) / down
        figure.text((first - 0.1) / across, middle, name, rotation=90, ha="center", va="center", fontsize=6.5, color=INK)
    for column, step in enumerate(steps):
        _draw_column(figure, shown, step, first + column * (_CELL + _GAP), list(zip(tops, heights, strict=True)))
    return figure


def _draw_column(figure: Figure, shown: _Shown, step: int, left: float, places: list[tuple[float, float]]) -> None:
    """Draws one step, counted from 1, into the cells of its column, whose tops and heights are given in inches."""
    read, write = shown.tracks
    inset = (_CELL - _PATCH) / 2
    pictures = (shown.image, shown.seen[step - 1], shown.written[step - 1], shown.canvases[step - 1])
    for number, ((top, height), picture) in enumerate(zip(places, pictures, strict=True)):
        if number in (1, 2):
            _draw_patch(axes_at(figure, left + inset, top, _PATCH, _PATCH), picture, ("read", "write")[number - 1])
            continue
        axes = axes_at(figure, left, top, _CELL, height)
        draw_image(axes, picture)
        draw_window(axes, read if number == 0 else write, shown.row, step - 1)
        if number == 0:
            axes.set_title(str(step), fontsize=6.5, pad=2, color=MUTED)


def _foot(trajectories: Trajectories, scales: _Scales, width: int) -> Figure:
    """Returns the figure below a sheet of a width in pixels: the legend, the gray scales and what an arrow is."""
    figure = Figure(figsize=(width / _DPI, _FOOT), dpi=_DPI)
    text = f"{scales}   An arrow: this side of the window is outside the image."
    figure.text(0.5, 0.95, text, ha="center", va="top", fontsize=7, color=MUTED)
    kind_legend(figure, trajectories.tracks, loc="lower center")
    return figure


# The animation


class _Card:
    """One image of an animation: input, what is read and written, and canvas; drawn again for every step.

    Args:
        shown: What is drawn.
        dpi: Pixels per inch.
    """

    def __init__(self, shown: _Shown, dpi: int) -> None:
        self.shown = shown
        aspect = image_aspect(*shown.image.shape[:2])
        wide, tall = 1.7 / max(aspect, 1), 1.7 * min(aspect, 1)
        side = min(0.72, (tall - 0.2) / 2)
        size = (2 * _EDGE + 2 * wide + side + 4 * _GAP, _HEAD + tall + 0.08)
        self.figure = Figure(figsize=size, dpi=dpi)
        self.figure.text(_EDGE / size[0], 1 - 0.05 / size[1], shown.name, va="top", fontsize=8, color=INK)
        middle = _EDGE + wide + 2 * _GAP
        self.input, self.drawn = (axes_at(self.figure, left, _HEAD, wide, tall) for left in (_EDGE, middle + side + 2 * _GAP))
        draw_image(self.input, shown.image)
        draw_image(self.drawn, shown.canvases[0])
        cells = [axes_at(self.figure, middle, top, side, side) for top in (_HEAD, _HEAD + tall - side)]
        patches = [
            _draw_patch(cell, pictures[0], kind)
            for cell, pictures, kind in zip(cells, (shown.seen, shown.written), ("read", "write"), strict=True)
        ]
        for axes, name in zip((self.input, *cells, self.drawn), ("input", "read", "written", "canvas"), strict=True):
            axes.set_title(name, fontsize=6.5, pad=2, color=INK)
        self.images = [(self.drawn.images[0], shown.canvases), (patches[0], shown.seen), (patches[1], shown.written)]
        for image, _ in self.images:
            image.set_animated(True)
        canvas: Any = FigureCanvasAgg(self.figure)
        canvas.draw()
        self.canvas, self.background = canvas, canvas.copy_from_bbox(self.figure.bbox)

    def at(self, t: int) -> NDArray[np.uint8]:
        """Returns the pixels of a step, shape (H, W, 3): what moves, drawn over what stays."""
        self.canvas.restore_region(self.background)
        read, write = self.shown.tracks
        windows: list[Artist] = []
        for image, pictures in self.images:
            image.set_data(pictures[t])
            self.figure.draw_artist(image)
        for axes, track in ((self.input, read), (self.drawn, write)):
            windows += draw_window(axes, track, self.shown.row, t)
        for artist in windows:
            self.figure.draw_artist(artist)
            artist.remove()
        return np.array(self.canvas.buffer_rgba())[..., :3]


def _clock(t: int, trajectories: Trajectories, width: int, dpi: int) -> Figure:
    """Returns a figure of a width in pixels that names the step and the colors of the windows."""
    figure = Figure(figsize=(width / dpi, 0.24), dpi=dpi)
    text = f"step {t + 1} of {trajectories.steps}"
    figure.text(_EDGE * dpi / width, 0.5, text, va="center", ha="left", fontsize=8, color=MUTED)
    kind_legend(figure, trajectories.tracks, loc="center right")
    return figure
