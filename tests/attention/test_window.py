"""The window, read and write against plain loops over the paper's equations, finite differences and closed forms."""

import math

import numpy as np
import pytest
import torch

from glimpse.attention.filterbank import gaussian_filters
from glimpse.attention.window import LOG_LIMIT, Window, read, write
from tests.helpers.paper import paper_filters, paper_window
from tests.helpers.tensors import normal
from tests.helpers.windows import random_raw, single

SIZES = [(1, 9, 14, 1), (5, 14, 9, 3), (4, 7, 7, 2), (1, 1, 6, 3)]  # n, H, W, C


def paper_read(image: np.ndarray, raw: np.ndarray, n: int) -> np.ndarray:
    """Returns eq. 27 for one image (C, H, W), one sum over pixels at a time."""
    channels, height, width = image.shape
    g_x, g_y, delta, sigma, gamma = paper_window(raw, n, width, height)
    f_x, f_y = paper_filters(g_x, delta, sigma, n, width), paper_filters(g_y, delta, sigma, n, height)
    glimpse = np.zeros((channels, n, n))
    for c, j, i in np.ndindex(channels, n, n):
        glimpse[c, j, i] = gamma * sum(f_y[j, b] * image[c, b, a] * f_x[i, a] for b in range(height) for a in range(width))
    return glimpse


def paper_write(patch: np.ndarray, raw: np.ndarray, height: int, width: int) -> np.ndarray:
    """Returns eq. 29 for one patch (C, n, n), one sum over filters at a time."""
    channels, n, _ = patch.shape
    g_x, g_y, delta, sigma, gamma = paper_window(raw, n, width, height)
    f_x, f_y = paper_filters(g_x, delta, sigma, n, width), paper_filters(g_y, delta, sigma, n, height)
    image = np.zeros((channels, height, width))
    for c, b, a in np.ndindex(channels, height, width):
        image[c, b, a] = sum(f_y[j, b] * patch[c, j, i] * f_x[i, a] for j in range(n) for i in range(n)) / gamma
    return image


# The equations


@pytest.mark.parametrize(("n", "height", "width", "channels"), SIZES)
def test_decoding_equals_the_printed_equations(n: int, height: int, width: int, channels: int) -> None:
    raw = random_raw(6)
    window = Window.from_raw(raw, n=n, height=height, width=width)
    for row in range(6):
        g_x, g_y, delta, sigma, gamma = paper_window(raw[row].numpy(), n, width, height)
        printed = (g_x - 1, g_y - 1, delta if n > 1 else window.stride[row].item(), sigma, gamma)
        np.testing.assert_allclose([field[row].item() for field in window], printed, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("n", "height", "width", "channels"), SIZES)
def test_reading_equals_a_loop_over_the_printed_equations(n: int, height: int, width: int, channels: int) -> None:
    image, raw = normal(3, channels, height, width), random_raw(3)
    glimpse = read(image, Window.from_raw(raw, n=n, height=height, width=width), n)
    assert glimpse.shape == (3, channels, n, n)
    for row in range(3):
        np.testing.assert_allclose(glimpse[row].numpy(), paper_read(image[row].numpy(), raw[row].numpy(), n), rtol=0, atol=1e-10)


@pytest.mark.parametrize(("n", "height", "width", "channels"), SIZES)
def test_writing_equals_a_loop_over_the_printed_equations(n: int, height: int, width: int, channels: int) -> None:
    patch, raw = normal(3, channels, n, n), random_raw(3)
    image = write(patch, Window.from_raw(raw, n=n, height=height, width=width), height, width)
    assert image.shape == (3, channels, height, width)
    for row in range(3):
        printed = paper_write(patch[row].numpy(), raw[row].numpy(), height, width)
        np.testing.assert_allclose(image[row].numpy(), printed, rtol=0, atol=1e-10)


def test_writing_is_the_adjoint_of_reading_up_to_the_intensities() -> None:
    image, patch = normal(4, 2, 8, 13), normal(4, 2, 3, 3, seed=2)
    window = Window.from_raw(random_raw(4), n=3, height=8, width=13)
    seen = (read(image, window, 3) * patch).sum(dim=(1, 2, 3)) / window.intensity
    written = (image * write(patch, window, 8, 13)).sum(dim=(1, 2, 3)) * window.intensity
    torch.testing.assert_close(seen, written)


