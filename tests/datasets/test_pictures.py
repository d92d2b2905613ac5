"""Pictures fitted to a model: their range and ground, and the changes against plain loops and Pillow."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glimpse.datasets.pictures import facts_of, fitted, ink_extent, picture_paths, resized_to_fit
from glimpse.settings.requests import ImageSelection, PictureHandling

NOISE = torch.rand(3, 20, 31, generator=torch.Generator().manual_seed(0))


def digit(ground: float, ink: float, side: int = 100) -> torch.Tensor:
    """Returns a gray picture of a vertical bar, with shading and noise as on a photograph."""
    noise = 0.03 * torch.randn(1, side, side, generator=torch.Generator().manual_seed(1))
    image = torch.full((1, side, side), ground) + torch.linspace(-0.08, 0.08, side) + noise
    image[:, side // 5 : -side // 5, side // 2 : side // 2 + side // 12] = ink
    return image.clamp(0, 1)


@pytest.mark.parametrize(
    ("ground", "ink", "expected"),
    [
        (1.0, 0.0, "light"),
        (0.7, 0.1, "light"),
        (0.45, 0.05, "light"),  # paper in a dark room
        (0.0, 1.0, "dark"),
        (0.3, 0.9, "dark"),
        (0.6, 1.0, "dark"),
    ],
)
def test_the_ground_is_found_by_the_border_whatever_the_exposure(ground: float, ink: float, expected: str) -> None:
    assert facts_of(digit(ground, ink)).ground == expected
    assert facts_of(1 - digit(ground, ink)).ground == {"dark": "light", "light": "dark"}[expected]


def test_a_picture_without_a_clear_ground_has_none() -> None:
    assert facts_of(NOISE).ground is None
    assert facts_of(torch.full((3, 4, 5), 0.7)) == pytest.approx((0.7, 0.7, None, 0.7))


@pytest.mark.parametrize("side", [50, 100, 1000])
@pytest.mark.parametrize(("ground", "ink"), [(0.7, 0.1), (0.1, 0.9)])
def test_the_extent_of_the_ink_is_found_in_spite_of_noise(side: int, ground: float, ink: float) -> None:
    assert ink_extent(digit(ground, ink, side)) == pytest.approx(0.6, abs=0.01)
    assert ink_extent(torch.full((1, 30, 40), 0.5)) == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3)])
def test_the_smallest_pictures_have_a_range(size: tuple[int, int]) -> None:
    image = torch.linspace(0.2, 0.8, size[0] * size[1]).view(1, *size)
    low, high, _, _ = facts_of(image)
    assert (low, high) == (float(image.min()), float(image.max()))


def test_stretching_maps_the_range_of_all_channels_to_the_whole_range() -> None:
    found = fitted(0.1 + 0.06 * NOISE, PictureHandling(stretch=True))
    expected = (NOISE - NOISE.min()) / (NOISE.max() - NOISE.min())
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("invert", [False, True])
def test_stretching_makes_unevenly_lit_paper_even_and_keeps_the_ink(invert: bool) -> None:
    photograph = digit(0.7, 0.1)
    found = fitted(1 - photograph if invert else photograph, PictureHandling(stretch=True, invert=invert))
    ink = torch.zeros(1, 100, 100, dtype=torch.bool)
    ink[:, 20:-20, 50:58] = True
    assert (found[~ink] == 1).float().mean() > 0.9
    assert found[ink].max() < 0.05


def test_a_picture_is_stretched_before_it_is_inverted() -> None:
    found = fitted(0.06 * NOISE, PictureHandling(stretch=True, invert=True))
    torch.testing.assert_close(found, 1 - fitted(NOISE, PictureHandling(stretch=True)), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("side", "height", "width"), [(10, 6, 10), (31, 20, 31), (50, 32, 50), (1, 1, 1)])
def test_the_longer_side_is_resized_as_pillow_does_it(side: int, height: int, width: int) -> None:
    found = fitted(NOISE, PictureHandling(resize=side))
    assert found.shape == (3, height, width)
    for channel, expected in zip(found, NOISE, strict=True):
        picture = Image.fromarray(expected.numpy()).resize((width, height), Image.Resampling.BILINEAR)
        np.testing.assert_allclose(channel.numpy(), np.asarray(picture), atol=1e-5)


def test_padding_centers_the_picture_on_the_color_of_its_border() -> None:
    image = torch.full((3, 20, 30), 0.5)
    image[0], image[1] = 0.1, 0.9
    image[:, 5:15, 10:20] = NOISE[:, 5:15, 10:20]
    found = fitted(image, PictureHandling(pad=True), (51, 40))
    assert found.shape == (3, 51, 40)
    expected = torch.tensor([0.1, 0.9, 0.5])[:, None, None].repeat(1, 51, 40)
    expected[:, 15:35, 5:35] = image
    assert torch.equal(found, expected)


def test_a_side_longer_than_the_canvas_is_kept() -> None:
    assert fitted(NOISE, PictureHandling(pad=True), (28, 28)).shape == (3, 28, 31)


def test_a_resized_and_padded_picture_has_the_size_of_the_canvas() -> None:
    for height, width in ((20, 31), (31, 20), (300, 7), (3, 3), (97, 101)):
        for size in ((18, 27), (100, 100), (64, 33)):
            side = resized_to_fit(height, width, size)
            found = fitted(torch.rand(1, height, width), PictureHandling(resize=side, pad=True), size)
            assert tuple(found.shape[1:]) == size


def test_padding_to_an_unknown_size_is_refused() -> None:
    with pytest.raises(ValueError, match="--pad needs the size of the images"):
        fitted(NOISE, PictureHandling(pad=True))


def test_a_folder_stands_for_its_pictures_without_hidden_ones(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "notes.txt", ".hidden.png", "sub/c.webp", ".ipynb_checkpoints/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    single = tmp_path / "notes.txt"
    assert picture_paths([single, tmp_path]) == (single, tmp_path / "a.JPG", tmp_path / "b.png", tmp_path / "sub" / "c.webp")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty holds no pictures"):
        picture_paths([tmp_path / "empty"])


@pytest.mark.parametrize(
    ("handling", "said"), [({"resize": 0}, "resize must be in 1 to 16384, got 0"), ({"resize": 20_000}, "20000")]
)
def test_a_length_out_of_range_is_refused(handling: dict[str, int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        PictureHandling(**handling)  # type: ignore[arg-type]


@pytest.mark.parametrize("handling", [{"stretch": True}, {"invert": True}, {"resize": 28}, {"pad": True}])
def test_images_of_a_set_are_not_changed(handling: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=f"--{next(iter(handling))} is for --image"):
        ImageSelection(handling=PictureHandling(**handling))  # type: ignore[arg-type]
