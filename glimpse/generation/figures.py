"""Figures of a generator: sheets and animation frames of samples, reconstructions, interpolations and traversals.

Positions are pixels of the image, x before y; pixel 0 is the center of the first pixel. Dimensions: N images of H x W pixels in C
channels, 1 or 3, T steps.
"""

import math
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.text import Text
from numpy.typing import NDArray
from torch import Tensor

from glimpse.attention.track import Track
from glimpse.figures.files import rendered, tiled
from glimpse.figures.style import INK, MUTED
from glimpse.figures.windows import axes_at, draw_image, draw_window, image_aspect, kind_legend, rgb_pictures
from glimpse.generation.sampling import Drawn, Nearest

__all__ = [
    "interpolation_frames",
    "interpolation_sheet",
    "reconstruction_sheet",
    "sample_gallery",
    "sample_sheet",
    "shown_steps",
    "step_frames",
    "traversal_frames",
    "traversal_sheet",
]

Pixels = NDArray[np.uint8]

_DPI = 150
_GAP, _STRIP, _HEAD, _FOOT = 0.05, 0.17, 0.3, 0.26  # inches: between images, a line above a row, the title, a line below
_LINE, _LETTER, _LEGEND = 0.13, 0.056, 2.1  # inches: a line of a note, a letter's width in it, room for the legend next to it
_RULE = 128  # gray of the lines of a gallery
_LARGEST, _ACROSS, _NARROWEST = 1.2, 10.0, 4.4  # inches: an image, all images of a row, a sheet


def shown_steps(steps: int, most: int = 10) -> list[int]:
    """Returns the steps that a sheet shows, counted from 1: the first, the last, and evenly spaced ones in between.

    >>> shown_steps(3), shown_steps(64, 8)
    ([1, 2, 3], [1, 10, 19, 28, 37, 46, 55, 64])
    """
    return [int(step) for step in np.linspace(1, steps, min(steps, most)).round()]


def sample_sheet(drawn: Drawn, *, nearest: Nearest | None = None, title: str = "", note: str = "") -> Figure:
    """Returns a sheet with a row for every sample: the sample, its nearest training image, and its canvases.

    Args:
        drawn: The samples.
        nearest: Their nearest training images; no such column if None.
        title: Title of the sheet.
        note: Text below the rows.
    """
    firsts = [("sample", rgb_pictures(drawn.images))]
    if nearest is not None:
        firsts.append(("nearest", rgb_pictures(nearest.images)))
    sheet = _step_sheet(drawn, firsts, [], title, note)
    if nearest is not None:
        for row, distance in enumerate(nearest.distances.tolist()):
            text = f"{distance:.2f}" if row else f"nearest: {distance:.2f}"
            _caption(sheet.cells[row][1], text, INK if row == 0 else MUTED)
    return sheet.figure


def sample_gallery(images: Tensor, *, nearest: Tensor | None = None, title: str = "", note: str = "") -> Figure:
    """Returns a gallery: samples in a square grid, and their nearest training images in another one, at the same places.

    Args:
        images: The samples, shape (N, C, H, W).
        nearest: Their nearest training images; None leaves the second grid out.
        title: Above all.
        note: Below all.
    """
    panels = [("samples", _grid(images))] + ([("nearest training images", _grid(nearest))] if nearest is not None else [])
    wide = _ACROSS / 2
    tall = wide * panels[0][1].shape[0] / panels[0][1].shape[1]
    across = len(panels) * wide + (len(panels) + 1) * 4 * _GAP
    lines = textwrap.wrap(note, int(across / _LETTER))
    head = (_HEAD if title else 0.0) + _STRIP
    figure = Figure(figsize=(across, head + tall + _FOOT + _LINE * max(0, len(lines) - 1)), dpi=_DPI)
    for number, (name, grid) in enumerate(panels):
        axes = axes_at(figure, 4 * _GAP + number * (wide + 4 * _GAP), head, wide, tall)
        axes.imshow(grid, interpolation="nearest", aspect="auto")
        axes.set_axis_off()
        _caption(axes, name)
    _write_title(figure, title)
    _foot(figure, "\n".join(lines))
    return figure


