"""Costs of a model: multiply-adds and values read counted by hand, and the forward pass that is timed."""

import pytest
import torch

from glimpse.evaluation.costs import forward_pass, multiply_adds
from glimpse.models.catalog import build_classifier
from glimpse.models.glimpse_classifier import GlimpseClassifier
from glimpse.settings.convolutional import ConvConfig, ConvNetConfig
from glimpse.settings.glimpse_classifier import ClassifierConfig
from glimpse.settings.ram import RAMConfig
from glimpse.settings.spatial_transformer import SpatialTransformerConfig


def lstm_by_hand(inputs: int, hidden: int) -> int:
    return (inputs + hidden) * 4 * hidden


@pytest.mark.parametrize(("height", "width"), [(30, 30), (20, 35)])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_multiply_adds_of_a_papers_classifier_follow_from_its_matrices(height: int, width: int, channels: int) -> None:
    config = ClassifierConfig(
        glimpses=3, window=5, hidden=7, encoder="none", parametrization="paper", supervision="last", sigma=1.0, channels=channels
    )
    read = channels * (5 * height * width + 5 * width * 5)  # F_Y x, then (F_Y x) F_X^T: both products of the filters count
    step = 7 * 5 + read + lstm_by_hand(channels * 25, 7) + 7 * 10
    found = multiply_adds(GlimpseClassifier(config).eval(), torch.rand(1, channels, height, width))
    assert found == 3 * step


def test_an_encoder_adds_its_matrices() -> None:
    config = ClassifierConfig(glimpses=2, window=4, hidden=6, features=5, parametrization="paper")
    encoder = 16 * 10 + 10 * 5 + 4 * 5
    step = 6 * 5 + (4 * 30 * 30 + 4 * 30 * 4) + encoder + lstm_by_hand(5, 6) + 6 * 10
    assert multiply_adds(GlimpseClassifier(config).eval(), torch.rand(1, 1, 30, 30)) == 2 * step


def test_a_convolution_counts_its_kernel_at_every_place() -> None:
    config = ConvConfig(filters=3, kernel=6, step=4, hidden=9, height=30, width=22)
    places = ((30 - 6) // 4 + 1) * ((22 - 6) // 4 + 1)
    expected = places * 3 * 36 + places * 3 * 9 + 9 * 10
    assert multiply_adds(build_classifier(config).eval(), torch.rand(1, 1, 30, 22)) == expected


def test_counting_does_not_change_the_model() -> None:
    model = GlimpseClassifier(ClassifierConfig(glimpses=1, window=4, hidden=6, features=5)).eval()
    multiply_adds(model, torch.rand(1, 1, 20, 20))
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not model.training


def test_values_read_are_those_of_all_glimpses_scales_channels_and_samples_or_the_canvas() -> None:
    assert ClassifierConfig(glimpses=3, window=5, scales=2, channels=3).reading(100, 80) == (3 * 25 * 2 * 3, False)
    assert RAMConfig(glimpses=3, window=5, scales=2).reading(100, 80) == (3 * 25 * 2, False)
    assert RAMConfig(glimpses=3, window=5, scales=2, test_samples=10).reading(100, 80) == (10 * 3 * 25 * 2, False)
    for config in (ConvConfig(channels=3), ConvNetConfig(channels=3), SpatialTransformerConfig(channels=3)):
        assert config.reading(100, 80) == (3 * 100 * 80, True)


def test_a_forward_pass_classifies_every_image_once() -> None:
    model = build_classifier(ConvConfig(filters=2, hidden=8, height=30, width=30)).eval()
    seen: list[int] = []
    model.register_forward_hook(lambda module, arguments, result: seen.append(len(arguments[0])))
    forward_pass(model, torch.rand(300, 1, 30, 30))
    assert seen == [300]
