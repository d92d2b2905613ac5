"""Predictions of a trained classifier: averages over sampled glimpses, other numbers of glimpses, whole sets in order."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from glimpse.evaluation.classifier import (
    call_inputs,
    classify,
    predictions,
    uniforms,
)
from glimpse.trajectories.collecting import look_at
from tests.helpers.classifiers import GLIMPSE, RECURRENT, WHOLE, built, data

pytestmark = pytest.mark.usefixtures("no_gradients")


@pytest.mark.parametrize("samples", [2, 5])
@pytest.mark.parametrize("first_glimpse", ["random", "centered"])
def test_probabilities_are_averaged_over_samples(samples: int, first_glimpse: Any) -> None:
    model = built(replace(RECURRENT, test_samples=samples, first_glimpse=first_glimpse))
    positions = torch.tensor([3, 900, 12, 3])
    batch = data(4).batch(torch.arange(4)).images
    found = classify(model, batch, positions, 2)
    assert (found.shape, found.dtype) == ((4, 2, 4), torch.float32)
    for b in range(4):
        probabilities = np.zeros((2, 4))
        for sample in range(samples):
            noise = uniforms(positions[b : b + 1], 2, sample)
            logits = model(batch[b : b + 1], 2, noise, 0.2).logits[0].double().numpy()
            probabilities += np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True) / samples
        np.testing.assert_allclose(found[b].exp().numpy(), probabilities, rtol=0, atol=1e-6)


def test_samples_differ_and_one_sample_is_a_sample() -> None:
    batch, positions = data(6).batch(torch.arange(6)).images, torch.arange(6)
    one, two, mean = (built(replace(RECURRENT, test_samples=samples)) for samples in (1, 2, 0))
    first = one(batch, None, uniforms(positions, 3), None).logits
    assert torch.equal(classify(one, batch, positions), first)
    assert not torch.allclose(first, one(batch, None, uniforms(positions, 3, 1), None).logits)
    assert not torch.allclose(classify(two, batch, positions).exp(), first.softmax(dim=2))
    assert torch.equal(classify(mean, batch, positions), mean(batch, None, uniforms(positions, 3), 0.0).logits)


def test_a_policy_at_its_means_gives_the_same_answer_at_every_position_if_its_first_glimpse_is_centered() -> None:
    model = built(replace(RECURRENT, first_glimpse="centered"))
    batch = data(6).batch(torch.arange(6)).images
    expected = model(batch).logits
    for first in (0, 1000):
        assert torch.equal(classify(model, batch, torch.arange(first, first + 6)), expected)


@pytest.mark.parametrize(
    "config",
    [RECURRENT, replace(RECURRENT, test_samples=2), replace(GLIMPSE, parametrization="random")],
    ids=["recurrent", "recurrent, sampled", "random glimpses"],
)
def test_a_model_that_looks_at_random_gives_the_same_answer_at_the_same_position(config: Any) -> None:
    model, batch = built(config), data(1).batch(torch.arange(1)).images.expand(6, -1, -1, -1)
    positions = torch.tensor([0, 1, 2, 1, 2**31, 1])
    found = classify(model, batch, positions)
    torch.manual_seed(5)
    assert torch.equal(classify(model, batch, positions), found)
    for row in (3, 5):
        torch.testing.assert_close(found[row], found[1], rtol=0, atol=1e-6)
    for row in (0, 2, 4):
        assert (found[row] - found[1]).abs().max() > 1e-4


@pytest.mark.parametrize(
    "config",
    [GLIMPSE, replace(GLIMPSE, parametrization="random"), RECURRENT, replace(RECURRENT, test_samples=2), *WHOLE],
    ids=["glimpse", "random glimpses", "recurrent", "recurrent, sampled", "conv", "convnet", "spatial transformer"],
)
def test_predictions_do_not_depend_on_the_batch_size(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, images, found = built(config, moved=0.1), data(23), {}
    for batch_size in (250, 7, 1):
        monkeypatch.setattr("glimpse.evaluation.classifier.EVALUATION_BATCH", batch_size)
        parts = list(predictions(model, images))
        assert len(parts[0][1]) == min(batch_size, 23)
        found[batch_size], labels = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
        assert labels.tolist() == images.labels.tolist()
    for batch_size in (7, 1):
        torch.testing.assert_close(found[batch_size], found[250], rtol=1e-4, atol=1e-5)
    direct = classify(model, images.batch(torch.arange(23)).images, torch.arange(23))
    torch.testing.assert_close(direct, found[250], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("config", [GLIMPSE, replace(GLIMPSE, parametrization="random"), RECURRENT])
@pytest.mark.parametrize("glimpses", [1, 5])
def test_the_number_of_glimpses_can_be_changed(config: Any, glimpses: int) -> None:
    model, batch = built(config), data(3).batch(torch.arange(3)).images
    found = classify(model, batch, torch.arange(3), glimpses)
    assert found.shape == (3, glimpses, 4)
    torch.testing.assert_close(found[:, :1], classify(model, batch, torch.arange(3))[:, :1])  # the noise begins the same


@pytest.mark.parametrize("config", WHOLE)
def test_a_model_that_sees_the_whole_image_takes_no_number_of_glimpses(config: Any) -> None:
    model, batch = built(config), data(3).batch(torch.arange(3)).images
    assert classify(model, batch, torch.arange(3)).shape == (3, 1, 4)
    assert call_inputs(model, torch.arange(3)) == {}
    with pytest.raises(ValueError, match=f"a {type(model).__name__} sees the whole image at once"):
        classify(model, batch, torch.arange(3), 2)
    with pytest.raises(ValueError, match="omit the number of glimpses"):
        next(predictions(model, data(3), glimpses=1))


def test_call_inputs_are_the_arguments_of_each_model() -> None:
    positions = torch.tensor([4, 9])
    assert call_inputs(built(GLIMPSE), positions, 2) == {"glimpses": 2}
    random = call_inputs(built(replace(GLIMPSE, parametrization="random")), positions, 2, 1)
    assert torch.equal(random.pop("uniforms"), uniforms(positions, 2, 1))
    assert random == {"glimpses": 2}
    for samples, std in ((0, 0.0), (3, None)):
        inputs = call_inputs(built(replace(RECURRENT, test_samples=samples)), positions)
        assert torch.equal(inputs.pop("uniforms"), uniforms(positions, 3))
        assert inputs == {"glimpses": None, "std": std}
    assert call_inputs(built(replace(RECURRENT, first_glimpse="centered")), positions) == {"glimpses": None}


def test_glimpses_and_samples_are_the_configs() -> None:
    found = [(model.glimpses, model.config.samples) for model in map(built, (GLIMPSE, RECURRENT, *WHOLE))]
    assert found == [(3, None), (3, 0), (1, None), (1, None), (1, None)]
    assert built(replace(RECURRENT, test_samples=7)).config.samples == 7


@pytest.mark.parametrize("config", [GLIMPSE, replace(GLIMPSE, parametrization="random"), RECURRENT])
def test_trajectories_have_the_predicted_probabilities(config: Any) -> None:
    model, images, positions = built(config), data(40), torch.tensor([5, 2, 31])
    found = look_at(model, images.batch(positions), positions).probabilities
    answered = torch.cat([logits for logits, _ in predictions(model, images)])[positions]
    assert found is not None
    torch.testing.assert_close(found, torch.softmax(answered, dim=-1), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("config", [GLIMPSE, *WHOLE])
def test_answers_are_float32_whatever_the_models_type(config: Any) -> None:
    model = built(config).double()
    assert classify(model, data(2).batch(torch.arange(2)).images.double(), torch.arange(2)).dtype == torch.float32
