"""Multiply-adds and bytes in closed form: what is counted by hand, and what torch's counter counts."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from glimpse.attention.window import Window, read, write
from glimpse.benchmarking.operations import (
    Operations,
    classifier_operations,
    clutter_operations,
    draw_operations,
    filter_operations,
    ram_operations,
    read_operations,
    write_operations,
)
from glimpse.evaluation.costs import multiply_adds
from glimpse.models.draw import DRAW
from glimpse.models.glimpse_classifier import GlimpseClassifier
from glimpse.models.ram import RAM
from glimpse.settings.draw import GeneratorConfig
from glimpse.settings.glimpse_classifier import ClassifierConfig
from glimpse.settings.ram import RAMConfig

SIZES = [(20, 20), (18, 31)]


def counted(work: Callable[[], Any]) -> int:
    """Returns the multiply-adds that torch counts, which takes each for two operations."""
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops()) // 2


def window(batch: int) -> Window:
    return Window(*torch.rand(5, batch, generator=torch.Generator().manual_seed(0)).add(0.5))


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_read_and_a_write_multiply_what_torch_counts(channels: int, height: int, width: int) -> None:
    image, patch = torch.rand(2, channels, height, width), torch.rand(2, channels, 5, 5)
    reading, writing = read_operations(channels, 5, height, width), write_operations(channels, 5, height, width)
    assert counted(lambda: read(image, window(2), 5)) == 2 * reading.multiply_adds
    assert counted(lambda: write(patch, window(2), height, width)) == 2 * writing.multiply_adds


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_three_forward_passes_are_exact_where_everything_has_a_gradient(height: int, width: int) -> None:
    def step(operation: Callable[[Tensor, Window], Tensor], tensor: Tensor) -> int:
        place = Window(*(field.requires_grad_() for field in window(2)))
        tensor.requires_grad_()
        return counted(lambda: torch.autograd.backward(operation(tensor, place).sum()))

    reading = step(lambda image, place: read(image, place, 4), torch.rand(2, 1, height, width))
    writing = step(lambda patch, place: write(patch, place, height, width), torch.rand(2, 1, 4, 4))
    assert reading == 2 * read_operations(1, 4, height, width).step.multiply_adds
    assert writing == 2 * write_operations(1, 4, height, width).step.multiply_adds


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"encoder": "none", "parametrization": "paper", "supervision": "last"},
        {"parametrization": "random", "scales": 3, "window": 4},
        {"channels": 3, "glimpses": 1, "features": 7, "classes": 4},
    ],
)
def test_the_classifier_multiplies_what_torch_counts(settings: dict[str, Any], height: int, width: int) -> None:
    config = ClassifierConfig(**{"glimpses": 3, "window": 5, "hidden": 12, "features": 9} | settings)
    found = multiply_adds(GlimpseClassifier(config).eval(), torch.rand(1, config.channels, height, width))
    assert classifier_operations(config, height, width).multiply_adds == found


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("settings", [{}, {"glimpses": 1, "scales": 1}, {"channels": 2, "window": 3, "features": 8}])
def test_ram_multiplies_what_torch_counts(settings: dict[str, Any], height: int, width: int) -> None:
    config = RAMConfig(**{"glimpses": 3, "window": 4, "scales": 2, "hidden": 10, "features": 6} | settings)
    found = multiply_adds(RAM(config).eval(), torch.rand(1, config.channels, height, width))
    assert ram_operations(config, height, width).multiply_adds == found
    both = RAMConfig(**vars(config) | {"monte_carlo": 2})
    assert ram_operations(both, height, width).multiply_adds == 2 * found


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"attention": False},
        {"prior": "learned"},
        {"layer_norm": True, "canvas_input": True},
        {"channels": 3, "read": 2, "write": 4, "observation": "logistic"},
    ],
)
def test_draw_multiplies_what_torch_counts(settings: dict[str, Any], height: int, width: int) -> None:
    config = GeneratorConfig(**{"glimpses": 3, "hidden": 11, "latent": 4, "height": height, "width": width} | settings)
    model = DRAW(config).requires_grad_(False)
    images, noise = torch.rand(2, config.channels, height, width), model.noise(2, torch.Generator().manual_seed(0))
    assert counted(lambda: model(images, noise)) == 2 * draw_operations(config).multiply_adds


def test_a_small_classifier_counted_by_hand() -> None:
    config = ClassifierConfig(glimpses=2, window=3, hidden=4, features=5)
    glimpse = 3 * 10 * 20 + 3 * 20 * 3
    encoder = 9 * 10 + 10 * 5 + 4 * 5
    lstm = (5 + 4) * 16
    step = glimpse + encoder + lstm + 4 * 5 + 4 * 10
    pointing = 4 * 9  # not before the first glimpse
    assert classifier_operations(config, 10, 20) == Operations(2 * step + pointing, 2 * 4 * (10 * 20 + 9 + 3 * (10 + 20)))


def test_bytes_counted_by_hand() -> None:
    assert filter_operations(100) == Operations(0, 400)
    assert read_operations(2, 3, 10, 20).bytes == 4 * (2 * 200 + 2 * 9 + 3 * 10 + 3 * 20)  # image, glimpse, both axes' filters
    assert write_operations(1, 3, 10, 20).bytes == 4 * (200 + 9 + 3 * 10 + 3 * 20)
    assert clutter_operations(100, 8, 8, (28, 28)) == Operations(0, 40_000 + 784 + 512)
    assert ram_operations(RAMConfig(glimpses=2, window=3, scales=2), 10, 20).bytes == 4 * (200 + 2 * 2 * 9)
    assert draw_operations(GeneratorConfig(glimpses=3, attention=False)).bytes == 3 * 4 * 3 * 784


def test_a_training_step_is_three_forward_passes() -> None:
    assert Operations(7, 11).step == Operations(21, 33)
