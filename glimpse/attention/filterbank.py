"""Gaussian filterbank: the differentiable grid of filters that every read and write is made of.

Positions are pixels of the image: pixel 0 is the center of the first pixel, pixel A - 1 that of the last; indices count from 0.
Dimensions: B images, N filters along one axis, A pixels along that axis.

References:
    K. Gregor, I. Danihelka, A. Graves, D. J. Rezende, D. Wierstra, "DRAW: A Recurrent Neural Network For Image Generation", 2015,
    arXiv:1502.04623.
"""

from typing import Any

import torch
from torch import Tensor

from glimpse.attention.precision import at_least_float32

__all__ = ["gaussian_filters"]

_NEGLIGIBLE = 1e-26  # of the nearest pixel's weight: below it a weight is 0, or subnormal numbers make all arithmetic on it slow
_FLOOR = -60.0  # an exponent whose exponential is negligible and still a normal number


def gaussian_filters(center: Tensor, stride: Tensor, sigma: Tensor, *, n_filters: int, n_pixels: int) -> Tensor:
    r"""Returns N Gaussian filters, evenly spaced around a center, one row per filter.

    .. math:: F_{ia} = e^{-(a - \mu_i)^2 / 2\sigma^2} / Z_i, \quad \mu_i = g + (i - \tfrac{N - 1}{2}) \, \delta

    Eqs. 19-20 and 25-26 of DRAW (Gregor et al., 2015, arXiv:1502.04623), counting from 0. The exponent of the pixel nearest to the
    filter is taken off every row, so that Z is at least 1: a filter wholly outside the image copies the edge pixel instead of
    dividing zero by zero. Weights below 1e-26 of the nearest pixel's are 0. Sixteen-bit inputs are computed in float32, under
    autocast too.

    Args:
        center: Center of the grid in pixels, shape (B,). Values and gradients are finite up to 1e6 in magnitude.
        stride: Distance between neighbouring filters in pixels, shape (B,), from 0 to 1e6.
        sigma: Standard deviation of every filter in pixels, shape (B,), from 1e-4 to 1e4.
        n_filters: Number of filters N, at least 1.
        n_pixels: Number of pixels A along the axis, at least 1.

    Returns:
        Filters, shape (B, N, A), not negative. Every row sums to 1.

    Raises:
        ValueError: If the three parameters do not share one shape (B,), or a count is below 1.

    >>> one = torch.ones(1)
    >>> gaussian_filters(one, one, 0.01 * one, n_filters=3, n_pixels=3)[0].argmax(dim=-1)
    tensor([0, 1, 2])
    """
    if center.ndim != 1 or center.shape != stride.shape or center.shape != sigma.shape:
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in (center, stride, sigma))
        raise ValueError(f"center, stride and sigma must share one shape (B,), got {shapes}")
    if n_filters < 1 or n_pixels < 1:
        raise ValueError(f"n_filters and n_pixels must be at least 1, got {n_filters} and {n_pixels}")
    with torch.autocast(center.device.type, enabled=False):
        center, stride, sigma = at_least_float32(center), at_least_float32(stride), at_least_float32(sigma)
        offset = torch.arange(n_filters, dtype=center.dtype, device=center.device) - (n_filters - 1) / 2  # (N,)
        mu = center[:, None] + offset * stride[:, None]  # (B, N)
        filters: Tensor = _NormalisedGaussians.apply(mu, sigma[:, None].expand_as(mu), n_pixels)
        return filters


class _NormalisedGaussians(torch.autograd.Function):
    """Gaussians at mu over the pixels, each row summing to 1, with the gradient in closed form.

    With p the pixel nearest to mu, a' = a - p and e = mu - p, the exponent (p - mu)^2 - (a - mu)^2 = -a' (a' - 2 e) is never
    positive and 0 at the nearest pixel, and exact in float32 far outside the image, where a difference of squares is not.
    For a gradient G on the filters, u = F (G - sum(F G)); the gradients are sum(u a') / sigma^2 for mu and
    sum(u a' (a' - 2 e)) / sigma^3 for sigma. Written out it takes a third of the time that automatic differentiation takes.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(mu: Tensor, sigma: Tensor, n_pixels: int) -> Tensor:
        ahead, excess = _relative(mu, n_pixels)
        exponent = (ahead - 2 * excess).mul_(ahead).mul_((-0.5 / sigma / sigma)[..., None])  # (B, N, A), 0 at the nearest pixel
        weights = exponent.clamp(min=_FLOOR).exp_()
        torch.threshold_(weights, _NEGLIGIBLE, 0.0)
        return weights.div_(weights.sum(dim=-1, keepdim=True))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, int], output: Tensor) -> None:
        mu, sigma, ctx.n_pixels = inputs
        ctx.save_for_backward(mu, sigma, output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        mu, sigma, filters = ctx.saved_tensors
        ahead, excess = _relative(mu, ctx.n_pixels)
        weighted = grad * filters
        moment = (weighted - filters * weighted.sum(dim=-1, keepdim=True)) * ahead  # u a'
        first, second = moment.sum(dim=-1), (moment * ahead).sum(dim=-1)
        return first / sigma / sigma, (second - 2 * excess[..., 0] * first) / sigma / sigma / sigma, None


def _relative(mu: Tensor, n_pixels: int) -> tuple[Tensor, Tensor]:
    """Returns a' = a - p, shape (..., A), and e = mu - p, shape (..., 1), with p the pixel nearest to mu."""
    nearest = mu.detach().clamp(0, n_pixels - 1).round()
    pixel = torch.arange(n_pixels, dtype=mu.dtype, device=mu.device)  # made there: a copy from the host would wait for the GPU
    return pixel - nearest[..., None], (mu - nearest)[..., None]
