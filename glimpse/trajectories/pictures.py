"""Pictures of trajectories: sheets to read and animations to watch.

Every glimpse is drawn on a gray scale of its own, from 0 to its largest number (`glimpse.trajectories.cells.strips`). Positions are
pixels counted from 0, x before y. Dimensions: N images of H x W pixels in C channels, T steps, K classes, windows of n x n.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from glimpse.attention.track import Track
from glimpse.figures.files import check_ending, gif, png, rendered, save, tiled
from glimpse.figures.sheets import Looked, window_sheet
from glimpse.figures.style import MUTED, time_colors
from glimpse.figures.windows import (
    add_legend,
    as_array,
    axes_at,
    check_tracks,
    class_name,
    draw_center,
    draw_image,
    draw_tracks,
    image_aspect,
    rgb_pictures,
    verdict,
)
from glimpse.trajectories.cells import (
    MOST_CLASSES,
    assembled,
    classes_shown,
    draw_belief,
    letters,
    prepare_belief,
    strips,
    with_patches,
)
from glimpse.trajectories.drawings import drawing_frames, drawing_sheet, drawing_windows
from glimpse.trajectories.views import Trajectories

__all__ = ["MOST_ANIMATED", "learning_gif", "sheet_png", "trajectory_gif", "trajectory_sheet"]

MOST_ANIMATED = 16
"""Maximum number of images in an animation."""

_HOLD = 2.0  # seconds that an animation's last frame stays, at least


def trajectory_sheet(trajectories: Trajectories | Sequence[Trajectories], path: str | Path) -> None:
    """Writes a sheet with a row for each image: where the model looked, what it saw, what it predicted.

    Next to the image with its windows are the glimpses, framed in their time's color, below them the canvas on which the model
    assembles them, if it has one, and how probable the classes were then: the predicted class's bar is in time's color, the true
    class's row is green. Of more than 10 classes 10 are shown: the most probable ones at any step, with the true one. A generator's
    sheet is `glimpse.trajectories.drawings.drawing_sheet`.

    Args:
        trajectories: At least one; of gray or RGB images. Images of different sizes are a sequence of trajectories, and each is
            scaled to the same space.
        path: File to write, ending in `.png`; its folder is made.

    Raises:
        ValueError: If the shapes do not fit, nothing is there to draw, or the path does not end in `.png`.
        OSError: If the file cannot be written.
    """
    check_ending(path, ".png")
    parts = _checked(trajectories)
    save(path, png(drawing_sheet(Trajectories.joined(parts)) if parts[0].is_drawing else _sheet(parts)))


def trajectory_gif(trajectories: Trajectories | Sequence[Trajectories], path: str | Path, *, seconds_per_step: float = 0.7) -> None:
    """Writes an animation of up to 16 images: the moving window, with its glimpse, canvas and predicted probabilities.

    Args:
        trajectories: 1 to 16; of gray or RGB images. Images of different sizes are a sequence, as on a sheet.
        path: File to write, ending in `.gif`; its folder is made.
        seconds_per_step: How long a step is shown, at least 0.02; the last one stays for three steps, two seconds at least.

    Raises:
        ValueError: If the shapes do not fit, there are too few or too many images, the path does not end in `.gif`, or a step is
            too short.
        OSError: If the file cannot be written.
    """
    check_ending(path, ".gif")
    parts = _checked(trajectories)
    count = sum(map(len, parts))
    if count > MOST_ANIMATED:
        raise ValueError(f"an animation shows at most {MOST_ANIMATED} images, got {count}")
    if not seconds_per_step >= 0.02:
        raise ValueError(f"seconds_per_step must be at least 0.02, got {seconds_per_step}")
    frames = drawing_frames(Trajectories.joined(parts)) if parts[0].is_drawing else _frames(parts)
    save(path, gif(frames, _durations(len(frames), seconds_per_step)))


def learning_gif(
    frames: Sequence[tuple[int, Trajectories]], path: str | Path, *, seconds_per_frame: float = 0.7, columns: int = 4
) -> None:
    """Writes an animation of how attention is learned: a sheet of windows for each moment of a training.

    Args:
        frames: Number of training images seen, and the trajectories then, of the same images every time.
        path: File to write, ending in `.gif`; its folder is made.
        seconds_per_frame: How long a moment is shown; the last one stays for three, two seconds at least.
        columns: Images side by side, at least 1.

    Raises:
        ValueError: If there is no frame, the frames differ in their images' number or size, shapes do not fit, or the path does not
            end in `.gif`.
        OSError: If the file cannot be written.
    """
    check_ending(path, ".gif")
    shapes = {tuple(trajectories.images.shape) for _, trajectories in frames}
    if len(shapes) != 1:
        raise ValueError(f"frames must hold images of one shape, got {sorted(shapes)}")
    pixels = [rendered(_windows(shown, columns, f"{seen:,} training images seen")) for seen, shown in frames]
    save(path, gif(pixels, _durations(len(pixels), seconds_per_frame)))


def sheet_png(trajectories: Trajectories, *, columns: int = 4) -> bytes:
    """Returns a compact sheet of a few images with their windows as a PNG file's content.

    Args:
        trajectories: At least one; of gray or RGB images.
        columns: Images side by side, at least 1.

    Raises:
        ValueError: If the shapes do not fit, or nothing is there to draw.
    """
    return png(rendered(_windows(trajectories, columns)))


def _durations(frames: int, seconds: float) -> list[float]:
    """Returns the seconds that each frame is shown: the last one as long as three, and at least two seconds."""
    return [seconds] * (frames - 1) + [max(_HOLD, 3 * seconds)]


def _checked(trajectories: Trajectories | Sequence[Trajectories]) -> Sequence[Trajectories]:
    """Returns trajectories as parts of images of one size, and raises a ValueError unless they can be drawn."""
    parts = [trajectories] if isinstance(trajectories, Trajectories) else trajectories
    for part in parts:
        _looked(part)
    if len({part.steps for part in parts}) != 1:
        raise ValueError(f"trajectories must have the same number of steps, got {[part.steps for part in parts]}")
    return parts


def _windows(trajectories: Trajectories, columns: int, title: str = "") -> Figure:
    """Returns a sheet of windows with everything on it that is known."""
    looked = _looked(trajectories)
    drawing = trajectories.is_drawing
    return drawing_windows(trajectories, title) if drawing else window_sheet(looked, columns=columns, title=title)


def _looked(trajectories: Trajectories) -> Looked:
    """Returns what a sheet shows of trajectories.

    Raises:
        ValueError: If the shapes do not fit together, or nothing is there to draw.
    """
    count, steps = check_tracks(trajectories.images, trajectories.tracks)
    belief = trajectories.probabilities
    if belief is not None and (belief.ndim != 3 or belief.shape[:2] != (count, steps) or not belief.shape[2]):
        raise ValueError(f"probabilities must have shape ({count}, {steps}, K), got {tuple(belief.shape)}")
    if trajectories.index.shape != (count,):
        raise ValueError(f"index must have shape ({count},), got {tuple(trajectories.index.shape)}")
    known = trajectories.predictions, None if belief is None else belief.amax(dim=-1), trajectories.digits
    looked = Looked(trajectories.images, trajectories.tracks, trajectories.labels, *known, trajectories.class_names)
    looked.check()
    return looked


# The sheet


class _Layout(NamedTuple):
    """Sizes on a sheet, in inches.

    Attributes:
        image: Width and height of the space for an image.
        left: Place of the glimpses and beliefs, to the right of the names of the classes.
        cell: Side of a glimpse, and width of a step.
        belief: Height of the beliefs.
        size: Width and height of a row.
    """

    image: tuple[float, float]
    left: float
    cell: float
    belief: float
    size: tuple[float, float]

    @classmethod
    def of(cls, parts: Sequence[Trajectories]) -> "_Layout":
        """Returns the sizes that suit the images, tracks, steps and classes."""
        image, trajectories = _box(parts, 2.0), parts[0]
        cell = min(0.62, max(0.1, 9 / trajectories.steps))
        belief = trajectories.probabilities
        tall = 0.0 if belief is None else 0.125 * min(belief.shape[2], MOST_CLASSES)
        strip = (len(with_patches(trajectories)) + len(assembled(trajectories))) * (cell + 0.04) + tall
        left = _EDGE + image[0] + max(_BETWEEN, 0.12 + 0.06 * letters(trajectories))
        width = left + trajectories.steps * cell + _EDGE
        return cls(image, left, cell, tall, (max(width, 4.6), _TITLE + max(image[1], strip) + _GAP))


_SHEET_DPI = 110
_EDGE, _BETWEEN, _TITLE, _GAP, _FOOT = 0.12, 0.34, 0.24, 0.12, 0.42  # inches


def _sheet(parts: Sequence[Trajectories]) -> NDArray[np.uint8]:
    """Returns the pixels of a sheet, shape (H, W, 3)."""
    layout = _Layout.of(parts)
    rows = [rendered(_sheet_row(part, i, layout)) for part in parts for i in range(len(part))]
    return np.concatenate([*rows, rendered(_foot(parts, layout))])


def _sheet_row(trajectories: Trajectories, i: int, layout: _Layout) -> Figure:
    """Returns a figure of one image: its windows, its glimpses, the beliefs."""
    figure = Figure(figsize=layout.size, dpi=_SHEET_DPI)
    top, left, label = _TITLE, layout.left, int(trajectories.labels[i])
    axes = _image_axes(figure, trajectories, i, layout.image)
    draw_tracks(axes, trajectories.tracks, i)
    across = trajectories.steps * layout.cell
    seen = len(with_patches(trajectories))
    for number, squares in enumerate(strips(trajectories, i)):
        gap = max(1, squares.shape[1] // 25)
        spaced = np.pad(squares, ((0, 0), (gap, gap), (gap, gap), (0, 0)), constant_values=1.0)
        strip = axes_at(figure, left, top, across, layout.cell)
        strip.imshow(np.concatenate(list(spaced), axis=1), interpolation="nearest", aspect="auto")
        strip.set_axis_off()
        if number >= seen:
            strip.text(-0.01, 0.5, "canvas", transform=strip.transAxes, ha="right", va="center", fontsize=5.5, color=MUTED)
        top += layout.cell + 0.04
    if trajectories.probabilities is not None:
        belief = as_array(trajectories.probabilities[i])
        classes = classes_shown(belief, label)
        bars = axes_at(figure, left, top, across, layout.belief)
        prepare_belief(bars, _named(trajectories, classes), label, len(belief), 6.5)
        draw_belief(bars, belief, classes, time_colors(len(belief)))
    _write_verdict(figure, trajectories, i, trajectories.steps - 1, prefix=f"{_name(trajectories, i, 24)}   ", size=9)
    return figure


def _name(trajectories: Trajectories, i: int, letters: int) -> str:
    """Returns the name of an image, else its position; of a long name the last letters."""
    if not trajectories.names:
        return f"#{int(trajectories.index[i])}"
    name = trajectories.names[i]
    return name if len(name) <= letters else f"...{name[-letters:]}"


def _named(trajectories: Trajectories, classes: Sequence[int]) -> dict[int, str]:
    """Returns the names of classes by class."""
    return {label: class_name(label, trajectories.class_names) for label in classes}


def _size(trajectories: Trajectories, most: float) -> tuple[float, float]:
    """Returns the width and height of an image in inches, if its longer side takes up the most there is."""
    aspect = image_aspect(*trajectories.images.shape[2:])
    return most / max(aspect, 1), most * min(aspect, 1)


def _box(parts: Sequence[Trajectories], most: float) -> tuple[float, float]:
    """Returns the width and height in inches of a space into which every image fits."""
    sizes = [_size(part, most) for part in parts]
    return max(wide for wide, _ in sizes), max(tall for _, tall in sizes)


def _image_axes(figure: Figure, trajectories: Trajectories, i: int, box: tuple[float, float]) -> Axes:
    """Returns new axes with an image and its digit's center, in the middle of a space at the figure's upper left corner."""
    wide, tall = _size(trajectories, max(box))
    axes = axes_at(figure, _EDGE + (box[0] - wide) / 2, _TITLE + (box[1] - tall) / 2, wide, tall)
    draw_image(axes, rgb_pictures(trajectories.images[i : i + 1])[0])
    draw_center(axes, trajectories.digits[i])
    return axes


def _write_verdict(figure: Figure, trajectories: Trajectories, i: int, t: int, *, prefix: str, size: float) -> Artist:
    """Writes the label of an image and the class predicted after a step, in red where it is wrong."""
    belief = None if trajectories.probabilities is None else as_array(trajectories.probabilities[i, t])
    predicted, chance = (None, None) if belief is None else (int(belief.argmax()), float(belief.max()))
    text, style = verdict(int(trajectories.labels[i]), predicted, chance, trajectories.class_names)
    across, down = figure.get_size_inches()
    return figure.text(_EDGE / across, 1 - 0.05 / down, prefix + text, va="top", ha="left", fontsize=size, **style)


def _foot(parts: Sequence[Trajectories], layout: _Layout) -> Figure:
    """Returns a figure of what stands below a sheet: the legend and the gray scale."""
    figure = Figure(figsize=(layout.size[0], _FOOT), dpi=_SHEET_DPI)
    add_legend(figure, parts[0].tracks, center=any(bool(part.digits.isfinite().any()) for part in parts))
    kinds = dict.fromkeys(track.kind for track in with_patches(parts[0]))
    scales = [f"each {kind}: black 0 or less, white its largest number" for kind in kinds]
    scales += ["canvas: black 0, white 1" for _ in assembled(parts[0])]
    figure.text(0.5, 0.97, "   ".join(scales), ha="center", va="top", fontsize=7, color=MUTED)
    return figure


# The animation


def _frames(parts: Sequence[Trajectories]) -> list[NDArray[np.uint8]]:
    """Returns the pixels of every step, shape (H, W, 3)."""
    box, dpi = _box(parts, 1.7), 100 if sum(map(len, parts)) > 4 else 150
    cards = [_Card(part.rows(torch.tensor([i])), box, dpi) for part in parts for i in range(len(part))]
    columns = int(np.ceil(np.sqrt(len(cards))))
    frames = []
    for t in range(parts[0].steps):
        grid = tiled([card.at(t) for card in cards], columns)
        frames.append(np.concatenate([rendered(_clock(t, parts[0].tracks, grid.shape[1], dpi)), grid]))
    return frames


class _Card:
    """One image of an animation, drawn again for every step.

    Args:
        trajectories: One image.
        box: Width and height of the space for an image in inches.
        dpi: Pixels per inch.
    """

    def __init__(self, trajectories: Trajectories, box: tuple[float, float], dpi: int) -> None:
        self.trajectories, self.label = trajectories, int(trajectories.labels[0])
        self.name = f"{_name(trajectories, 0, 14)}   " if trajectories.names else ""
        self.squares = seen = strips(trajectories, 0)
        self.belief = None if trajectories.probabilities is None else as_array(trajectories.probabilities[0])
        wide, tall = box
        side = 0.0 if not seen and self.belief is None else max(0.7, 0.5 * len(seen))
        height = max(tall, (0.78 if seen else 0.0) + (0.8 if self.belief is not None else 0.0))
        between = max(0.2, 0.1 + 0.045 * letters(trajectories))
        self.figure = Figure(figsize=(_EDGE + wide + (between + side if side else 0) + _EDGE, _TITLE + height + 0.06), dpi=dpi)
        self.image = _image_axes(self.figure, trajectories, 0, box)
        left = _EDGE + wide + between
        each = side / max(1, len(seen))
        self.glimpses = [
            axes_at(self.figure, left + k * each, _TITLE, each - 0.04, each - 0.04).imshow(squares[0], interpolation="nearest")
            for k, squares in enumerate(self.squares)
        ]
        for glimpse in self.glimpses:
            glimpse.axes.set_axis_off()
            glimpse.set_animated(True)
        if self.belief is not None:
            self.classes = classes_shown(self.belief, self.label)
            top = _TITLE + (each + 0.05 if seen else 0.0)
            self.bars = axes_at(self.figure, left, top, side - 0.04, _TITLE + height - top)
            prepare_belief(self.bars, _named(trajectories, self.classes), self.label, 1, 5.0)
        canvas: Any = FigureCanvasAgg(self.figure)
        canvas.draw()
        self.canvas, self.background = canvas, canvas.copy_from_bbox(self.figure.bbox)

    def at(self, t: int) -> NDArray[np.uint8]:
        """Returns the pixels of a step, shape (H, W, 3): what moves, drawn over what stays."""
        self.canvas.restore_region(self.background)
        artists = draw_tracks(self.image, self.trajectories.tracks, 0, now=t)
        artists.append(_write_verdict(self.figure, self.trajectories, 0, t, prefix=self.name, size=8))
        if self.belief is not None:
            colors = time_colors(len(self.belief))[t : t + 1]
            artists.append(draw_belief(self.bars, self.belief[t : t + 1], self.classes, colors))
        for glimpse, squares in zip(self.glimpses, self.squares, strict=True):
            glimpse.set_data(squares[t])
        for artist in sorted([*artists, *self.glimpses], key=lambda artist: artist.zorder):
            self.figure.draw_artist(artist)
        for artist in artists:
            artist.remove()
        return np.array(self.canvas.buffer_rgba())[..., :3]


def _clock(t: int, tracks: Sequence[Track], width: int, dpi: int) -> Figure:
    """Returns a figure of a width in pixels that names the step, and the colors of the kinds of windows where there are several."""
    figure = Figure(figsize=(width / dpi, 0.24), dpi=dpi)
    text = f"step {t + 1} of {tracks[0].window.center_x.shape[1]}"
    figure.text(_EDGE * dpi / width, 0.5, text, va="center", ha="left", fontsize=8, color=MUTED)
    if len({track.kind for track in tracks}) > 1:
        add_legend(figure, tracks, now=t)
    return figure
