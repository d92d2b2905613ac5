"""The engine on a toy task: the records it yields, how it resumes, and the model as a CUDA graph."""

import copy
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from glimpse.datasets.batches import Batch
from glimpse.datasets.generative import open_generative
from glimpse.models.draw import DRAW
from glimpse.settings.draw import GeneratorConfig
from glimpse.settings.training import Precision
from glimpse.training.engine import Trainer, _Captured, _network, fit
from glimpse.training.generator import GenerationTask
from tests.helpers.plane import TOY, Plane, records, weights

# Records of a training


def test_a_training_is_a_list_of_records() -> None:
    task = Plane()
    found = records(task)
    assert [record.images for record in found] == list(range(10, 401, 10))
    assert [record.images for record in found if record.kind == "metrics"] == list(range(50, 401, 50))
    assert [record.images for record in found if "valid_error" in record.values] == [100, 200, 300, 400]
    assert task.seen == list(range(400))
    assert found[-1].values["loss"] < 0.1 * next(record.values["loss"] for record in found if record.values)


def test_a_row_has_the_means_since_the_last_one() -> None:
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


def test_the_best_validation_is_marked_and_nan_does_not_end_the_search() -> None:
    task = Plane(scores=iter([math.nan, 3.0, 4.0, 2.0]))
    rows = [record for record in records(task) if "valid_error" in record.values]
    assert [record.best for record in rows] == [False, True, False, True]


@pytest.mark.parametrize(
    ("patience", "scores", "images"),
    [
        (0, [1.0, 2.0, 2.0, 2.0], 400),
        (1, [3.0, 2.0, 2.0, 1.0], 300),
        (2, [1.0, 2.0, 2.0, 0.0], 300),
        (2, [3.0, 4.0, 2.0, 2.0], 400),
        (2, [math.nan, math.nan, 1.0, 0.0], 200),
        (3, [1.0, 2.0, 2.0, 2.0], 400),
    ],
)
def test_training_stops_early_after_that_many_validations_without_a_better_one(
    patience: int, scores: list[float], images: int
) -> None:
    trainer = Trainer(Plane(scores=iter(scores)), replace(TOY, patience=patience), torch.device("cpu"))
    found = list(trainer.fit())
    assert found[-1].images == images
    assert found[-1].values["valid_error"] == pytest.approx(scores[images // 100 - 1], nan_ok=True)
    assert trainer.finished
    assert not list(trainer.fit())


def test_patience_is_kept_in_the_state_and_states_without_it_start_anew() -> None:
    config, device = replace(TOY, patience=2), torch.device("cpu")
    first = Trainer(Plane(scores=iter([1.0, 2.0])), config, device)
    for record in first.fit():
        if record.images == 200:
            break
    state = copy.deepcopy(first.state())
    second, third = (Trainer(Plane(scores=iter([2.0, 2.0])), config, device) for _ in range(2))
    second.restore(state)
    assert list(second.fit())[-1].images == 300
    del state["counters"]["stale"]  # as an older version wrote it
    third.restore(state)
    assert list(third.fit())[-1].images == 400


def test_training_is_the_same_twice_and_follows_the_seed() -> None:
    models = [Plane(noise=1.0) for _ in range(3)]
    for model, seed in zip(models, (5, 5, 6), strict=True):
        records(model, replace(TOY, seed=seed))
    first, again, other = (torch.cat([value.flatten() for value in weights(task.model)]) for task in models)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_every_step_and_every_seed_has_its_own_noise() -> None:
    class Noisy(Plane):
        def loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
            seeds.append(generator.initial_seed())
            drawn.append(torch.randn((), generator=generator).item())
            return super().loss(network, batch, generator)

    drawn: list[float] = []
    seeds: list[int] = []
    for seed in (0, 1, 0):
        records(Noisy(), replace(TOY, seed=seed))
    assert seeds[:80] == [*range(40), *range(2**20, 2**20 + 40)]  # so that earlier runs can be repeated
    assert len(set(drawn[:80])) == 80
    assert drawn[:40] == drawn[80:]


# Resuming


@pytest.mark.parametrize("averaging", [0, 150])
@pytest.mark.parametrize("steps", [1, 13, 39])
def test_a_restored_trainer_continues_like_an_uninterrupted_one(averaging: int, steps: int) -> None:
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
    with pytest.raises(ValueError, match="--cuda-graph is for one process on a CUDA device: leave it out"):
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


def test_a_captured_model_may_be_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[object] = []
    monkeypatch.setattr(DRAW, "compile_step", lambda model: compiled.append(model))
    monkeypatch.setattr("torch.cuda.make_graphed_callables", lambda *_, **__: None)
    model = DRAW(GeneratorConfig(glimpses=2, hidden=8, latent=2, read=3, write=3))
    network = _network(model, replace(TOY, compile=True, cuda_graph=True), 1)
    assert isinstance(network, _Captured)
    assert compiled == [model]


@pytest.mark.gpu
@pytest.mark.parametrize(("precision", "compiled"), [("fp32", False), ("bf16", False), ("bf16", True)])
def test_a_generator_captured_as_a_cuda_graph_learns_what_it_learns_without(precision: Precision, compiled: bool) -> None:
    def learned(cuda_graph: bool) -> list[Tensor]:
        torch.manual_seed(0)
        model = DRAW(GeneratorConfig(glimpses=4, hidden=32, latent=8, read=3, write=3)).cuda()
        data = open_generative("digits", device="cuda")
        training = replace(TOY, images=2_000, batch_size=100, precision=precision, learning_rate=1e-3, cuda_graph=cuda_graph)
        training = replace(training, compile=compiled and cuda_graph)
        list(fit(GenerationTask(model, data.train, data.valid), training, "cuda"))
        return weights(model)

    for one, other in zip(learned(True), learned(False), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-3)


def test_a_finished_training_yields_nothing() -> None:
    trainer = Trainer(Plane(), TOY, torch.device("cpu"))
    list(trainer.fit())
    assert trainer.finished
    assert not list(trainer.fit())


def test_the_largest_seed_can_be_trained_with() -> None:
    assert len(records(Plane(), replace(TOY, images=20, seed=2**32 - 1))) == 2
