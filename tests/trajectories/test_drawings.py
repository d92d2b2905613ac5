"""Sheets and animations of a generator's trajectories, checked by their rendered pixels."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image

from glimpse.figures.style import kind_color, time_colors
from glimpse.trajectories.pictures import learning_gif, sheet_png, trajectory_gif, trajectory_sheet
from glimpse.trajectories.views import UNKNOWN, Trajectories

Make = Callable[..., Trajectories]

READ, WRITE = (255 * np.array(to_rgb(kind_color(kind))) for kind in ("read", "write"))


def drawing(make: Make, count: int = 2, steps: int = 3, **options: Any) -> Trajectories:
    """Returns trajectories of a generator with red images and, after step t of T, green canvases of the level t / T."""
    made = make(count, steps, channels=3, classes=0, scales=2, **options)
    height, width = made.images.shape[2:]
    images, canvases = torch.zeros(count, 3, height, width), torch.zeros(count, steps, 3, height, width)
    images[:, 0] = 1
    canvases[:, :, 1] = (torch.arange(1, steps + 1) / steps)[:, None, None]
    read, write = made.tracks[0]._replace(kind="read"), made.tracks[1]._replace(kind="write", scale=0, canvases=canvases)
    return replace(
        made,
        images=images,
        labels=torch.full((count,), UNKNOWN),
        digits=torch.full((count, 2), torch.nan),
        tracks=(read, write),
    )


def share(picture: NDArray[np.uint8], color: Any, tolerance: int = 3) -> float:
    """Returns the share of a picture's pixels that have a color (0 to 255)."""
    return float((np.abs(picture.astype(int) - np.asarray(color)).max(axis=-1) <= tolerance).mean())


def film(path: Path) -> list[NDArray[np.uint8]]:
    """Returns the frames of a GIF."""
    frames = []
    with Image.open(path) as file:
        for t in range(getattr(file, "n_frames", 1)):
            file.seek(t)
            frames.append(np.asarray(file.convert("RGB")))
    return frames


@pytest.mark.parametrize("size", [{}, {"height": 30, "width": 12}, {"n": 1}, {"blur": False}])
def test_a_sheet_shows_input_and_canvas_of_every_step_and_each_window_in_one_color(
    make_trajectories: Make, tmp_path: Path, size: dict[str, Any]
) -> None:
    shown = drawing(make_trajectories, **size)
    trajectory_sheet(shown, tmp_path / "sheet.png")
    picture = np.asarray(Image.open(tmp_path / "sheet.png").convert("RGB"))
    first, second, last = (share(picture, (0, 255 * t / 3, 0)) for t in (1, 2, 3))
    assert first == pytest.approx(second, rel=0.35)  # windows hide some of them
    assert last > 2 * first  # the last canvas stands at the left, too, larger
    assert share(picture, (255, 0, 0)) > 3 * first
    for color in (READ, WRITE):
        assert share(picture, color) > 0.001
    for color in (*time_colors(3, "read")[[0, 2]], *time_colors(3, "write")[[0, 2]]):
        assert share(picture, 255 * color) < 1e-4


def test_of_many_steps_a_sheet_shows_sixteen_with_the_first_and_the_last(make_trajectories: Make, tmp_path: Path) -> None:
    for steps in (16, 40):
        trajectory_sheet(drawing(make_trajectories, 1, steps), tmp_path / f"{steps}.png")
    few, many = (np.asarray(Image.open(tmp_path / f"{steps}.png").convert("RGB")) for steps in (16, 40))
    assert few.shape == many.shape
    for level in (1 / 40, 1):
        assert share(many, (0, round(255 * level), 0), 1) > 0.001


def test_an_animation_begins_with_step_one_and_shows_the_canvas_of_each_step(make_trajectories: Make, tmp_path: Path) -> None:
    shown = drawing(make_trajectories, 3, 4)
    trajectory_gif(shown, tmp_path / "film.gif", seconds_per_step=0.5)
    frames = film(tmp_path / "film.gif")
    assert len(frames) == 4
    for t, frame in enumerate(frames, start=1):
        for level in range(1, 5):
            assert (share(frame, (0, 255 * level / 4, 0), 8) > 0.02) == (level == t)
        assert share(frame, (255, 0, 0), 8) > 0.02
        for color in (READ, WRITE):
            assert share(frame, color, 12) > 0.0005
    with Image.open(tmp_path / "film.gif") as file:
        assert file.info["duration"] == 500
        file.seek(3)
        assert file.info["duration"] == 2000


def test_what_is_written_is_gray_where_nothing_changes(make_trajectories: Make, tmp_path: Path) -> None:
    shown = drawing(make_trajectories, 1, 1, n=3)
    read, write = shown.tracks
    patch = torch.zeros(1, 1, 3, 3, 3)
    patch[..., 0, :], patch[..., 2, :] = -2.0, 1.0
    shown = replace(shown, tracks=(read._replace(patches=0 * patch), write._replace(patches=patch)))
    trajectory_sheet(shown, tmp_path / "sheet.png")
    picture = np.asarray(Image.open(tmp_path / "sheet.png").convert("RGB"))
    for level in (127.5, 191.25):  # 0 and 1 between -2 and 2
        assert share(picture, 3 * (level,), 1) > 0.001


def test_compact_sheets_and_animations_of_the_learning_show_the_canvas_too(make_trajectories: Make, tmp_path: Path) -> None:
    shown = drawing(make_trajectories)
    compact = np.asarray(Image.open(io.BytesIO(sheet_png(shown))).convert("RGB"))
    learning_gif([(10, shown), (1000, shown)], tmp_path / "learning.gif")
    for picture in (compact, *film(tmp_path / "learning.gif")):
        for level in (1, 2, 3):
            assert share(picture, (0, 255 * level / 3, 0), 8) > 0.01
        assert share(picture, (255, 0, 0), 8) > 0.01


def test_without_canvases_the_windows_are_drawn_over_the_image(make_trajectories: Make, tmp_path: Path) -> None:
    shown = drawing(make_trajectories)
    tracks = tuple(track._replace(canvases=None) for track in shown.tracks)
    trajectory_sheet(replace(shown, tracks=tracks), tmp_path / "sheet.png")
    picture = np.asarray(Image.open(tmp_path / "sheet.png").convert("RGB"))
    assert share(picture, (0, 255, 0)) == 0
    assert share(picture, 255 * time_colors(3, "write")[0], 40) > 1e-4
