"""The engine on a toy task without pictures: a plane to be fitted, against plain loops over the same equations."""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from glimpse.datasets.batches import Batch
from glimpse.datasets.generative import open_generative
from glimpse.evaluation.generator import GenerationTask
from glimpse.models.draw import DRAW
from glimpse.settings.base import from_mapping
from glimpse.settings.draw import GeneratorConfig
from glimpse.settings.training import Precision, Schedule, TrainingConfig
from glimpse.training.engine import MOST_SKIPPED, Record, Trainer, TrainingDivergedError, _Captured, fit

TOY = TrainingConfig(images=400, batch_size=10, warmup=0, averaging=0, validate_every=100, log_every=50, learning_rate=0.05)


class Plane:
    """Fits y = 2 x1 - 3 x2 + 1 from points that depend on their position alone.

    Args:
        bad: Says of a step's first position whether its loss is to be no number.
        scores: What the validations are to say, one after the other; the true error if None.
        noise: Scale of noise on the targets, from the engine's generator.
    """

    metrics = ("bias",)
    validation_metrics = ("error", "worst")
    chance_loss = math.inf

    def __init__(
        self, bad: Callable[[int], bool] = lambda _: False, scores: Iterator[float] | None = None, noise: float = 0.0
    ) -> None:
        torch.manual_seed(0)
        self.model: nn.Module = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
        self.bad, self.scores, self.noise = bad, scores, noise
        self.seen: list[int] = []

    def batch(self, positions: Tensor) -> Batch:
        self.seen += positions.tolist()
        points = torch.stack([torch.sin(1.7 * positions), torch.cos(2.3 * positions)], dim=1)
        return Batch(points, positions, positions)

    def loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        target = batch.images @ torch.tensor([2.0, -3.0]) + 1
        target = target + self.noise * torch.randn(target.shape, generator=generator)
        loss = (network(batch.images)[:, 0] - target).square().mean()
        factor = math.nan if self.bad(int(batch.labels[0])) else 1.0
        return factor * loss, {"bias": self.model[1].bias.detach()[0]}  # type: ignore[index]

    def validate(self, model: nn.Module) -> dict[str, float]:
        assert not model.training
        if self.scores is not None:
            return {"error": next(self.scores), "worst": 0.0}
        batch = self.batch(torch.arange(10_000, 10_050))
        self.seen = self.seen[:-50]
        away = (model(batch.images)[:, 0] - batch.images @ torch.tensor([2.0, -3.0]) - 1).abs()
        return {"error": float(away.mean()), "worst": float(away.max())}


def records(task: Plane, config: TrainingConfig = TOY, kind: str | None = None) -> list[Record]:
    """Returns the records of a whole training, all or those of one kind."""
    return [record for record in fit(task, config) if kind in (None, record.kind)]


def weights(model: nn.Module) -> list[Tensor]:
    """Returns copies of a model's parameters."""
    return [parameter.detach().clone() for parameter in model.parameters()]


# What a training yields


def test_a_training_is_a_list_of_records() -> None:
    task = Plane()
    found = records(task)
    assert [record.images for record in found] == list(range(10, 401, 10))
    assert [record.images for record in found if record.kind == "metrics"] == list(range(50, 401, 50))
    assert [record.images for record in found if "valid_error" in record.values] == [100, 200, 300, 400]
    assert task.seen == list(range(400))
    assert found[-1].values["loss"] < 0.1 * next(record.values["loss"] for record in found if record.values)


def test_a_row_holds_the_means_since_the_last_one() -> None:
    task, losses, biases = Plane(), [], []
    inner = task.loss

    def kept(*arguments: Any) -> tuple[Tensor, dict[str, Tensor]]:
        loss, metrics = inner(*arguments)
        losses.append(loss.item())
        biases.append(metrics["bias"].item())
        return loss, metrics

    task.loss = kept  # type: ignore[method-assign, assignment]
    rows = records(task, kind="metrics")
    for index, row in enumerate(rows):
        steps = slice(5 * index, 5 * index + 5)
        assert row.values["loss"] == pytest.approx(sum(losses[steps]) / 5)
        assert row.values["bias"] == pytest.approx(sum(biases[steps]) / 5)


