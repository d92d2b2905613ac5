"""Classification as a task, averages over sampled glimpses, several scales of a window, and windows anywhere."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from glimpse.attention.filterbank import gaussian_filters
from glimpse.attention.window import Window, read
from glimpse.datasets.files import ImageSet
from glimpse.evaluation.classifier import (
    call_inputs,
    classify,
    predictions,
    uniforms,
)
from glimpse.models.catalog import build_classifier
from glimpse.models.losses import Episode, hybrid_loss, supervised_loss
from glimpse.models.placing import Pointer, Scatter
from glimpse.models.ram import RAM
from glimpse.settings.convolutional import ConvConfig, ConvNetConfig
from glimpse.settings.glimpse_classifier import ClassifierConfig, Parametrization
from glimpse.settings.ram import RAMConfig
from glimpse.settings.spatial_transformer import SpatialTransformerConfig
from glimpse.training.classifier import ClassificationTask
from glimpse.trajectories.collecting import look_at

SIDE = 20
GLIMPSE = ClassifierConfig(glimpses=3, window=4, hidden=6, features=5, classes=4)
RECURRENT = RAMConfig(glimpses=3, window=4, scales=2, hidden=6, features=5, classes=4, policy_std=0.2, policy_std_start=0.5)
WHOLE = (
    ConvConfig(classes=4, height=SIDE, width=SIDE),
    ConvNetConfig(filters=2, classes=4),
    SpatialTransformerConfig(window=4, filters=2, features=5, classes=4),
)


def data(count: int, seed: int = 0) -> ImageSet:
    """Returns a data set of seeded images and labels."""
    rng = np.random.default_rng(seed)
    return ImageSet(rng.random((count, SIDE, SIDE), dtype=np.float32), rng.integers(0, 4, count))


def built(config: Any, *, moved: float = 0.3) -> Any:
    """Returns a classifier of a config, seeded, ready to evaluate, every parameter moved by normal noise of that scale."""
    torch.manual_seed(0)
    model = build_classifier(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(moved * torch.randn(parameter.shape))
    return model.eval()


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    """Keeps a test free of gradients."""
    with torch.no_grad():
        yield


# What a trained classifier answers


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


def test_a_policy_that_is_not_sampled_answers_alike_at_every_position_when_its_first_glimpse_is_centered() -> None:
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
def test_a_model_that_looks_at_random_answers_the_same_at_the_same_position(config: Any) -> None:
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
        monkeypatch.setattr("glimpse.evaluation.classifier._BATCH", batch_size)
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
def test_another_number_of_glimpses_may_be_asked_for(config: Any, glimpses: int) -> None:
    model, batch = built(config), data(3).batch(torch.arange(3)).images
    found = classify(model, batch, torch.arange(3), glimpses)
    assert found.shape == (3, glimpses, 4)
    torch.testing.assert_close(found[:, :1], classify(model, batch, torch.arange(3))[:, :1])  # the noise begins alike


@pytest.mark.parametrize("config", WHOLE)
def test_a_model_that_sees_the_whole_image_takes_no_number_of_glimpses(config: Any) -> None:
    model, batch = built(config), data(3).batch(torch.arange(3)).images
    assert classify(model, batch, torch.arange(3)).shape == (3, 1, 4)
    assert call_inputs(model, torch.arange(3)) == {}
    with pytest.raises(ValueError, match=f"a {type(model).__name__} sees the whole image at once"):
        classify(model, batch, torch.arange(3), 2)
    with pytest.raises(ValueError, match="takes no number of glimpses"):
        next(predictions(model, data(3), glimpses=1))


def test_the_inputs_of_a_look_are_what_each_model_takes() -> None:
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
def test_trajectories_believe_what_is_answered(config: Any) -> None:
    model, images, positions = built(config), data(40), torch.tensor([5, 2, 31])
    found = look_at(model, images.batch(positions), positions).probabilities
    answered = torch.cat([logits for logits, _ in predictions(model, images)])[positions]
    assert found is not None
    torch.testing.assert_close(found, torch.softmax(answered, dim=-1), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("config", [GLIMPSE, *WHOLE])
def test_answers_are_float32_whatever_the_models_type(config: Any) -> None:
    model = built(config).double()
    assert classify(model, data(2).batch(torch.arange(2)).images.double(), torch.arange(2)).dtype == torch.float32


# The task


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
    assert task.validate(model) == pytest.approx({"error": 100 * wrong / 260, "nll": nats}, rel=1e-5)
    assert task.chance_loss == pytest.approx(np.log(4))


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


def test_a_batch_carries_the_policys_spread_at_each_position() -> None:
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


# Several scales


@pytest.mark.parametrize("parametrization", ["paper", "pointing", "random"])
def test_every_scale_has_twice_the_stride_and_sigma_of_the_one_before(parametrization: Parametrization) -> None:
    model = built(replace(GLIMPSE, scales=3, parametrization=parametrization))
    batch, noise = data(5).batch(torch.arange(5)).images, uniforms(torch.arange(5), 3)
    _, window = model(batch, None, noise)
    _, tracks = model.look(batch, None, noise, patches=True)
    assert [(track.kind, track.scale, track.n) for track in tracks] == [("glimpse", 0, 4), ("glimpse", 1, 4), ("glimpse", 2, 4)]
    for scale, track in enumerate(tracks):
        for name, factor in {"center_x": 1, "center_y": 1, "stride": 2**scale, "sigma": 2**scale, "intensity": 1}.items():
            torch.testing.assert_close(getattr(track.window, name), factor * getattr(window, name), rtol=0, atol=0)
        assert track.patches is not None
        for t in range(3):
            step = Window(*(field[:, t] for field in track.window))
            torch.testing.assert_close(track.patches[:, t], read(batch, step, 4), rtol=0, atol=0)


def test_a_widened_window_reads_through_wider_filters() -> None:
    batch = data(2).batch(torch.arange(2)).images.double()
    numbers = torch.tensor([[6.0, 11.5], [9.25, 3.0], [1.5, 0.8], [0.7, 1.1], [1.3, 0.6]], dtype=torch.float64)
    window = Window(*numbers)
    seen = read(batch, window.widened(4), 3)
    for b in range(2):
        center_x, center_y, stride, sigma, intensity = (number[b : b + 1] for number in numbers)
        down = gaussian_filters(center_y, 4 * stride, 4 * sigma, n_filters=3, n_pixels=SIDE)[0]
        right = gaussian_filters(center_x, 4 * stride, 4 * sigma, n_filters=3, n_pixels=SIDE)[0]
        torch.testing.assert_close(seen[b, 0], intensity * (down @ batch[b, 0] @ right.T), rtol=0, atol=1e-12)
    assert window.widened(4).intensity is window.intensity


@pytest.mark.parametrize("encoder", ["none", "mlp"])
def test_the_network_is_fed_every_scale_in_its_order(encoder: Any) -> None:
    model = built(replace(GLIMPSE, scales=3, encoder=encoder))
    fed: list[Tensor] = []
    watched = model.lstm if encoder == "none" else model.encoder
    watched.register_forward_hook(lambda module, inputs, _: fed.append(inputs[0]))
    batch = data(5).batch(torch.arange(5)).images
    _, window = model(batch)
    for t in range(3):
        first = Window(*(field[:, t] for field in window))
        expected = torch.cat([read(batch, first.widened(2**scale), 4).flatten(1) for scale in range(3)], dim=1)
        torch.testing.assert_close(fed[t].flatten(1), expected, rtol=0, atol=0)


def test_a_pointer_of_several_scales_points_at_what_the_finest_shows() -> None:
    model, shown = built(replace(GLIMPSE, scales=3)), []
    model.place.register_forward_hook(lambda module, inputs, _: shown.append(inputs[2]))
    batch = data(5).batch(torch.arange(5)).images
    _, window = model(batch)
    assert shown[0] is None
    for t in (1, 2):
        torch.testing.assert_close(shown[t], read(batch, Window(*(field[:, t - 1] for field in window)), 4), rtol=0, atol=0)


# Windows anywhere


def scatter(*, moved: float = 0.5) -> Scatter:
    """Returns what places windows anywhere, in float64, every parameter moved by normal noise of that scale."""
    torch.manual_seed(0)
    place = Scatter(GLIMPSE).double()
    for parameter in place.parameters():
        parameter.add_(moved * torch.randn(parameter.shape, dtype=torch.float64))
    return place


def test_all_centers_but_the_first_are_uniform_over_the_image() -> None:
    place, count, height, width = scatter(), 20_000, 13, 29
    generator = torch.Generator().manual_seed(0)
    state = torch.randn((count, 6), generator=generator, dtype=torch.float64)
    glimpse = torch.rand((count, 1, 4, 4), generator=generator, dtype=torch.float64)
    noise = torch.rand((count, 2), generator=generator, dtype=torch.float64)
    first = place(state, None, None, noise, height=height, width=width)
    second = place(state, first, glimpse, noise, height=height, width=width)
    torch.testing.assert_close(second.center_x, 28 * noise[:, 0], rtol=0, atol=1e-12)
    torch.testing.assert_close(second.center_y, 12 * noise[:, 1], rtol=0, atol=1e-12)
    for center, side in ((second.center_x, width - 1), (second.center_y, height - 1)):
        counts = np.histogram(center.numpy(), bins=20, range=(0, side))[0]
        assert counts.sum() == count
        assert ((counts - count / 20) ** 2 / (count / 20)).sum() < 19 + 5 * (2 * 19) ** 0.5


def test_the_first_window_is_the_pointers_and_so_is_the_size_of_all() -> None:
    place, pointer = scatter(), Pointer(GLIMPSE).double()
    pointer.raw.load_state_dict(place.raw.state_dict())
    generator = torch.Generator().manual_seed(0)
    state = torch.randn((7, 6), generator=generator, dtype=torch.float64)
    glimpse = torch.rand((7, 1, 4, 4), generator=generator, dtype=torch.float64)
    noise = torch.rand((7, 2), generator=generator, dtype=torch.float64)
    first = pointer(state, None, None, None, height=13, width=29)
    torch.testing.assert_close(place(state, None, None, noise, height=13, width=29), first, rtol=0, atol=0)
    found = place(state, first, glimpse, noise, height=13, width=29)
    torch.testing.assert_close(found[2:], pointer(state, first, glimpse, None, height=13, width=29)[2:], rtol=0, atol=0)
    assert sorted(name for name, _ in place.named_parameters()) == ["raw.bias", "raw.weight"]


def test_windows_anywhere_need_noise() -> None:
    model, batch = built(replace(GLIMPSE, parametrization="random")), data(2).batch(torch.arange(2)).images
    assert model(batch, 1)[0].shape == (2, 1, 4)  # the first window is a pointer's
    with pytest.raises(ValueError, match="windows at random need uniforms"):
        model(batch)
    with pytest.raises(ValueError, match=r"uniforms must have shape \(2, 3, 2\), got \(2, 2, 2\)"):
        model(batch, None, torch.rand(2, 2, 2))


def test_other_models_of_the_kind_ignore_the_noise() -> None:
    model, batch = built(GLIMPSE), data(4).batch(torch.arange(4)).images
    assert torch.equal(model(batch, None, torch.rand(4, 3, 2))[0], model(batch)[0])
