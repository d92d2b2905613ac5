"""Window of Gaussian filters over an image: its place, how to read a glimpse through it and how to write a patch.

Positions are pixels of the image, x (to the right) before y (down); pixel 0 is the center of the first pixel; indices count from 0.
Dimensions: B images, C channels, H rows, W columns, a window of n x n filters, T glimpses.

References:
    K. Gregor, I. Danihelka, A. Graves, D. J. Rezende, D. Wierstra, "DRAW: A Recurrent Neural Network For Image Generation", 2015,
    arXiv:1502.04623.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from glimpse.attention.filterbank import gaussian_filters, paired_filters
from glimpse.attention.precision import in_float32

__all__ = ["LOG_LIMIT", "Window", "read", "write"]

LOG_LIMIT = 20.0
"""Raw logarithms are clamped to this magnitude: the exponential of twice as much still fits into float32."""


class Window(NamedTuple):
    """Place, spacing, blur and gain of an n x n grid of Gaussian filters.

    Every field has the same shape: (B,) for one window an image, (B, T) for a sequence of glimpses.

    Attributes:
        center_x: Column of the grid's center in pixels, counted from 0.
        center_y: Row of the grid's center in pixels, counted from 0.
        stride: Distance between neighboring filters in pixels.
        sigma: Standard deviation of the filters in pixels.
        intensity: Factor on what is read; a write divides by it.
    """

    center_x: Tensor
    center_y: Tensor
    stride: Tensor
    sigma: Tensor
    intensity: Tensor

    @classmethod
    @in_float32
    def from_raw(cls, raw: Tensor, *, n: int, height: int, width: int) -> "Window":
        r"""Returns the window that five unconstrained numbers stand for.

        .. math:: g_X = \tfrac{A + 1}{2} (\tilde g_X + 1) - 1, \quad g_Y = \tfrac{B + 1}{2} (\tilde g_Y + 1) - 1, \quad
            \delta = \tfrac{\max(A, B) - 1}{N - 1} \tilde\delta

        Eqs. 21-24 of DRAW (arXiv:1502.04623) with A the width and B the height; the 1 taken off turns the paper's count from 1 into
        one from 0. At zero everywhere the grid spans the longer side exactly. Departures: the three logarithms are clamped to
        +-20, where the exponentials are still numbers; for n = 1, where eq. 24 divides by zero, the stride is max(H, W) - 1 times
        its factor, which a single filter does not feel.

        Args:
            raw: Shape (B, 5): x, y, log sigma^2, log stride factor, log intensity.
            n: Filters along each axis, at least 1.
            height: Rows H of the image.
            width: Columns W of the image.

        Returns:
            Window with fields of shape (B,), at least float32.

        Raises:
            ValueError: If raw is not of shape (B, 5), or n, height or width is below 1.
        """
        if raw.ndim != 2 or raw.shape[1] != 5:
            raise ValueError(f"raw must have shape (B, 5), got {tuple(raw.shape)}")
        if min(n, height, width) < 1:
            raise ValueError(f"n, height and width must be at least 1, got {n}, {height} and {width}")
        x, y, *logs = raw.unbind(dim=1)
        log_var, log_factor, log_intensity = (log.clamp(-LOG_LIMIT, LOG_LIMIT) for log in logs)
        return cls(
            center_x=(width + 1) / 2 * (x + 1) - 1,
            center_y=(height + 1) / 2 * (y + 1) - 1,
            stride=(max(height, width) - 1) / max(n - 1, 1) * log_factor.exp(),
            sigma=(log_var / 2).exp(),
            intensity=log_intensity.exp(),
        )

    @classmethod
    def stacked(cls, windows: Sequence["Window"], dim: int = 1) -> "Window":
        """Returns a sequence of T windows as one window.

        Args:
            windows: At least one, all with fields of the same shape (B,).
            dim: Where the new dimension of length T goes.

        Returns:
            Window with fields of shape (B, T); of shape (T, B) for `dim=0`.
        """
        return cls(*(torch.stack(fields, dim) for fields in zip(*windows, strict=True)))

    @classmethod
    def joined(cls, parts: Sequence["Window"]) -> "Window":
        """Returns the windows of several batches as the window of one, the images of the first batch first.

        Args:
            parts: At least one; fields of shape (B_i,) each, or (B_i, T) with the same T.

        Returns:
            Window with fields of shape (sum of B_i,) or (sum of B_i, T).
        """
        return cls(*(torch.cat(fields) for fields in zip(*parts, strict=True)))

    def at(self, step: int) -> "Window":
        """Returns one step, from 0, of a sequence of windows: fields of shape (B,) of fields of shape (B, T)."""
        return Window(*(field[:, step] for field in self))

    def rows(self, chosen: Tensor | slice | int) -> "Window":
        """Returns the windows of some of the images, chosen by a mask (B,), by their indices or by a slice."""
        return Window(*(field[chosen] for field in self))

    def cpu(self) -> "Window":
        """Returns the window in float32 on the CPU."""
        return Window(*(field.float().cpu() for field in self))

    def detached(self) -> "Window":
        """Returns the window with the same values, through which no gradient flows."""
        return Window(*(field.detach() for field in self))

    def widened(self, factor: float) -> "Window":
        """Returns the window around the same center with stride and sigma multiplied by a factor: a coarser scale of a retina."""
        return self._replace(stride=factor * self.stride, sigma=factor * self.sigma)

    def filters(self, *, n: int, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Returns the filters down the rows, shape (B, n, H), and along the columns, shape (B, n, W): F_Y and F_X."""
        if height == width:
            centers = torch.stack((self.center_y, self.center_x))
            rows, columns = paired_filters(centers, self.stride, self.sigma, n_filters=n, n_pixels=height).unbind()
            return rows, columns
        return (
            gaussian_filters(self.center_y, self.stride, self.sigma, n_filters=n, n_pixels=height),
            gaussian_filters(self.center_x, self.stride, self.sigma, n_filters=n, n_pixels=width),
        )


