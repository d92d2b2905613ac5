"""RAM's retina: square patches around one center, each over twice the side of the one before, all brought to n x n numbers.

A number of patch k is the mean over 2^k x 2^k pixels, those outside the image counting as 0. Positions are pixels counted from 0, x
before y. Dimensions: B images, C channels, H rows, W columns, S scales, patches of n x n numbers.

References:
    V. Mnih, N. Heess, A. Graves, K. Kavukcuoglu, "Recurrent Models of Visual Attention", 2014, arXiv:1406.6247.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from glimpse.attention.window import Window

__all__ = ["Retina"]


class Retina:
    """Images made ready to be sampled anywhere, without a loop over images: box means of every scale at every pixel.

    Args:
        images: Shape (B, C, H, W).
        n: Numbers along each side of a patch.
        scales: Number S of patches.
    """

    def __init__(self, images: Tensor, n: int, scales: int) -> None:
        self.n, self.scales = n, scales
        self.height, self.width = images.shape[2:]
        device = images.device
        level, levels = images, [_with_zero(images)]
        for scale in range(1, scales):
            level = _halved_resolution(level, 2 ** (scale - 1))
            levels.append(_with_zero(level))
        self._numbers = torch.cat([each.flatten(2) for each in levels], dim=2)  # (B, C, sum of the levels' sizes)
        sizes = torch.tensor([each.shape[2:] for each in levels], device=device)  # (S, 2)
        areas = sizes.prod(dim=1)
        self._outside = sizes.T[:, :, None] - 1  # (2, S, 1): the row and the column of zeros
        self._first = (areas.cumsum(0) - areas)[:, None, None]
        self._row = sizes[:, 1, None, None]
        spread = 2 ** torch.arange(scales, device=device)  # (S,)
        self._shift = n * (spread - 1) // 2  # how much farther up and left a coarser patch begins
        self._grid = spread[:, None] * torch.arange(1, n + 1, device=device) - 1  # (S, n), counted from the level's first box

    def corner(self, center: Tensor) -> Tensor:
        """Returns the first pixel of the finest patch whose center is nearest, for centers in pixels of any shape."""
        return torch.round(center - (self.n - 1) / 2).long()

    def window(self, corner_x: Tensor, corner_y: Tensor, scale: int) -> Window:
        """Returns the place of a patch: its n x n boxes as a grid of their centers; a box has no sigma, so sigma is NaN.

        Args:
            corner_x: First column of the finest patch, of any shape.
            corner_y: First row of it, of the same shape.
            scale: Which patch, from 0, the finest.
        """
        side, shift = 2**scale, int(self._shift[scale])
        middle = (self.n * side - 1) / 2 - shift
        center_x, center_y = corner_x + middle, corner_y + middle
        stride = torch.full_like(center_x, float(side))
        return Window(center_x, center_y, stride, torch.full_like(stride, torch.nan), torch.ones_like(stride))

    def sample(self, corner_x: Tensor, corner_y: Tensor) -> Tensor:
        """Returns the patches of every image around one place each.

        Args:
            corner_x: First column of the finest patch, shape (B,), int64; may be outside the image.
            corner_y: First row of it, shape (B,), int64.

        Returns:
            Shape (B, S, C, n, n).
        """
        rows = corner_y[:, None, None] - self._shift[:, None] + self._grid  # (B, S, n)
        columns = corner_x[:, None, None] - self._shift[:, None] + self._grid
        rows, columns = (
            torch.where((index >= 0) & (index < outside), index, outside)
            for index, outside in zip((rows, columns), self._outside, strict=True)
        )
        index = self._first + rows[..., :, None] * self._row + columns[..., None, :]  # (B, S, n, n)
        batch, channels = self._numbers.shape[:2]
        seen = self._numbers.gather(2, index.view(batch, 1, -1).expand(-1, channels, -1))
        return seen.view(batch, channels, self.scales, self.n, self.n).transpose(1, 2)


def _halved_resolution(level: Tensor, side: int) -> Tensor:
    """Returns the means over boxes of twice the side at every pixel that one of them begins at, from those over boxes of a side."""
    padded = F.pad(level, (side,) * 4)
    rows = padded[:, :, :-side] + padded[:, :, side:]
    return (rows[..., :-side] + rows[..., side:]) / 4


def _with_zero(level: Tensor) -> Tensor:
    """Returns the level with a row and a column of zeros at its end, which stand for everything outside."""
    return F.pad(level, (0, 1, 0, 1))
