"""Distorted digits: glyphs turned, scaled, sheared and bent at random, as more training digits than there are.

Copy c of digit i is a function of (seed, c, i). Everything is computed in float64 and sampled in integers, so that devices agree.
Positions are pixels counted from 0, x before y. Dimensions: N glyphs of H x W pixels, a grid of knots.

References:
    P. Y. Simard, D. Steinkraus, J. C. Platt, "Best Practices for Convolutional Neural Networks Applied to Visual Document
    Analysis", ICDAR 2003 (affine and elastic distortions).
"""

import math
import time

import torch
from torch import Tensor

from glimpse.datasets.counter import words
from glimpse.datasets.digits import Digits
from glimpse.listener import Listener

__all__ = ["distorted", "with_distortions"]

_STREAM = 96  # of the counter-based generator
_TURN, _SHEAR, _SCALE = 0.2, 0.15, (0.87, 1.15)  # radians at most; pixels a row at most; pixels a step, least and most
_SMOOTHNESS = 4.5  # pixels: standard deviation of the Gaussians that a bend is a sum of, and distance between them
_BEND = 1.25  # pixels: standard deviation of the displacement along each axis
_STEPS = 256  # in a pixel, of the places that are sampled
_AT_ONCE = 1000  # glyphs: what is computed of them stays small


def with_distortions(digits: Digits, copies: int, *, seed: int, listener: Listener | None = None) -> Digits:
    """Returns digits with distorted copies of every one after them, copy by copy, on the same device.

    Args:
        digits: The originals.
        copies: Number of copies of each, 0 or more.
        seed: Key of the randomness, 0 to 2^64 - 1.
        listener: Hears how long it took.
    """
    if copies == 0:
        return digits
    began = time.monotonic()
    made = [distorted(digits.images, seed=seed, copy=copy) for copy in range(copies)]
    if listener is not None:
        listener.note(f"Made {copies * len(digits.labels):,} distorted digits in {time.monotonic() - began:.0f} s.")
    return Digits(torch.cat([digits.images, *made]), digits.labels.repeat(copies + 1), digits.source)


def distorted(images: Tensor, *, seed: int, copy: int, strength: float = 1.0) -> Tensor:
    r"""Returns a distorted copy of every glyph.

    The result at a place shows the glyph at another place, by bilinear interpolation, with darkness around the glyph:

    .. math:: x' = s_x \cos(t) \, x + (h - \sin t) \, y + b_x, \quad y' = \sin(t) \, x + s_y \cos(t) \, y + b_y

    with x and y counted from the glyph's center, a turn t within 0.2 radians and a shear h within 0.15 either way, both uniform,
    and factors s of 0.87 to 1.15, their logarithm uniform. The bend b is a sum of Gaussians of deviation 4.5 px around knots
    4.5 px apart, with normal weights such that its standard deviation is 1.25 px everywhere: the random field of Simard et al.
    (2003), drawn on a coarser grid.

    Args:
        images: Shape (N, H, W), uint8.
        seed: Key of the randomness, 0 to 2^64 - 1.
        copy: Which copy, from 0.
        strength: Factor on the turn, the shear, the bend and the logarithm of the scale; 0 returns the glyphs as they are.

    Returns:
        Shape (N, H, W), uint8, on the images' device.
    """
    height, width = images.shape[1:]
    bump_y, bump_x = _bumps(height, images.device), _bumps(width, images.device)
    made = []
    for first in range(0, len(images), _AT_ONCE):
        share = images[first : first + _AT_ONCE]
        index = torch.arange(first, first + len(share), device=images.device)
        numbers = 4 + 2 * bump_y.shape[1] * bump_x.shape[1]
        drawn = (words(seed, _STREAM, copy, index, numbers).double() + 0.5) / 2**32  # in 0 to 1, both excluded
        normal = torch.special.ndtri(drawn[:, 4:]).view(len(share), 2, bump_y.shape[1], bump_x.shape[1])
        bend = strength * _BEND * (bump_y @ normal @ bump_x.T)  # (N, 2, H, W)
        x, y = _straight(drawn[:, :4], height, width, strength)
        made.append(_sampled(share, x + bend[:, 0], y + bend[:, 1]))
    return torch.cat(made) if made else images.clone()


def _bumps(length: int, device: torch.device) -> Tensor:
    """Returns how much each knot moves each pixel along an axis, shape (length, knots): every pixel's squares sum to 1."""
    knots = torch.arange(-2, math.ceil(length / _SMOOTHNESS) + 2, dtype=torch.float64, device=device) * _SMOOTHNESS
    ahead = torch.arange(length, dtype=torch.float64, device=device)[:, None] - knots
    bumps = torch.exp(-0.5 * (ahead / _SMOOTHNESS) ** 2)
    return bumps / bumps.square().sum(dim=1, keepdim=True).sqrt()


def _straight(drawn: Tensor, height: int, width: int, strength: float) -> tuple[Tensor, Tensor]:
    """Returns where each pixel comes from before the bend, x and y, shape (N, H, W) each, for uniform numbers (N, 4)."""
    low, high = (math.log(bound) for bound in _SCALE)
    turn, shear = (strength * bound * (2 * drawn[:, k] - 1)[:, None, None] for k, bound in ((0, _TURN), (1, _SHEAR)))
    scale_x, scale_y = (torch.exp(strength * (low + (high - low) * drawn[:, k]))[:, None, None] for k in (2, 3))
    x = torch.arange(width, dtype=torch.float64, device=drawn.device) - (width - 1) / 2
    y = (torch.arange(height, dtype=torch.float64, device=drawn.device) - (height - 1) / 2)[:, None]
    return (
        scale_x * turn.cos() * x + (shear - turn.sin()) * y + (width - 1) / 2,
        turn.sin() * x + scale_y * turn.cos() * y + (height - 1) / 2,
    )


def _sampled(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Returns images (N, H, W) at places in pixels, (N, H, W) each, by bilinear interpolation in steps of 1/256 px; 0 outside."""
    height, width = images.shape[1:]
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1)).flatten(1).int()  # a dark edge, which everything outside shows
    column, row = (
        ((_STEPS * place).round().long() + _STEPS).clamp(0, _STEPS * (length + 1) - 1)
        for place, length in ((x, width), (y, height))
    )
    left, top = column // _STEPS, row // _STEPS
    right_share, low_share = (column % _STEPS).int(), (row % _STEPS).int()
    corner = (top * (width + 2) + left).flatten(1)

    def seen(step: int) -> Tensor:
        return padded.gather(1, corner + step).view_as(right_share)

    upper = (_STEPS - right_share) * seen(0) + right_share * seen(1)
    lower = (_STEPS - right_share) * seen(width + 2) + right_share * seen(width + 3)
    total = (_STEPS - low_share) * upper + low_share * lower
    return ((total + _STEPS**2 // 2) // _STEPS**2).to(torch.uint8)
