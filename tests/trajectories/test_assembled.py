"""The canvas on which a classifier assembles its glimpses, on sheets and in animations, checked by its rendered pixels."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from glimpse.trajectories.pictures import trajectory_gif, trajectory_sheet
from glimpse.trajectories.views import Trajectories

Make = Callable[..., Trajectories]

GREEN = (0, 255, 0)


@pytest.fixture
def shown(make_trajectories: Make) -> Trajectories:
    """Returns trajectories of five steps on red images, whose canvases are empty for two steps and then green."""
    made = make_trajectories(2, 5, channels=3)
    images, patches, canvases = torch.zeros_like(made.images), torch.zeros(2, 5, 3, 3, 3), torch.zeros(2, 5, 3, 8, 8)
    images[:, 0], patches[:, :, 0], canvases[:, 2:, 1] = 1.0, 1.0, 1.0
    return replace(made, images=images, tracks=(made.tracks[0]._replace(patches=patches, canvases=canvases),))


def green(picture: Image.Image) -> NDArray[np.bool_]:
    """Returns which pixels have the color of the canvases."""
    off = np.abs(np.asarray(picture.convert("RGB")).astype(int) - GREEN).max(axis=-1)
    return np.asarray(off <= 12)


def runs(mask: Any) -> int:
    """Returns the number of separate runs of true values."""
    return int((np.diff(np.concatenate([[0], mask.astype(int)])) == 1).sum())


def test_a_sheet_has_a_canvas_below_each_glimpse_from_the_first_that_is_written(shown: Trajectories, tmp_path: Path) -> None:
    trajectory_sheet(shown, tmp_path / "with.png")
    bare = replace(shown, tracks=(shown.tracks[0]._replace(canvases=None),))
    trajectory_sheet(bare, tmp_path / "without.png")
    with Image.open(tmp_path / "with.png") as first, Image.open(tmp_path / "without.png") as second:
        found = green(first)
        assert not green(second).any()
        assert first.size[1] > second.size[1]  # room for another row
    assert runs(found.any(axis=1)) == 2  # a row of canvases for each image
    assert runs(found.any(axis=0)) == 3  # those of steps 3 to 5


def test_an_animation_shows_the_canvas_of_each_step(shown: Trajectories, tmp_path: Path) -> None:
    trajectory_gif(shown, tmp_path / "film.gif")
    with Image.open(tmp_path / "film.gif") as film:
        seen = []
        for t in range(5):
            film.seek(t)
            seen.append(bool(green(film).any()))
    assert seen == [False, False, True, True, True]


def test_canvases_are_drawn_for_models_whose_patches_are_not_kept(shown: Trajectories, tmp_path: Path) -> None:
    alone = replace(shown, tracks=(shown.tracks[0]._replace(patches=None),))
    trajectory_sheet(alone, tmp_path / "sheet.png")
    trajectory_gif(alone, tmp_path / "film.gif")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert green(sheet).any()
