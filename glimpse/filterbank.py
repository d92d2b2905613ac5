"""Gaussian filterbank: the differentiable grid of filters that every read and write is made of.

Positions are pixels of the image: pixel 0 is the center of the first pixel, pixel A - 1 that of the last; indices count from 0.
Dimensions: B images, N filters along one axis, A pixels along that axis.

References:
    K. Gregor, I. Danihelka, A. Graves, D. J. Rezende, D. Wierstra, "DRAW: A Recurrent Neural Network For Image Generation", 2015,
    arXiv:1502.04623.
"""

import torch
from torch import Tensor

__all__ = ["at_least_float32", "gaussian_filters"]


def at_least_float32(tensor: Tensor) -> Tensor:
    """Returns the tensor in float32 if it is coarser than that, else unchanged.

    Sixteen bits place coordinates near 100 on a grid of 0.5 px (bfloat16) or overflow (float16).
    """
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def gaussian_filters(center: Tensor, stride: Tensor, sigma: Tensor, *, n_filters: int, n_pixels: int) -> Tensor:
    r"""Returns N Gaussian filters, evenly spaced around a center, one row per filter.

    .. math:: F_{ia} = e^{-(a - \mu_i)^2 / 2\sigma^2} / Z_i, \quad \mu_i = g + (i - \tfrac{N - 1}{2}) \, \delta

    Eqs. 19-20 and 25-26 of DRAW (Gregor et al., 2015, arXiv:1502.04623), counting from 0. The normaliser is taken in log space,
    after the exponent of the pixel nearest to the filter: a filter wholly outside the image copies the edge pixel instead of
    dividing zero by zero. Sixteen-bit inputs are computed in float32, under autocast too.

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
        offset = torch.arange(n_filters).to(center) - (n_filters - 1) / 2  # (N,)
        mu = center[:, None] + offset * stride[:, None]  # (B, N)
        pixel = torch.arange(n_pixels).to(center)  # (A,)
        # (a - mu)^2 - (p - mu)^2 = (a - p)(a + p - 2 mu): softmax does not see what is taken off a whole row, and taking off the
        # nearest point's exponent as a product, not a difference of squares, keeps float32 exact for filters far outside.
        nearest = mu.detach().clamp(0, n_pixels - 1)
        sigma = sigma[:, None, None]
        ahead = (pixel - nearest[..., None]) / sigma  # (B, N, A)
        beyond = (pixel + (nearest - 2 * mu)[..., None]) / sigma
        return torch.softmax(-0.5 * ahead * beyond, dim=-1)
