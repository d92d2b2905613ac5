"""Windows on images, checked by rendered pixels, with the map from image to picture computed here."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from torch import Tensor

from glimpse.attention.track import Track, WindowKind
from glimpse.attention.window import Window
from glimpse.figures.files import rendered
from glimpse.figures.style import DIGIT, INK, WRONG, kind_color, time_colors
from glimpse.figures.windows import (
    check_tracks,
    draw_center,
    draw_image,
    draw_tracks,
    draw_window,
    image_aspect,
    rgb_pictures,
    verdict,
)

SIDE = 600  # pixels across the picture


def track(*windows: tuple[float, float, float, float], n: int = 5, kind: WindowKind = "glimpse", scale: int = 0) -> Track:
    """Returns one image's track from (center_x, center_y, stride, sigma) at each step."""
    x, y, stride, sigma = torch.tensor(windows).T[:, None]
    return Track(kind, scale, n, Window(x, y, stride, sigma, torch.ones_like(x)))


def picture_of(
    image: Tensor, tracks: Sequence[Track], *, now: int | None = None, center: Tensor | None = None
) -> NDArray[np.uint8]:
    """Draws an image (C, H, W) with windows, SIDE pixels wide."""
    figure = Figure(figsize=(SIDE / 150, SIDE / 150 * image_aspect(*image.shape[1:])), dpi=150)
    axes = figure.add_axes((0, 0, 1, 1))
    draw_image(axes, rgb_pictures(image[None])[0])
    draw_tracks(axes, tracks, 0, now=now)
    if center is not None:
        draw_center(axes, center)
    return rendered(figure)


def black(height: int = 30, width: int = 30) -> Tensor:
    return torch.zeros(1, height, width)


