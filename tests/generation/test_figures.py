"""Pictures of a generator's drawings: positions of boxes, found in the pixels, and images of every size."""

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from torch import Tensor

from glimpse.attention.track import Track, WindowKind
from glimpse.attention.window import Window
from glimpse.figures.files import rendered
from glimpse.figures.style import kind_color
from glimpse.generation.figures import (
    Pixels,
    interpolation_frames,
    interpolation_sheet,
    reconstruction_sheet,
    sample_sheet,
    shown_steps,
    step_frames,
    traversal_frames,
    traversal_sheet,
)
from glimpse.generation.sampling import Drawn, Nearest

COLORS = kind_color("read"), kind_color("write")


def drawn(count: int = 2, steps: int = 3, *, channels: int = 1, height: int = 12, width: int = 16, windows: bool = True) -> Drawn:
    """Returns dark canvases with windows of 3 x 3 filters in their middle."""
    canvases = 0.1 * torch.rand(count, steps + 1, channels, height, width, generator=torch.Generator().manual_seed(0))
    tracks = [window("read", count, steps, 5, 6, 2), window("write", count, steps, 9, 5, 1.5)] if windows else []
    return Drawn(canvases, tuple(tracks))


def window(kind: WindowKind, count: int, steps: int, x: float, y: float, stride: float) -> Track:
    fields = (torch.full((count, steps), float(value)) for value in (x, y, stride, 0.5, 1.0))
    return Track(kind, 0, 3, Window(*fields))


def of_color(pixels: Pixels, color: str | tuple[float, float, float]) -> NDArray[np.bool_]:
    """Returns a mask of the pixels of a color."""
    wanted = 255 * np.array([*to_rgb(color)])
    return np.asarray((np.abs(pixels - wanted) < 12).all(axis=-1))


