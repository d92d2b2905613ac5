"""The recurrent attention model: against a plain loop, and its invariants for any image."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import ndtri

from glimpse.attention.track import Track
from glimpse.models.losses import Episode, hybrid_loss, supervised_loss
from glimpse.models.ram import RAM
from glimpse.settings.glimpse_classifier import ClassifierConfig
from glimpse.settings.ram import RAMConfig, Reward
from tests.helpers.gradients import assert_every_parameter_learns, assert_gradients_are_finite
from tests.helpers.paper import sigmoid
from tests.helpers.ram import REWARDS, SMALL, Watched, log_density, rest, small
from tests.helpers.tensors import images, noise

TOLERANCES = (1e-10, 0.0, 1e-6, 1e-10)  # of an episode's parts: the policy's standard deviation is float32


def normalized(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Returns a layer norm with torch's constant."""
    return np.asarray((x - x.mean()) / np.sqrt(x.var() + 1e-5) * weight + bias)


def patches_of(image: np.ndarray, x: int, y: int, n: int, scales: int) -> np.ndarray:
    """Returns the patches of an image (C, H, W) with their finest first pixel at (x, y), shape (S, C, n, n)."""
    margin = 4 * n * 2**scales
    padded = np.pad(image, ((0, 0), (margin, margin), (margin, margin)))
    found = np.zeros((scales, len(image), n, n))
    for scale, i, j in np.ndindex(scales, n, n):
        side = 2**scale
        top, left = (margin + first - n * (side - 1) // 2 for first in (y, x))
        box = padded[:, top + i * side : top + (i + 1) * side, left + j * side : left + (j + 1) * side]
        found[scale, :, i, j] = box.mean(axis=(1, 2))
    return found


def looped(model: RAM, image: np.ndarray, uniforms: np.ndarray | None, std: float) -> tuple[np.ndarray, ...]:
    """Returns an image's logits (T, K), corners (T, 2), log-densities and baselines (T - 1,), and locations as sampled (T, 2)."""
    w = {name: value.detach().numpy() for name, value in model.state_dict().items()}
    config, (height, width) = model.config, image.shape[1:]
    output, cell = w["lstm.initial_output"], w["lstm.initial_cell"]
    random = uniforms is not None and config.first_glimpse == "random"
    location = 2 * uniforms[0] - 1 if uniforms is not None and random else np.zeros(2)
    logits, corners, log_probs, baselines, locations = [], [], [], [], [location]
    for t in range(config.glimpses):
        inside = np.array([min(max(number, -1.0), 1.0) for number in location])
        center = [(inside[0] + 1) / 2 * (width - 1), (inside[1] + 1) / 2 * (height - 1)]
        x, y = (round(number - (config.window - 1) / 2) for number in center)
        seen = patches_of(image, x, y, config.window, config.scales).ravel()
        hidden = w["encoder.what.0.weight"] @ seen + w["encoder.what.0.bias"]
        hidden = np.maximum(normalized(hidden, w["encoder.what.1.weight"], w["encoder.what.1.bias"]), 0)
        hidden = w["encoder.what.3.weight"] @ hidden + w["encoder.what.3.bias"]
        hidden = normalized(hidden, w["encoder.what.4.weight"], w["encoder.what.4.bias"])
        features = np.maximum(hidden + w["encoder.where.weight"] @ inside + w["encoder.where.bias"], 0)
        gates = w["lstm.gates.weight"] @ np.concatenate([features, output]) + w["lstm.gates.bias"]
        enter, keep, candidate, leave = np.split(gates, 4)
        cell = sigmoid(keep) * cell + sigmoid(enter) * np.tanh(candidate)
        output = sigmoid(leave) * np.tanh(cell)
        logits.append(w["classify.weight"] @ output + w["classify.bias"])
        corners.append([x, y])
        if t + 1 == config.glimpses:
            break
        known = np.concatenate([output, seen, inside])
        raw = w["locate.2.weight"] @ np.maximum(w["locate.0.weight"] @ known + w["locate.0.bias"], 0) + w["locate.2.bias"]
        mean = np.clip(inside + raw, -1, 1)
        location = mean if uniforms is None else mean + std * ndtri(uniforms[t + 1])
        log_probs.append(stats.norm.logpdf(location, mean, std).sum())
        baselines.append(w["baseline.weight"][0] @ output + w["baseline.bias"][0])
        locations.append(location)
    return tuple(np.array(found) for found in (logits, corners, log_probs, baselines, locations))


@pytest.mark.parametrize("first_glimpse", ["random", "centered"])
@pytest.mark.parametrize(
    ("channels", "height", "width", "window", "scales"), [(1, 12, 12, 4, 2), (3, 9, 23, 4, 3), (2, 17, 8, 3, 1), (1, 1, 1, 2, 2)]
)
def test_an_episode_equals_a_plain_loop(
    channels: int, height: int, width: int, window: int, scales: int, first_glimpse: str
) -> None:
    model = small(channels=channels, window=window, scales=scales, first_glimpse=first_glimpse, glimpses=4)
    batch, uniforms = images(6, channels, height, width), noise(6, 4)
    for given in (uniforms, None):
        episode = model(batch, None, given)
        assert isinstance(episode, Episode)
        assert (episode.logits.shape, episode.corners.shape) == ((6, 4, 4), (6, 4, 2))
        assert (episode.log_probs.shape, episode.baselines.shape) == ((6, 3), (6, 3))
        assert episode.corners.dtype == torch.int64
        for b in range(6):
            expected = looped(model, batch[b].numpy(), None if given is None else given[b].numpy(), std=0.25)
            for got, wanted, tolerance in zip(episode, expected[:4], TOLERANCES, strict=True):
                np.testing.assert_allclose(got[b].detach().numpy(), wanted, rtol=0, atol=tolerance)


def test_locations_are_moved_into_the_image_but_the_density_is_that_of_the_sample() -> None:
    model, batch, uniforms = small(glimpses=4), images(50, 1, 12, 15), noise(50, 4)
    episode, outside = model(batch, None, uniforms), 0
    for b in range(50):
        *_, log_probs, _, locations = looped(model, batch[b].numpy(), uniforms[b].numpy(), std=0.25)
        outside += int((np.abs(locations) > 1).any())
        np.testing.assert_allclose(episode.log_probs[b].detach().numpy(), log_probs, rtol=0, atol=1e-6)
    assert outside > 10  # otherwise nothing is tested
    center = episode.corners + 1.5
    assert center.min() >= -0.5
    assert (center <= torch.tensor([14.5, 11.5])).all()


# Invariants for any image


def test_an_image_is_classified_the_same_in_any_batch() -> None:
    model, batch, uniforms = small(), images(5, 1, 20, 20), noise(5, 3)
    together = model(batch, None, uniforms)
    for b in range(5):
        alone = model(batch[b : b + 1], None, uniforms[b : b + 1])
        torch.testing.assert_close(Episode(*(part[b : b + 1] for part in together)), alone, rtol=1e-12, atol=1e-12)


def test_more_glimpses_do_not_change_the_first_ones() -> None:
    model, batch, uniforms = small(), images(5, 1, 20, 20), noise(5, 6)
    longer, shorter = model(batch, 6, uniforms), model(batch, 3, uniforms[:, :3])
    torch.testing.assert_close(longer.logits[:, :3], shorter.logits)
    assert torch.equal(longer.corners[:, :3], shorter.corners)
    torch.testing.assert_close(longer.log_probs[:, :2], shorter.log_probs)


def test_the_model_sees_nothing_but_its_patches() -> None:
    model, batch, uniforms = small(window=2), images(4, 1, 30, 30), noise(4, 3)
    _, tracks = model.look(batch, None, uniforms)
    window = tracks[-1].window
    reach = 2 * window.stride[..., None] / 2  # half the side of the coarsest patch
    pixels = torch.arange(30)
    columns, rows = ((pixels - center[..., None]).abs() < reach for center in (window.center_x, window.center_y))
    seen = (rows[..., :, None] & columns[..., None, :]).any(dim=1)  # (B, H, W)
    assert 0.2 < (~seen).float().mean() < 0.99
    changed = torch.where(seen[:, None], batch, 1 - batch)
    torch.testing.assert_close(model(changed, None, uniforms), model(batch, None, uniforms))
    assert not torch.equal(model(1 - batch, None, uniforms).logits, model(batch, None, uniforms).logits)


def test_one_model_accepts_images_of_any_size() -> None:
    model = RAM(replace(SMALL, window=12, scales=4))
    for height, width in ((28, 28), (100, 100), (60, 250), (3, 5), (1, 1)):
        episode = model(torch.rand(2, 1, height, width), None, noise(2, 3).float())
        assert all(part.isfinite().all() for part in episode)
        center = episode.corners + 5.5
        assert (center.double() - torch.tensor([width - 1, height - 1]) <= 0.5).all()
        assert center.min() >= -0.5


def test_no_state_is_kept_between_calls() -> None:
    model, batch, uniforms = small(), images(4, 1, 20, 20), noise(4, 3)
    before = set(vars(model))
    first = model(batch, None, uniforms)
    model(images(2, 1, 33, 17, seed=1), 5, noise(2, 5))
    torch.testing.assert_close(model(batch, None, uniforms), first, rtol=0, atol=0)
    assert set(vars(model)) == before


@pytest.mark.parametrize("reward", REWARDS)
def test_every_parameter_gets_a_gradient(reward: Reward) -> None:
    model, labels = small(reward=reward), torch.arange(16) % 4
    loss, _ = hybrid_loss(model(images(16, 1, 20, 20), None, noise(16, 3)), labels, model.config)
    loss.backward()  # type: ignore[no-untyped-call]
    assert_every_parameter_learns(model)


@pytest.mark.parametrize("reward", REWARDS)
def test_one_glimpse_is_enough(reward: Reward) -> None:
    model, labels = small(glimpses=1, reward=reward), torch.arange(8) % 4
    episode = model(images(8, 1, 12, 15), None, noise(8, 1))
    assert (episode.log_probs.shape, episode.baselines.shape) == ((8, 0), (8, 0))
    loss, parts = hybrid_loss(episode, labels, model.config)
    assert loss.item() == supervised_loss(episode.logits, labels, "linear").item()
    assert parts["reward"].item() == 0
    loss.backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None for parameter in rest(model))


