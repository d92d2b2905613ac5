"""The filterbank against a plain loop over the paper's equations, finite differences and closed forms."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from glimpse.attention.filterbank import gaussian_filters, paired_filters
from glimpse.attention.precision import at_least_float32
from tests.helpers.paper import paper_filters

CENTERS = (-1e6, -1e3, -15.0, -0.25, 0.0, 13.75, 49.5, 99.0, 114.0, 1e3, 1e6)
STRIDES = (0.0, 1e-3, 0.5, 1.0, 9.0, 1e3, 1e6)
SIGMAS = (1e-4, 1e-2, 0.3, 1.0, 14.0, 1e3, 1e4)


def parameters(batch: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Returns ordinary centers, strides and sigmas in float64, each of shape (batch,), some windows partly outside 0 to 30."""
    generator = torch.Generator().manual_seed(seed)
    uniform = torch.rand(3, batch, generator=generator, dtype=torch.float64)
    return 40 * uniform[0] - 5, 0.2 + 5 * uniform[1], 0.5 + 3 * uniform[2]


def grid(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Returns every combination of the extreme values, each tensor of shape (B,)."""
    axes = (torch.tensor(values, dtype=torch.float32).to(dtype) for values in (CENTERS, STRIDES, SIGMAS))
    center, stride, sigma = (axis.flatten() for axis in torch.meshgrid(*axes, indexing="ij"))
    return center, stride, sigma


def sweep(batch: int) -> tuple[Tensor, Tensor, Tensor]:
    """Returns a seeded sample of the whole range in float32, magnitudes spread evenly over their logarithms."""
    uniform = torch.rand(4, batch, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    sign = torch.where(uniform[3] < 0.5, -1.0, 1.0)
    return (sign * 10 ** (10 * uniform[0] - 4)).float(), (10 ** (12 * uniform[1] - 6)).float(), (10 ** (8 * uniform[2] - 4)).float()


@pytest.mark.parametrize(("n", "a"), [(1, 7), (2, 28), (5, 1), (12, 31)])
def test_filters_equal_a_loop_over_the_printed_equations(n: int, a: int) -> None:
    center, stride, sigma = parameters(8)
    ours = gaussian_filters(center, stride, sigma, n_filters=n, n_pixels=a)
    for row in range(8):
        printed = paper_filters(center[row].item() + 1, stride[row].item(), sigma[row].item(), n, a)
        np.testing.assert_allclose(ours[row].numpy(), printed, rtol=0, atol=1e-10)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_gradients_equal_finite_differences(n: int) -> None:
    inputs = [tensor.requires_grad_() for tensor in parameters(6)]

    def filters(*args: Tensor) -> Tensor:
        return gaussian_filters(*args, n_filters=n, n_pixels=11)

    assert torch.autograd.gradcheck(filters, inputs)
    assert torch.autograd.gradgradcheck(filters, inputs)


def test_filters_of_two_axes_at_once_equal_those_of_each_in_values_and_gradients() -> None:
    rows, stride, sigma = (tensor.requires_grad_() for tensor in parameters(6))
    columns = parameters(6, seed=1)[0].requires_grad_()
    inputs = (rows, columns, stride, sigma)
    paired = paired_filters(torch.stack((rows, columns)), stride, sigma, n_filters=5, n_pixels=30)
    single = torch.stack([gaussian_filters(center, stride, sigma, n_filters=5, n_pixels=30) for center in (rows, columns)])
    weight = torch.randn(paired.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    assert torch.equal(paired, single)
    gradients = (torch.autograd.grad((filters * weight).sum(), inputs) for filters in (paired, single))
    for ours, apart in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, apart, rtol=0, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 12])
@pytest.mark.parametrize("a", [1, 100])
@pytest.mark.parametrize("case", ["grid", "sweep"])
def test_rows_sum_to_one_and_all_is_finite_over_the_whole_range(n: int, a: int, case: str) -> None:
    inputs = [tensor.requires_grad_() for tensor in (grid(torch.float32) if case == "grid" else sweep(2000))]
    filters = gaussian_filters(*inputs, n_filters=n, n_pixels=a)
    weight = torch.randn(filters.shape, generator=torch.Generator().manual_seed(2))
    gradients = torch.autograd.grad((filters * weight).sum(), inputs, materialize_grads=True)
    assert filters.dtype == torch.float32
    assert (filters >= 0).all()
    torch.testing.assert_close(filters.sum(dim=-1), torch.ones(filters.shape[:2]), rtol=0, atol=2e-6)
    for name, gradient in zip(("center", "stride", "sigma"), gradients, strict=True):
        assert gradient.isfinite().all(), name


def test_float32_is_as_accurate_as_float64_where_positions_are_exact() -> None:
    """Quarter pixels up to 1e6 are exact in float32, so that only the exponent is rounded."""
    center, stride, sigma = grid(torch.float64)
    keep = (stride != 1e-3) & (stride < 1e6)
    exact = gaussian_filters(center[keep], stride[keep], sigma[keep], n_filters=3, n_pixels=100)
    single = gaussian_filters(center[keep].float(), stride[keep].float(), sigma[keep].float(), n_filters=3, n_pixels=100)
    torch.testing.assert_close(single.double(), exact, rtol=0, atol=2e-6)


def test_float32_misplaces_an_ordinary_filter_by_less_than_a_ten_thousandth_of_a_pixel() -> None:
    center, stride, sigma = parameters(500)
    exact = gaussian_filters(center, stride, sigma, n_filters=12, n_pixels=30)
    single = gaussian_filters(center.float(), stride.float(), sigma.float(), n_filters=12, n_pixels=30)
    pixel = torch.arange(30, dtype=torch.float64)
    torch.testing.assert_close(single.double() @ pixel, exact @ pixel, rtol=0, atol=1e-4)


def test_a_filter_on_a_pixel_is_centered_there_and_not_half_a_pixel_off() -> None:
    filters = gaussian_filters(torch.tensor([5.0]), torch.tensor([2.0]), torch.tensor([0.5]), n_filters=3, n_pixels=11)[0]
    torch.testing.assert_close(filters @ torch.arange(11.0), torch.tensor([3.0, 5.0, 7.0]))  # counted from 0
    torch.testing.assert_close(filters[1], filters[1].flip(0))


def test_a_narrow_filter_between_two_pixels_keeps_its_whole_mass() -> None:
    half, one = torch.tensor([4.5]), torch.ones(1)
    filters = gaussian_filters(half, one, 0.1 * one, n_filters=1, n_pixels=10)  # with 1e-4 added to Z, 7 % would be left
    torch.testing.assert_close(filters[0, 0, 4:6], torch.tensor([0.5, 0.5]))


def test_each_filter_is_normalized_over_its_pixels_and_not_over_the_filters() -> None:
    filters = gaussian_filters(torch.tensor([0.0]), torch.tensor([6.0]), torch.tensor([3.0]), n_filters=3, n_pixels=9)
    torch.testing.assert_close(filters.sum(dim=2), torch.ones(1, 3))  # Z is a sum over pixels
    assert (filters.sum(dim=1) - 1).abs().max() > 0.1


@pytest.mark.parametrize(("center", "edge"), [(-1e6, 0), (-20.0, 0), (119.0, 99), (1e6, 99)])
@pytest.mark.parametrize("sigma", [1e-4, 0.5, 1.0])
def test_a_filter_far_outside_copies_the_edge_pixel_instead_of_vanishing(center: float, edge: int, sigma: float) -> None:
    filters = gaussian_filters(torch.tensor([center]), torch.ones(1), torch.tensor([sigma]), n_filters=2, n_pixels=100)
    torch.testing.assert_close(filters[0, :, edge], torch.ones(2), rtol=0, atol=1e-6)  # where Z is 0 in float32


def test_a_filter_fifteen_sigma_outside_still_has_the_exact_gradient() -> None:
    center = torch.tensor([-15.0], requires_grad=True)
    filters = gaussian_filters(center, torch.ones(1), torch.ones(1), n_filters=1, n_pixels=3)
    (gradient,) = torch.autograd.grad(filters[0, 0, 1], center)
    odds = math.exp(-(16**2 - 15**2) / 2)  # 2e-7, not 0
    assert filters[0, 0, 1].item() == pytest.approx(odds, rel=1e-4)
    assert gradient.item() == pytest.approx(odds, rel=1e-4)


def test_sigma_toward_zero_copies_the_nearest_pixel() -> None:
    filters = gaussian_filters(torch.tensor([4.2]), torch.tensor([3.0]), torch.tensor([1e-4]), n_filters=3, n_pixels=10)
    torch.testing.assert_close(filters[0], torch.eye(10)[[1, 4, 7]])


def test_a_single_filter_does_not_depend_on_its_stride() -> None:
    stride = torch.tensor([3.0], requires_grad=True)
    filters = gaussian_filters(torch.tensor([4.2]), stride, torch.ones(1), n_filters=1, n_pixels=9)
    (gradient,) = torch.autograd.grad(filters[0, 0, 3], stride)
    assert gradient.item() == 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sixteen_bit_parameters_are_computed_in_float32(dtype: torch.dtype) -> None:
    inputs = [tensor.to(dtype) for tensor in parameters(4)]
    filters = gaussian_filters(*inputs, n_filters=12, n_pixels=100)
    assert filters.dtype == torch.float32
    assert torch.equal(filters, gaussian_filters(*(tensor.float() for tensor in inputs), n_filters=12, n_pixels=100))


def test_autocast_does_not_reduce_the_precision_of_the_filters() -> None:
    inputs = [tensor.float() for tensor in parameters(4)]
    expected = gaussian_filters(*inputs, n_filters=12, n_pixels=100)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        filters = gaussian_filters(*inputs, n_filters=12, n_pixels=100)
    assert filters.dtype == torch.float32
    assert torch.equal(filters, expected)


def test_at_least_float32_does_not_change_finer_types() -> None:
    double, single = torch.ones(1, dtype=torch.float64), torch.ones(1)
    assert at_least_float32(double) is double
    assert at_least_float32(single) is single


def test_vmap_equals_a_loop() -> None:
    inputs = [tensor.view(3, 4) for tensor in parameters(12)]

    def filters(*args: Tensor) -> Tensor:
        return gaussian_filters(*args, n_filters=5, n_pixels=30)

    mapped = torch.func.vmap(filters)(*inputs)
    looped = torch.stack([filters(*(tensor[row] for tensor in inputs)) for row in range(3)])
    torch.testing.assert_close(mapped, looped)


def test_an_empty_batch_gives_no_filters() -> None:
    empty = torch.ones(0)
    assert gaussian_filters(empty, empty, empty, n_filters=3, n_pixels=5).shape == (0, 3, 5)


@pytest.mark.parametrize("shapes", [((2,), (3,), (2,)), ((2,), (2,), (1,)), ((2, 1), (2, 1), (2, 1)), ((), (), ())])
def test_parameters_of_other_shapes_are_refused_with_their_shapes(shapes: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(ValueError, match="one shape") as error:
        gaussian_filters(*(torch.ones(shape) for shape in shapes), n_filters=2, n_pixels=3)
    assert ", ".join(str(shape) for shape in shapes) in str(error.value)


@pytest.mark.parametrize(("n", "a"), [(0, 5), (5, 0), (-1, 5)])
def test_counts_below_one_are_refused_with_their_values(n: int, a: int) -> None:
    with pytest.raises(ValueError, match=f"got {n} and {a}"):
        gaussian_filters(torch.ones(1), torch.ones(1), torch.ones(1), n_filters=n, n_pixels=a)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_equals_the_cpu() -> None:
    inputs = parameters(50)
    expected = gaussian_filters(*inputs, n_filters=12, n_pixels=30)
    filters = gaussian_filters(*(tensor.cuda() for tensor in inputs), n_filters=12, n_pixels=30)
    torch.testing.assert_close(filters.cpu(), expected)
