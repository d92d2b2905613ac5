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
    """Box sums of images at every scale and pixel, from which patches of box means are sampled without a loop over images.

    Args:
        images: Shape (B, C, H, W).
        n: Side of the n x n patches.
        scales: Number S of patches per location.
    """

    def __init__(self, images: Tensor, n: int, scales: int) -> None:
        self.n, self.scales = n, scales
        self.height, self.width = images.shape[2:]
        device = images.device
        borders = [2**scale for scale in range(scales - 1)] + [1]  # what the next level needs; the last has one for indices outside
        sums, sizes, self._levels = images, [], []  # the levels are flat, (B, C, h w), with a border of zeros
        for border in borders:
            sizes.append(sums.shape[2:])
            padded = F.pad(sums, (border,) * 4)
            self._levels.append(padded.flatten(2))
            if len(sizes) < scales:
                rows = padded[:, :, :-border] + padded[:, :, border:]
                sums = rows[..., :-border] + rows[..., border:]  # over boxes of twice the side, wherever one overlaps the image
        spread = 2 ** torch.arange(scales, device=device)  # (S,)
        self._border = torch.tensor(borders, device=device)[:, None]  # (S, 1)
        self._size = torch.tensor(sizes, device=device).T[:, :, None]  # (2, S, 1): rows and columns of the levels
        self._width = (self._size[1] + 2 * self._border)[..., None]  # (S, 1, 1)
        self._share = 1 / spread[:, None, None].square()  # of a pixel in a box
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
            torch.where((index >= 0) & (index < size), index + self._border, 0)
            for index, size in zip((rows, columns), self._size, strict=True)
        )
        index = (rows[..., :, None] * self._width + columns[..., None, :]).flatten(2)[:, :, None]  # (B, S, 1, n n)
        channels = self._levels[0].shape[1]
        sums = [level.gather(2, index[:, scale].expand(-1, channels, -1)) for scale, level in enumerate(self._levels)]
        means = torch.stack(sums, dim=1) * self._share.to(sums[0].dtype)
        return means.view(*means.shape[:3], self.n, self.n)


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
