"""Distorted digits: random affine and elastic distortions of the glyphs, to augment the training digits.

Copy c of digit i is a function of (seed, c, i). Positions are computed in float64, pixels in integers, so that all devices agree.
Positions are pixels counted from 0, x before y. Dimensions: N glyphs of H x W pixels, a grid of knots.

References:
    P. Y. Simard, D. Steinkraus, J. C. Platt, "Best Practices for Convolutional Neural Networks Applied to Visual Document
    Analysis", ICDAR 2003 (affine and elastic distortions).
"""

import math

import torch
from torch import Tensor

from glimpse.datasets.counter import STREAMS, words
from glimpse.datasets.digits import Digits
from glimpse.listener import Listener

__all__ = ["distorted", "with_distortions"]

_TURN, _SHEAR, _SCALE = 0.2, 0.15, (0.87, 1.15)  # maximum in radians; maximum in pixels per row; minimum and maximum factor
_SMOOTHNESS = 4.5  # standard deviation of the Gaussians of the elastic distortion, and distance between them, in pixels
_BEND = 1.25  # standard deviation of the elastic displacement along each axis, in pixels
_STEPS = 256  # steps per pixel to which positions are rounded
_CHUNK = 1000  # glyphs that are distorted at once, which limits the memory


def with_distortions(digits: Digits, copies: int, *, seed: int, listener: Listener | None = None) -> Digits:
    """Returns the digits followed by their distorted copies, on the same device.

    Args:
        digits: Original digits.
        copies: Number of copies of every digit, at least 0.
        seed: Random seed, 0 to 2^64 - 1.
        listener: Receives the progress.

    Returns:
        The originals, then the first copy of all digits, then the second, and so on; `digits` itself without copies.
    """
    if copies == 0:
        return digits
    count = len(digits.labels)
    images = digits.images.new_empty((copies + 1) * count, *digits.images.shape[1:])
    images[:count] = digits.images
    with (listener or Listener()).progress("Distorting", copies * count, unit="digits") as advance:
        for copy in range(copies):
            images[(copy + 1) * count : (copy + 2) * count] = distorted(digits.images, seed=seed, copy=copy)
            advance((copy + 1) * count)
    return Digits(images, digits.labels.repeat(copies + 1), digits.source)


def distorted(images: Tensor, *, seed: int, copy: int) -> Tensor:
    r"""Returns a distorted copy of every glyph.

    A pixel of the result at (x, y) is the value of the glyph at (x', y'), by bilinear interpolation, with zeros outside the glyph:

    .. math:: x' = s_x \cos(t) \, x + (h - \sin t) \, y + b_x, \quad y' = \sin(t) \, x + s_y \cos(t) \, y + b_y

    with x and y relative to the center of the glyph, a rotation t uniform in +-0.2 radians, a shear h uniform in +-0.15, and scales
    s log-uniform in 0.87 to 1.15. The elastic displacement b is a sum of Gaussians with a standard deviation of 4.5 px around knots
    4.5 px apart. Their weights are normally distributed such that the standard deviation of b is 1.25 px everywhere. This is the
    random field of Simard et al. (2003), sampled on a coarser grid.

    Args:
        images: Shape (N, H, W), uint8.
        seed: Random seed, 0 to 2^64 - 1.
        copy: Index of the copy, from 0.

    Returns:
        Distorted glyphs, shape (N, H, W), uint8, on the images' device.
    """
    height, width = images.shape[1:]
    bump_y, bump_x = _bumps(height, images.device), _bumps(width, images.device)
    result = torch.empty_like(images)
    for first in range(0, len(images), _CHUNK):
        chunk = images[first : first + _CHUNK]
        index = torch.arange(first, first + len(chunk), device=images.device)
        count = 4 + 2 * bump_y.shape[1] * bump_x.shape[1]
        drawn = (words(seed, STREAMS["distortion"], copy, index, count).double() + 0.5) / 2**32  # in 0 to 1, both exclusive
        normal = torch.special.ndtri(drawn[:, 4:]).view(len(chunk), 2, bump_y.shape[1], bump_x.shape[1])
        bend = _BEND * (bump_y @ normal @ bump_x.T)  # (N, 2, H, W)
        x, y = _affine(drawn[:, :4], height, width)
        result[first : first + len(chunk)] = _sampled(chunk, x + bend[:, 0], y + bend[:, 1])
    return result


def _bumps(length: int, device: torch.device) -> Tensor:
    """Returns the weight of each knot at each pixel along an axis, shape (length, knots); the squares of every row sum to 1."""
    knots = torch.arange(-2, math.ceil(length / _SMOOTHNESS) + 2, dtype=torch.float64, device=device) * _SMOOTHNESS
    ahead = torch.arange(length, dtype=torch.float64, device=device)[:, None] - knots
    bumps = torch.exp(-0.5 * (ahead / _SMOOTHNESS) ** 2)
    return bumps / bumps.square().sum(dim=1, keepdim=True).sqrt()


def _affine(drawn: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Returns the source positions x and y of each pixel without the elastic displacement, (N, H, W), for uniform values (N, 4)."""
    low, high = (math.log(bound) for bound in _SCALE)
    turn, shear = (bound * (2 * drawn[:, k] - 1)[:, None, None] for k, bound in ((0, _TURN), (1, _SHEAR)))
    scale_x, scale_y = (torch.exp(low + (high - low) * drawn[:, k])[:, None, None] for k in (2, 3))
    x = torch.arange(width, dtype=torch.float64, device=drawn.device) - (width - 1) / 2
    y = (torch.arange(height, dtype=torch.float64, device=drawn.device) - (height - 1) / 2)[:, None]
    return (
        scale_x * turn.cos() * x + (shear - turn.sin()) * y + (width - 1) / 2,
        turn.sin() * x + scale_y * turn.cos() * y + (height - 1) / 2,
    )


def _sampled(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Returns the values of images (N, H, W) at positions rounded to 1/256 px, (N, H, W), by bilinear interpolation; 0 outside."""
    height, width = images.shape[1:]
    bordered = torch.nn.functional.pad(images, (1, 1, 1, 1))  # with zeros, to which positions outside are clamped
    padded = bordered.flatten(1).int()
    column, row = (
        ((_STEPS * position).round().long() + _STEPS).clamp(0, _STEPS * (length + 1) - 1)
        for position, length in ((x, width), (y, height))
    )
    left, top = column // _STEPS, row // _STEPS
    right_weight, lower_weight = (column % _STEPS).int(), (row % _STEPS).int()
    corner = (top * (width + 2) + left).flatten(1)

    def pixel(step: int) -> Tensor:
        return padded.gather(1, corner + step).view_as(right_weight)

    upper = (_STEPS - right_weight) * pixel(0) + right_weight * pixel(1)
    lower = (_STEPS - right_weight) * pixel(width + 2) + right_weight * pixel(width + 3)
    total = (_STEPS - lower_weight) * upper + lower_weight * lower
    return ((total + _STEPS**2 // 2) // _STEPS**2).to(torch.uint8)
