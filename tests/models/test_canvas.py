"""Canvas compared with a plain loop: the weighted mean of the glimpses in each cell."""

import math

import numpy as np
import torch

from glimpse.attention.window import Window
from glimpse.models.canvas import Canvas, CanvasClassifier, imprint
from glimpse.settings.search import SearchConfig
from tests.helpers.tensors import images, normal

N, CELL = 4, 1.3


def glimpse_at(seed: int, batch: int = 3) -> tuple[torch.Tensor, Window]:
    """Returns a random glimpse with two channels, and a random window around pixel 10."""
    numbers = normal(batch, 3, seed=seed)
    stride = 2 * torch.exp(0.2 * numbers[:, 2])
    return images(batch, 2, N, N, seed=seed), Window(
        10 + numbers[:, 0], 10 + numbers[:, 1], stride, stride / 4, torch.ones_like(stride)
    )


def test_a_canvas_is_the_weighted_mean_of_its_glimpses() -> None:
    glimpses = [glimpse_at(seed) for seed in range(3)]
    weights, deviations = (0.05, 1.0, 1.0), (0.7, 0.45, 0.45)
    center = torch.full((3, 2), 10.0, dtype=torch.float64) + 0.1 * normal(3, 2, seed=9)
    canvas: Canvas | None = None
    for (patch, window), weight, sigma in zip(glimpses, weights, deviations, strict=True):
        part = imprint(patch, window, center, CELL, torch.full((3,), sigma, dtype=torch.float64), weight)
        canvas = part if canvas is None else canvas.plus(part)
    assert canvas is not None
    image = canvas.image(slice(0, 3)).numpy()
    assert image.shape == (3, 3, 2 * N, 2 * N)
    for b in range(3):
        for row in range(2 * N):
            for column in range(2 * N):
                x = float(center[b, 0]) + (column - N + 0.5) * CELL
                y = float(center[b, 1]) + (row - N + 0.5) * CELL
                written, amount = np.zeros(2), 0.0
                for (patch, window), weight, sigma in zip(glimpses, weights, deviations, strict=True):
                    for i in range(N):
                        for j in range(N):
                            at_x = float(window.center_x[b] + (j - 1.5) * window.stride[b])
                            at_y = float(window.center_y[b] + (i - 1.5) * window.stride[b])
                            share = weight * math.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / (2 * (sigma * CELL) ** 2))
                            written, amount = written + share * patch[b, :, i, j].numpy(), amount + share
                np.testing.assert_allclose(image[b, :2, row, column], written / (amount + 1e-3), rtol=0, atol=1e-12)
                np.testing.assert_allclose(image[b, 2, row, column], amount / (amount + 0.5), rtol=0, atol=1e-12)


def test_a_glimpse_outside_the_canvas_contributes_nothing() -> None:
    patch, window = glimpse_at(0)
    canvas = imprint(patch, window, torch.full((3, 2), 200.0, dtype=torch.float64), CELL, torch.full((3,), 0.45))
    assert canvas.amount.max() < 1e-12
    assert canvas.image(slice(0, 3)).abs().max() < 1e-9


def test_the_probabilities_of_a_canvas_sum_to_1_and_dropout_scales_its_features() -> None:
    torch.manual_seed(0)
    classifier = CanvasClassifier(SearchConfig(window=N, filters=2, features=5, classes=7)).double().eval()
    canvases = images(3, 2, 2 * N, 2 * N)
    plain = classifier(canvases)
    torch.testing.assert_close(plain.exp().sum(dim=1), torch.ones(3, dtype=torch.float64))
    kept = torch.ones(3, classifier.found, dtype=torch.float64)
    torch.testing.assert_close(classifier(canvases, kept), plain)
    dropped = classifier(canvases, 0 * kept)
    torch.testing.assert_close(dropped, dropped[:1].expand(3, -1))
    assert not torch.allclose(plain, plain[:1].expand(3, -1))
