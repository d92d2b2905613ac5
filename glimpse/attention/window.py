"""Window of Gaussian filters over an image: its parameters, reading a glimpse and writing a patch.

Positions are pixels of the image, x (to the right) before y (down); 0 is the center of the first pixel. Indices count from 0.
Dimensions: B images, C channels, H rows, W columns, a window of n x n filters, T glimpses.

References:
    K. Gregor, I. Danihelka, A. Graves, D. J. Rezende, D. Wierstra, "DRAW: A Recurrent Neural Network For Image Generation", 2015,
    arXiv:1502.04623.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from glimpse.attention.capture import saveable
from glimpse.attention.filterbank import gaussian_filters, paired_filters
from glimpse.attention.precision import in_float32

__all__ = ["LOG_LIMIT", "Window", "read", "write"]

LOG_LIMIT = 20.0
"""Limit of the magnitude of the raw logarithms: the exponential of twice this limit is finite in float32."""


@saveable
class Window(NamedTuple):
    """Position, spacing, blur and gain of an n x n grid of Gaussian filters.

    All fields have the same shape: (B,) for one window per image, (B, T) for a sequence of glimpses.

    Attributes:
        center_x: Column of the grid's center in pixels, counted from 0.
        center_y: Row of the grid's center in pixels, counted from 0.
        stride: Distance between neighboring filters in pixels.
        sigma: Standard deviation of the filters in pixels.
        intensity: Factor of a glimpse; a written patch is divided by it.
    """

    center_x: Tensor
    center_y: Tensor
    stride: Tensor
    sigma: Tensor
    intensity: Tensor

    @classmethod
    @in_float32
    def from_raw(cls, raw: Tensor, *, n: int, height: int, width: int) -> "Window":
        r"""Returns the window parametrized by five unconstrained values.

        .. math:: g_X = \tfrac{A + 1}{2} (\tilde g_X + 1) - 1, \quad g_Y = \tfrac{B + 1}{2} (\tilde g_Y + 1) - 1, \quad
            \delta = \tfrac{\max(A, B) - 1}{N - 1} \tilde\delta

        Eqs. 21-24 of DRAW (arXiv:1502.04623) with A the width and B the height; 1 is subtracted because the paper counts pixels
        from 1. If all values are zero, the grid spans the longer side exactly. Departures: the three logarithms are clamped to
        +-20, where the exponentials are finite; for n = 1, where eq. 24 divides by zero, the stride is max(H, W) - 1 times its
        factor, which has no effect on a single filter.

        Args:
            raw: Shape (B, 5): x, y, log sigma^2, log stride factor, log intensity.
            n: Number of filters along each axis, at least 1.
            height: Height H of the image in pixels, at least 1.
            width: Width W of the image in pixels, at least 1.

        Returns:
            Window with fields of shape (B,), at least float32.

        Raises:
            ValueError: If raw does not have shape (B, 5), or n, height or width is below 1.
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
    def stacked(cls, windows: Sequence["Window"]) -> "Window":
        """Stacks the windows of T steps with fields of shape (B,) into one window with fields of shape (B, T).

        Args:
            windows: At least one window.
        """
        return cls(*(torch.stack(fields, dim=1) for fields in zip(*windows, strict=True)))

    @classmethod
    def joined(cls, parts: Sequence["Window"]) -> "Window":
        """Concatenates the windows of several batches.

        Args:
            parts: At least one window; fields of shape (B_i,), or (B_i, T) with the same T.

        Returns:
            Window with fields of shape (sum of B_i,) or (sum of B_i, T).
        """
        return cls(*(torch.cat(fields) for fields in zip(*parts, strict=True)))

    def as_tensor(self) -> Tensor:
        """Returns the fields, in their order, as the last axis of one tensor, shape (..., 5)."""
        return torch.stack(tuple(self), dim=-1)

    def at(self, step: int) -> "Window":
        """Returns the window at a step, counted from 0: fields of shape (B,) from fields of shape (B, T)."""
        return Window(*(field[:, step] for field in self))

    def rows(self, chosen: Tensor | slice | int) -> "Window":
        """Returns the windows of the images selected by a mask (B,), indices, a slice or one index."""
        return Window(*(field[chosen] for field in self))

    def cpu(self) -> "Window":
        """Returns the window in float32 on the CPU."""
        return Window(*(field.float().cpu() for field in self))

    def detached(self) -> "Window":
        """Returns the window detached from the graph of gradients."""
        return Window(*(field.detach() for field in self))

    def widened(self, factor: float) -> "Window":
        """Returns the window with the same center, and stride and sigma multiplied by a factor: a coarser scale."""
        return self._replace(stride=factor * self.stride, sigma=factor * self.sigma)

    def filters(self, *, n: int, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Returns the filters F_Y over rows, shape (B, n, H), and F_X over columns, shape (B, n, W), for fields of shape (B,)."""
        if isinstance(height, int) and height == width:  # sizes that are symbolic in an export may differ later
            centers = torch.stack((self.center_y, self.center_x))
            rows, columns = paired_filters(centers, self.stride, self.sigma, n_filters=n, n_pixels=height).unbind()
            return rows, columns
        return (
            gaussian_filters(self.center_y, self.stride, self.sigma, n_filters=n, n_pixels=height),
            gaussian_filters(self.center_x, self.stride, self.sigma, n_filters=n, n_pixels=width),
        )


@in_float32
def read(image: Tensor, window: Window, n: int) -> Tensor:
    r"""Returns the n x n glimpse of an image through a window.

    .. math:: \text{read}(x) = \gamma \, F_Y \, x \, F_X^T

    Eq. 27 of DRAW (arXiv:1502.04623) for one image, with the same filters for every channel. Computed in float32 at least, also
    under autocast.

    Args:
        image: Shape (B, C, H, W).
        window: Fields of shape (B,).
        n: Number of filters along each axis, at least 1.

    Returns:
        Glimpse, shape (B, C, n, n): rows before columns.

    Raises:
        ValueError: If the image does not have shape (B, C, H, W) with the window's B, or n is below 1.
    """
    batch, channels, height, width = _shape(image, "image", window)
    filters_y, filters_x = window.filters(n=n, height=height, width=width)
    columns = image.to(filters_y.dtype).reshape(batch * channels, height, width)
    every = (
        filters_y[:, None].expand(-1, channels, -1, -1).reshape(batch * channels, n, height)
    )  # a copy of the filters is smaller than one of the images
    rows = torch.bmm(every, columns).view(batch, channels * n, width)
    glimpse = torch.bmm(rows, filters_x.transpose(1, 2)).view(batch, channels, n, n)
    return window.intensity.to(glimpse.dtype)[:, None, None, None] * glimpse


@in_float32
def write(patch: Tensor, window: Window, height: int, width: int) -> Tensor:
    r"""Returns the image of a patch that is written through a window.

    .. math:: \text{write}(w) = \tfrac{1}{\hat\gamma} \, \hat F_Y^T \, w \, \hat F_X

    Eq. 29 of DRAW (arXiv:1502.04623), with the same filters for every channel. Computed in float32 at least, also under autocast.

    Args:
        patch: Shape (B, C, n, n): rows before columns.
        window: Fields of shape (B,), with nonzero intensity.
        height: Height H of the image in pixels, at least 1.
        width: Width W of the image in pixels, at least 1.

    Returns:
        Image, shape (B, C, H, W).

    Raises:
        ValueError: If the patch does not have shape (B, C, n, n) with the window's B, or height or width is below 1.
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
    """Returns the shape of a batch of images, or raises ValueError if it does not match the window."""
    if tensor.ndim != 4:
        raise ValueError(f"{name} must have shape (B, C, H, W), got {tuple(tensor.shape)}")
    if any(field.shape != tensor.shape[:1] for field in window):
        shapes = ", ".join(str(tuple(field.shape)) for field in window)
        raise ValueError(f"{name} has {tensor.shape[0]} images, the window's fields have shapes {shapes}")
    return tensor.shape
