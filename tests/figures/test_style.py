"""Colors of windows: distinct, visible on black, and the same on the page as in every picture."""

import re
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb

from glimpse.attention.track import WindowKind
from glimpse.datasets.batches import Batch
from glimpse.datasets.preview import sheet
from glimpse.figures.style import DIGIT, FRAME, kind_color, time_colors


@pytest.mark.parametrize("kind", ["glimpse", "read", "write"])
@pytest.mark.parametrize("steps", [1, 2, 8, 64])
def test_all_colors_of_time_differ_and_are_visible_on_black(kind: WindowKind, steps: int) -> None:
    colors = time_colors(steps, kind)
    assert colors.shape == (steps, 3)
    assert len(np.unique(colors, axis=0)) == steps
    assert (colors @ (0.2126, 0.7152, 0.0722)).min() > 0.15  # luminance by ITU-R BT.709


@pytest.mark.parametrize("kind", ["glimpse", "read", "write"])
def test_all_colors_of_time_have_the_contrast_of_graphics_on_black_and_on_the_frame(kind: WindowKind) -> None:
    def luminance(color: Any) -> Any:  # WCAG 2.2, relative luminance
        linear = np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
        return linear @ (0.2126, 0.7152, 0.0722)

    for ground in ("#000000", FRAME):
        contrast = (luminance(time_colors(64, kind)) + 0.05) / (luminance(np.array(to_rgb(ground))) + 0.05)
        assert contrast.min() >= 3


@pytest.mark.parametrize("kind", ["glimpse", "read", "write"])
def test_the_color_of_a_kind_is_one_of_its_colors_over_time(kind: WindowKind) -> None:
    assert np.abs(time_colors(500, kind) - to_rgb(kind_color(kind))).max(axis=1).min() < 0.01


@pytest.mark.parametrize(("kind", "stronger", "weaker"), [("glimpse", 0, 2), ("read", 0, 2), ("write", 2, 0)])
def test_reading_is_warm_and_writing_is_blue(kind: WindowKind, stronger: int, weaker: int) -> None:
    colors = np.array([*time_colors(64, kind)[24:], to_rgb(kind_color(kind))])  # the first colors of reading are violet
    assert (colors[:, stronger] > colors[:, weaker]).all()


def test_the_page_has_the_colors_of_the_pictures() -> None:
    css = (files("glimpse.trajectories.page") / "page.css").read_text("utf-8")
    shown = dict(re.findall(r"--(glimpse|read|write|digit): (#[0-9a-f]{6});", css))
    assert shown == {kind: kind_color(kind) for kind in ("glimpse", "read", "write")} | {"digit": DIGIT}


def test_a_preview_of_a_data_set_has_the_colors_of_the_pictures() -> None:
    picture = sheet(Batch(torch.zeros(1, 1, 96, 96), torch.zeros(1), torch.full((1, 2), 48.0)), frame=(28, 28))
    pixels = np.asarray(picture)
    for color, row, column in ((FRAME, 0, 0), (DIGIT, 4 + 14 + 48 - 13, 4 + 48)):
        assert np.abs(pixels[max(0, row - 1) : row + 2, column] - 255 * np.array(to_rgb(color))).max(axis=-1).min() < 0.6
