"""Retina of RAM: concentric square patches of n x n values, each covering twice the side of the previous one.

A value of patch k, counted from 0, is the mean over 2^k x 2^k pixels, with zeros outside the image. Positions are pixels counted
from 0, x before y. Dimensions: B images, C channels, H rows, W columns, S scales, patches of n x n values.

References:
    V. Mnih, N. Heess, A. Graves, K. Kavukcuoglu, "Recurrent Models of Visual Attention", 2014, arXiv:1406.6247.
"""

from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from glimpse.attention.window import Window

__all__ = ["Retina", "patch_window"]

Side = TypeVar("Side", int, Tensor)


class Retina:
    """Box means of images at every scale and pixel, from which patches are sampled without a loop over images.

    Args:
        images: Shape (B, C, H, W).
        n: Side of the n x n patches.
        scales: Number S of patches per location.
    """

    def __init__(self, images: Tensor, n: int, scales: int) -> None:
        self.n, self.scales = n, scales
        self.height, self.width = images.shape[2:]
        device = images.device
        level, levels = images, [_with_zero(images)]
        for scale in range(1, scales):
            level = _halved_resolution(level, 2 ** (scale - 1))
            levels.append(_with_zero(level))
        self._values = torch.cat([each.flatten(2) for each in levels], dim=2)  # (B, C, sum of the levels' sizes)
        sizes = torch.tensor([each.shape[2:] for each in levels], device=device)  # (S, 2)
        areas = sizes.prod(dim=1)
        self._outside = sizes.T[:, :, None] - 1  # (2, S, 1): index of the row and of the column of zeros
        self._first = (areas.cumsum(0) - areas)[:, None, None]
        self._row = sizes[:, 1, None, None]
        spread = 2 ** torch.arange(scales, device=device)  # (S,)
        self._shift = _shift(n, spread)
        self._grid = spread[:, None] * torch.arange(1, n + 1, device=device) - 1  # (S, n), relative to the first box of the level

    def corner(self, center: Tensor) -> Tensor:
        """Returns the first pixel of the finest patch nearest to a center, both in pixels, for centers of any shape; int64."""
        return torch.round(center - (self.n - 1) / 2).long()

    def sample(self, corner_x: Tensor, corner_y: Tensor) -> Tensor:
        """Returns the patches of all scales at one location per image.

        Args:
            corner_x: First column of the finest patch, shape (B,), int64; may be outside the image.
            corner_y: First row of the finest patch, shape (B,), int64.

        Returns:
            Patches, shape (B, S, C, n, n).
        """
        rows = corner_y[:, None, None] - self._shift[:, None] + self._grid  # (B, S, n)
        columns = corner_x[:, None, None] - self._shift[:, None] + self._grid
        rows, columns = (
            torch.where((index >= 0) & (index < outside), index, outside)
            for index, outside in zip((rows, columns), self._outside, strict=True)
        )
        index = self._first + rows[..., :, None] * self._row + columns[..., None, :]  # (B, S, n, n)
        batch, channels = self._values.shape[:2]
        values = self._values.gather(2, index.flatten(1)[:, None].expand(-1, channels, -1))
        return values.view(batch, channels, self.scales, self.n, self.n).transpose(1, 2)


def patch_window(corner_x: Tensor, corner_y: Tensor, n: int, scale: int) -> Window:
    """Returns the window of a patch: the grid of the centers of its n x n boxes, with sigma NaN, since boxes have no sigma.

    Args:
        corner_x: First column of the finest patch, of any shape.
        corner_y: First row of the finest patch, of the same shape.
        n: Side of the n x n patches.
        scale: Index of the patch; 0 is the finest.

    Returns:
        Window with fields of the same shape as the corners.
    """
    side = 2**scale
    middle = (n * side - 1) / 2 - _shift(n, side)
    center_x, center_y = corner_x + middle, corner_y + middle
    stride = torch.full_like(center_x, float(side))
    return Window(center_x, center_y, stride, torch.full_like(stride, torch.nan), torch.ones_like(stride))


def _shift(n: int, side: Side) -> Side:
    """Returns the distance in pixels from the first pixel of the finest patch to that of a patch with boxes of this side."""
    return n * (side - 1) // 2


def _halved_resolution(level: Tensor, side: int) -> Tensor:
    """Returns the means over boxes of twice the side, at all positions where a box overlaps the image, from those of this side."""
    padded = F.pad(level, (side,) * 4)
    rows = padded[:, :, :-side] + padded[:, :, side:]
    return (rows[..., :-side] + rows[..., side:]) / 4


def _with_zero(level: Tensor) -> Tensor:
    """Returns the level with a row and a column of zeros appended, to which indices outside the image refer."""
    return F.pad(level, (0, 1, 0, 1))