def _grid(images: Tensor) -> Pixels:
    """Returns images (N, C, H, W) as one picture: a square grid with gray lines between them."""
    pictures = (255 * rgb_pictures(images)).round().astype(np.uint8)
    framed = np.pad(pictures, ((0, 0), (0, 1), (0, 1), (0, 0)), constant_values=_RULE)
    return tiled(list(framed), math.ceil(len(pictures) ** 0.5))[:-1, :-1]


def reconstruction_sheet(drawn: Drawn, images: Tensor, *, title: str = "", note: str = "") -> Figure:
    """Returns a sheet with a row for every image: the image, the canvases, and the reconstruction.

    Args:
        drawn: The reconstructions.
        images: The images, shape (N, C, H, W).
        title: Title of the sheet.
        note: Text below the rows.
    """
    lasts = [("reconstruction", rgb_pictures(drawn.images))]
    return _step_sheet(drawn, [("image", rgb_pictures(images))], lasts, title, note).figure


def step_frames(drawn: Drawn, images: Tensor | None = None, *, title: str = "") -> Iterator[Pixels]:
    """Yields T + 2 frames, shape (H', W', 3): the canvases before the first step, after every step, and finally without windows.

    Args:
        drawn: The drawings.
        images: The reconstructed images, shape (N, C, H, W), shown on the left of the canvases with the read windows; None for
            samples.
        title: Title of the frames.
    """
    count, wide = len(drawn.canvases), 1 if images is None else 2
    columns = math.ceil((count / wide) ** 0.5)
    groups = (columns,) if wide == 1 else columns * (wide,)
    sheet = _sheet(-(-count // columns), groups, drawn.images, title=title)
    caption = _foot(sheet.figure, "", INK)
    _legend(sheet, drawn.tracks)
    views = []
    for i in range(count):
        cells = sheet.cells[i // columns][wide * (i % columns) :]
        if images is not None:
            views.append(_View(cells[0], rgb_pictures(images[i : i + 1]), i, _of_kind(drawn.tracks, "read")))
        views.append(_View(cells[wide - 1], rgb_pictures(drawn.canvases[i]), i, _of_kind(drawn.tracks, "write")))
    shown = [_draw(view.axes, view.pictures[0]) for view in views]
    _hide_empty(sheet)
    for step in range(drawn.steps + 2):
        boxes = []
        for view, image in zip(views, shown, strict=True):
            image.set_data(view.pictures[min(step, len(view.pictures) - 1)])
            if 0 < step <= drawn.steps:
                boxes += _draw_boxes(view.axes, view.tracks, view.row, step - 1)
        caption.set_text(f"step {min(step, drawn.steps)} of {drawn.steps}")
        yield rendered(sheet.figure)
        for box in boxes:
            box.remove()


def interpolation_sheet(ends: Tensor, images: Tensor, *, title: str = "", note: str = "") -> Figure:
    """Returns a sheet of one row: the interpolation between two images, with the image at each end.

    Args:
        ends: The two images, shape (2, C, H, W).
        images: The interpolation, with the reconstructions of the two first and last, shape (S, C, H, W).
        title: Title of the sheet.
        note: Text below the row.
    """
    sheet = _sheet(1, (1, len(images), 1), images, title=title, note=note, strips=True)
    pictures = rgb_pictures(ends[:1]), rgb_pictures(images), rgb_pictures(ends[1:])
    names = ["image", "reconstruction", *[""] * (len(images) - 2), "reconstruction", "image"]
    for axes, picture, name in zip(sheet.cells[0], np.concatenate(pictures), names, strict=True):
        _draw(axes, picture)
        _caption(axes, name)
    return sheet.figure


def interpolation_frames(ends: Tensor, images: Tensor, *, title: str = "") -> Iterator[Pixels]:
    """Yields S frames, shape (H', W', 3): the interpolation between the two images; arguments as `interpolation_sheet`."""
    sheet = _sheet(1, (1, 1, 1), images, title=title, strips=True)
    first, last = rgb_pictures(ends)
    pictures = rgb_pictures(images)
    shown = [_draw(axes, picture) for axes, picture in zip(sheet.cells[0], (first, pictures[0], last), strict=True)]
    for axes, name in zip(sheet.cells[0], ("image", "drawn", "image"), strict=True):
        _caption(axes, name)
    caption = _foot(sheet.figure, "", INK)
    for number, picture in enumerate(pictures):
        shown[1].set_data(picture)
        caption.set_text(f"{100 * number / (len(pictures) - 1):.0f} % of the way")
        yield rendered(sheet.figure)


def traversal_sheet(
    sample: Tensor, rows: Sequence[Tensor], values: Sequence[float], names: Sequence[str], *, title: str = "", note: str = ""
) -> Figure:
    """Returns a sheet with a row for every latent variable: a sample, and the drawings with only that variable set to each value.

    Args:
        sample: The sample, shape (C, H, W).
        rows: Drawings for each of R variables, shape (S, C, H, W).
        values: The S values.
        names: Names of the R variables.
        title: Title of the sheet.
        note: Text below the rows.
    """
    sheet = _sheet(len(rows), (1, len(values)), sample[None], title=title, note=note, strips=True)
    for cells, row, name in zip(sheet.cells, rows, names, strict=True):
        for axes, picture in zip(cells, (rgb_pictures(sample[None])[0], *rgb_pictures(row)), strict=True):
            _draw(axes, picture)
        _caption(cells[0], name, left=True)
    for axes, value in zip(sheet.cells[0][1:], values, strict=True):
        _caption(axes, f"{value:+.3g}" if value else "0")
    return sheet.figure


def traversal_frames(rows: Sequence[Tensor], values: Sequence[float], names: Sequence[str], *, title: str = "") -> Iterator[Pixels]:
    """Yields a frame, shape (H', W', 3), for every value: the drawings with one variable set to it; arguments as the sheet."""
    columns = math.ceil(len(rows) ** 0.5)
    sheet = _sheet(-(-len(rows) // columns), (columns,), rows[0], title=title, strips=True)
    pictures = [rgb_pictures(row) for row in rows]
    used = [axes for cells in sheet.cells for axes in cells][: len(rows)]
    shown = [_draw(axes, row[0]) for axes, row in zip(used, pictures, strict=True)]
    for axes, name in zip(used, names, strict=True):
        _caption(axes, name)
    _hide_empty(sheet)
    caption = _foot(sheet.figure, "", INK)
    for number, value in enumerate(values):
        for image, row in zip(shown, pictures, strict=True):
            image.set_data(row[number])
        caption.set_text(f"set to {value:+.2f}")
        yield rendered(sheet.figure)


# Parts of the figures


class _Sheet(NamedTuple):
    """A figure with rows of cells."""

    figure: Figure
    cells: list[list[Axes]]


class _View(NamedTuple):
    """A cell that shows one picture after another, (T + 1, H, W, 3), and the windows of a row of tracks."""

    axes: Axes
    pictures: NDArray[Any]
    row: int
    tracks: tuple[Track, ...]


def _sheet(rows: int, groups: Sequence[int], images: Tensor, *, title: str = "", note: str = "", strips: bool = False) -> _Sheet:
    """Returns a sheet of empty cells.

    Args:
        rows: Number of rows.
        groups: Number of cells in each group of a row; the gap between groups is wider.
        images: Images whose height and width the cells have, shape (..., H, W).
        title: Title of the sheet, truncated if it is too long.
        note: Text below the rows, wrapped.
        strips: Whether to leave space for a line of text above every row.
    """
    wide = min(_LARGEST, _ACROSS / sum(groups))
    tall = wide * image_aspect(*images.shape[-2:])
    group_of = [group for group, cells in enumerate(groups) for _ in range(cells)]
    lefts = [column * (wide + _GAP) + 3 * _GAP * group for column, group in enumerate(group_of)]
    row_height = tall + _GAP + (_STRIP if strips else 0.0)
    across = max(lefts[-1] + wide + 4 * _GAP, _NARROWEST)
    lines = textwrap.wrap(note, int((across - _LEGEND) / _LETTER))
    head = _HEAD if title else 0.0
    down = head + rows * row_height + _FOOT + _LINE * max(0, len(lines) - 1)
    figure = Figure(figsize=(across, down), dpi=_DPI)
    margin = (across - lefts[-1] - wide) / 2
    bottoms = [down - head - (row + 1) * row_height + _GAP for row in range(rows)]
    cells = [
        [figure.add_axes(((margin + left) / across, bottom / down, wide / across, tall / down)) for left in lefts]
        for bottom in bottoms
    ]
    _write_title(figure, title)
    _foot(figure, "\n".join(lines))
    return _Sheet(figure, cells)


def _step_sheet(
    drawn: Drawn,
    firsts: Sequence[tuple[str, NDArray[Any]]],
    lasts: Sequence[tuple[str, NDArray[Any]]],
    title: str,
    note: str,
) -> _Sheet:
    """Returns a sheet of the canvases at some steps with their windows, between named columns of pictures (N, H, W, 3)."""
    steps = shown_steps(drawn.steps)
    groups = (len(firsts), len(steps), len(lasts))
    sheet = _sheet(len(drawn.canvases), groups, drawn.images, title=title, note=note, strips=True)
    for row, cells in enumerate(sheet.cells):
        canvases = rgb_pictures(drawn.canvases[row, steps])
        around = [pictures[row] for _, pictures in firsts], [pictures[row] for _, pictures in lasts]
        for axes, picture in zip(cells, (*around[0], *canvases, *around[1]), strict=True):
            _draw(axes, picture)
        for axes, step in zip(cells[len(firsts) :], steps, strict=False):
            _draw_boxes(axes, drawn.tracks, row, step - 1)
    names = [name for name, _ in firsts] + [f"step {step}" for step in steps] + [name for name, _ in lasts]
    for axes, name in zip(sheet.cells[0], names, strict=True):
        _caption(axes, name)
    _legend(sheet, drawn.tracks)
    return sheet


def _draw(axes: Axes, picture: NDArray[Any]) -> AxesImage:
    """Draws a picture (H, W, 3) into a cell and returns its artist."""
    draw_image(axes, picture)
    return axes.images[0]


def _draw_boxes(axes: Axes, tracks: Sequence[Track], row: int, step: int) -> list[Artist]:
    """Draws the windows of one step, counted from 0."""
    return [artist for track in tracks for artist in draw_window(axes, track, row, step)]


def _of_kind(tracks: Sequence[Track], kind: str) -> tuple[Track, ...]:
    """Returns the tracks of a kind."""
    return tuple(track for track in tracks if track.kind == kind)


def _caption(axes: Axes, text: str, color: str = INK, *, left: bool = False) -> None:
    """Writes a line of text above a cell."""
    axes.set_title(text, fontsize=6.5, pad=2, color=color, loc="left" if left else "center")


def _write_title(figure: Figure, title: str) -> None:
    """Writes a title above all cells, to the left, cut off if it is too long."""
    across, down = figure.get_size_inches()
    most = int(across / _LETTER / 1.15)  # letters of a title, which are larger
    title = title if len(title) <= most else title[: most - 3] + "..."
    figure.text(2 * _GAP / across, 1 - 0.09 / down, title, ha="left", va="top", fontsize=8, color=INK)


def _foot(figure: Figure, text: str, color: str = MUTED) -> Text:
    """Writes text below all cells, to the left, and returns its artist."""
    across, down = figure.get_size_inches()
    return figure.text(2 * _GAP / across, 0.09 / down, text, ha="left", va="bottom", fontsize=7, color=color)


def _legend(sheet: _Sheet, tracks: Sequence[Track]) -> None:
    """Adds a legend of the windows, below to the right, if there are windows."""
    if tracks:
        kind_legend(sheet.figure, tracks, loc="lower right")


def _hide_empty(sheet: _Sheet) -> None:
    """Hides the cells without a picture."""
    for axes in (axes for cells in sheet.cells for axes in cells):
        axes.set_visible(bool(axes.images))
