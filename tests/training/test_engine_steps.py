"""The engine's steps: AdamW, clipping, the schedule and the average against plain loops over the same equations."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from glimpse.settings.training import Schedule, TrainingConfig
from glimpse.training.engine import Trainer, fit
from tests.helpers.plane import TOY, Plane, records, weights


def plain_training(
    task: Plane, config: TrainingConfig, betas: tuple[float, float] = (0.9, 0.99)
) -> tuple[list[Tensor], list[Tensor]]:
    """Returns the weights and their average after AdamW written out, with a loop over parameters, for finite losses."""
    model = copy.deepcopy(task.model)
    values = list(model.parameters())
    first, second = [torch.zeros_like(v) for v in values], [torch.zeros_like(v) for v in values]
    average: list[Tensor] = []
    steps = -(-config.images // config.batch_size)
    for step in range(steps):
        batch = task.batch(torch.arange(step * config.batch_size, (step + 1) * config.batch_size))
        loss, _ = task.loss(model, batch, torch.Generator())
        gradients = torch.autograd.grad(loss, values)
        norm = math.sqrt(sum(float(gradient.square().sum()) for gradient in gradients))
        warm = min(1.0, (step + 1) * config.batch_size / config.warmup) if config.warmup else 1.0
        cosine = 0.01 + 0.99 * (1 + math.cos(math.pi * step / steps)) / 2
        rate = config.learning_rate * warm * (cosine if config.schedule == "cosine" else 1.0)
        with torch.no_grad():
            for k, (value, gradient) in enumerate(zip(values, gradients, strict=True)):
                gradient = gradient * min(1.0, config.clip_norm / (norm + 1e-6))
                first[k] = betas[0] * first[k] + (1 - betas[0]) * gradient
                second[k] = betas[1] * second[k] + (1 - betas[1]) * gradient**2
                if value.ndim > 1:
                    value.mul_(1 - rate * config.weight_decay)
                corrected = first[k] / (1 - betas[0] ** (step + 1))
                value.sub_(rate * corrected / ((second[k] / (1 - betas[1] ** (step + 1))).sqrt() + 1e-8))
        if step == 0:
            average = weights(model)
        else:
            decay = min(1 - config.batch_size / max(config.averaging, config.batch_size), (1 + step) / (10 + step))
            average = [decay * old + (1 - decay) * new for old, new in zip(average, weights(model), strict=True)]
    return weights(model), average


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
@pytest.mark.parametrize("clip_norm", [0.5, 1e9])
def test_training_equals_adamw_written_out(schedule: Schedule, clip_norm: float) -> None:
    config = replace(TOY, warmup=70, averaging=200, weight_decay=0.3, schedule=schedule, clip_norm=clip_norm)
    task = Plane()
    expected, average = plain_training(Plane(), config)
    trainer = Trainer(task, config, torch.device("cpu"))
    list(trainer.fit())
    torch.testing.assert_close(weights(task.model), expected, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(weights(trainer.model), average, rtol=1e-3, atol=1e-5)


def test_gradients_are_clipped_by_their_global_norm_and_not_each_by_its_own() -> None:
    task, config = Plane(), replace(TOY, images=10, clip_norm=0.01)
    batch = task.batch(torch.arange(10))
    loss, _ = task.loss(task.model, batch, torch.Generator())
    gradients = torch.autograd.grad(loss, list(task.model.parameters()))
    norm = math.sqrt(sum(float(gradient.square().sum()) for gradient in gradients))
    trainer = Trainer(task, config, torch.device("cpu"))
    (record,) = trainer.fit()
    for parameter, gradient in zip(task.model.parameters(), gradients, strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, 0.01 / norm * gradient, rtol=1e-4, atol=1e-8)
    assert record.values["grad_norm"] == pytest.approx(norm, rel=1e-5)


def test_small_gradients_are_not_changed() -> None:
    task = Plane()
    loss, _ = task.loss(task.model, task.batch(torch.arange(10)), torch.Generator())
    gradients = torch.autograd.grad(loss, list(task.model.parameters()))
    list(fit(task, replace(TOY, images=10, clip_norm=1e9)))
    torch.testing.assert_close([parameter.grad for parameter in task.model.parameters()], list(gradients))


def test_the_schedule_rises_from_nothing_and_falls_to_a_hundredth() -> None:
    rates = [row.values["learning_rate"] for row in records(Plane(), replace(TOY, warmup=60, log_every=10), kind="metrics")]
    assert rates[:5] == sorted(rates[:5])
    assert rates[6:] == sorted(rates[6:], reverse=True)
    assert rates[-1] == pytest.approx(0.01 * 0.05)
    constant = records(Plane(), replace(TOY, warmup=60, schedule="constant", log_every=10), kind="metrics")
    assert [row.values["learning_rate"] for row in constant[6:]] == [0.05] * 34


def test_a_warm_up_longer_than_a_fifth_of_the_budget_is_cut_to_it() -> None:
    config = replace(TOY, warmup=10_000, schedule="constant", log_every=10)
    rates = [row.values["learning_rate"] for row in records(Plane(), config, kind="metrics")]
    assert rates[:7] == pytest.approx([0.05 * (step + 2) * 10 / 80 for step in range(7)])
    assert rates[7:] == [0.05] * 33


def test_only_matrices_are_decayed() -> None:
    trainer = Trainer(Plane(), replace(TOY, weight_decay=0.7), torch.device("cpu"))
    decays = {id(p): group["weight_decay"] for group in trainer.optimizer.param_groups for p in group["params"]}
    assert [decays[id(parameter)] for parameter in trainer.task.model.parameters()] == [0.7, 0.0, 0.7, 0.0]


def test_without_averaging_the_model_to_keep_is_the_trained_one() -> None:
    task = Plane()
    assert Trainer(task, TOY, torch.device("cpu")).model is task.model
