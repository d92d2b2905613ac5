"""What trajectories over many images have in common: how far from the digit the window is at each step, how wide, how often right.

Positions and distances are in pixels, x before y. Dimensions: N images, T steps.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glimpse.attention.track import Track, WindowKind
from glimpse.trajectories.views import UNKNOWN, Trajectories

__all__ = ["FAR", "StepSummary", "Summary", "cell_side", "digit_distances", "summarize_trajectories"]

FAR = 20.0
"""Pixels from the digit's center beyond which a window has missed it: the side of the field that MNIST's digits fill."""

_FIELD = 20 / 28  # of a digit's frame, the part that MNIST's digits were fitted into
_MOST_CELLS = 50  # of a heat map along each axis


@dataclass(frozen=True)
class StepSummary:
    """One step over all images; None for what is not known of them.

    Attributes:
        window: What the window is for.
        step: From 1.
        error: Percent of the images whose most probable class is another than theirs.
        distance: Median distance in pixels of the window's center from the digit's.
        distance_quartiles: Its lower and upper quartile.
        far: Percent of the images where it is over `FAR`.
        on_center: Percent of the images where the window's box holds the digit's center.
        outside: Percent of the images where the window's center is outside the image.
        covered: Percent of the field of 20/28 of the frame, in which the digit stands, that the box covers, on average.
        stride: Median in pixels.
        stride_quartiles: Its lower and upper quartile.
        sigma: Median in pixels.
        sigma_quartiles: Its lower and upper quartile.
    """

    window: WindowKind
    step: int
    error: float | None
    distance: float | None
    distance_quartiles: tuple[float, float] | None
    far: float | None
    on_center: float | None
    outside: float
    covered: float | None
    stride: float
    stride_quartiles: tuple[float, float]
    sigma: float | None
    sigma_quartiles: tuple[float, float] | None


@dataclass(frozen=True)
class Summary:
    """All steps, and where the windows were.

    Attributes:
        images: Number of images N.
        steps: One entry for each kind of window and step.
        heat: For each kind of window the share of its centers in each cell of a grid over the image, shape (T, rows, columns);
            cells are whole pixels wide, with at most 50 along an axis; centers outside count at the edge.
        size: Height and width of that image in pixels; of the first one, if the images differ in size.
    """

    images: int
    steps: tuple[StepSummary, ...]
    heat: dict[WindowKind, NDArray[np.float64]]
    size: tuple[int, int]

    def as_dict(self) -> dict[str, Any]:
        """Returns everything but the heat maps, for JSON."""
        return {"images": self.images, "far_pixels": FAR, "steps": [asdict(step) for step in self.steps]}


def summarize_trajectories(parts: Iterable[Trajectories], frame: tuple[int, int] | None = None) -> Summary:
    """Returns the summary of trajectories of one model; of nested windows it looks at the smallest.

    Args:
        parts: Trajectories, batch after batch; only a few numbers of each are kept.
        frame: Height and width of the digits' frame in pixels, None where unknown.

    Raises:
        ValueError: If there is not one image.
    """
    wrong: list[Tensor] = []
    kept: dict[WindowKind, list[dict[str, Tensor]]] = {}
    heat: dict[WindowKind, NDArray[np.float64]] = {}
    size, images = (0, 0), 0
    for part in parts:
        size, images = size if images else (part.images.shape[2], part.images.shape[3]), images + len(part)
        if part.predictions is not None and bool((part.labels != UNKNOWN).all()):
            wrong.append((part.predictions != part.labels[:, None]).float())  # (N, T)
        for track in (track for track in part.tracks if track.scale == 0):
            kept.setdefault(track.kind, []).append(_facts(track, part, frame))
            heat[track.kind] = heat.get(track.kind, 0) + _counts(track, *size)
    if not images:
        raise ValueError("there is not one image to summarize")
    errors = 100 * torch.cat(wrong).mean(dim=0) if sum(map(len, wrong)) == images else None
    steps = []
    for kind, facts in kept.items():
        joined = {name: torch.cat([fact[name] for fact in facts]).double() for name in facts[0]}  # (N, T) each
        steps += [_step(kind, t, joined, errors) for t in range(joined["stride"].shape[1])]
    return Summary(images, tuple(steps), {kind: counts / images for kind, counts in heat.items()}, size)


def digit_distances(track: Track, digits: Tensor) -> Tensor:
    """Returns the distance of the window's center from the digit's in pixels, shape (N, T); NaN if the digit's is unknown.

    Args:
        track: Windows over all steps, fields of shape (N, T).
        digits: Center (x, y) of each digit in pixels, shape (N, 2).
    """
    return torch.hypot(track.window.center_x - digits[:, :1], track.window.center_y - digits[:, 1:])


def _facts(track: Track, part: Trajectories, frame: tuple[int, int] | None) -> dict[str, Tensor]:
    """Returns what is kept of a track, shape (N, T) each; NaN if unknown."""
    window, digits, (height, width) = track.window, part.digits, part.images.shape[2:]
    away_x, away_y = window.center_x - digits[:, :1], window.center_y - digits[:, 1:]  # (N, T)
    half = (track.n - 1) / 2 * window.stride
    inside = ((away_x.abs() <= half) & (away_y.abs() <= half)).float()
    covered = torch.full_like(half, torch.nan)
    beyond_x = (window.center_x < -0.5) | (window.center_x >= width - 0.5)
    beyond_y = (window.center_y < -0.5) | (window.center_y >= height - 0.5)
    if frame is not None:
        field_y, field_x = (_FIELD * side / 2 for side in frame)
        covered = _overlap(away_x, half, field_x) * _overlap(away_y, half, field_y)
    return {
        "distance": digit_distances(track, digits),
        "inside": torch.where(away_x.isnan(), torch.nan, inside),
        "covered": covered,
        "outside": (beyond_x | beyond_y).float(),
        "stride": window.stride,
        "sigma": window.sigma,
    }


def _overlap(away: Tensor, half: Tensor, field: float) -> Tensor:
    """Returns the part of an interval of half length `field` that another one of half length `half` covers, `away` from it."""
    length = torch.minimum(away + half, torch.full_like(away, field)) - torch.maximum(away - half, torch.full_like(away, -field))
    return length.clamp(min=0) / (2 * field)


def cell_side(height: int, width: int) -> int:
    """Returns how many pixels of an image a cell of its heat map is wide and high: whole ones, so that cells hold equally many."""
    return -(-max(height, width) // _MOST_CELLS)


def _counts(track: Track, height: int, width: int) -> NDArray[np.float64]:
    """Returns how many centers lie in each cell at each step, shape (T, rows, columns)."""
    side = cell_side(height, width)
    rows, columns = -(-height // side), -(-width // side)
    row = ((track.window.center_y + 0.5) / side).floor().long().clamp(0, rows - 1)
    column = ((track.window.center_x + 0.5) / side).floor().long().clamp(0, columns - 1)
    steps = row.shape[1]
    cell = (torch.arange(steps) * rows + row) * columns + column  # (N, T)
    counts = torch.bincount(cell.flatten(), minlength=steps * rows * columns)
    return np.asarray(counts.view(steps, rows, columns).double().numpy())


def _step(kind: WindowKind, t: int, facts: dict[str, Tensor], errors: Tensor | None) -> StepSummary:
    """Returns the summary of one step."""
    columns = {name: values[:, t] for name, values in facts.items()}
    known = {name: bool(values.isfinite().all()) for name, values in columns.items()}

    def percent(name: str, share: Tensor) -> float | None:
        return 100 * float(share.mean()) if known[name] else None

    def quartiles(name: str) -> tuple[float, float, float] | None:
        if not known[name]:
            return None
        low, middle, high = np.quantile(columns[name].numpy(), (0.25, 0.5, 0.75))
        return float(low), float(middle), float(high)

    distance, stride, sigma = quartiles("distance"), quartiles("stride"), quartiles("sigma")
    if stride is None:
        raise ValueError(f"the {kind} window's stride at step {t + 1} is not finite for every image")
    return StepSummary(
        window=kind,
        step=t + 1,
        error=None if errors is None else float(errors[t]),
        distance=distance and distance[1],
        distance_quartiles=distance and (distance[0], distance[2]),
        far=percent("distance", (columns["distance"] > FAR).double()),
        outside=100 * float(columns["outside"].mean()),
        on_center=percent("inside", columns["inside"]),
        covered=percent("covered", columns["covered"]),
        stride=stride[1],
        stride_quartiles=(stride[0], stride[2]),
        sigma=sigma and sigma[1],
        sigma_quartiles=sigma and (sigma[0], sigma[2]),
    )