def test_validation_falls_on_image_counts_whatever_the_rows_and_the_batch() -> None:
    for batch_size, log_every in ((10, 50), (30, 1000), (7, 64), (100, 10)):
        config = replace(TOY, batch_size=batch_size, log_every=log_every)
        rows = [record.images for record in records(Plane(), config) if "valid_error" in record.values]
        assert rows == [-(-count // batch_size) * batch_size for count in (100, 200, 300, 400)]


def test_the_last_batch_is_whole_and_validated() -> None:
    last = records(Plane(), replace(TOY, images=395, batch_size=20, validate_every=1000))[-1]
    assert last.images == 400
    assert last.best


def test_the_best_validation_is_told_and_a_bad_number_does_not_end_the_search() -> None:
    task = Plane(scores=iter([math.nan, 3.0, 4.0, 2.0]))
    rows = [record for record in records(task) if "valid_error" in record.values]
    assert [record.best for record in rows] == [False, True, False, True]


def test_training_is_the_same_twice_and_follows_the_seed() -> None:
    models = [Plane(noise=1.0) for _ in range(3)]
    for model, seed in zip(models, (5, 5, 6), strict=True):
        records(model, replace(TOY, seed=seed))
    first, again, other = (torch.cat([value.flatten() for value in weights(task.model)]) for task in models)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_trap_7_every_step_and_every_seed_has_noise_of_its_own() -> None:
    class Noisy(Plane):
        def loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
            drawn.append(torch.randn((), generator=generator).item())
            return super().loss(network, batch, generator)

    drawn: list[float] = []
    for seed in (0, 1, 0):
        records(Noisy(), replace(TOY, seed=seed))
    assert len(set(drawn[:80])) == 80
    assert drawn[:40] == drawn[80:]


# Steps


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


def test_trap_15_gradients_are_clipped_by_their_global_norm() -> None:
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


def test_small_gradients_are_left_as_they_are() -> None:
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


def test_matrices_alone_are_decayed() -> None:
    trainer = Trainer(Plane(), replace(TOY, weight_decay=0.7), torch.device("cpu"))
    decays = {id(p): group["weight_decay"] for group in trainer.optimizer.param_groups for p in group["params"]}
    assert [decays[id(parameter)] for parameter in trainer.task.model.parameters()] == [0.7, 0.0, 0.7, 0.0]


def test_without_averaging_the_model_to_keep_is_the_trained_one() -> None:
    task = Plane()
    assert Trainer(task, TOY, torch.device("cpu")).model is task.model


# What goes wrong


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


def test_many_skipped_steps_in_a_row_stop_the_training_with_a_way_out() -> None:
    task = Plane(bad=lambda position: position >= 100)
    seen: list[Record] = []
    with pytest.raises(TrainingDivergedError, match="--learning-rate"):
        seen.extend(fit(task, replace(TOY, images=2000)))
    assert seen[-1].images == 100 + 10 * (MOST_SKIPPED - 1)
    assert all(value.isfinite().all() for value in weights(task.model))


def test_skipped_steps_that_are_not_in_a_row_do_not_stop_it() -> None:
    rows = records(Plane(bad=lambda position: position % 20 == 0), replace(TOY, images=2000), kind="metrics")
    assert rows[-1].values["skipped"] == 100


def test_a_plateau_is_told_while_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glimpse.training.engine._PLATEAU_IMAGES", 200)
    task = Plane()
    task.chance_loss = 0.0
    assert [record.images for record in records(task, kind="warning")] == [200, 300, 400]
    assert "plateau" in records(task, kind="warning")[0].message
    task.chance_loss = 1e9
    assert not records(task, kind="warning")


def test_a_validation_that_gets_much_worse_is_told() -> None:
    (warning,) = records(Plane(scores=iter([20.0, 12.0, 16.0, 19.0])), kind="warning")
    assert (warning.images, "from 12.00 up to 19.00" in warning.message) == (400, True)


# Going on


@pytest.mark.parametrize("averaging", [0, 150])
@pytest.mark.parametrize("steps", [1, 13, 39])
def test_a_restored_trainer_goes_on_as_if_nothing_had_happened(averaging: int, steps: int) -> None:
    config = replace(TOY, averaging=averaging, warmup=100)
    device = torch.device("cpu")
    bad = Plane(noise=0.5, bad=lambda position: position in (100, 380))
    whole = Trainer(bad, config, device)
    expected = [(record.images, record.best, record.values) for record in whole.fit()]
    first = Trainer(Plane(noise=0.5, bad=bad.bad), config, device)
    training = first.fit()
    got = [(record.images, record.best, record.values) for _, record in zip(range(steps), training, strict=False)]
    state = copy.deepcopy(first.state())
    second = Trainer(Plane(noise=0.5, bad=bad.bad), config, device)
    second.restore(state)
    got += [(record.images, record.best, record.values) for record in second.fit()]
    for _, _, values in got + expected:
        values.pop("images_per_second", None)
    assert got == expected
    assert all(torch.equal(one, other) for one, other in zip(weights(second.model), weights(whole.model), strict=True))


def test_a_cuda_graph_is_for_one_cuda_device() -> None:
    with pytest.raises(ValueError, match="--cuda-graph is for one process on a CUDA device"):
        fit(Plane(), replace(TOY, cuda_graph=True))


def test_a_captured_model_is_captured_once_and_then_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    captures: list[tuple[int, ...]] = []

    def capture(model: nn.Module, inputs: tuple[Tensor, ...], *, allow_unused_input: bool) -> None:
        captures.append(tuple(inputs[0].shape))
        assert model.training
        assert allow_unused_input

    monkeypatch.setattr("torch.cuda.make_graphed_callables", capture)
    plain, captured = Plane(), Plane()
    trainer = Trainer(captured, TOY, torch.device("cpu"))
    trainer.network = _Captured(captured.model)
    list(trainer.fit())
    list(fit(plain, TOY))
    assert captures == [(10, 2)]
    assert all(torch.equal(one, other) for one, other in zip(weights(captured.model), weights(plain.model), strict=True))


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_generator_captured_as_a_cuda_graph_learns_what_it_learns_without(precision: Precision) -> None:
    def learned(cuda_graph: bool) -> list[Tensor]:
        torch.manual_seed(0)
        model = DRAW(GeneratorConfig(glimpses=4, hidden=32, latent=8, read=3, write=3)).cuda()
        data = open_generative("digits", device="cuda")
        training = replace(TOY, images=2_000, batch_size=100, precision=precision, learning_rate=1e-3, cuda_graph=cuda_graph)
        list(fit(GenerationTask(model, data.train, data.valid), training, "cuda"))
        return weights(model)

    for one, other in zip(learned(True), learned(False), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-3)


def test_a_finished_training_yields_nothing() -> None:
    trainer = Trainer(Plane(), TOY, torch.device("cpu"))
    list(trainer.fit())
    assert trainer.finished
    assert not list(trainer.fit())


# Settings


@pytest.mark.parametrize(
    "wrong",
    [
        {"images": 0},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"learning_rate": math.nan},
        {"learning_rate": math.inf},
        {"weight_decay": math.inf},
        {"clip_norm": -1.0},
        {"warmup": -1},
        {"schedule": "linear"},
        {"precision": "fp16"},
        {"seed": -1},
        {"seed": 2**64},
    ],
)
def test_settings_out_of_range_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TrainingConfig(**wrong)


def test_a_config_from_a_file_refuses_unknown_names_and_wrong_types() -> None:
    with pytest.raises(ValueError, match="knows no momentum; it knows averaging"):
        from_mapping(TrainingConfig, {"momentum": 0.9})
    with pytest.raises(ValueError, match="images"):
        from_mapping(TrainingConfig, {"images": "many"})
    assert from_mapping(TrainingConfig, {"images": 7}).images == 7


def test_the_largest_seed_can_be_trained_with() -> None:
    assert len(records(Plane(), replace(TOY, images=20, seed=2**32 - 1))) == 2


def test_a_skipped_step_leaves_the_statistics_of_batches_as_they_were() -> None:
    class Normalised(Plane):
        def __init__(self) -> None:
            super().__init__()
            self.model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))

        def batch(self, positions: Tensor) -> Batch:
            batch = super().batch(positions)
            return batch._replace(images=batch.images * (math.nan if int(positions[0]) == 70 else 1.0))

        def loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
            return network(batch.images).square().mean(), {}

    task = Normalised()
    last = records(task)[-1]
    assert last.values["skipped"] == 1
    assert math.isfinite(last.values["valid_error"])
    counted = task.model[1].num_batches_tracked  # type: ignore[index]
    assert int(counted) == 39  # of 40 steps
