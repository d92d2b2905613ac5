"""A generator's loss, validation and evaluation, against plain loops over single images."""

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from glimpse.datasets.generative import GenerativeData, open_generative
from glimpse.datasets.pixel_sets import Images, StoredImages
from glimpse.evaluation.generator import GenerationResult, evaluation_noise, measure_generator
from glimpse.listener import Advance, Listener
from glimpse.models.draw import DRAW, Bound
from glimpse.settings.draw import GeneratorConfig
from glimpse.settings.training import TrainingConfig
from glimpse.training.engine import Trainer
from glimpse.training.generator import GenerationTask

TINY = {"glimpses": 3, "hidden": 6, "latent": 4, "read": 3, "write": 3}


@pytest.fixture(scope="module")
def digits() -> GenerativeData:
    return open_generative("digits")


def generator(**changes: Any) -> DRAW:
    """Returns a small model, seeded, every parameter moved, so that its divergence matters."""
    torch.manual_seed(0)
    model = DRAW(GeneratorConfig(**(TINY | changes))).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape))
    return model


def color(count: int) -> StoredImages:
    """Returns random images in color, wider than high."""
    random = torch.Generator().manual_seed(1)
    return StoredImages(Images.unlabeled(torch.randint(256, (count, 3, 6, 9), generator=random).byte()), "test")


class Watched(torch.nn.Module):
    """Forwards calls to a model and keeps their inputs."""

    def __init__(self, model: DRAW) -> None:
        super().__init__()
        self.model = model
        self.given: list[tuple[Tensor, Tensor]] = []

    def forward(self, images: Tensor, noise: Tensor) -> Bound:
        self.given.append((images, noise))
        bound: Bound = self.model(images, noise)
        return bound


