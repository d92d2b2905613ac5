"""Sheets of windows, checked by their rendered pixels: boxes are where the numbers place them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from glimpse.attention.track import Track
from glimpse.attention.window import Window, read
from glimpse.figures.files import save
from glimpse.figures.sheets import Looked, window_sheet
from glimpse.figures.style import time_colors
from tests.helpers.pixels import pixels, places

MAGENTA = (1.0, 0.0, 1.0)
GRAY = 0.4


def windows(*boxes: tuple[float, float, float]) -> Window:
    """Returns one image's windows over time, without blur, fields (1, T), from (center_x, center_y, stride)."""
    x, y, stride = torch.tensor(boxes).T[:, None]
    return Window(x, y, stride, torch.full_like(x, torch.nan), torch.ones_like(x))


def marked(height: int, width: int, *spots: tuple[int, int]) -> Tensor:
    """Returns a gray RGB image (1, 3, H, W) with magenta pixels at x, y."""
    image = torch.full((1, 3, height, width), GRAY)
    for x, y in spots:
        image[0, :, y, x] = torch.tensor(MAGENTA)
    return image


def sheet(path: Path, images: Tensor, window: Window, predictions: Tensor | None = None, **options: Any) -> NDArray[np.uint8]:
    """Draws a sheet with label 3 everywhere and returns its picture."""
    predictions = torch.full(window.center_x.shape, 3) if predictions is None else predictions
    labels = options.pop("labels", torch.full((len(images),), 3))
    looked = Looked(
        images, [Track("glimpse", 0, options.pop("n", 5), window)], labels, predictions, options.pop("probabilities", None)
    )
    save(path, window_sheet(looked, **options))
    return pixels(path)


def box_color(t: int, glimpses: int) -> tuple[float, ...]:
    """Returns the color of a glimpse in the legend."""
    return tuple(time_colors(glimpses)[t])


def scale_and_origin(picture: NDArray[np.uint8], x: int, y: int, far_x: int, far_y: int) -> tuple[float, NDArray[Any]]:
    """Returns picture pixels per image pixel, and where the image's pixel (0, 0) is centered, from two magenta pixels."""
    spots = places(picture, MAGENTA)
    middle = spots.mean(axis=0)
    first, last = (spots[mask].mean(axis=0) for mask in ((spots < middle).all(axis=1), (spots > middle).all(axis=1)))
    scale = (last - first) / (far_x - x, far_y - y)
    assert scale[0] == pytest.approx(scale[1], rel=0.02)
    return float(scale.mean()), first - scale * (x, y)


@pytest.mark.parametrize(("height", "width"), [(30, 30), (20, 40), (40, 20)])
def test_a_box_runs_through_the_centers_of_the_outermost_filters(tmp_path: Path, height: int, width: int) -> None:
    image = marked(height, width, (1, 1), (width - 2, height - 2))
    picture = sheet(tmp_path / "sheet.png", image, windows((9.0, 11.0, 2.5)))
    scale, origin = scale_and_origin(picture, 1, 1, width - 2, height - 2)
    found = (places(picture, box_color(0, 1), tolerance=30) - origin) / scale  # in pixels of the image
    found = found[(found > -1).all(axis=1) & (found < (width, height)).all(axis=1)]  # not the legend
    line = 1.2 / scale  # the line is two picture pixels wide
    np.testing.assert_allclose(found.min(axis=0), (4, 6), atol=line)  # 9 - 2 * 2.5, 11 - 2 * 2.5
    np.testing.assert_allclose(found.max(axis=0), (14, 16), atol=line)


def test_the_box_encloses_the_pixels_that_the_window_reads(tmp_path: Path) -> None:
    """A narrow window reads the corner pixels of the drawn box."""
    corners = [(4, 6), (14, 6), (4, 16), (14, 16)]
    window = windows((9.0, 11.0, 2.5))
    glimpse = read(marked(30, 30, *corners), Window(*(field[:, 0] for field in window))._replace(sigma=torch.tensor([0.1])), 5)
    torch.testing.assert_close(glimpse[0, :, [0, 0, -1, -1], [0, -1, 0, -1]], torch.tensor(MAGENTA)[:, None].expand(3, 4))
    picture = sheet(tmp_path / "sheet.png", marked(30, 30, *corners), window)
    box, spots = places(picture, box_color(0, 1), tolerance=30), places(picture, MAGENTA)
    middle = spots.mean(axis=0)
    for side in ((-1, -1), (1, -1), (-1, 1), (1, 1)):
        spot = spots[(np.sign(spots - middle) == side).all(axis=1)]
        inside = (box >= spot.min(axis=0) - 1).all(axis=1) & (box <= spot.max(axis=0) + 1).all(axis=1)
        assert np.abs(box[inside].mean(axis=0) - spot.mean(axis=0)).max() < 4  # of a spot 7 wide: the corner is on it


def test_each_glimpse_has_the_color_of_its_time(tmp_path: Path) -> None:
    picture = sheet(tmp_path / "sheet.png", marked(40, 40), windows((8.0, 8.0, 1.5), (20.0, 20.0, 1.5), (32.0, 32.0, 1.5)))
    centers = []
    for t in range(3):
        found = places(picture, box_color(t, 3), tolerance=8)
        upper = found[found[:, 1] < 0.75 * len(picture)]  # not the text and legend below
        centers.append((upper.min(axis=0) + upper.max(axis=0)) / 2)
    steps = np.diff(centers, axis=0)
    assert (steps > 20).all()
    np.testing.assert_allclose(steps[0], steps[1], atol=3)


