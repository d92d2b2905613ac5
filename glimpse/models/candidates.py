"""Candidates: the most likely locations of the object, found in an overview of the image.

Positions are pixels counted from 0, x before y. Dimensions: B images of H x W pixels in C channels, an overview of n x n filters, K
candidates.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from glimpse.attention.filterbank import filter_offsets
from glimpse.attention.precision import at_least_float32, in_float32
from glimpse.attention.window import Window
from glimpse.settings.search import SearchConfig

__all__ = ["CandidateMap", "Candidates", "overview_window"]

_SPACING, _SIGMA = 0.996, 0.9  # stride and sigma of the overview, in units of the image's longer side divided by n
_INTENSITY = 3.0  # of the overview: its values, means over large areas, are small compared with those of other glimpses
_GAIN = 6.0  # initial gain of brightness: the brightest cell is e^6 times as likely as a dark one
_REGION = 16 / 26.4  # radius of a candidate's region, as a fraction of the extent
_BLOB = 9 / 26.4  # standard deviation of the Gaussian that weights a candidate's center of mass, as a fraction of the extent
_FLAT = 1e-3  # brightness below which an overview counts as empty
_NEVER = -1e4  # log-probability of a region without cells


class Candidates(NamedTuple):
    """Candidate locations of the object, the most likely first.

    Attributes:
        locations: Positions (x, y) of the candidates in pixels, shape (B, K, 2), without gradient.
        log_prior: Log-probabilities that the object is at each candidate and, last, that it is elsewhere, shape (B, K + 1).
    """

    locations: Tensor
    log_prior: Tensor


def overview_window(images: Tensor, n: int) -> Window:
    """Returns the window of n x n filters that covers whole images of shape (B, C, H, W).

    Its fields have shape (B,) and are at least float32.
    """
    batch, _, height, width = images.shape
    like, side = at_least_float32(images[:0]), max(height, width) / n
    values = ((width - 1) / 2, (height - 1) / 2, _SPACING * side, _SIGMA * side, _INTENSITY)
    return Window(*(like.new_full((batch,), value) for value in values))


class CandidateMap(nn.Module):
    """Small convolutional network that predicts candidate locations of the object from an overview.

    The score of a cell is its brightness relative to the brightest cell, times a learned gain, plus the output of the network,
    which is initially 0. A softmax over the cells gives their log-probabilities. Candidates are found one after the other: each is
    the center of brightness around the most likely cell outside the regions of the previous candidates.

    Args:
        config: Settings.
    """

    def __init__(self, config: SearchConfig) -> None:
        super().__init__()
        self.count, self.extent = config.candidates, config.extent
        self.score = nn.Sequential(
            nn.Conv2d(config.channels, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 1)
        )
        self.gain = nn.Parameter(torch.tensor(_GAIN))
        for parameter in self.score[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, overview: Tensor, window: Window, height: int, width: int) -> Candidates:
        """Returns the candidates.

        Args:
            overview: Overview glimpse of the images, shape (B, C, n, n).
            window: Window of the overview, fields of shape (B,).
            height: Height H of the images in pixels.
            width: Width W of the images in pixels.
        """
        return self._candidates(overview, self.score(overview)[:, 0], window, (height, width))

    @in_float32
    def _candidates(self, overview: Tensor, learned: Tensor, window: Window, size: tuple[int, int]) -> Candidates:
        """Returns the candidates for an overview (B, C, n, n), scores of the network (B, n, n) and images of H x W pixels."""
        n = overview.shape[-1]
        bright = overview.mean(dim=1)
        relative = bright / (bright.amax(dim=(1, 2), keepdim=True) + _FLAT)
        offset = filter_offsets(n, bright) * window.stride[:, None]
        columns, rows = (center[:, None] + offset for center in (window.center_x, window.center_y))  # (B, n)
        inside = _within(rows, size[0], window)[:, :, None] & _within(columns, size[1], window)[:, None]  # (B, n, n)
        scores = (self.gain * relative + learned).masked_fill(~inside, _NEVER)
        log_p = scores.flatten(1).log_softmax(dim=1)
        with torch.no_grad():
            locations, regions = self._regions(log_p.view_as(scores), bright, rows, columns)
        log_prior = [log_p.masked_fill(~region.flatten(1), _NEVER).logsumexp(dim=1) for region in regions]
        return _sorted_candidates(torch.stack(locations, dim=1), torch.stack(log_prior, dim=1))

    def _regions(self, log_p: Tensor, bright: Tensor, rows: Tensor, columns: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Returns K positions (B, 2) and K + 1 masks (B, n, n): the cells of each candidate's region, and all other cells."""
        n = rows.shape[1]
        power = bright.clamp(min=0) ** 2
        free = torch.ones_like(log_p, dtype=torch.bool)
        locations, regions = [], []
        for _ in range(self.count):
            best = log_p.masked_fill(~free, -math.inf).flatten(1).argmax(dim=1)
            around = rows.gather(1, best[:, None] // n), columns.gather(1, best[:, None] % n)
            location = _center_of_mass(power, rows, columns, around, _BLOB * self.extent)
            distance = ((rows - location[:, 1:]) ** 2)[:, :, None] + ((columns - location[:, :1]) ** 2)[:, None]  # (B, n, n)
            region = (distance < (_REGION * self.extent) ** 2) & free
            free = free & ~region
            locations.append(location)
            regions.append(region)
        return locations, [*regions, free]


def _within(cells: Tensor, length: int, window: Window) -> Tensor:
    """Returns which cells, at positions (B, n) along an axis of this length, overlap the image."""
    return (cells - (length - 1) / 2).abs() <= (length + window.stride[:, None]) / 2


def _center_of_mass(power: Tensor, rows: Tensor, columns: Tensor, around: tuple[Tensor, Tensor], deviation: float) -> Tensor:
    """Returns the center of mass (x, y), shape (B, 2), of power (B, n, n) times a Gaussian around positions (y, x), (B, 1) each."""
    near_y, near_x = (
        torch.exp(-((cells - at) ** 2) / (2 * deviation**2)) for cells, at in zip((rows, columns), around, strict=True)
    )
    weight = near_y[:, :, None] * power * near_x[:, None] + 1e-12  # an empty overview has its center of mass in the middle
    total = weight.sum(dim=(1, 2))
    return torch.stack([(weight.sum(dim=1) * columns).sum(dim=1) / total, (weight.sum(dim=2) * rows).sum(dim=1) / total], dim=1)


def _sorted_candidates(locations: Tensor, log_prior: Tensor) -> Candidates:
    """Returns the candidates, the most likely first."""
    order = log_prior[:, :-1].detach().argsort(dim=1, descending=True, stable=True)
    locations = locations.gather(1, order[..., None].expand(-1, -1, 2))
    return Candidates(locations, torch.cat([log_prior[:, :-1].gather(1, order), log_prior[:, -1:]], dim=1))
