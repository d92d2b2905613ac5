"""Classification as a task to train: its loss and its validation against plain loops."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from glimpse.evaluation.classifier import classify
from glimpse.models.losses import Episode, hybrid_loss, supervised_loss
from glimpse.models.ram import RAM
from glimpse.settings.glimpse_classifier import ClassifierConfig
from glimpse.training.classifier import ClassificationTask
from tests.helpers.classifiers import GLIMPSE, RECURRENT, WHOLE, built, data

pytestmark = pytest.mark.usefixtures("no_gradients")


@pytest.mark.parametrize("config", [GLIMPSE, replace(GLIMPSE, parametrization="random"), RECURRENT, *WHOLE])
def test_the_validation_is_the_error_and_the_nats_after_the_last_glimpse(config: Any) -> None:
    model, images = built(config, moved=0.1), data(260)
    task = ClassificationTask(model, data(5), images)
    assert ("reward" in task.metrics) == isinstance(model, RAM)
    batch = images.batch(torch.arange(260))
    logits = classify(model, batch.images, torch.arange(260))[:, -1].double().numpy()
    wrong, nats = 0, 0.0
    for row, label in zip(logits, batch.labels.tolist(), strict=True):
        wrong += int(row.argmax() != label)
        nats -= float(np.log(np.exp(row[label]) / np.exp(row).sum())) / 260
    found = task.validate(model)
    assert (found["error"], found["nll"]) == pytest.approx((100 * wrong / 260, nats), rel=1e-5)
    assert {*found} - {"error", "nll"} == {
        name for name in found if name.startswith(("error_by_glimpse/", "distance_px/", "far_percent/"))
    }


def test_an_error_no_better_than_that_of_the_most_frequent_class_is_reported() -> None:
    model, images = built(GLIMPSE), data(260)
    task = ClassificationTask(model, data(5), images)
    assert task.plateau(75.0) is None  # no validation yet
    task.validate(model)
    counts = torch.bincount(images.batch(torch.arange(260)).labels)
    chance = 100 * (1 - float(counts.max()) / 260)
    assert f"guessing the most frequent class, {chance:.2f} %" in str(task.plateau(chance))
    deviation = np.sqrt(chance * (100 - chance) / 260)  # of the error of a guess, in percent
    assert 3 * deviation > chance / 10
    assert task.plateau(0.9 * chance + 0.01)
    assert task.plateau(0.9 * chance - 0.01) is None
    assert task.plateau(float("inf")) is None


@pytest.mark.parametrize(
    "config", [GLIMPSE, replace(GLIMPSE, supervision="last"), replace(GLIMPSE, parametrization="random"), *WHOLE]
)
def test_the_loss_is_that_of_the_models_own_logits(config: Any) -> None:
    model = built(config, moved=0.1)
    task = ClassificationTask(model, data(9), data(5))
    batch = task.batch(torch.arange(4, 13))
    torch.testing.assert_close(batch.images, data(9).batch(torch.arange(4, 13)).images)
    loss, metrics = task.loss(model, batch, torch.Generator().manual_seed(1))
    noise = torch.rand(9, model.glimpses, 2, generator=torch.Generator().manual_seed(1))
    random = isinstance(config, ClassifierConfig) and config.parametrization == "random"
    logits = model(batch.images, None, noise)[0] if random else model(batch.images)[0]
    linear = isinstance(config, ClassifierConfig) and config.supervision == "linear"
    assert loss.item() == pytest.approx(supervised_loss(logits, batch.labels, "linear" if linear else "last").item())
    wrong = sum(int(row.argmax() != label) for row, label in zip(logits[:, -1], batch.labels, strict=True))
    assert {name: value.item() for name, value in metrics.items()} == pytest.approx({"train_error": 100 * wrong / 9})


def test_a_batch_has_the_policys_spread_at_each_position() -> None:
    config = replace(RECURRENT, policy_anneal=1000)
    images = data(9)
    task = ClassificationTask(built(config), images, data(5))
    positions = torch.tensor([0, 3, 500, 999, 1000, 10**9])
    batch = task.batch(positions)
    np.testing.assert_allclose(batch.std.numpy(), [config.std_at(int(position)) for position in positions], rtol=1e-6)
    assert (batch.std.dtype, batch.std.device) == (torch.float32, batch.images.device)
    for found, wanted in zip(batch[:2], images.batch(positions)[:2], strict=True):
        assert torch.equal(found, wanted)


@pytest.mark.parametrize("samples", [1, 3])
def test_the_hybrid_loss_averages_over_the_samples_of_every_image(samples: int) -> None:
    config = replace(RECURRENT, policy_anneal=1000, monte_carlo=samples)
    model = built(config)
    task = ClassificationTask(model, data(9), data(5))
    batch = task.batch(torch.tensor([0, 400, 800]))
    loss, metrics = task.loss(model, batch, torch.Generator().manual_seed(1))
    noise = torch.rand(3 * samples, 3, 2, generator=torch.Generator().manual_seed(1))
    losses, rewards, wrong = [], [], 0
    for b in range(3):
        for sample in range(samples):
            row = noise[b * samples + sample][None]
            episode = Episode(*model(batch.images[b : b + 1], None, row, config.std_at(400 * b)))
            alone, parts = hybrid_loss(episode, batch.labels[b : b + 1], config)
            losses.append(alone.item())
            rewards.append(parts["reward"].item())
            wrong += int(episode.logits[0, -1].argmax() != batch.labels[b])
    assert loss.item() == pytest.approx(np.mean(losses), rel=1e-5)
    expected = {"train_error": 100 * wrong / (3 * samples), "reward": np.mean(rewards)}
    assert {name: value.item() for name, value in metrics.items()} == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert (*metrics,) == task.metrics