def test_a_narrow_window_on_every_pixel_copies_the_image_both_ways() -> None:
    image = normal(1, 3, 6, 6).float()
    window = single(2.5, 2.5, 1.0, 1e-3, 1.0)
    torch.testing.assert_close(read(image, window, 6), image)
    torch.testing.assert_close(write(image, window, 6, 6), image)


# Gradients


@pytest.mark.parametrize("n", [1, 2, 4])
def test_decoding_has_the_gradients_of_finite_differences(n: int) -> None:
    raw = random_raw(5).requires_grad_()
    # In one tensor, for gradcheck passes over an output that has lost its gradient.
    assert torch.autograd.gradcheck(lambda raw: torch.stack(Window.from_raw(raw, n=n, height=6, width=9)), raw)


@pytest.mark.parametrize("n", [1, 3])
def test_reading_has_the_gradients_of_finite_differences(n: int) -> None:
    window = Window.from_raw(random_raw(2), n=n, height=5, width=7)
    inputs = [tensor.detach().requires_grad_() for tensor in (normal(2, 2, 5, 7), *window)]
    assert torch.autograd.gradcheck(lambda image, *fields: read(image, Window(*fields), n), inputs)


@pytest.mark.parametrize("n", [1, 3])
def test_writing_has_the_gradients_of_finite_differences(n: int) -> None:
    window = Window.from_raw(random_raw(2), n=n, height=5, width=7)
    inputs = [tensor.detach().requires_grad_() for tensor in (normal(2, 2, n, n), *window)]
    assert torch.autograd.gradcheck(lambda patch, *fields: write(patch, Window(*fields), 5, 7), inputs)


@pytest.mark.parametrize("n", [1, 12])
@pytest.mark.parametrize("scale", [1.0, 1e2, 1e4])
def test_values_and_gradients_stay_finite_for_any_raw_numbers(n: int, scale: float) -> None:
    raw = (scale * normal(500, 5)).float().requires_grad_()
    window = Window.from_raw(raw, n=n, height=75, width=100)
    glimpse = read(normal(500, 1, 75, 100).float(), window, n)
    canvas = write(normal(500, 1, n, n).float(), window, 75, 100)
    for value in (*window, glimpse, canvas):
        assert value.isfinite().all()
    (gradient,) = torch.autograd.grad(glimpse.sum() + canvas.sum(), raw)
    assert gradient.isfinite().all()


# Pitfalls of public implementations


@pytest.mark.parametrize(("size", "n"), [(100, 12), (28, 2), (7, 7)])
def test_at_zero_the_grid_spans_the_first_to_the_last_pixel_exactly(size: int, n: int) -> None:
    window = Window.from_raw(torch.zeros(1, 5), n=n, height=size, width=size)
    column = torch.arange(float(size)).expand(1, 1, size, size)
    narrow = window._replace(sigma=torch.tensor([0.05]))
    expected = torch.linspace(0, size - 1, n)
    mu = window.center_x + window.stride * (torch.arange(n) - (n - 1) / 2)
    torch.testing.assert_close(mu, expected)
    torch.testing.assert_close(read(column, narrow, n)[0, 0, 0, [0, -1]], expected[[0, -1]])


def test_zero_means_the_image_center_and_one_means_just_beyond_the_last_pixel() -> None:
    raw = torch.tensor([[0.0, 0, 0, 0, 0], [1, 1, 0, 0, 0], [-1, -1, 0, 0, 0]])
    window = Window.from_raw(raw, n=5, height=75, width=100)
    torch.testing.assert_close(window.center_x, torch.tensor([49.5, 100.0, -1.0]))
    torch.testing.assert_close(window.center_y, torch.tensor([37.0, 75.0, -1.0]))


def test_the_longer_side_sets_the_stride_and_the_shorter_side_is_overrun_evenly() -> None:
    window = Window.from_raw(torch.zeros(1, 5), n=12, height=75, width=100)
    rows = window.center_y + window.stride * (torch.arange(12) - 5.5)
    torch.testing.assert_close(rows[[0, -1]], torch.tensor([-12.5, 86.5]))  # -11.5 to 87.5 counted from 1
    filters_y, filters_x = window.filters(n=12, height=75, width=100)
    assert filters_y.shape == (1, 12, 75)
    assert filters_x.shape == (1, 12, 100)


