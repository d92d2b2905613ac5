"""Canvas: the windows of the reads, a grid that accumulates their glimpses, and the network that classifies it.

Positions are pixels of the image counted from 0, x before y. Dimensions: B images with C channels, glimpses of n x n values, a
canvas of G x G cells with G = 2n.

References:
    S. Ioffe, C. Szegedy, "Batch Normalization", 2015, arXiv:1502.03167.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glimpse.attention.filterbank import filter_offsets
from glimpse.attention.precision import at_least_float32, in_float32
from glimpse.attention.window import Window
from glimpse.models.convolutional import AVERAGING_MOMENTUM, normalized_convolution
from glimpse.settings.search import SearchConfig

__all__ = ["Canvas", "CanvasClassifier", "ReadPattern", "imprint"]

_LEAST = 1e-3  # added to the weight of a cell before the division: a cell without weight is 0
_HALF = 0.5  # weight of a cell whose coverage is 0.5


class Canvas(NamedTuple):
    """Weighted sums of glimpses on a grid of cells.

    Attributes:
        written: Sum of the weighted values in each cell, shape (B, C, G, G).
        amount: Sum of the weights in each cell, shape (B, 1, G, G).
    """

    written: Tensor
    amount: Tensor

    def plus(self, other: "Canvas") -> "Canvas":
        """Returns the sum of two canvases with the same grid."""
        return Canvas(self.written + other.written, self.amount + other.amount)

    def image(self, rows: slice) -> Tensor:
        """Returns some of the canvases as images, shape (B', C + 1, G, G): the weighted means, and last the coverage in 0 to 1."""
        written, amount = self.written[rows], self.amount[rows]
        return torch.cat([written / (amount + _LEAST), amount / (amount + _HALF)], dim=1)


@in_float32
def imprint(patch: Tensor, window: Window, center: Tensor, cell: float, sigma: Tensor, weight: float = 1.0) -> Canvas:
    """Returns the canvas of one glimpse: each of its values is spread by a Gaussian around the position of its filter.

    In `glimpse.attention.window.write` every filter sums to 1 over the image. Here a filter outside the canvas contributes nothing,
    so that sums over several glimpses can be divided by the sum of their weights.

    Args:
        patch: Glimpse, shape (B, C, n, n).
        window: Window of the glimpse, fields of shape (B,).
        center: Position (x, y) of the canvas's center in pixels, shape (B, 2).
        cell: Side of a cell in pixels.
        sigma: Standard deviation of the Gaussians in cells, shape (B,).
        weight: Weight of the glimpse.

    Returns:
        Canvas of 2n x 2n cells.
    """
    n = patch.shape[-1]
    offset = filter_offsets(n, patch)
    cells = torch.arange(2 * n, dtype=patch.dtype, device=patch.device)
    at = (torch.stack(window[:2], dim=1) - center) / cell + n - 0.5  # (B, 2), in cells
    mu = at[..., None] + offset * (window.stride / cell)[:, None, None]  # (B, 2, n)
    columns, rows = torch.exp(-0.5 * ((cells - mu[..., None]) / sigma[:, None, None, None]) ** 2).unbind(dim=1)  # (B, n, G) each
    rows = weight * rows
    written = rows[:, None].transpose(2, 3) @ patch @ columns[:, None]
    return Canvas(written, (rows.sum(dim=1)[:, :, None] * columns.sum(dim=1)[:, None])[:, None])


class ReadPattern(nn.Module):
    """Windows of the reads, with learned offsets, strides and sigmas, shifted by up to `nudge` pixels depending on the state.

    Initially the grids of the first four interleave into one with a stride of one cell.

    Args:
        config: Settings.
    """

    def __init__(self, config: SearchConfig) -> None:
        super().__init__()
        self.cell, self.reach = config.cell, config.nudge
        self.nudge = nn.Linear(config.hidden, 2)
        self.offset = nn.Parameter(torch.tensor([(-0.5, -0.5), (0.5, 0.5), (-0.5, 0.5), (0.5, -0.5), (-0.5, 0.5), (0.0, 0.0)]))
        self.log_stride = nn.Parameter(torch.tensor([2.0, 2.0, 2.0, 2.0, 2.0, 1.0]).log())
        self.log_sigma = nn.Parameter(torch.full((6,), 0.5).log())
        for parameter in self.nudge.parameters():
            nn.init.zeros_(parameter)

    @in_float32
    def forward(self, number: int, center: Tensor, output: Tensor) -> Window:
        """Returns the window of a read.

        Args:
            number: Index of the read, from 0; the sixth and all later reads share their parameters.
            center: Position (x, y) of the object in pixels, shape (B, 2).
            output: Output of the LSTM, shape (B, hidden).

        Returns:
            Window with fields of shape (B,), at least float32.
        """
        number = min(number, len(self.offset) - 1)
        location = center + self.cell * self.offset[number] + self.reach * torch.tanh(self.nudge(output))
        stride, sigma = (self.cell * log[number].exp().expand(center.shape[0]) for log in (self.log_stride, self.log_sigma))
        return Window(location[:, 0], location[:, 1], stride, sigma, torch.ones_like(stride))


class CanvasClassifier(nn.Module):
    """Batch-normalized convolutional network that classifies canvases.

    Args:
        config: Settings.

    Attributes:
        found: Number of convolutional features of a canvas.
    """

    def __init__(self, config: SearchConfig) -> None:
        super().__init__()
        first, second, features = 2 * config.filters, 4 * config.filters, config.features
        self.found = second * (config.window // 2) ** 2
        self.see = nn.Sequential(
            normalized_convolution(config.channels + 1, first, side=5, step=2, momentum=AVERAGING_MOMENTUM),
            normalized_convolution(first, first, momentum=AVERAGING_MOMENTUM),
            normalized_convolution(first, second, step=2, momentum=AVERAGING_MOMENTUM),
            normalized_convolution(second, second, momentum=AVERAGING_MOMENTUM),
            nn.Flatten(),
        )
        self.connect = nn.Linear(self.found, features)
        self.classify = nn.Linear(features, config.classes)

    def forward(self, canvases: Tensor, dropout: Tensor | None = None) -> Tensor:
        """Returns class log-probabilities, shape (B, classes), at least float32.

        Args:
            canvases: Images of the canvases, shape (B, C + 1, G, G).
            dropout: Factors of the convolutional features, shape (B, found); no dropout if None.
        """
        found = self.see(canvases.contiguous(memory_format=torch.channels_last))
        found = found if dropout is None else found * dropout
        return at_least_float32(self.classify(F.relu(self.connect(found)))).log_softmax(dim=1)