def test_the_path_joins_the_centers(tmp_path: Path) -> None:
    picture = sheet(tmp_path / "sheet.png", marked(41, 41), windows((5.0, 20.0, 0.5), (35.0, 20.0, 0.5)))
    frame = places(picture, (GRAY,) * 3)
    column, row = np.median(frame, axis=0).astype(int)
    middle = picture[row - 4 : row + 5, column]  # between the boxes the image is gray except for the path
    assert middle.max() > 255 * GRAY + 40


def test_a_wrong_prediction_is_red_and_a_right_one_is_not(tmp_path: Path) -> None:
    window, red = windows((9.0, 9.0, 1.0)), (0xC8 / 255, 0x1E / 255, 0x1E / 255)
    right = sheet(tmp_path / "right.png", marked(20, 20), window, torch.tensor([[3]]))
    wrong = sheet(tmp_path / "wrong.png", marked(20, 20), window, torch.tensor([[8]]))
    assert len(places(right, red, tolerance=5)) == 0
    assert len(places(wrong, red, tolerance=5)) > 20


def test_only_the_last_prediction_makes_an_image_wrong(tmp_path: Path) -> None:
    window, red = windows((9.0, 9.0, 1.0), (9.0, 9.0, 0.5)), (0xC8 / 255, 0x1E / 255, 0x1E / 255)
    picture = sheet(tmp_path / "sheet.png", marked(20, 20), window, torch.tensor([[8, 3]]))
    assert len(places(picture, red, tolerance=5)) == 0


def test_every_image_is_on_the_sheet_in_rows(tmp_path: Path) -> None:
    images = torch.cat([marked(10, 10, (5, 5))] * 7)
    window = Window(*(field.expand(7, 1) for field in windows((2.0, 2.0, 0.5))))
    spots = places(sheet(tmp_path / "sheet.png", images, window, columns=3), MAGENTA)
    groups = {tuple(spot // 40) for spot in spots}
    corners = sorted({(x, y) for x, y in groups if (x - 1, y) not in groups and (x, y - 1) not in groups}, key=lambda c: c[::-1])
    assert len(corners) == 7
    assert len({x for x, _ in corners}) == 3


def test_gray_images_and_probabilities_and_other_precisions_are_drawn(tmp_path: Path) -> None:
    window = Window(*(field.bfloat16().requires_grad_() for field in windows((9.0, 9.0, 1.0), (8.0, 8.0, 1.0))))
    picture = sheet(tmp_path / "sheet.png", torch.full((1, 1, 20, 20), GRAY), window, probabilities=torch.tensor([[0.4, 0.987]]))
    assert len(places(picture, (GRAY,) * 3)) > 5000


def test_a_long_sequence_and_a_window_of_one_filter_are_drawn(tmp_path: Path) -> None:
    assert sheet(tmp_path / "sheet.png", marked(20, 20), windows(*[(9.0, 9.0, 1.0)] * 64), n=1).size


def test_nothing_is_wrong_if_the_label_is_unknown(tmp_path: Path) -> None:
    red = (0xC8 / 255, 0x1E / 255, 0x1E / 255)
    picture = sheet(
        tmp_path / "sheet.png", marked(20, 20), windows((9.0, 9.0, 1.0)), torch.tensor([[8]]), labels=torch.tensor([-1])
    )
    assert len(places(picture, red, tolerance=5)) == 0
    assert len(places(picture[-130:-40], box_color(0, 1), tolerance=30)) > 5  # the class below the image is not gray


def test_a_sheet_without_predictions_has_no_strip(tmp_path: Path) -> None:
    images, window = marked(20, 20), windows((9.0, 9.0, 1.0))
    for name, predictions in (("with.png", torch.tensor([[3]])), ("without.png", None)):
        save(tmp_path / name, window_sheet(Looked(images, [Track("read", 0, 5, window)], torch.tensor([3]), predictions)))
    assert len(pixels(tmp_path / "without.png")) < len(pixels(tmp_path / "with.png")) - 15


def sheet_arguments() -> dict[str, Any]:
    """Returns matching arguments: two images, three glimpses."""
    window = Window(*(field.expand(2, 3) for field in windows((9.0, 9.0, 1.0))))
    return {
        "images": marked(20, 20).expand(2, 3, 20, 20),
        "tracks": [Track("glimpse", 0, 5, window)],
        "predictions": torch.zeros(2, 3, dtype=torch.long),
        "labels": torch.zeros(2, dtype=torch.long),
    }


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("images", torch.zeros(2, 3, 20), r"images .*\(2, 3, 20\)"),
        ("images", torch.zeros(2, 2, 20, 20), r"images .*\(2, 2, 20, 20\)"),
        ("images", torch.zeros(0, 1, 20, 20), r"images .*\(0, 1, 20, 20\)"),
        ("images", torch.zeros(3, 1, 20, 20), r"center_x must have shape \(3, 3\), got \(2, 3\)"),
        ("predictions", torch.zeros(2), r"predictions .*\(2,\)"),
        ("predictions", torch.zeros(2, 4), r"predictions must have shape \(2, 3\), got \(2, 4\)"),
        ("labels", torch.zeros(3), r"labels must have shape \(2,\), got \(3,\)"),
        ("probabilities", torch.zeros(2, 3, 10), r"probabilities must have shape \(2, 3\), got \(2, 3, 10\)"),
        ("digits", torch.zeros(2), r"digits must have shape \(2, 2\), got \(2,\)"),
        ("tracks", [], "at least one track"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_with_their_values(name: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        window_sheet(Looked(**{**sheet_arguments(), name: value}))


def test_a_sheet_without_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="columns must be at least 1, got 0"):
        window_sheet(Looked(**sheet_arguments()), columns=0)
