"""The retina: box means of every scale against a loop over pixels, positions of patches, and corners far outside the image."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from glimpse.attention.retina import Retina, patch_window
from glimpse.attention.window import Window
from tests.helpers.tensors import images


def corners(count: int, height: int, width: int, seed: int = 1) -> tuple[Tensor, Tensor]:
    """Returns seeded columns and rows, some far outside the image on either side, both of shape (count,)."""
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randint(-width, 2 * width, (count,), generator=generator),
        torch.randint(-height, 2 * height, (count,), generator=generator),
    )


def first_pixel(corner: int, n: int, scale: int) -> int:
    """Returns the first pixel, along one axis, of the n boxes of 2^scale pixels centered on n pixels that start at a corner.

    If the position is between two pixels, it is the later one.
    """
    middle = corner + (n - 1) / 2
    return math.ceil(middle - (n * (1 << scale) - 1) / 2)


def looped(image: np.ndarray, x: int, y: int, n: int, scale: int) -> np.ndarray:
    """Returns a patch of an image (C, H, W) as means over its pixels one by one, shape (C, n, n), zero outside the image."""
    channels, height, width = image.shape
    side, left, top = 2**scale, first_pixel(x, n, scale), first_pixel(y, n, scale)
    patch = np.zeros((channels, n, n))
    for channel, i, j in np.ndindex(channels, n, n):
        for row in range(top + i * side, top + (i + 1) * side):
            for column in range(left + j * side, left + (j + 1) * side):
                if 0 <= row < height and 0 <= column < width:
                    patch[channel, i, j] += image[channel, row, column] / side**2
    return patch


@pytest.mark.parametrize(
    ("n", "scales", "channels", "height", "width"),
    [(4, 3, 1, 11, 11), (3, 4, 2, 9, 17), (5, 2, 3, 14, 8), (1, 4, 1, 7, 12), (2, 5, 1, 1, 1), (6, 1, 2, 5, 4), (7, 3, 1, 3, 20)],
)
def test_every_number_is_the_mean_over_its_box(n: int, scales: int, channels: int, height: int, width: int) -> None:
    batch = images(12, channels, height, width)
    x, y = corners(12, height, width)
    x[0], y[0] = (width - n) // 2, (height - n) // 2
    x[1], y[1] = -n * 2 ** (scales - 1), 0  # all but the coarsest patch are outside
    seen = Retina(batch, n, scales).sample(x, y)
    assert seen.shape == (12, scales, channels, n, n)
    for b in range(12):
        for scale in range(scales):
            expected = looped(batch[b].numpy(), int(x[b]), int(y[b]), n, scale)
            np.testing.assert_allclose(seen[b, scale].numpy(), expected, rtol=0, atol=1e-14)


def test_the_finest_patch_is_a_crop() -> None:
    batch = images(2, 3, 20, 30)
    seen = Retina(batch, 6, 3).sample(torch.tensor([4, 24]), torch.tensor([7, 14]))
    assert torch.equal(seen[0, 0], batch[0, :, 7:13, 4:10])
    assert torch.equal(seen[1, 0], batch[1, :, 14:20, 24:30])


def test_a_patch_over_the_whole_image_keeps_its_mean() -> None:
    batch = images(3, 2, 16, 16)
    seen = Retina(batch, 4, 4).sample(torch.tensor([6, 6, 6]), torch.tensor([6, 6, 6]))  # scale 2 covers 16 x 16
    torch.testing.assert_close(seen[:, 2].mean(dim=(2, 3)), batch.mean(dim=(2, 3)), rtol=0, atol=1e-14)
    torch.testing.assert_close(seen[:, 3].mean(dim=(2, 3)), batch.mean(dim=(2, 3)) / 4, rtol=0, atol=1e-14)


@pytest.mark.parametrize("away", [10**3, 10**6, -(10**3), -(10**6)])
@pytest.mark.parametrize("n", [3, 4])
def test_patches_far_outside_are_zero(away: int, n: int) -> None:
    retina = Retina(1 + images(1, 2, 9, 13), n, 4)
    for x, y in ((away, 4), (4, away), (away, away), (away, -away)):
        assert torch.equal(retina.sample(torch.tensor([x]), torch.tensor([y])), torch.zeros(1, 4, 2, n, n, dtype=torch.float64))


@pytest.mark.parametrize(("n", "height", "width"), [(4, 9, 14), (3, 14, 9), (5, 8, 8)])
def test_one_pixel_lights_the_numbers_whose_boxes_contain_it(n: int, height: int, width: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(40):
        row, column = int(rng.integers(height)), int(rng.integers(width))
        image = torch.zeros(1, 1, height, width)
        image[0, 0, row, column] = 1
        retina = Retina(image, n, 3)
        x, y = (torch.tensor([int(rng.integers(-3, side))]) for side in (width, height))
        seen = retina.sample(x, y)[0, :, 0]
        for scale in range(3):
            window = patch_window(x, y, n, scale)
            offset = (np.arange(n) - (n - 1) / 2) * window.stride.item()
            down = np.abs(window.center_y.item() + offset - row) < 2**scale / 2  # the boxes that hold the pixel
            right = np.abs(window.center_x.item() + offset - column) < 2**scale / 2
            np.testing.assert_array_equal(seen[scale].numpy(), np.outer(down, right) / 4**scale)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 12])
def test_the_windows_are_the_grids_of_the_boxes_centers(n: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randint(-20, 60, (2, 4, 7), generator=generator)  # (B, T) each
    for scale in range(4):
        window = patch_window(x, y, n, scale)
        assert isinstance(window, Window)
        assert all(field.shape == (4, 7) for field in window)
        assert window.sigma.isnan().all()
        assert window.intensity.eq(1).all()
        assert window.stride.eq(2**scale).all()
        for b, t in np.ndindex(4, 7):
            for corner, center in ((x, window.center_x), (y, window.center_y)):
                first = first_pixel(int(corner[b, t]), n, scale)
                boxes = [np.mean(range(first + i * 2**scale, first + (i + 1) * 2**scale)) for i in range(n)]
                assert center[b, t].item() == np.mean(boxes)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 12])
def test_all_patches_have_one_center_but_for_half_a_pixel(n: int) -> None:
    corner = torch.tensor([7])
    for scale in range(5):
        away = patch_window(corner, corner, n, scale).center_x.item() - (7 + (n - 1) / 2)
        assert away == (0.5 if n % 2 and scale else 0.0)


@pytest.mark.parametrize("n", [1, 4, 5])
def test_the_corner_is_that_of_the_nearest_patch(n: int) -> None:
    retina = Retina(images(1, 1, 30, 40), n, 2)
    center = torch.linspace(-25, 60, 1001, dtype=torch.float64).view(7, 11, 13)
    corner = retina.corner(center)
    assert (corner.dtype, corner.shape) == (torch.int64, center.shape)
    for given, found in zip(center.flatten().tolist(), corner.flatten().tolist(), strict=True):
        nearest = min(abs(start + (n - 1) / 2 - given) for start in range(found - 3, found + 4))
        assert abs(found + (n - 1) / 2 - given) == pytest.approx(nearest, abs=1e-12)  # midway either will do


def test_an_image_has_the_same_patches_in_any_batch() -> None:
    batch, (x, y) = images(5, 2, 12, 19), corners(5, 12, 19)
    together = Retina(batch, 4, 3).sample(x, y)
    for b in range(5):
        alone = Retina(batch[b : b + 1], 4, 3).sample(x[b : b + 1], y[b : b + 1])
        assert torch.equal(alone[0], together[b])


def test_sampling_changes_neither_its_inputs_nor_later_samples() -> None:
    batch, (x, y) = images(5, 2, 12, 19), corners(5, 12, 19)
    kept, retina = (batch.clone(), x.clone(), y.clone()), Retina(batch, 4, 3)
    first = retina.sample(x, y)
    retina.sample(y, x)
    assert torch.equal(retina.sample(x, y), first)
    assert torch.equal(batch, kept[0])
    assert torch.equal(x, kept[1])
    assert torch.equal(y, kept[2])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_patches_have_the_dtype_of_the_images(dtype: torch.dtype) -> None:
    seen = Retina(images(1, 1, 8, 8).to(dtype), 4, 3).sample(torch.tensor([1]), torch.tensor([2]))
    assert seen.dtype == dtype


def test_a_patch_passes_the_gradient_to_the_pixels_it_is_the_mean_of() -> None:
    image, (x, y) = images(2, 1, 6, 7).requires_grad_(), (torch.tensor([-1, 3]), torch.tensor([2, 5]))
    assert torch.autograd.gradcheck(lambda pixels: Retina(pixels, 3, 3).sample(x, y), image)
