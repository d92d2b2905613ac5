"""Sheets and animations of trajectories, checked by their rendered pixels: places and sizes match the numbers."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from glimpse.attention.window import Window
from glimpse.figures.style import time_colors
from glimpse.figures.windows import verdict
from glimpse.trajectories.pictures import learning_gif, sheet_png, trajectory_gif, trajectory_sheet
from glimpse.trajectories.views import UNKNOWN, Trajectories

Make = Callable[..., Trajectories]

RED, GREEN_BAND = (0xC8, 0x1E, 0x1E), (0xDF, 0xF3, 0xE4)


def pixels(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(path).convert("RGB"))


def frames(path: Path) -> tuple[list[NDArray[np.uint8]], list[int]]:
    """Returns the frames of a GIF and their durations in milliseconds."""
    shown, times = [], []
    with Image.open(path) as film:
        for t in range(getattr(film, "n_frames", 1)):
            film.seek(t)
            shown.append(np.asarray(film.convert("RGB")))
            times.append(film.info["duration"])
    return shown, times


def found(picture: NDArray[np.uint8], color: Any, tolerance: int = 6) -> NDArray[Any]:
    """Returns where a color (0 to 255) is, as rows of row, column."""
    return np.argwhere(np.abs(picture.astype(int) - np.asarray(color)).max(axis=-1) <= tolerance)


def variant(make: Make, name: str) -> Trajectories:
    """Returns trajectories of one kind."""
    if name == "kinds":
        both = make(2, 3, scales=2, classes=0)
        kinds = (both.tracks[0]._replace(kind="read"), both.tracks[1]._replace(kind="write", scale=0))
        return replace(both, tracks=kinds)
    made = {
        "plain": lambda: make(2, 3),
        "unknown": lambda: make(2, 3),
        "no probabilities": lambda: make(2, 3, classes=0),
        "several scales": lambda: make(2, 3, scales=3),
        "no blur": lambda: make(2, 3, blur=False),
        "no patches": lambda: make(2, 3, patches=False),
        "nothing but windows": lambda: make(1, 1, patches=False, classes=0),
        "color": lambda: make(2, 3, channels=3, height=30, width=20),
        "long": lambda: make(1, 40),
        "many classes": lambda: make(1, 3, classes=43),
        "one filter": lambda: make(1, 3, n=1),
    }[name]()
    if name == "unknown":
        return replace(made, labels=torch.full_like(made.labels, UNKNOWN), digits=torch.full_like(made.digits, torch.nan))
    return made


VARIANTS = (
    "plain",
    "unknown",
    "no probabilities",
    "several scales",
    "no blur",
    "no patches",
    "nothing but windows",
    "color",
    "long",
    "many classes",
    "one filter",
    "kinds",
)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_kind_of_trajectories_is_drawn_everywhere(make_trajectories: Make, tmp_path: Path, name: str) -> None:
    trajectories = variant(make_trajectories, name)
    trajectory_sheet(trajectories, tmp_path / "new" / "sheet.png")
    trajectory_gif(trajectories.rows(torch.tensor([0])), tmp_path / "new" / "film.gif")
    last = 255 * time_colors(trajectories.steps)[-1]
    for picture in (pixels(tmp_path / "new" / "sheet.png"), np.asarray(Image.open(io.BytesIO(sheet_png(trajectories))))):
        assert len(found(picture, last, 40)) > 10
    shown, _ = frames(tmp_path / "new" / "film.gif")
    assert len(found(shown[-1], last, 40)) > 10
    assert len(list((tmp_path / "new").iterdir())) == 2


def marked(trajectories: Trajectories) -> Trajectories:
    """Returns trajectories of black images with magenta pixels at (1, 1) and at the opposite corner."""
    images = torch.zeros(len(trajectories), 3, *trajectories.images.shape[2:])
    for at in (1, -2):
        images[:, :, at, at] = torch.tensor([1.0, 0.0, 1.0])
    unseen = tuple(track._replace(patches=None) for track in trajectories.tracks)
    return replace(trajectories, images=images, tracks=unseen, digits=torch.full_like(trajectories.digits, torch.nan))


@pytest.mark.parametrize(("height", "width"), [(20, 30), (30, 20)])
def test_a_sheet_has_the_box_at_the_windows_place(make_trajectories: Make, tmp_path: Path, height: int, width: int) -> None:
    made = marked(make_trajectories(1, 1, n=5, height=height, width=width, classes=0, blur=False))
    x, y, stride = torch.tensor([[9.0]]), torch.tensor([[8.5]]), torch.tensor([[2.0]])
    window = Window(x, y, stride, torch.full_like(x, torch.nan), torch.ones_like(x))
    trajectory_sheet(replace(made, tracks=(made.tracks[0]._replace(window=window),)), tmp_path / "sheet.png")
    picture = pixels(tmp_path / "sheet.png")
    spots = found(picture, (255, 0, 255))[:, ::-1]
    first = (spots[spots[:, 0] < spots[:, 0].mean()]).mean(axis=0)  # the place of pixel (1, 1) of the image
    scale = (spots[spots[:, 0] > spots[:, 0].mean()].mean(axis=0) - first) / (width - 3, height - 3)
    box = (found(picture, 255 * time_colors(1)[0], 25)[:, ::-1] - first) / scale + 1
    box = box[(box < (width, height)).all(axis=1)]  # not the legend
    np.testing.assert_allclose(box.min(axis=0), (5, 4.5), atol=1.5 / scale.min())  # 9 - 2 * 2, 8.5 - 2 * 2
    np.testing.assert_allclose(box.max(axis=0), (13, 12.5), atol=1.5 / scale.min())


def believing(trajectories: Trajectories, *chances: float) -> Trajectories:
    """Returns trajectories of one image of class 0, with these probabilities of class 1 by step and the rest for class 2."""
    belief = torch.zeros(1, len(chances), 10)
    belief[0, :, 1] = torch.tensor(chances)
    belief[0, :, 2] = 1 - belief[0, :, 1]
    return replace(trajectories, probabilities=belief, labels=torch.zeros(1, dtype=torch.long))


def test_bars_are_as_long_as_the_probabilities_and_the_largest_is_in_times_color(make_trajectories: Make, tmp_path: Path) -> None:
    trajectories = believing(make_trajectories(1, 2, patches=False), 0.9, 0.3)
    trajectory_sheet(trajectories, tmp_path / "sheet.png")
    picture = pixels(tmp_path / "sheet.png")
    picture = picture[: len(picture) - 50, 270:]  # not the image, not the legend
    first, second = (found(picture, 255 * color) for color in time_colors(2))
    widths = [np.ptp(bar[:, 1]) + 1 for bar in (first, second)]
    assert widths[0] / widths[1] == pytest.approx(0.9 / 0.7, rel=0.06)
    assert second[:, 0].mean() - first[:, 0].mean() == pytest.approx(0.125 * 110, abs=1.5)  # one class below, on the next row
    assert second[:, 1].min() - first[:, 1].min() == pytest.approx(0.62 * 110, abs=1.5)  # one step to the right
    assert found(picture, GREEN_BAND)[:, 0].max() < first[:, 0].min()  # class 0 above class 1


def test_the_true_class_is_shown_even_if_it_is_the_least_probable_of_many(make_trajectories: Make, tmp_path: Path) -> None:
    made = make_trajectories(1, 2, classes=43)
    assert made.probabilities is not None
    least = replace(made, labels=made.probabilities[:, -1].argmin(dim=-1))
    trajectory_sheet(least, tmp_path / "sheet.png")
    assert len(found(pixels(tmp_path / "sheet.png"), GREEN_BAND)) > 500


def test_only_known_errors_are_red(make_trajectories: Make, tmp_path: Path) -> None:
    made = believing(make_trajectories(1, 2), 0.9, 0.3)
    for label, red in ((0, True), (2, False), (1, True), (UNKNOWN, False)):
        trajectory_sheet(replace(made, labels=torch.tensor([label])), tmp_path / "sheet.png")
        assert (len(found(pixels(tmp_path / "sheet.png"), RED)) > 20) == red


def test_every_image_adds_a_row_of_the_same_height(make_trajectories: Make, tmp_path: Path) -> None:
    heights = []
    for count in (1, 2, 3):
        trajectory_sheet(make_trajectories(count, 2), tmp_path / "sheet.png")
        heights.append(len(pixels(tmp_path / "sheet.png")))
    assert heights[2] - heights[1] == heights[1] - heights[0] > 100


def test_images_of_different_sizes_are_letterboxed_in_rows_of_the_same_size(make_trajectories: Make, tmp_path: Path) -> None:
    wide, tall = (marked(make_trajectories(1, 2, height=h, width=w, classes=0)) for h, w in ((20, 60), (60, 20)))
    trajectory_sheet([wide, tall], tmp_path / "sheet.png")
    picture = pixels(tmp_path / "sheet.png")
    first, second = np.split(picture[: len(picture) - 46], 2)  # without the legend
    spots = [found(row, (255, 0, 255)) for row in (first, second)]  # pixels near opposite corners of the image
    spans = [np.ptp(places, axis=0) for places in spots]
    np.testing.assert_allclose(spans[0], spans[1][::-1], atol=2)
    assert spans[0][1] / spans[0][0] == pytest.approx(57 / 17, rel=0.1)
    middles = [(places.min(axis=0) + places.max(axis=0)) / 2 for places in spots]
    np.testing.assert_allclose(middles[0], middles[1], atol=2)
    trajectory_gif([wide, tall], tmp_path / "film.gif")
    shown, _ = frames(tmp_path / "film.gif")
    assert len(shown) == 2


def test_trajectories_of_one_size_are_drawn_alike_in_one_part_or_several(make_trajectories: Make, tmp_path: Path) -> None:
    made = make_trajectories(3, 2)
    for name, draw in (("sheet.png", trajectory_sheet), ("film.gif", trajectory_gif)):
        draw(made, tmp_path / name)
        draw([made.rows(torch.tensor([0, 1])), made.rows(torch.tensor([2]))], tmp_path / f"parts-{name}")
        assert (tmp_path / name).read_bytes() == (tmp_path / f"parts-{name}").read_bytes()


def test_a_picture_is_called_by_its_name(make_trajectories: Make, tmp_path: Path) -> None:
    made, sheets = make_trajectories(1, 2), []
    for names in ((), ("a.png",), ("b.png",), ("a.png",)):
        trajectory_sheet(replace(made, names=names), tmp_path / "sheet.png")
        sheets.append(pixels(tmp_path / "sheet.png"))
    differs = [np.argwhere((sheet != sheets[1]).any(axis=-1)) for sheet in sheets]
    assert [len(place) > 0 for place in differs] == [True, False, True, False]
    assert differs[2].max(axis=0)[0] < 0.24 * 110  # in the title only


def test_a_sheet_is_wider_by_the_names_of_its_classes(make_trajectories: Make, tmp_path: Path) -> None:
    made, widths = make_trajectories(2, 6), []
    for names in (None, tuple("abcdefghij"), tuple(f"a long name {k}" for k in range(10))):
        for draw, path in ((trajectory_sheet, tmp_path / "sheet.png"), (trajectory_gif, tmp_path / "film.gif")):
            draw(replace(made, class_names=names), path)
            with Image.open(path) as picture:
                widths.append(picture.width)
    assert widths[:2] == widths[2:4]
    assert widths[4] > widths[2]
    assert widths[5] > widths[3]


def test_titles_have_the_names_of_classes(make_trajectories: Make) -> None:
    words, _ = verdict(1, 2, 0.5, ["cat", "dog", "great white shark"])
    assert words == "dog, predicted great white... (50 %)"
    assert verdict(-1, 0, None, ["cat"])[0] == "predicted cat"
    made = make_trajectories(1, 2)
    assert sheet_png(made) != sheet_png(replace(made, class_names=tuple(f"class {k}" for k in range(10))))


def test_parts_with_other_steps_do_not_go_on_one_sheet(make_trajectories: Make, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"same number of steps, got \[2, 3\]"):
        trajectory_sheet([make_trajectories(1, 2), make_trajectories(1, 3)], tmp_path / "sheet.png")


def test_each_glimpse_is_drawn_from_0_to_its_largest_number(make_trajectories: Make, tmp_path: Path) -> None:
    made = make_trajectories(1, 3, n=4, classes=0)
    seen = torch.tensor([1.0, 4.0, 0.004])[None, :, None, None, None].repeat(1, 1, 1, 4, 4)
    seen[..., :2, :] /= 4
    trajectory_sheet(replace(made, tracks=(made.tracks[0]._replace(patches=seen),)), tmp_path / "sheet.png")
    picture = pixels(tmp_path / "sheet.png")[:, 270:]
    columns = np.unique(found(picture, (64, 64, 64), 1)[:, 1] // 68)  # a quarter of the largest number; 68 pixels a step
    assert columns.tolist() == [0, 1]
    assert len(found(picture, (64, 64, 64), 1)) > 2 * 45 * 22
    faint = 255 * 0.004 / (0.02 * 4)  # a glimpse of next to nothing stays dark
    assert len(found(picture, (round(faint),) * 3, 1)) > 45 * 22


# Animations


def test_an_animation_shows_each_step_and_holds_the_last(make_trajectories: Make, tmp_path: Path) -> None:
    made = make_trajectories(5, 3, blur=False)
    trajectory_gif(made, tmp_path / "film.gif", seconds_per_step=0.3)
    shown, times = frames(tmp_path / "film.gif")
    assert times == [300, 300, 2000]
    for t, picture in enumerate(shown):
        counts = [len(found(picture, 255 * color, 10)) for color in time_colors(3)]
        assert np.argmax(counts) == t
        assert max(counts[t + 1 :], default=0) < 0.05 * counts[t]  # the edges of red letters become one of the colors of the file


def test_the_box_of_an_animation_moves_with_the_window(make_trajectories: Make, tmp_path: Path) -> None:
    made = marked(make_trajectories(1, 2, height=30, width=30, n=5, classes=0))
    x, y, stride = torch.tensor([[8.0, 20.0]]), torch.tensor([[10.0, 13.0]]), torch.full((1, 2), 1.5)
    window = Window(x, y, stride, torch.full_like(x, torch.nan), torch.ones_like(x))
    trajectory_gif(replace(made, tracks=(made.tracks[0]._replace(window=window),)), tmp_path / "film.gif")
    shown, _ = frames(tmp_path / "film.gif")
    spots = found(shown[0], (255, 0, 255))
    scale = np.ptp(spots, axis=0).mean() / 28  # from the first to the last magenta pixel, inclusive
    boxes = [found(picture, 255 * color, 12) for picture, color in zip(shown, time_colors(2), strict=True)]
    middle = [(box.min(axis=0) + box.max(axis=0)) / 2 for box in boxes]
    np.testing.assert_allclose((middle[1] - middle[0]) / scale, (3, 12), atol=0.35)


def test_an_animation_of_training_has_a_frame_for_each_checkpoint(make_trajectories: Make, tmp_path: Path) -> None:
    moments = [(1000 * k, replace(make_trajectories(3, 2, first=k), images=torch.zeros(3, 1, 20, 30))) for k in range(3)]
    learning_gif(moments, tmp_path / "learning.gif", seconds_per_frame=1.0)
    shown, times = frames(tmp_path / "learning.gif")
    assert times == [1000, 1000, 3000]
    assert len({picture.tobytes() for picture in shown}) == 3
    titles = [picture[:35].tobytes() for picture in shown]
    assert len(set(titles)) == 3


def test_a_compact_sheet_is_as_wide_as_its_columns(make_trajectories: Make) -> None:
    trajectories = make_trajectories(6, 2)
    three, six = (Image.open(io.BytesIO(sheet_png(trajectories, columns=columns))) for columns in (3, 6))
    assert three.format == "PNG"
    assert six.width / three.width == pytest.approx(2, rel=0.05)
    assert six.height < three.height


# Refusals


@pytest.mark.parametrize("draw", [trajectory_sheet, trajectory_gif])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": torch.zeros(3, dtype=torch.long)}, r"labels must have shape \(2,\), got \(3,\)"),
        ({"digits": torch.zeros(2)}, r"digits must have shape \(2, 2\), got \(2,\)"),
        ({"probabilities": torch.zeros(2, 4, 10)}, r"probabilities must have shape \(2, 3, K\), got \(2, 4, 10\)"),
        ({"images": torch.zeros(2, 4, 9, 9)}, r"images .*\(2, 4, 9, 9\)"),
        ({"images": torch.zeros(0, 1, 9, 9)}, "nothing empty"),
        ({"tracks": ()}, "at least one track"),
    ],
)
def test_trajectories_that_do_not_fit_are_refused_and_nothing_is_written(
    make_trajectories: Make, tmp_path: Path, draw: Callable[..., None], change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        draw(replace(make_trajectories(2, 3), **change), tmp_path / ("a.png" if draw is trajectory_sheet else "a.gif"))
    assert not list(tmp_path.iterdir())


def test_another_ending_and_too_many_images_are_refused(make_trajectories: Make, tmp_path: Path) -> None:
    made = make_trajectories(17, 1)
    with pytest.raises(ValueError, match=r"end in \.png"):
        trajectory_sheet(made, tmp_path / "a.gif")
    with pytest.raises(ValueError, match=r"end in \.gif"):
        learning_gif([(0, made)], tmp_path / "a.png")
    with pytest.raises(ValueError, match="at most 16 images, got 17"):
        trajectory_gif(made, tmp_path / "a.gif")
    with pytest.raises(ValueError, match=r"at least 0\.02, got 0"):
        trajectory_gif(made.rows(torch.tensor([0])), tmp_path / "a.gif", seconds_per_step=0)
    with pytest.raises(ValueError, match="columns must be at least 1, got 0"):
        sheet_png(made, columns=0)


@pytest.mark.parametrize("counts", [(), (1, 2)])
def test_an_animation_of_training_needs_the_same_images_in_every_frame(
    make_trajectories: Make, tmp_path: Path, counts: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="images of one shape"):
        learning_gif([(k, make_trajectories(count, 2)) for k, count in enumerate(counts)], tmp_path / "a.gif")