def one_by_one(model: DRAW, images: Tensor, noise: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Returns reconstruction (N,) and divergence (N, T) of each image by itself, in reverse order."""
    parts = []
    with torch.no_grad():
        for i in reversed(range(len(images))):
            bound = model(images[i : i + 1], noise[i : i + 1])
            parts.append((float(bound.reconstruction), bound.kl[0].double().numpy()))
    reconstruction, kl = zip(*reversed(parts), strict=True)
    return np.array(reconstruction), np.array(kl)


class Watcher(Listener):
    """Keeps the progress."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    @contextlib.contextmanager
    def progress(self, title: str, total: int, *, unit: str = "images") -> Iterator[Advance]:
        yield self.steps.append


def measured(model: DRAW, data: Any, **options: Any) -> tuple[list[int], GenerationResult]:
    """Returns the progress and the result of an evaluation."""
    watcher = Watcher()
    return watcher.steps, measure_generator(model, data, listener=watcher, **options)


# Training


@pytest.mark.parametrize(("beta", "warmup", "first"), [(1.0, 0, 0), (0.3, 0, 40), (2.0, 100, 0), (2.0, 100, 97), (2.0, 100, 500)])
def test_the_loss_is_reconstruction_plus_beta_times_divergence(
    digits: GenerativeData, beta: float, warmup: int, first: int
) -> None:
    model = generator(beta=beta, beta_warmup=warmup)
    task = GenerationTask(model, digits.train, digits.valid)
    positions = torch.arange(first, first + 7)
    loss, metrics = task.loss(model, task.batch(positions), torch.Generator().manual_seed(5))
    noise = torch.randn((7, 3, 4), generator=torch.Generator().manual_seed(5))
    reconstruction, kl = one_by_one(model, digits.train.batch(positions).images, noise)
    weights = [beta * (min(1, seen / warmup) if warmup else 1) for seen in positions.tolist()]
    assert float(loss.detach()) == pytest.approx((reconstruction + np.array(weights) * kl.sum(axis=1)).mean(), rel=1e-5)
    assert float(metrics["reconstruction"].detach()) == pytest.approx(reconstruction.mean(), rel=1e-5)
    assert float(metrics["kl"].detach()) == pytest.approx(kl.sum(axis=1).mean(), rel=1e-5)


def test_processes_that_share_a_batch_have_the_loss_of_one_process(digits: GenerativeData) -> None:
    model = generator(beta=3.0, beta_warmup=20)
    task, shown = GenerationTask(model, digits.train, digits.valid), torch.zeros(16, 3, 4)

    def loss(positions: Tensor) -> float:
        found, _ = task.loss(lambda images, _: model(images, shown[: len(images)]), task.batch(positions), torch.Generator())  # type: ignore[arg-type]
        return float(found.detach())

    shares = [loss(torch.arange(first, first + 4)) for first in range(8, 24, 4)]
    assert np.mean(shares) == pytest.approx(loss(torch.arange(8, 24)), rel=1e-5)


def test_a_resumed_training_weighs_the_divergence_as_if_it_had_not_stopped(
    digits: GenerativeData, monkeypatch: pytest.MonkeyPatch
) -> None:
    betas, batch = [], GenerationTask.batch

    def watched(self: GenerationTask, positions: Tensor) -> Any:
        betas.append(batch(self, positions).beta)
        return batch(self, positions)

    monkeypatch.setattr(GenerationTask, "batch", watched)
    config = TrainingConfig(images=64, batch_size=16, warmup=0, averaging=0, log_every=64, validate_every=64)
    tasks = [GenerationTask(generator(beta_warmup=48), digits.train, digits.valid) for _ in range(2)]
    stopped, gone_on = (Trainer(task, config, torch.device("cpu")) for task in tasks)
    records = stopped.fit()
    assert [next(records).images for _ in range(2)] == [16, 32]
    gone_on.restore(stopped.state())
    list(gone_on.fit())
    assert torch.cat(betas).tolist() == pytest.approx([min(1, seen / 48) for seen in range(64)])


# Validation


@pytest.mark.parametrize("changes", [{}, {"beta": 0.0}, {"beta": 4.0, "beta_warmup": 10**9}])
def test_validation_is_the_bound_at_beta_1_over_every_image(digits: GenerativeData, changes: dict[str, Any]) -> None:
    model = generator(**changes)
    watched = Watched(model)
    with torch.no_grad():
        found = GenerationTask(model, digits.train, digits.valid).validate(watched)
    images, noise = (torch.cat(part) for part in zip(*watched.given, strict=True))
    assert torch.equal(images, digits.valid.batch(torch.arange(300)).images)  # 250 and a small batch
    reconstruction, kl = one_by_one(model, images, noise)
    assert found["bound"] == pytest.approx((reconstruction + kl.sum(axis=1)).mean(), rel=1e-5)
    assert found["kl"] == pytest.approx(kl.sum(axis=1).mean(), rel=1e-5)


def test_validation_is_the_same_at_any_time_and_does_not_touch_global_randomness(digits: GenerativeData) -> None:
    model = generator()
    task, found = GenerationTask(model, digits.train, digits.valid), []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.random.get_rng_state()
        with torch.no_grad():
            found.append(task.validate(model))
        assert torch.equal(before, torch.random.get_rng_state())
    assert found[0] == found[1]


def test_every_image_and_step_is_evaluated_with_its_own_standard_normal_noise(digits: GenerativeData) -> None:
    watched = Watched(generator())
    with torch.no_grad():
        GenerationTask(watched.model, digits.train, digits.valid).validate(watched)
    noise = torch.cat([noise for _, noise in watched.given]).double()
    assert len(torch.unique(noise.view(900, 4), dim=0)) == 900
    n = noise.numel()
    assert abs(float(noise.mean())) < 5 / math.sqrt(n)
    assert abs(float(noise.var()) - 1) < 5 * math.sqrt(2 / n)
    assert float(torch.corrcoef(noise.view(300, 12).T).fill_diagonal_(0).abs().max()) < 5 / math.sqrt(300)


# Evaluation


def test_the_evaluation_is_a_plain_loop_over_every_image(digits: GenerativeData) -> None:
    model = generator()
    watched = Watched(model)
    with torch.no_grad():
        bound = GenerationTask(model, digits.train, digits.test).validate(watched)["bound"]
    progress, result = measured(model, digits.test)
    reconstruction, kl = one_by_one(model, *(torch.cat(part) for part in zip(*watched.given, strict=True)))
    total = reconstruction + kl.sum(axis=1)
    assert (progress, result.n) == ([250, 300], 300)
    assert result.bound_nats == pytest.approx(total.mean(), rel=1e-6) == pytest.approx(bound, rel=1e-6)
    assert result.standard_error == pytest.approx(total.std(ddof=1) / math.sqrt(300), rel=1e-4)
    assert result.reconstruction_nats == pytest.approx(reconstruction.mean(), rel=1e-6)
    assert result.kl_nats == pytest.approx(kl.sum(axis=1).mean(), rel=1e-5)
    assert result.kl_by_step == pytest.approx(kl.mean(axis=0), rel=1e-5)
    assert (result.bits_per_dimension, result.importance_samples, result.importance_nats) == (None, 0, None)


def test_levels_are_reported_in_bits_for_every_number_of_an_image() -> None:
    _, result = measured(generator(observation="logistic", channels=3, height=6, width=9), color(40))
    assert result.bits_per_dimension == pytest.approx(result.bound_nats / (3 * 6 * 9) / math.log(2))


def test_importance_samples_tighten_the_bound_and_one_of_them_is_the_bound_again(digits: GenerativeData) -> None:
    model, images = generator(), digits.test.batch(torch.arange(300)).images
    with torch.no_grad():
        noises = [model.noise(300, torch.Generator().manual_seed(seed)) for seed in range(20)]
        weights = torch.stack([model.log_weights(images, noise) for noise in noises]).double().numpy()
    tolerance = 5 * (weights[0] - weights[1]).std() / math.sqrt(300)
    found = {count: measured(model, digits.test, importance_samples=count)[1] for count in (1, 20)}
    one, many = (found[count].importance_nats or math.nan for count in (1, 20))
    assert one == pytest.approx(found[1].bound_nats, abs=tolerance)
    assert many < found[20].bound_nats - tolerance
    assert found[20].bound_nats == found[1].bound_nats == measured(model, digits.test)[1].bound_nats
    by_hand = -np.log(np.exp(weights).mean(axis=0))
    assert many == pytest.approx(by_hand.mean(), abs=tolerance)
    assert found[20].importance_standard_error == pytest.approx(by_hand.std(ddof=1) / math.sqrt(300), rel=0.2)
    assert found[20].importance_samples == 20


def test_the_importance_bound_does_not_depend_on_how_many_rows_run_at_once_and_counts_every_image() -> None:
    model, data = generator(channels=3, height=6, width=9), color(260)
    few, all_at_once = (measured(model, data, importance_samples=4, rows=rows) for rows in (1, 10_000))
    assert few[0] == all_at_once[0] == [250, 260]
    assert few[1].importance_nats == pytest.approx(all_at_once[1].importance_nats, rel=1e-6)


def test_a_single_image_has_no_standard_error() -> None:
    _, result = measured(generator(channels=3, height=6, width=9), color(1), importance_samples=2)
    assert result.n == 1
    assert math.isfinite(result.bound_nats)
    assert math.isnan(result.standard_error)


def test_the_noise_of_an_image_does_not_depend_on_the_number_of_images() -> None:
    model = generator(channels=3, height=6, width=9)
    few, many = (torch.cat([noise for _, noise in evaluation_noise(model, color(count))]) for count in (7, 300))
    assert torch.equal(few, many[:7])
    assert many.shape == (300, 3, 4)


def test_the_importance_bound_of_an_image_does_not_depend_on_the_number_of_images(monkeypatch: pytest.MonkeyPatch) -> None:
    model, given = generator(channels=3, height=6, width=9), []

    def kept(self: DRAW, images: Tensor, noise: Iterator[Tensor], *, rows: int) -> Tensor:
        given.append(torch.stack(list(noise)))
        return torch.zeros(len(images))

    monkeypatch.setattr(DRAW, "importance_bound", kept)
    for count in (7, 250):
        measured(model, color(count), importance_samples=2)
    few, many = given
    assert torch.equal(few, many[:, :7])