@in_float32
def read(image: Tensor, window: Window, n: int) -> Tensor:
    r"""Returns the glimpse of n x n numbers that the window sees of the image.

    .. math:: \text{read}(x) = \gamma \, F_Y \, x \, F_X^T

    Eq. 27 of DRAW (arXiv:1502.04623) for one image; the same filters serve every channel. Computed in float32 at least, under
    autocast too.

    Args:
        image: Shape (B, C, H, W).
        window: Fields of shape (B,).
        n: Filters along each axis, at least 1.

    Returns:
        Glimpse, shape (B, C, n, n): rows before columns.

    Raises:
        ValueError: If the image is not of shape (B, C, H, W) with the window's B.
    """
    batch, channels, height, width = _shape(image, "image", window)
    filters_y, filters_x = window.filters(n=n, height=height, width=width)
    columns = image.to(filters_y.dtype).reshape(batch * channels, height, width)
    every = filters_y[:, None].expand(-1, channels, -1, -1).reshape(batch * channels, n, height)  # smaller to copy than the image
    rows = torch.bmm(every, columns).view(batch, channels * n, width)
    glimpse = torch.bmm(rows, filters_x.transpose(1, 2)).view(batch, channels, n, n)
    return window.intensity.to(glimpse.dtype)[:, None, None, None] * glimpse


@in_float32
def write(patch: Tensor, window: Window, height: int, width: int) -> Tensor:
    r"""Returns the image that a patch makes when it is written through the window.

    .. math:: \text{write}(w) = \tfrac{1}{\hat\gamma} \, \hat F_Y^T \, w \, \hat F_X

    Eq. 29 of DRAW (arXiv:1502.04623); the same filters serve every channel. Computed in float32 at least, under autocast too.

    Args:
        patch: Shape (B, C, n, n): rows before columns.
        window: Fields of shape (B,), its intensity not zero.
        height: Rows H of the image, at least 1.
        width: Columns W of the image, at least 1.

    Returns:
        Image, shape (B, C, H, W).

    Raises:
        ValueError: If the patch is not of shape (B, C, n, n) with the window's B.
    """
    batch, channels, n, columns = _shape(patch, "patch", window)
    if n != columns:
        raise ValueError(f"patch must be square, got {n} x {columns}")
    filters_y, filters_x = window.filters(n=n, height=height, width=width)
    patch = patch.to(filters_y.dtype) / window.intensity.to(filters_y.dtype)[:, None, None, None]
    rows = torch.bmm(patch.reshape(batch, channels * n, n), filters_x).view(batch * channels, n, width)
    every = filters_y[:, None].expand(-1, channels, -1, -1).reshape(batch * channels, n, height)
    return torch.bmm(every.transpose(1, 2), rows).view(batch, channels, height, width)


def _shape(tensor: Tensor, name: str, window: Window) -> torch.Size:
    """Returns the shape of a batch of images after checking it against the window's."""
    if tensor.ndim != 4:
        raise ValueError(f"{name} must have shape (B, C, H, W), got {tuple(tensor.shape)}")
    if any(field.shape != tensor.shape[:1] for field in window):
        shapes = ", ".join(str(tuple(field.shape)) for field in window)
        raise ValueError(f"{name} has {tensor.shape[0]} images, the window's fields have shapes {shapes}")
    return tensor.shape
