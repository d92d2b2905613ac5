"""Trainings in which something goes wrong: losses that are NaN, gradients that are not finite, plateaus and divergence."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from glimpse.datasets.batches import Batch
from glimpse.training.engine import MOST_SKIPPED, Record, Trainer, TrainingDivergedError, fit
from tests.helpers.plane import TOY, Plane, records, weights


@pytest.mark.parametrize("first", [0, 30, 390])
def test_a_step_without_a_finite_loss_is_skipped_and_counted(first: int) -> None:
    task = Plane(bad=lambda position: position == first)
    trainer = Trainer(task, replace(TOY, averaging=100), torch.device("cpu"))
    before: list[list[Tensor]] = [weights(task.model) + weights(trainer.model)]
    last = None
    for record in trainer.fit():
        before.append(weights(task.model) + weights(trainer.model))
        last = record
    step = first // 10
    assert all(torch.equal(old, new) for old, new in zip(before[step], before[step + 1], strict=True))
    assert last is not None
    assert last.values["skipped"] == 1
    assert all(value.isfinite().all() for value in before[-1])
    assert math.isfinite(last.values["loss"])


def test_a_step_with_a_finite_loss_and_no_finite_gradient_is_skipped() -> None:
    class Root(Plane):
        def loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
            loss, metrics = super().loss(network, batch, generator)
            return loss + (0 * loss).sqrt(), metrics  # whose gradient is 0 / 0

    task = Root()
    before = weights(task.model)
    (record,) = fit(task, replace(TOY, images=10))
    assert record.values["skipped"] == 1
    assert all(torch.equal(old, new) for old, new in zip(before, weights(task.model), strict=True))


def test_many_skipped_steps_in_a_row_stop_the_training_with_a_remedy() -> None:
    task = Plane(bad=lambda position: position >= 100)
    seen: list[Record] = []
    with pytest.raises(TrainingDivergedError, match="--learning-rate"):
        seen.extend(fit(task, replace(TOY, images=2000)))
    assert seen[-1].images == 100 + 10 * (MOST_SKIPPED - 1)
    assert all(value.isfinite().all() for value in weights(task.model))


def test_skipped_steps_that_are_not_in_a_row_do_not_stop_it() -> None:
    rows = records(Plane(bad=lambda position: position % 20 == 0), replace(TOY, images=2000), kind="metrics")
    assert rows[-1].values["skipped"] == 100


def test_a_skipped_step_does_not_change_batch_statistics() -> None:
    class Normalized(Plane):
        def __init__(self) -> None:
            super().__init__()
            self.model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))

        def batch(self, positions: Tensor) -> Batch:
            batch = super().batch(positions)
            return batch._replace(images=batch.images * (math.nan if int(positions[0]) == 70 else 1.0))

        def loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
            return network(batch.images).square().mean(), {}

    task = Normalized()
    last = records(task)[-1]
    assert last.values["skipped"] == 1
    assert math.isfinite(last.values["valid_error"])
    counted = task.model[1].num_batches_tracked  # type: ignore[index]
    assert int(counted) == 39  # of 40 steps


def test_a_plateau_is_reported_while_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glimpse.training.engine._PLATEAU_IMAGES", 200)
    task = Plane(scores=iter([9.0, 9.0, 8.0, 7.0]))
    task.chance = 8.0
    found = records(task, kind="warning")
    assert [record.images for record in found] == [200, 300]
    assert found[0].message == "on a plateau, 9.0"


def test_a_plateau_at_the_end_is_reported_unless_the_training_is_a_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    def reported(most: int, *scores: float) -> list[int]:
        monkeypatch.setattr("glimpse.training.engine._TRIAL_IMAGES", most)
        task = Plane(scores=iter(scores))
        task.chance = 8.0
        return [record.images for record in records(task, replace(TOY, patience=2), kind="warning")]

    assert reported(400, 9.0, 8.5, 8.2, 8.0) == [400]
    assert reported(300, 9.0, 9.0, 9.0) == [300]  # stopped early
    assert reported(400, 9.0, 8.5, 8.2, 7.9) == []
    assert reported(401, 9.0, 8.5, 8.2, 8.0) == []


def test_a_validation_that_gets_much_worse_is_reported() -> None:
    (warning,) = records(Plane(scores=iter([20.0, 12.0, 16.0, 19.0])), kind="warning")
    assert (warning.images, "from 12.00 up to 19.00" in warning.message) == (400, True)