@pytest.mark.parametrize(("window", "scales"), [(4, 3), (3, 2), (5, 1)])
def test_look_returns_the_patches_and_their_windows(window: int, scales: int) -> None:
    model = small(window=window, scales=scales, channels=2)
    batch, uniforms = images(5, 2, 12, 19), noise(5, 4)
    episode = model(batch, 4, uniforms, 0.5)
    logits, tracks = model.look(batch, 4, uniforms, 0.5, patches=True)
    assert torch.equal(logits, episode.logits)
    assert [(track.kind, track.scale, track.n) for track in tracks] == [("glimpse", scale, window) for scale in range(scales)]
    for track in tracks:
        assert isinstance(track, Track)
        assert track.patches is not None
        assert track.patches.shape == (5, 4, 2, window, window)
        assert all(field.shape == (5, 4) for field in track.window)
        for b, t in np.ndindex(5, 4):
            x, y = episode.corners[b, t].tolist()
            expected = patches_of(batch[b].numpy(), x, y, window, scales)[track.scale]
            np.testing.assert_allclose(track.patches[b, t].detach().numpy(), expected, rtol=0, atol=1e-12)
            shifted = (window - 1) / 2 + (0.5 if window % 2 and track.scale else 0)
            assert (track.window.center_x[b, t].item(), track.window.center_y[b, t].item()) == (x + shifted, y + shifted)
            assert track.window.stride[b, t].item() == 2**track.scale
    bare = model.look(batch, 4, uniforms, 0.5)[1]
    assert all(track.patches is None for track in bare)


