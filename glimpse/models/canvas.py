"""Canvas: the windows that read a place, what they saw put together on a grid of cells, and the network that reads it.

Positions are pixels of the image counted from 0, x before y. Dimensions: B images in C channels, glimpses of n x n numbers, a
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
from glimpse.models.convolutional import normalized_convolution
from glimpse.models.linear import Linear
from glimpse.settings.search import SearchConfig

__all__ = ["MOMENTUM", "Canvas", "CanvasReader", "ReadPattern", "imprint"]

_LEAST = 1e-3  # added to how much a cell was seen: an unseen cell is dark
_HALF = 0.5  # how much a cell was seen where the reader is told one half

MOMENTUM = 0.02
"""Momentum of batch normalization: its statistics average over about 50 steps, since the weights that are kept are averages too."""


class Canvas(NamedTuple):
    """What was seen of a place and how much, sums over glimpses.

    Attributes:
        written: What was seen in each cell, times how much, shape (B, C, G, G).
        amount: How much each cell was seen, shape (B, 1, G, G).
    """

    written: Tensor
    amount: Tensor

    def joined(self, other: "Canvas") -> "Canvas":
        """Returns what two canvases of the same places show together."""
        return Canvas(self.written + other.written, self.amount + other.amount)

    def image(self, rows: slice) -> Tensor:
        """Returns some of the canvases as images, shape (B', C + 1, G, G): what was seen, and whether, from 0 to 1."""
        written, amount = self.written[rows], self.amount[rows]
        return torch.cat([written / (amount + _LEAST), amount / (amount + _HALF)], dim=1)


@in_float32
def imprint(patch: Tensor, window: Window, center: Tensor, cell: float, sigma: Tensor | float, weight: float = 1.0) -> Canvas:
    """Returns the canvas that holds one glimpse: each of its numbers is written as a Gaussian around where its filter was.

    Unlike `glimpse.attention.window.write`, whose filters each sum to 1 over the image, a filter outside the canvas leaves nothing
    on it: sums over many glimpses can be divided by how much there is.

    Args:
        patch: What was seen, shape (B, C, n, n).
        window: Where, fields of shape (B,).
        center: Position (x, y) of the canvas's center in pixels, shape (B, 2).
        cell: Side of a cell in pixels.
        sigma: Deviation of the Gaussians in cells, a number or shape (B,).
        weight: How much the glimpse counts.
    """
    n = patch.shape[-1]
    offset = filter_offsets(n, patch)
    cells = torch.arange(2 * n, dtype=patch.dtype, device=patch.device)
    at = (torch.stack(window[:2], dim=1) - center) / cell + n - 0.5  # (B, 2), in cells
    mu = at[..., None] + offset * (window.stride / cell)[:, None, None]  # (B, 2, n)
    spread = sigma[:, None, None, None] if isinstance(sigma, Tensor) else sigma
    columns, rows = torch.exp(-0.5 * ((cells - mu[..., None]) / spread) ** 2).unbind(dim=1)  # (B, n, G) each
    rows = weight * rows
    written = rows[:, None].transpose(2, 3) @ patch @ columns[:, None]
    return Canvas(written, (rows.sum(dim=1)[:, :, None] * columns.sum(dim=1)[:, None])[:, None])


class ReadPattern(nn.Module):
    """Windows of the reads: the first four interleave into a grid of one cell's stride, all are learned, and the state nudges them.

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
        """Returns the window of a read, from 0, around centers (x, y), shape (B, 2), for the LSTM's output (B, hidden).

        The sixth read and all after it are alike.
        """
        number = min(number, len(self.offset) - 1)
        place = center + self.cell * self.offset[number] + self.reach * torch.tanh(self.nudge(output))
        stride, sigma = (self.cell * log[number].exp().expand(len(center)) for log in (self.log_stride, self.log_sigma))
        return Window(place[:, 0], place[:, 1], stride, sigma, torch.ones_like(stride))


class CanvasReader(nn.Module):
    """Batch-normalized convnet that classifies canvases.

    Args:
        config: Settings.

    Attributes:
        found: Number of values that the convolutions find in a canvas.
    """

    def __init__(self, config: SearchConfig) -> None:
        super().__init__()
        first, second, features = 2 * config.filters, 4 * config.filters, config.features
        self.found = second * (config.window // 2) ** 2
        self.see = nn.Sequential(
            normalized_convolution(config.channels + 1, first, side=5, step=2, momentum=MOMENTUM),
            normalized_convolution(first, first, momentum=MOMENTUM),
            normalized_convolution(first, second, step=2, momentum=MOMENTUM),
            normalized_convolution(second, second, momentum=MOMENTUM),
            nn.Flatten(),
        )
        self.connect = Linear(self.found, features)
        self.classify = nn.Linear(features, config.classes)

    def forward(self, canvases: Tensor, dropout: Tensor | None = None) -> Tensor:
        """Returns log-probabilities, shape (B, classes), at least float32.

        Args:
            canvases: Their images, shape (B, C + 1, G, G).
            dropout: Factors on what the convolutions find, shape (B, found); None leaves it as it is.
        """
        found = self.see(canvases.contiguous(memory_format=torch.channels_last))
        found = found if dropout is None else found * dropout
        return at_least_float32(self.classify(F.relu(self.connect(found)))).log_softmax(dim=1)