def on_image(places: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Returns the positions on the image of pixels (row, column) of the picture, as rows of x, y.

    A margin of 3 % of the longer side is on every side, and the shorter side has half the difference more on both; pixel 0 of the
    image reaches from -0.5 to 0.5.
    """
    longer = max(height, width)
    margins = np.array([0.03 * longer + (longer - width) / 2, 0.03 * longer + (longer - height) / 2])
    return np.asarray((places[:, ::-1] + 0.5) * 1.06 * longer / SIDE - margins - 0.5)


def found(picture: NDArray[np.uint8], color: NDArray[Any], tolerance: int = 12) -> NDArray[Any]:
    """Returns where a color (0 to 1) is, as rows of row, column."""
    return np.argwhere(np.abs(picture.astype(int) - 255 * color).max(axis=-1) <= tolerance)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), [(30, 30), (20, 40), (40, 20)])
def test_a_box_runs_where_its_outermost_filters_are(height: int, width: int, channels: int) -> None:
    image = torch.rand(channels, height, width, generator=torch.Generator().manual_seed(0)) * 0.3
    picture = picture_of(image, [track((9.0, 11.5, 2.5, torch.nan))])
    box = on_image(found(picture, time_colors(1)[0]), height, width)
    line = 1.1 * 150 / 72 * 1.06 * max(height, width) / SIDE  # a line's width on the image
    np.testing.assert_allclose(box.min(axis=0), (4, 6.5), atol=line)  # 9 - 2 * 2.5, 11.5 - 2 * 2.5
    np.testing.assert_allclose(box.max(axis=0), (14, 16.5), atol=line)


@pytest.mark.parametrize("sigma", [0.5, 2.0])
def test_the_blur_reaches_two_sigma_from_the_box_and_not_inside(sigma: float) -> None:
    picture = picture_of(black(), [track((14.0, 15.0, 2.5, sigma))])
    lit = on_image(np.argwhere(picture.max(axis=-1) > 12), 30, 30)
    lit = lit[(lit > -0.5).all(axis=1) & (lit < 29.5).all(axis=1)]  # not the frame
    np.testing.assert_allclose(lit.min(axis=0), (9 - 2 * sigma, 10 - 2 * sigma), atol=0.15)
    np.testing.assert_allclose(lit.max(axis=0), (19 + 2 * sigma, 20 + 2 * sigma), atol=0.15)
    inside = lit[(np.abs(lit - (14, 15)) < 4.7).all(axis=1)]
    assert np.abs(inside - (14, 15)).max() < 1  # only the dot at the center


def test_a_band_of_one_sigma_is_stronger_than_that_of_two() -> None:
    picture = picture_of(black(), [track((14.0, 15.0, 2.5, 2.0))]).max(axis=-1).astype(int)
    column = {x: picture[SIDE // 2, round((x + 0.5 + 0.9) * SIDE / 31.8)] for x in (20.0, 22.0, 24.0)}  # the box ends at 19
    assert column[20.0] > column[22.0] + 10 > column[24.0] + 20


def test_steps_after_now_are_not_drawn_and_those_before_are_fainter() -> None:
    windows = track((5.0, 5.0, 1.0, torch.nan), (15.0, 15.0, 1.0, torch.nan), (25.0, 25.0, 1.0, torch.nan))
    colors = time_colors(3)
    everything, second = picture_of(black(), [windows]), picture_of(black(), [windows], now=1)
    assert all(len(found(everything, color)) > 50 for color in colors)
    assert [len(found(second, color)) > 50 for color in colors] == [False, True, False]
    assert second[: SIDE // 3, : SIDE // 3].max() > 60


def test_outer_nested_boxes_are_thinner_and_below() -> None:
    color = time_colors(1)[0]
    inner, outer = track((15.0, 15.0, 2.0, torch.nan)), track((15.0, 15.0, 5.0, torch.nan), scale=1)
    lit = picture_of(black(), [inner, outer]).astype(int).sum(axis=-1)[SIDE // 2 - 60]
    steps = np.split(np.flatnonzero(lit > 60), np.flatnonzero(np.diff(np.flatnonzero(lit > 60)) > 2) + 1)
    weight = [lit[step].sum() for step in steps if 30 < step[0] < SIDE - 30]
    assert len(weight) == 4  # both boxes' left and right sides
    assert max(weight[0], weight[3]) < 0.75 * min(weight[1], weight[2])
    below = track((15.0, 15.0, 2.0, torch.nan), kind="write", scale=1)
    alone = len(found(picture_of(black(), [inner]), color))
    for tracks in ([inner, below], [below, inner]):
        assert len(found(picture_of(black(), tracks), color)) > 0.95 * alone


def test_write_windows_are_dashed_and_of_another_color_family() -> None:
    place = (15.0, 15.0, 5.0, torch.nan)
    kinds: tuple[WindowKind, ...] = ("read", "write")
    read, write = (len(found(picture_of(black(), [track(place, kind=kind)]), time_colors(1, kind)[0], 30)) for kind in kinds)
    assert 0.3 * read < write < 0.85 * read
    distances = np.abs(time_colors(64, "read")[:, None] - time_colors(64, "write")).max(axis=-1)
    assert distances.min() > 0.25


@pytest.mark.parametrize(
    ("window", "arrows"),
    [
        ((15, 14, 3, 1), {}),
        ((15, 14, 20, 1), {"<": (0, 14), ">": (29, 14), "^": (15, 0), "v": (15, 29)}),
        ((5, 14, 4, 1), {"<": (0, 14)}),
        ((25, 27, 3, 1), {">": (29, 27), "v": (25, 29)}),
        ((60, 14, 2, 1), {">": (29, 14)}),
        ((15, -50, 2, 1), {"^": (15, 0)}),
        ((60, 60, 50, 1), {"<": (0, 29), ">": (29, 29), "^": (29, 0), "v": (29, 29)}),
    ],
)
def test_an_arrow_is_at_the_edge_for_each_side_of_a_window_that_is_outside(
    window: tuple[float, float, float, float], arrows: dict[str, tuple[float, float]]
) -> None:
    for whole in (False, True):
        axes = Figure().add_subplot()
        draw_image(axes, rgb_pictures(black()[None])[0])
        drawn = draw_tracks(axes, [track(window)], 0, now=0) if whole else draw_window(axes, track(window), 0, 0)
        lines = [artist for artist in drawn if isinstance(artist, Line2D) and artist.get_marker() in ("<", ">", "^", "v")]
        found = {str(line.get_marker()): np.asarray(line.get_xydata())[0].tolist() for line in lines}
        assert len(lines) == len(found) == len(arrows)
        for marker, place in arrows.items():
            assert found[marker] == pytest.approx(place, abs=1.5)
    assert not [artist for artist in draw_tracks(axes, [track((15, 14, 20, 1))], 0) if getattr(artist, "get_marker", str)() == "<"]


def test_the_window_of_a_step_is_drawn_in_one_color_at_every_step() -> None:
    for kind in ("read", "write"):
        moving = track((8, 9, 2, 1), (20, 19, 2, 1), kind=kind)
        for step, (x, y) in enumerate(((8, 9), (20, 19))):
            figure = Figure(figsize=(SIDE / 150, SIDE / 150), dpi=150)
            axes = figure.add_axes((0, 0, 1, 1))
            draw_image(axes, rgb_pictures(black()[None])[0])
            draw_window(axes, moving, 0, step)
            colored = np.abs(rendered(figure).astype(int) - 255 * np.array(to_rgb(kind_color(kind)))).max(axis=-1) < 12
            box = on_image(np.argwhere(colored), 30, 30)
            np.testing.assert_allclose((*box.min(axis=0), *box.max(axis=0)), (x - 4, y - 4, x + 4, y + 4), atol=0.15)


def test_a_cross_is_at_the_digits_center_and_nowhere_if_it_is_unknown() -> None:
    nowhere = [track((0.0, 0.0, 0.0, torch.nan))]
    plain = picture_of(black(), nowhere)
    np.testing.assert_array_equal(picture_of(black(), nowhere, center=torch.tensor([torch.nan, 3.0])), plain)
    cross = picture_of(black(), nowhere, center=torch.tensor([20.0, 10.0]))
    np.testing.assert_allclose(on_image(found(cross, np.array(to_rgb(DIGIT))), 30, 30).mean(axis=0), (20, 10), atol=0.1)


@pytest.mark.parametrize(
    ("label", "predicted", "probability", "words", "wrong"),
    [
        (3, 3, 0.987, "3 (99 %)", False),
        (3, 5, 0.5, "3, predicted 5 (50 %)", True),
        (-1, 5, 0.5, "predicted 5 (50 %)", False),
        (3, None, None, "3", False),
        (-1, None, None, "", False),
    ],
)
def test_the_verdict_names_the_known_classes(
    label: int, predicted: int | None, probability: float | None, words: str, wrong: bool
) -> None:
    style = {"color": WRONG, "fontweight": "bold"} if wrong else {"color": INK, "fontweight": "normal"}
    assert verdict(label, predicted, probability) == (words, style)


@pytest.mark.parametrize(
    ("images", "tracks", "message"),
    [
        (torch.zeros(1, 2, 9, 9), [track((1.0, 1.0, 1.0, 1.0))], r"images .*\(1, 2, 9, 9\)"),
        (torch.zeros(2, 1, 9, 9), [track((1.0, 1.0, 1.0, 1.0))], r"center_x must have shape \(2, 1\), got \(1, 1\)"),
        (torch.zeros(1, 1, 9, 9), [], "at least one track"),
        (torch.zeros(1, 1, 9, 9), [track((1.0, 1.0, 1.0, 1.0), n=0)], "n must be at least 1, got 0"),
        (
            torch.zeros(1, 1, 9, 9),
            [track((1.0, 1.0, 1.0, 1.0))._replace(patches=torch.zeros(1, 1, 1, 4, 4))],
            r"patches must have shape \(1, 1, 1, 5, 5\), got \(1, 1, 1, 4, 4\)",
        ),
    ],
)
def test_tracks_that_do_not_fit_are_refused(images: Tensor, tracks: list[Track], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_tracks(images, tracks)
