"""Candidates of an overview compared with a plain loop over its cells."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from glimpse.attention.window import read
from glimpse.models.candidates import CandidateMap, overview_window
from glimpse.settings.search import SearchConfig
from tests.helpers.tensors import images, normal

EXTENT = 26.4


def map_of(n: int, channels: int = 1) -> CandidateMap:
    """Returns a map in float64 whose network has random weights."""
    torch.manual_seed(0)
    made = CandidateMap(SearchConfig(window=n, channels=channels, extent=EXTENT)).double()
    with torch.no_grad():
        for parameter in made.score.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, dtype=torch.float64))
    return made


def plain(overview: NDArray[np.float64], learned: NDArray[np.float64], x: list[float], y: list[float]) -> list[tuple[float, ...]]:
    """Returns (x, y, log-probability) of three candidates, the most likely first, and the log-probability of all other cells."""
    bright = overview.mean(0)
    scores = 6 * bright / (bright.max() + 1e-3) + learned
    probability = np.exp(scores) / np.exp(scores).sum()
    n, free, found = len(x), {(i, j) for i in range(len(y)) for j in range(len(x))}, []
    for _ in range(3):
        best = max(free, key=lambda cell: probability[cell])
        total, at_x, at_y = 0.0, 0.0, 0.0
        for i in range(n):
            for j in range(n):
                near = ((y[i] - y[best[0]]) ** 2 + (x[j] - x[best[1]]) ** 2) / (2 * (EXTENT * 9 / 26.4) ** 2)
                weight = math.exp(-near) * max(bright[i, j], 0) ** 2 + 1e-12
                total, at_x, at_y = total + weight, at_x + weight * x[j], at_y + weight * y[i]
        at_x, at_y = at_x / total, at_y / total
        own = {cell for cell in free if math.hypot(y[cell[0]] - at_y, x[cell[1]] - at_x) < EXTENT * 16 / 26.4}
        free -= own
        found.append((at_x, at_y, math.log(sum(probability[cell] for cell in own))))
    return [*sorted(found, key=lambda each: -each[2]), (math.log(sum(probability[cell] for cell in free)),)]


@pytest.mark.parametrize("channels", [1, 3])
def test_candidates_equal_a_plain_loop_over_the_cells(channels: int) -> None:
    n, batch = 12, images(5, channels, 100, 100) ** 6
    window = overview_window(batch, n)
    overview, find = read(batch, window, n), map_of(n, channels)
    found = find(overview, window, 100, 100)
    cells = [49.5 + (i - 5.5) * 0.996 * 100 / 12 for i in range(n)]
    for row in range(5):
        learned = find.score(overview)[row, 0].detach().numpy()
        *locations, (rest,) = plain(overview[row].numpy(), learned, cells, cells)
        np.testing.assert_allclose(found.locations[row].numpy(), [location[:2] for location in locations], rtol=0, atol=1e-9)
        expected = [location[2] for location in locations] + [rest]
        np.testing.assert_allclose(found.log_prior[row].detach().numpy(), expected, rtol=0, atol=1e-9)
    torch.testing.assert_close(found.log_prior.exp().sum(dim=1), torch.ones(5, dtype=torch.float64))


def test_the_first_candidate_is_at_the_center_of_a_single_blob() -> None:
    batch = torch.zeros(1, 1, 100, 100, dtype=torch.float64)
    batch[0, 0, 60:70, 20:30] = 1
    window = overview_window(batch, 12)
    found = CandidateMap(SearchConfig()).double()(read(batch, window, 12), window, 100, 100)
    assert (found.locations[0, 0] - torch.tensor([24.5, 64.5])).abs().max() < 1.5
    assert found.log_prior[0, 0] > math.log(0.5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_overview_of_sixteen_bit_images_is_in_float32(dtype: torch.dtype) -> None:
    batch = torch.zeros(2, 1, 300, 400)
    for field, expected in zip(overview_window(batch.to(dtype), 12), overview_window(batch, 12), strict=True):
        assert field.dtype == torch.float32
        assert torch.equal(field, expected)


@pytest.mark.parametrize(("height", "width"), [(40, 120), (120, 40), (1, 30), (1, 1), (28, 28)])
def test_candidates_are_inside_the_image(height: int, width: int) -> None:
    batch = images(4, 1, height, width)
    window = overview_window(batch, 12)
    found = map_of(12)(read(batch, window, 12), window, height, width)
    assert found.log_prior.isfinite().all()
    spacing = float(window.stride[0])
    for k, length in ((0, width), (1, height)):
        first = found.locations[:, 0, k]
        assert (first >= -spacing).all()
        assert (first <= length - 1 + spacing).all()


def test_the_map_has_a_gradient_and_the_positions_have_none() -> None:
    find, batch = map_of(12), images(3, 1, 60, 60)
    window = overview_window(batch, 12)
    found = find(read(batch, window, 12), window, 60, 60)
    assert not found.locations.requires_grad
    (found.log_prior * normal(3, 4)).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in find.parameters())
    assert find.gain.grad is not None
    assert find.gain.grad.abs() > 0