def test_coordinates_and_densities_stay_in_float32_under_autocast() -> None:
    model, batch, uniforms = small(window=3).float(), images(12, 1, 600, 900).float(), noise(12, 3).float()
    watched = Watched(model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        episode = model(batch, None, uniforms)
        loss, parts = hybrid_loss(episode, torch.arange(12) % 4, model.config)
        _, tracks = model.look(batch, None, uniforms)
    assert [part.dtype for part in episode] == [torch.float32, torch.int64, torch.float32, torch.float32]
    assert (loss.dtype, parts["reward"].dtype) == (torch.float32, torch.float32)
    assert all(field.dtype == torch.float32 for track in tracks for field in track.window)
    assert all(step.dtype == torch.float32 for step in watched.steps)
    means = watched.means()
    for t in range(2):
        location = means[t] + 0.25 * torch.special.ndtri(uniforms[:, t + 1])
        density = log_density(location, means[t], 0.25)
        torch.testing.assert_close(episode.log_probs[:, t].detach(), density, rtol=0, atol=1e-4)
        center = (location.clamp(-1, 1).double() + 1) / 2 * torch.tensor([899, 599])  # bfloat16 has only every fourth integer there
        assert (episode.corners[:, t + 1] - (center - 1)).abs().max() < 0.501
    loss.backward()  # type: ignore[no-untyped-call]
    assert_gradients_are_finite(model)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.5])
def test_flat_images_give_finite_values_and_gradients(value: float) -> None:
    model = small(moved=0.0).float()
    episode = model(torch.full((4, 1, 30, 40), value), None, noise(4, 3).float())
    hybrid_loss(episode, torch.arange(4), model.config)[0].backward()  # type: ignore[no-untyped-call]
    assert all(part.isfinite().all() for part in episode)
    assert_gradients_are_finite(model)


# Refused input


@pytest.mark.parametrize("shape", [(3, 40, 40), (2, 3, 40, 40), (2, 1, 1, 40, 40)])
def test_images_of_another_kind_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(B, 1, H, W\)"):
        small()(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(2, 2, 2), (3, 3, 2), (2, 3), (2, 3, 3)])
def test_noise_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"uniforms must have shape \(2, 3, 2\)"):
        small()(images(2, 1, 9, 9), None, torch.zeros(shape))


def test_no_glimpses_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        small()(images(2, 1, 9, 9), 0)


@pytest.mark.parametrize(
    "wrong",
    [
        *({name: 0} for name in ("glimpses", "window", "scales", "hidden", "features", "monte_carlo", "channels", "classes")),
        *({name: -1} for name in ("test_samples", "policy_anneal")),
        *({name: value} for name in ("policy_std", "policy_std_start") for value in (0.0, -0.1, math.inf, math.nan)),
        {"first_glimpse": "corner"},
        {"reward": "all"},
        {"supervision": "none"},
    ],
)
def test_settings_out_of_range_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RAMConfig(**wrong)


@pytest.mark.parametrize("kind", [RAMConfig, ClassifierConfig])
def test_scales_beyond_any_image_are_refused(kind: type[RAMConfig] | type[ClassifierConfig]) -> None:
    assert kind(scales=8).scales == 8
    with pytest.raises(ValueError, match="scales must be in 1 to 8, got 9"):
        kind(scales=9)