@pytest.mark.parametrize(("height", "width"), [(20, 40), (40, 20)])
def test_x_is_the_column_and_y_is_the_row_on_an_image_that_is_not_square(height: int, width: int) -> None:
    row, column = torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)), indexing="ij")
    image = torch.stack([row, column])[None]  # channel 0 holds y, channel 1 holds x
    glimpse = read(image, single(12.0, 7.0, 3.0, 0.1, 1.0), 3)[0]
    torch.testing.assert_close(glimpse[0], torch.tensor([4.0, 7, 10])[:, None].expand(3, 3))
    torch.testing.assert_close(glimpse[1], torch.tensor([9.0, 12, 15]).expand(3, 3))


def test_a_patch_is_written_at_its_column_and_row() -> None:
    patch = torch.zeros(1, 1, 3, 3)
    patch[0, 0, 0, 2] = 1  # up and to the right
    canvas = write(patch, single(12.0, 7.0, 3.0, 0.1, 1.0), 20, 40)[0, 0]
    assert canvas[4, 15].item() == pytest.approx(1)
    assert canvas.sum().item() == pytest.approx(1)


@pytest.mark.parametrize("sigma", [1e-3, 0.1, 1.0, 30.0])
def test_a_constant_image_reads_as_the_constant_wherever_the_window_is(sigma: float) -> None:
    for center in (-300.0, -0.5, 0.0, 14.5, 28.0, 500.0):
        glimpse = read(torch.full((1, 1, 30, 30), 2.0), single(center, center, 1.5, sigma, 3.0), 4)
        torch.testing.assert_close(glimpse, torch.full((1, 1, 4, 4), 6.0))


def test_a_window_far_outside_copies_the_corner_pixel() -> None:
    image = normal(1, 1, 10, 10).float()
    glimpse = read(image, single(1e4, -1e4, 1.0, 1.0, 1.0), 2)
    torch.testing.assert_close(glimpse, image[0, 0, 0, -1].expand(1, 1, 2, 2))


@pytest.mark.parametrize("log_var", [-1e4, -200.0, -103.0, 200.0, 1e4])
def test_no_logarithm_of_sigma_gives_nan(log_var: float) -> None:
    raw = torch.tensor([[0.1, 0.2, log_var, 0.0, 0.0]], requires_grad=True)  # exp underflows below about -103
    glimpse = read(normal(1, 1, 28, 28).float(), Window.from_raw(raw, n=3, height=28, width=28), 3)
    (gradient,) = torch.autograd.grad(glimpse.sum(), raw)
    assert glimpse.isfinite().all()
    assert gradient.isfinite().all()


def test_the_third_raw_number_is_the_logarithm_of_the_variance() -> None:
    raw = torch.tensor([[0.0, 0.0, math.log(9.0), 0.0, 0.0]])
    assert Window.from_raw(raw, n=3, height=8, width=8).sigma.item() == pytest.approx(3.0)


def test_intensity_multiplies_what_is_read_and_divides_what_is_written() -> None:
    plain, strong = single(3.0, 4.0, 1.0, 1.0, 1.0), single(3.0, 4.0, 1.0, 1.0, 4.0)
    image, patch = normal(1, 1, 8, 8).float(), normal(1, 1, 3, 3).float()
    torch.testing.assert_close(read(image, strong, 3), 4 * read(image, plain, 3))
    torch.testing.assert_close(write(patch, strong, 8, 8), write(patch, plain, 8, 8) / 4)


def test_no_raw_intensity_makes_the_canvas_infinite() -> None:
    for log_intensity in (-1e6, 1e6):
        raw = torch.tensor([[0.0, 0.0, 0.0, 0.0, log_intensity]])
        canvas = write(torch.ones(1, 1, 3, 3), Window.from_raw(raw, n=3, height=8, width=8), 8, 8)
        assert canvas.abs().max() <= 9 * math.exp(LOG_LIMIT)


