"""Gaussian filterbank: the differentiable filters of which reads and writes are composed.

Positions are pixels of the image: 0 is the center of the first pixel, A - 1 that of the last. Indices count from 0.
Dimensions: B images, N filters along one axis, A pixels along that axis.

References:
    K. Gregor, I. Danihelka, A. Graves, D. J. Rezende, D. Wierstra, "DRAW: A Recurrent Neural Network For Image Generation", 2015,
    arXiv:1502.04623.
"""

import math
from typing import Any

import torch
from torch import Tensor

from glimpse.attention.capture import is_traced
from glimpse.attention.precision import in_float32

__all__ = ["filter_offsets", "gaussian_filters", "paired_filters"]

_NEGLIGIBLE = math.log(1e-26)  # relative to the nearest pixel: smaller weights are set to 0, since subnormal numbers are slow


def gaussian_filters(center: Tensor, stride: Tensor, sigma: Tensor, *, n_filters: int, n_pixels: int) -> Tensor:
    r"""Returns N Gaussian filters, evenly spaced around a center, one row per filter.

    .. math:: F_{ia} = e^{-(a - \mu_i)^2 / 2\sigma^2} / Z_i, \quad \mu_i = g + (i - \tfrac{N - 1}{2}) \, \delta

    Eqs. 19-20 and 25-26 of DRAW (Gregor et al., 2015, arXiv:1502.04623), counting from 0. The exponent of the pixel nearest to the
    filter is subtracted from its row, so that Z is at least 1: a filter outside the image copies the edge pixel instead of dividing
    zero by zero. Weights below 1e-26 of the nearest pixel's are 0. Sixteen-bit inputs are converted to float32, also under
    autocast.

    Args:
        center: Center of the grid in pixels, shape (B,). Values and gradients are finite up to 1e6 in magnitude.
        stride: Distance between neighboring filters in pixels, shape (B,), from 0 to 1e6.
        sigma: Standard deviation of every filter in pixels, shape (B,), from 1e-4 to 1e4.
        n_filters: Number of filters N, at least 1.
        n_pixels: Number of pixels A along the axis, at least 1.

    Returns:
        Filters, shape (B, N, A), nonnegative. Every row sums to 1.

    Raises:
        ValueError: If the three parameters do not share one shape (B,), or a count is below 1.

    >>> one = torch.ones(1)
    >>> gaussian_filters(one, one, 0.01 * one, n_filters=3, n_pixels=3)[0].argmax(dim=-1)
    tensor([0, 1, 2])
    """
    if center.ndim != 1 or center.shape != stride.shape or center.shape != sigma.shape:
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in (center, stride, sigma))
        raise ValueError(f"center, stride and sigma must share one shape (B,), got {shapes}")
    return paired_filters(center[None], stride, sigma, n_filters=n_filters, n_pixels=n_pixels)[0]


def filter_offsets(n: int, like: Tensor) -> Tensor:
    """Returns the positions of n evenly spaced filters relative to the center of their grid, in strides.

    Args:
        n: Number of filters along the axis.
        like: Tensor that determines the dtype and device of the result.

    Returns:
        Offsets, shape (n,).

    >>> filter_offsets(4, torch.empty(0))
    tensor([-1.5000, -0.5000,  0.5000,  1.5000])
    """
    return torch.arange(n, dtype=like.dtype, device=like.device) - (n - 1) / 2


@in_float32
def paired_filters(centers: Tensor, stride: Tensor, sigma: Tensor, *, n_filters: int, n_pixels: int) -> Tensor:
    """Returns the filters along several axes of the same length at once, equal to `gaussian_filters` along each axis.

    Args:
        centers: Center of the grid along every axis in pixels, shape (axes, B).
        stride: Distance between neighboring filters in pixels, shape (B,).
        sigma: Standard deviation of every filter in pixels, shape (B,).
        n_filters: Number of filters N, at least 1.
        n_pixels: Number of pixels A along every axis, at least 1.

    Returns:
        Filters, shape (axes, B, N, A).

    Raises:
        ValueError: If a count is below 1.
    """
    if n_filters < 1 or n_pixels < 1:
        raise ValueError(f"n_filters and n_pixels must be at least 1, got {n_filters} and {n_pixels}")
    calculate = _NormalizedGaussians.forward if is_traced() else _NormalizedGaussians.apply
    filters: Tensor = calculate(centers, stride, sigma, n_filters, n_pixels)
    return filters


class _NormalizedGaussians(torch.autograd.Function):
    """Gaussians around mu, normalized over the pixels, with the gradient in closed form.

    With p the pixel nearest to mu, a' = a - p and e = mu - p, the exponent (p - mu)^2 - (a - mu)^2 = -a' (a' - 2 e) is 0 at the
    nearest pixel and never positive. It is exact in float32 far outside the image, where the difference of squares is not.
    For a gradient G on the filters, u = F (G - sum(F G)); the gradients are sum(u a') / sigma^2 for mu and
    sum(u a' (a' - 2 e)) / sigma^3 for sigma. This takes a third of the time of automatic differentiation.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(centers: Tensor, stride: Tensor, sigma: Tensor, n_filters: int, n_pixels: int) -> Tensor:
        ahead, excess, _ = _relative(centers, stride, n_filters, n_pixels)
        exponent = (ahead - 2 * excess[..., None]).mul_(ahead).mul_((-0.5 / sigma / sigma)[:, None, None])  # 0 at the nearest pixel
        return torch.softmax(torch.threshold_(exponent, _NEGLIGIBLE, -math.inf), dim=-1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor, int, int], output: Tensor) -> None:
        centers, stride, sigma, ctx.n_filters, ctx.n_pixels = inputs
        ctx.save_for_backward(centers, stride, sigma, output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        centers, stride, sigma, filters = ctx.saved_tensors
        ahead, excess, offset = _relative(centers, stride, ctx.n_filters, ctx.n_pixels)
        moment = torch.ops.aten._softmax_backward_data(grad, filters, -1, filters.dtype).mul_(ahead)  # u a'
        first = moment.sum(dim=-1)  # (axes, B, N)
        second = moment.mul_(ahead).sum(dim=-1)
        precision = 1 / sigma / sigma
        for_mu = first * precision[:, None]
        for_sigma = torch.addcmul(second, excess, first, value=-2).sum(dim=(0, 2)) * precision / sigma
        return for_mu.sum(dim=-1), (for_mu * offset).sum(dim=(0, 2)), for_sigma, None, None


def _relative(centers: Tensor, stride: Tensor, n_filters: int, n_pixels: int) -> tuple[Tensor, Tensor, Tensor]:
    """Returns a' = a - p, (axes, B, N, A), e = mu - p, (axes, B, N), with p the pixel nearest to mu, and the offsets, (N,)."""
    offset = filter_offsets(n_filters, centers)
    mu = centers[..., None] + offset * stride[:, None]
    nearest = mu.detach().clamp(0, n_pixels - 1).round()
    pixel = torch.arange(
        n_pixels, dtype=mu.dtype, device=mu.device
    )  # created on the device: a copy from the host would synchronize
    return pixel - nearest[..., None], mu - nearest, offset