def ends(mask: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """Returns the left, right, upper and lower edge of a mask."""
    rows, columns = np.nonzero(mask)
    return columns.min() - 0.5, columns.max() + 0.5, rows.min() - 0.5, rows.max() + 0.5


def test_a_box_runs_through_the_centers_of_the_outermost_filters() -> None:
    canvases = torch.zeros(1, 2, 3, 20, 24)
    canvases[0, :, 0, 6, 5], canvases[0, :, 0, 14, 13] = 1, 1  # red: the corners of a box around (9, 10) with sides of 8
    track = window("write", 1, 1, 9, 10, 4)
    figure = sample_sheet(Drawn(canvases, (track,)))
    pixels = rendered(figure)
    plain, boxed = (
        pixels[round((1 - box.y1) * len(pixels)) : round((1 - box.y0) * len(pixels)), round(box.x0 * pixels.shape[1]) :][
            :, : round(box.width * pixels.shape[1])
        ]
        for box in (axes.get_position() for axes in figure.axes[:2])
    )
    left, right, upper, lower = ends(of_color(plain, "red"))
    size = (right - left) / 9  # of a pixel of the image: the two red ones span 5 to 13
    box = ends(of_color(boxed, kind_color("write")))
    centers = (left + size / 2, right - size / 2, upper + size / 2, lower - size / 2)
    line = 1.1 * 150 / 72 / 2  # half of its width, which lies outside of the middle of a line
    np.testing.assert_allclose(box, np.array(centers) + line * np.array([-1, 1, -1, 1]), atol=1.2)


def test_frames_show_windows_at_every_step_and_none_before_and_after() -> None:
    for images in (None, torch.zeros(2, 1, 12, 16)):
        frames = list(step_frames(drawn(), images))
        assert len(frames) == 5
        assert {frame.shape for frame in frames} == {frames[0].shape}
        seen = [[int(of_color(frame[: -len(frame) // 8], color).sum()) for color in COLORS] for frame in frames]
        assert seen[0] == seen[-1] == [0, 0]
        for read, written in seen[1:-1]:
            assert (read > 100) == (images is not None)
            assert written > 100


def test_frames_show_the_canvas_of_their_step() -> None:
    canvases = torch.linspace(0, 1, 5)[None, :, None, None, None].expand(1, 5, 1, 8, 8)
    frames = list(step_frames(Drawn(canvases, ())))
    for frame, level in zip(frames, (0, 0.25, 0.5, 0.75, 1, 1), strict=True):
        middle = frame[frame.shape[0] // 2, frame.shape[1] // 2]
        np.testing.assert_allclose(middle, 255 * level, atol=1)


def test_a_model_without_windows_gets_no_boxes_and_no_legend() -> None:
    plain, boxed = drawn(windows=False), drawn()
    assert not sample_sheet(plain).legends
    for color in COLORS:
        assert not of_color(rendered(reconstruction_sheet(plain, plain.images)), color).any()
        assert of_color(rendered(reconstruction_sheet(boxed, boxed.images)), color).any()


@pytest.mark.parametrize(
    ("count", "steps", "channels", "height", "width"), [(1, 1, 1, 28, 28), (2, 64, 3, 6, 30), (2, 5, 3, 40, 9), (5, 2, 1, 1, 1)]
)
def test_every_size_is_drawn(count: int, steps: int, channels: int, height: int, width: int) -> None:
    some = drawn(count, steps, channels=channels, height=height, width=width)
    nearest = Nearest(some.images, torch.zeros(count, dtype=torch.float64), torch.arange(count))
    shown = len(shown_steps(steps))
    assert len(sample_sheet(some, nearest=nearest, title="title", note="note").axes) == count * (shown + 2)
    sheet = reconstruction_sheet(some, some.images)
    assert len(sheet.axes) == count * (shown + 2)
    names = [axes.get_title() for axes in sheet.axes[: shown + 2]]
    assert (names[0], names[1], names[-2:]) == ("image", "step 1", [f"step {steps}", "reconstruction"])
    assert rendered(sheet).shape[2] == 3
    first = next(step_frames(some, some.images))
    assert first.shape[2] == 3


def test_all_cells_are_on_the_sheet_and_do_not_overlap() -> None:
    some = drawn(3, 20, height=30, width=20)
    nearest = Nearest(some.images, torch.ones(3, dtype=torch.float64), torch.arange(3))
    boxes = [axes.get_position() for axes in sample_sheet(some, nearest=nearest).axes]
    assert all(0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1 for box in boxes)
    apart = [a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 or b.y1 <= a.y0 for i, a in enumerate(boxes) for b in boxes[:i]]
    assert all(apart)


@pytest.mark.parametrize("steps", [1, 20])
def test_a_long_title_and_a_long_note_stay_on_the_sheet_and_off_the_legend(steps: int) -> None:
    some = drawn(1, steps)
    figure = reconstruction_sheet(some, some.images, title="A word and another. " * 20, note="A word and another. " * 10)
    rendered(figure)
    title, note = (text.get_window_extent() for text in figure.texts)
    legend, lowest = figure.legends[0].get_window_extent(), min(axes.get_window_extent().y0 for axes in figure.axes)
    assert 0 <= title.x0 < title.x1 <= figure.bbox.x1
    assert 0 <= note.x0 < note.x1 <= legend.x0
    assert 0 <= note.y0 < note.y1 <= lowest


def test_distances_are_above_the_nearest_images() -> None:
    some = drawn(2)
    nearest = Nearest(some.images, torch.tensor([1.234, 5.678], dtype=torch.float64), torch.tensor([3, 4]))
    titles = [axes.get_title() for axes in sample_sheet(some, nearest=nearest).axes]
    assert (titles[1], titles[6]) == ("nearest: 1.23", "5.68")


def test_colors_are_drawn_unchanged() -> None:
    red = torch.tensor([0.8, 0.2, 0.1])[None, :, None, None].expand(2, 3, 6, 6)
    pixels = rendered(interpolation_sheet(red, red.repeat(2, 1, 1, 1)))
    assert of_color(pixels, (0.8, 0.2, 0.1)).mean() > 0.3


def test_an_interpolation_and_a_traversal_have_a_frame_for_every_picture() -> None:
    way: Tensor = torch.linspace(0, 1, 4)[:, None, None, None].expand(4, 1, 6, 6)
    frames = list(interpolation_frames(way[[0, -1]], way))
    assert len(frames) == 4
    middles = [int(frame[frame.shape[0] // 2, frame.shape[1] // 2, 0]) for frame in frames]
    np.testing.assert_allclose(middles, [0, 85, 170, 255], atol=1)
    values, names = [-3.0, -1.0, 1.0, 3.0], ["first", "second", "third"]
    assert len(list(traversal_frames([way] * 3, values, names))) == 4
    sheet = traversal_sheet(way[0], [way] * 3, values, names)
    assert len(sheet.axes) == 15
    assert [axes.get_title() for axes in sheet.axes[1:5]] == ["-3", "-1", "+1", "+3"]
    assert [sheet.axes[row].get_title("left") for row in (0, 5, 10)] == names