def test_one_filter_has_a_finite_stride_that_changes_nothing() -> None:
    raw = random_raw(3).requires_grad_()
    window = Window.from_raw(raw, n=1, height=9, width=14)  # eq. 24 divides by n - 1
    torch.testing.assert_close(window.stride, 13 * raw[:, 3].exp())
    image = normal(3, 1, 9, 14)
    wider = window._replace(stride=100 * window.stride)
    assert torch.equal(read(image, window, 1), read(image, wider, 1))
    (gradient,) = torch.autograd.grad(read(image, window, 1).sum(), raw)
    assert gradient.isfinite().all()
    assert (gradient[:, 3] == 0).all()


def test_the_same_filters_serve_any_number_of_channels() -> None:
    image = normal(2, 5, 9, 11)
    window = Window.from_raw(random_raw(2), n=4, height=9, width=11)
    apart = torch.cat([read(image[:, [c]], window, 4) for c in range(5)], dim=1)
    torch.testing.assert_close(read(image, window, 4), apart)


def test_the_filters_of_a_window_are_the_filterbank() -> None:
    window = Window.from_raw(random_raw(2), n=3, height=6, width=8)
    filters_y, filters_x = window.filters(n=3, height=6, width=8)
    assert torch.equal(filters_y, gaussian_filters(window.center_y, window.stride, window.sigma, n_filters=3, n_pixels=6))
    assert torch.equal(filters_x, gaussian_filters(window.center_x, window.stride, window.sigma, n_filters=3, n_pixels=8))


# Errors


@pytest.mark.parametrize("shape", [(5,), (2, 4), (2, 6), (2, 5, 1)])
def test_raw_numbers_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="raw must have shape") as error:
        Window.from_raw(torch.zeros(shape), n=3, height=5, width=5)
    assert str(shape) in str(error.value)


@pytest.mark.parametrize(("n", "height", "width"), [(0, 5, 6), (3, 0, 6), (3, 5, -1)])
def test_sizes_below_one_are_refused_with_their_values(n: int, height: int, width: int) -> None:
    with pytest.raises(ValueError, match=f"got {n}, {height} and {width}"):
        Window.from_raw(torch.zeros(1, 5), n=n, height=height, width=width)


def test_an_image_without_a_channel_axis_is_refused() -> None:
    with pytest.raises(ValueError, match=r"image must have shape \(B, C, H, W\), got \(1, 8, 8\)"):
        read(torch.zeros(1, 8, 8), single(3.0, 4.0, 1.0, 1.0, 1.0), 3)


def test_a_window_for_another_number_of_images_is_refused() -> None:
    window = single(3.0, 4.0, 1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match=r"image.* 2 .*\(1,\)"):
        read(torch.zeros(2, 1, 8, 8), window, 3)
    with pytest.raises(ValueError, match=r"patch.* 2 .*\(1,\)"):
        write(torch.zeros(2, 1, 3, 3), window, 8, 8)


@pytest.mark.parametrize("field", Window._fields)
@pytest.mark.parametrize("shape", [(1,), (2, 1), (2, 7)])
def test_a_window_with_one_field_of_another_shape_is_refused(field: str, shape: tuple[int, ...]) -> None:
    window = Window.from_raw(torch.zeros(2, 5), n=3, height=8, width=8)._replace(**{field: torch.ones(shape)})
    with pytest.raises(ValueError, match="shape"):
        read(torch.zeros(2, 1, 8, 8), window, 3)
    with pytest.raises(ValueError, match="shape"):
        write(torch.zeros(2, 1, 3, 3), window, 8, 8)


def test_a_patch_that_is_not_square_is_refused() -> None:
    with pytest.raises(ValueError, match="patch must be square, got 3 x 4"):
        write(torch.zeros(1, 1, 3, 4), single(3.0, 4.0, 1.0, 1.0, 1.0), 8, 8)


def test_sizes_below_one_are_refused_by_read_and_write() -> None:
    window = single(3.0, 4.0, 1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="got 0 and 8"):
        read(torch.zeros(1, 1, 8, 8), window, 0)
    with pytest.raises(ValueError, match="got 3 and 0"):
        write(torch.zeros(1, 1, 3, 3), window, 0, 8)
