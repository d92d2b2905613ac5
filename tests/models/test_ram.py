"""The recurrent attention model: against a plain loop, trap 17, and REINFORCE against gradients that are known exactly."""

import itertools
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.polynomial.hermite_e import hermegauss
from scipy import stats
from scipy.special import ndtr, ndtri
from torch import Tensor, nn

from glimpse.attention.retina import Retina
from glimpse.attention.track import Track
from glimpse.datasets.clutter import ClutteredMNIST, ClutterRecipe
from glimpse.datasets.digits import open_digits
from glimpse.evaluation.classifier import classification_task
from glimpse.models.losses import Episode, hybrid_loss, reinforce_loss, returns, supervised_loss
from glimpse.models.ram import _REINFORCE_WEIGHT, RAM, _normal
from glimpse.models.weights import save_weights
from glimpse.settings.glimpse_classifier import ClassifierConfig, Supervision
from glimpse.settings.ram import RAMConfig, Reward
from glimpse.settings.training import TrainingConfig
from glimpse.training.engine import fit

SMALL = RAMConfig(glimpses=3, window=4, scales=2, hidden=6, features=5, classes=4, policy_std=0.25, policy_std_start=0.5)
TOLERANCES = (1e-10, 0.0, 1e-6, 1e-10)  # of an episode's parts: the policy's standard deviation is float32
REWARDS: tuple[Reward, ...] = ("last", "every", "gain")


def images(batch: int, channels: int, height: int, width: int, seed: int = 0) -> Tensor:
    """Returns seeded images in float64, 0 to 1."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand((batch, channels, height, width), generator=generator, dtype=torch.float64)


def noise(batch: int, glimpses: int, seed: int = 7) -> Tensor:
    """Returns seeded uniform noise in float64, shape (B, T, 2)."""
    return torch.rand((batch, glimpses, 2), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def small(*, moved: float = 0.4, seed: int = 0, **changes: Any) -> RAM:
    """Returns a small model, seeded, in float64, every parameter moved by normal noise of that scale."""
    torch.manual_seed(seed)
    model = RAM(replace(SMALL, **changes)).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(moved * torch.randn(parameter.shape, dtype=torch.float64))
    return model


def policy(model: RAM) -> list[nn.Parameter]:
    """Returns the parameters that say where."""
    return list(model.locate.parameters())


def rest(model: RAM) -> list[nn.Parameter]:
    """Returns the parameters that say what."""
    return [*model.encoder.parameters(), *model.lstm.parameters(), *model.classify.parameters()]


def gradients(value: Tensor, parameters: list[nn.Parameter]) -> list[Tensor | None]:
    """Returns the gradients of a scalar, None where it does not depend on a parameter."""
    return list(torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True))


def joined(value: Tensor, parameters: list[nn.Parameter]) -> np.ndarray:
    """Returns the gradients of a scalar in one row."""
    found = torch.autograd.grad(value, parameters, retain_graph=True)
    return torch.cat([gradient.flatten() for gradient in found]).numpy()


# Against a plain loop


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def normalised(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
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
        hidden = np.maximum(normalised(hidden, w["encoder.what.1.weight"], w["encoder.what.1.bias"]), 0)
        hidden = w["encoder.what.3.weight"] @ hidden + w["encoder.what.3.bias"]
        hidden = normalised(hidden, w["encoder.what.4.weight"], w["encoder.what.4.bias"])
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


def test_locations_are_moved_into_the_image_but_their_density_is_that_of_what_was_sampled() -> None:
    model, batch, uniforms = small(glimpses=4), images(50, 1, 12, 15), noise(50, 4)
    episode, outside = model(batch, None, uniforms), 0
    for b in range(50):
        *_, log_probs, _, locations = looped(model, batch[b].numpy(), uniforms[b].numpy(), std=0.25)
        outside += int((np.abs(locations) > 1).any())
        np.testing.assert_allclose(episode.log_probs[b].detach().numpy(), log_probs, rtol=0, atol=1e-6)
    assert outside > 10  # or nothing was put to the test
    center = episode.corners + 1.5
    assert center.min() >= -0.5
    assert (center <= torch.tensor([14.5, 11.5])).all()


def log_density(location: Tensor, mean: Tensor, std: Tensor | float) -> Tensor:
    """Returns torch's own log-density of a normal with independent coordinates, summed over the last dimension."""
    density: Tensor = torch.distributions.Normal(mean, std).log_prob(location)  # type: ignore[no-untyped-call]
    return density.sum(dim=-1)


# Trap 17: the density is that of what was sampled, and nothing leaks


class Watched:
    """What a model's policy was shown and said in its last episode, one entry a glimpse.

    Args:
        model: The model to watch.
    """

    def __init__(self, model: RAM) -> None:
        self.known: list[Tensor] = []
        self.steps: list[Tensor] = []
        model.locate.register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: tuple[Tensor, ...], step: Tensor) -> None:
        step.retain_grad()
        self.known.append(inputs[0])
        self.steps.append(step)

    def means(self) -> list[Tensor]:
        """Returns the policy's means, shape (B, 2) each, free of gradients."""
        pairs = zip(self.known, self.steps, strict=True)
        return [(known[:, -2:] + step).clamp(-1, 1).detach() for known, step in pairs]


def test_trap_17_the_density_is_the_normals_of_exactly_what_was_sampled() -> None:
    model, batch, uniforms = small(glimpses=4), images(40, 1, 12, 15), noise(40, 4)
    watched, std = Watched(model), torch.linspace(0.05, 0.5, 40)
    log_probs = model(batch, None, uniforms, std).log_probs
    means = watched.means()
    for t in range(3):
        location = means[t] + std[:, None] * torch.special.ndtri(uniforms[:, t + 1])
        density = log_density(location, means[t], std.double()[:, None])
        torch.testing.assert_close(log_probs[:, t].detach(), density, rtol=0, atol=1e-6)
        if t < 2:  # the next location that the policy sees is this one, moved inside
            torch.testing.assert_close(watched.known[t + 1][:, -2:], location.clamp(-1, 1), rtol=0, atol=1e-12)


def test_trap_17_no_gradient_passes_through_what_was_sampled() -> None:
    model, batch, uniforms = small(glimpses=4), images(40, 1, 12, 15), noise(40, 4)
    watched, std = Watched(model), torch.linspace(0.05, 0.5, 40)
    model(batch, None, uniforms, std).log_probs.sum().backward()
    assert not any(known.requires_grad for known in watched.known)
    for t, step in enumerate(watched.steps):
        score = torch.special.ndtri(uniforms[:, t + 1]) / std[:, None]  # (location - mean) / std^2; through the sample it were 0
        torch.testing.assert_close(step.grad, score, rtol=1e-6, atol=1e-9)


def test_trap_17_a_mean_moved_into_the_image_has_a_gradient_still() -> None:
    model = small(glimpses=2)
    with torch.no_grad():
        model.locate[2].bias.copy_(torch.tensor([9.0, -9.0]))  # type: ignore[operator]
    watched, uniforms = Watched(model), noise(5, 2)
    model(images(5, 1, 12, 15), None, uniforms).log_probs.sum().backward()
    assert torch.equal(watched.means()[0], torch.tensor([1.0, -1.0], dtype=torch.float64).expand(5, 2))
    torch.testing.assert_close(watched.steps[0].grad, torch.special.ndtri(uniforms[:, 1]) / 0.25)


@pytest.mark.parametrize("supervision", ["last", "linear"])
@pytest.mark.parametrize("reward", REWARDS)
def test_trap_17_what_and_where_are_learned_apart(reward: Reward, supervision: Supervision) -> None:
    model = small(reward=reward, supervision=supervision)
    labels = torch.arange(8) % 4
    episode = model(images(8, 1, 12, 15), None, noise(8, 3))
    what = supervised_loss(episode.logits, labels, supervision)
    baselines = list(model.baseline.parameters())
    assert all(gradient is None for gradient in gradients(what, policy(model) + baselines))
    assert all(gradient is None for gradient in gradients(episode.log_probs.sum(), rest(model) + baselines))
    assert all(gradient is None for gradient in gradients(episode.baselines.sum(), rest(model) + policy(model)))

    loss, _ = hybrid_loss(episode, labels, model.config)
    np.testing.assert_array_equal(joined(loss, rest(model)), joined(what, rest(model)))
    gained = returns(episode.logits, labels, reward)
    where = reinforce_loss(episode.log_probs, (gained - episode.baselines).detach())
    np.testing.assert_allclose(
        joined(loss, policy(model)), _REINFORCE_WEIGHT / 2 * joined(where, policy(model)), rtol=1e-12, atol=1e-15
    )
    error = (episode.baselines - gained).square().mean()
    np.testing.assert_allclose(joined(loss, baselines), joined(error, baselines), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("reward", REWARDS)
def test_trap_17_returns_and_advantages_pass_no_gradient(reward: Reward) -> None:
    logits = images(1, 6, 3, 4)[0].requires_grad_()
    assert not returns(logits, torch.arange(6) % 4, reward).requires_grad
    log_probs, advantages = (images(1, 1, 6, 2, seed=seed)[0, 0].requires_grad_() for seed in (1, 2))
    reinforce_loss(log_probs, advantages).backward()  # type: ignore[no-untyped-call]
    assert advantages.grad is None
    torch.testing.assert_close(log_probs.grad, -advantages.detach() / 6)


def test_the_loss_names_its_parts() -> None:
    model, labels = small(reward="every"), torch.arange(8) % 4
    episode = model(images(8, 1, 12, 15), None, noise(8, 3))
    loss, parts = hybrid_loss(episode, labels, model.config)
    gained = returns(episode.logits, labels, "every")
    assert list(parts) == ["reward"]
    assert parts["reward"].item() == pytest.approx(gained.mean().item())
    where = sum(
        -episode.log_probs[b, t].item() * (gained[b, t] - episode.baselines[b, t]).item() for b in range(8) for t in range(2)
    )
    error = sum((gained[b, t] - episode.baselines[b, t]).item() ** 2 for b in range(8) for t in range(2)) / 16
    what = supervised_loss(episode.logits, labels, "linear").item()
    assert loss.item() == pytest.approx(what + 0.1 * where / 8 / 2 + error, abs=1e-12)


# Returns


def test_returns_equal_loops() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, labels = 2 * torch.randn((40, 5, 3), generator=generator, dtype=torch.float64), torch.arange(40) % 3
    found = {reward: returns(logits, labels, reward) for reward in REWARDS}
    for b in range(40):
        scores = logits[b].numpy()
        right = [float(scores[t].argmax() == labels[b]) for t in range(5)]
        nats = [math.log(math.exp(scores[t, labels[b]]) / sum(math.exp(score) for score in scores[t])) for t in range(5)]
        for t in range(4):  # location t is that of glimpse t + 1
            following = right[t + 1 :]
            assert found["last"][b, t].item() == right[4]
            assert found["every"][b, t].item() == pytest.approx(sum(following) / len(following), abs=1e-12)
            assert found["gain"][b, t].item() == pytest.approx(nats[t + 1] - nats[t], abs=1e-12)
    assert {reward: tuple(each.shape) for reward, each in found.items()} == dict.fromkeys(REWARDS, (40, 4))


@pytest.mark.parametrize("reward", REWARDS)
def test_returns_of_one_glimpse_are_none(reward: Reward) -> None:
    assert returns(torch.zeros(3, 1, 4), torch.tensor([0, 1, 2]), reward).shape == (3, 0)


# REINFORCE against gradients that are known exactly


def estimates(log_probs: Tensor, gained: Tensor, parameters: list[nn.Parameter]) -> np.ndarray:
    """Returns REINFORCE's estimate of the expected return's gradient from each of K outcomes alone, shape (K, parameters)."""
    rows = [joined(-reinforce_loss(log_probs[k : k + 1], gained[k : k + 1]), parameters) for k in range(len(log_probs))]
    return np.stack(rows)


class TwoChoices:
    """A policy that chooses one of three, then one of four given the first, and every outcome's rewards, at random around 5."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.first = nn.Parameter(torch.randn(3, generator=generator, dtype=torch.float64))
        self.second = nn.Parameter(torch.randn(3, 4, generator=generator, dtype=torch.float64))
        early, late = (torch.rand(shape, generator=generator, dtype=torch.float64) for shape in ((3,), (3, 4)))
        self.outcomes = torch.tensor(list(itertools.product(range(3), range(4))))  # (12, 2)
        a, b = self.outcomes.T
        self.rewards = torch.stack([2 + early[a], 3 + late[a, b]], dim=1)  # (12, 2): what comes after each choice
        self.parameters = [self.first, self.second]

    def log_probs(self) -> Tensor:
        """Returns the log-probability of each choice of each outcome, shape (12, 2)."""
        a, b = self.outcomes.T
        return torch.stack([self.first.log_softmax(0)[a], self.second.log_softmax(1)[a, b]], dim=1)

    def weights(self) -> Tensor:
        """Returns the probability of each outcome, shape (12,)."""
        return self.log_probs().sum(dim=1).exp()


def test_the_expected_estimate_is_the_exact_gradient_of_an_enumerated_policy() -> None:
    choices = TwoChoices()
    weights, rewards = choices.weights(), choices.rewards
    assert weights.sum().item() == pytest.approx(1, abs=1e-12)
    exact = joined((weights * rewards.sum(dim=1)).sum(), choices.parameters)
    chances, spreads = weights.detach().numpy(), {}
    expected_return = (weights.detach() * rewards.sum(dim=1)).sum()
    after_first = torch.zeros(3, dtype=torch.float64).index_add(0, choices.outcomes[:, 0], weights.detach() * rewards[:, 1])
    after_first = after_first / choices.first.detach().softmax(0)
    whole = rewards.sum(dim=1, keepdim=True).expand(-1, 2)
    to_come = rewards.flip(1).cumsum(1).flip(1)
    baseline = torch.stack([expected_return.expand(12), after_first[choices.outcomes[:, 0]]], dim=1)
    for name, gained in {"whole": whole, "less a number": whole - expected_return, "to come": to_come - baseline}.items():
        rows = estimates(choices.log_probs(), gained, choices.parameters)
        mean = chances @ rows
        np.testing.assert_allclose(mean, exact, rtol=0, atol=1e-10, err_msg=name)
        spreads[name] = float(chances @ ((rows - mean) ** 2).sum(axis=1))
    assert spreads["less a number"] < 0.1 * spreads["whole"]
    assert spreads["to come"] < spreads["less a number"]


def test_the_loss_of_a_batch_is_the_mean_of_its_images() -> None:
    choices = TwoChoices()
    rows = estimates(choices.log_probs(), choices.rewards, choices.parameters)
    together = joined(-reinforce_loss(choices.log_probs(), choices.rewards), choices.parameters)
    np.testing.assert_allclose(together, rows.mean(axis=0), rtol=0, atol=1e-14)
    log_probs, gained = choices.log_probs().detach(), choices.rewards
    value = -sum(log_probs[k, t].item() * gained[k, t].item() for k in range(12) for t in range(2)) / 12
    assert reinforce_loss(log_probs, gained).item() == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("baseline", [0.0, 0.7])
def test_the_expected_estimate_is_the_exact_gradient_of_a_gaussian_policy(baseline: float) -> None:
    nodes, weights = hermegauss(40)
    weights = weights / weights.sum()
    z, chances = torch.from_numpy(nodes), torch.from_numpy(weights)
    mean, std = nn.Parameter(torch.tensor([0.3, -0.8], dtype=torch.float64)), 0.4
    grid = torch.cartesian_prod(z, z)  # (1600, 2)
    chance = torch.outer(chances, chances).flatten()
    location = (mean + std * grid).detach()
    gained = torch.cos(2 * location[:, 0] + location[:, 1])
    log_probs = log_density(location, mean, std)[:, None]
    loss = reinforce_loss(log_probs, (gained - baseline)[:, None] * chance[:, None] * len(grid))
    phase, damped = 2 * 0.3 - 0.8, math.exp(-(2**2 + 1) * std**2 / 2)  # E cos(a x) = cos(a mean) exp(-|a|^2 std^2 / 2)
    exact = -math.sin(phase) * damped * np.array([2.0, 1.0])
    np.testing.assert_allclose(-joined(loss, [mean]), exact, rtol=0, atol=1e-10)


def sampled_through(grid: np.ndarray, glimpses: int) -> Tensor:
    """Returns the uniform noise that stands for normal noise of shape (K, T - 1, 2), the first glimpse in the middle."""
    first = np.full((len(grid), 1, 2), 0.5)
    return torch.from_numpy(np.concatenate([first, ndtr(grid.reshape(len(grid), glimpses - 1, 2))], axis=1))


def gained_in_all(episode: Episode, label: int) -> Tensor:
    """Returns what all locations of an episode together brought, in nats, shape (B,)."""
    labels = torch.full((len(episode.logits),), label)
    return returns(episode.logits, labels, "gain").sum(dim=1)


@pytest.mark.parametrize(("glimpses", "count"), [(2, 9), (3, 5)])
def test_the_models_expected_estimate_is_the_gradient_of_its_expected_return(glimpses: int, count: int) -> None:
    """A black image shows nothing, so that the return is a smooth function of the locations, integrated by Gauss and Hermite."""
    model = small(glimpses=glimpses, policy_std=2**-6, moved=0.2)
    nodes, weights = hermegauss(count)
    numbers = 2 * (glimpses - 1)
    grid = np.array(list(itertools.product(nodes, repeat=numbers)))  # (K, numbers)
    chance = torch.from_numpy(np.prod(list(itertools.product(weights / weights.sum(), repeat=numbers)), axis=1))
    batch, uniforms = torch.zeros(len(grid), 1, 5, 5, dtype=torch.float64), sampled_through(grid, glimpses)

    def expected_return() -> float:
        with torch.no_grad():
            return float((chance * gained_in_all(model(batch, None, uniforms), 1)).sum())

    episode = model(batch, None, uniforms)
    weighted = (gained_in_all(episode, 1)[:, None] - episode.baselines) * chance[:, None] * len(grid)
    found = -joined(reinforce_loss(episode.log_probs, weighted), policy(model))
    finite = []
    for parameter in policy(model):
        flat = parameter.data.view(-1)
        for index in range(len(flat)):
            kept, values = flat[index].item(), []
            for step in (1e-4, -1e-4):
                flat[index] = kept + step
                values.append(expected_return())
            flat[index] = kept
            finite.append((values[0] - values[1]) / 2e-4)
    assert np.abs(finite).max() > 1e-3
    np.testing.assert_allclose(found, finite, rtol=0, atol=1e-6 * np.abs(finite).max())


@pytest.mark.parametrize("reward", REWARDS)
def test_the_models_gradient_is_exact_where_the_return_hangs_on_the_pixel_that_was_hit(reward: Reward) -> None:
    """The chance of every pixel is a difference of the normal's distribution function: the expected return in closed form."""
    model = small(glimpses=2, window=1, scales=1, reward=reward, first_glimpse="centered", supervision="last")
    with torch.no_grad():
        model.encoder.where.weight.zero_()  # the place itself says nothing
    side, height, width = 256, 4, 5
    image, levels = images(1, 1, height, width), (torch.arange(side).double() + 0.5) / side
    middle = torch.full((side**2, 2), 0.5, dtype=torch.float64)
    uniforms = torch.stack([middle, torch.cartesian_prod(levels, levels)], dim=1)  # (side^2, 2, 2)
    batch = image.expand(side**2, -1, -1, -1)
    with torch.no_grad():
        model.classify.weight.mul_(4)
        model.classify.bias.sub_(model(batch, None, uniforms).logits[:, 1].mean(dim=0))  # the class differs from pixel to pixel
    watched = Watched(model)
    episode = model(batch, None, uniforms)
    step, inside = watched.steps[0][0], watched.known[0][0, -2:]
    right = [int(label) for label in episode.logits[:, 1].argmax(dim=1).unique()]
    assert len(right) > 1, "every pixel gets the same class"
    labels = torch.full((side**2,), right[0])
    gained = returns(episode.logits, labels, reward)[:, 0]

    expected_return = torch.zeros((), dtype=torch.float64)
    edges = [2 * (torch.arange(pixels + 1).double() - 0.5) / (pixels - 1) - 1 for pixels in (width, height)]
    for each in edges:
        each[0], each[-1] = -math.inf, math.inf  # locations outside are moved in
    chances = [torch.special.ndtr((edges[axis] - (inside + step)[axis]) / 0.25).diff() for axis in range(2)]
    for x, y in np.ndindex(width, height):
        chance = chances[0][x] * chances[1][y]
        hit = (episode.corners[:, 1] == torch.tensor([x, y])).all(dim=1)
        if not hit.any():
            assert chance.item() < 1e-4
            continue
        assert (gained[hit] - gained[hit][0]).abs().max() < 1e-12
        assert hit.double().mean().item() == pytest.approx(chance.item(), abs=2 / side)
        expected_return = expected_return + chance * gained[hit][0]

    loss, parts = hybrid_loss(episode, labels, model.config)
    assert parts["reward"].item() == pytest.approx(expected_return.item(), abs=2 / side)
    exact, found = _REINFORCE_WEIGHT * joined(expected_return, policy(model)), -joined(loss, policy(model))
    assert np.abs(exact).max() > 1e-3
    np.testing.assert_allclose(found, exact, rtol=0, atol=0.02 * np.abs(exact).max())


# Noise


def test_the_noise_is_standard_normal() -> None:
    count = 1_000_000
    normal = _normal(torch.rand(count, generator=torch.Generator().manual_seed(0))).double()
    assert abs(normal.mean().item()) < 4 / count**0.5
    assert abs(normal.var().item() - 1) < 4 * (2 / count) ** 0.5
    for edge in (-3.0, -1.0, 0.0, 0.5, 2.0):
        chance = stats.norm.cdf(edge)
        assert abs((normal < edge).double().mean().item() - chance) < 4 * (chance * (1 - chance) / count) ** 0.5
    levels = torch.linspace(0.001, 0.999, 999, dtype=torch.float64)
    np.testing.assert_allclose(_normal(levels).numpy(), stats.norm.ppf(levels.numpy()), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_the_noise_is_finite_at_both_ends(dtype: torch.dtype) -> None:
    ends = _normal(torch.tensor([0.0, 0.5, 1.0], dtype=dtype))
    assert ends.isfinite().all()
    assert ends.dtype == (dtype if dtype == torch.float64 else torch.float32)
    assert ends[0] < -5
    assert ends[1] == 0
    assert ends[2] > 5


# Where it looks


def test_without_noise_every_location_is_the_policys_mean_and_the_first_the_middle() -> None:
    model, batch = small(glimpses=4, window=3), images(6, 1, 13, 21)
    watched = Watched(model)
    episode, means = model(batch), watched.means()
    assert torch.equal(episode.corners[:, 0], torch.tensor([[9, 5]]).expand(6, 2))
    retina = Retina(batch, 3, 2)
    for t in range(3):
        center = (means[t] + 1) / 2 * torch.tensor([20, 12])
        assert torch.equal(episode.corners[:, t + 1], retina.corner(center))
    peak = -2 * math.log(0.25 * math.sqrt(2 * math.pi))
    torch.testing.assert_close(episode.log_probs, torch.full((6, 3), peak, dtype=torch.float64), rtol=0, atol=1e-6)
    half = torch.full((6, 4, 2), 0.5, dtype=torch.float64)
    torch.testing.assert_close(model(batch, None, half), episode)


def test_a_random_first_glimpse_is_uniform_over_the_image() -> None:
    model, count = small(glimpses=1, window=1, scales=1), 40_000
    uniforms = torch.rand((count, 1, 2), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    corners = model(torch.zeros(count, 1, 3, 5, dtype=torch.float64), None, uniforms).corners[:, 0]
    for axis, pixels in ((0, 5), (1, 3)):
        shares = torch.bincount(corners[:, axis], minlength=pixels) / count
        expected = torch.full((pixels,), 1 / (pixels - 1))
        expected[[0, -1]] /= 2  # from the center of the first pixel to that of the last
        assert (shares - expected).abs().max() < 4 * (0.25 / count) ** 0.5


def test_a_centered_first_glimpse_takes_no_noise() -> None:
    model = small(first_glimpse="centered", window=3)
    corners = model(images(6, 1, 13, 21), None, noise(6, 3)).corners
    assert torch.equal(corners[:, 0], torch.tensor([[9, 5]]).expand(6, 2))
    assert len(corners[:, 1].unique(dim=0)) > 1


@pytest.mark.parametrize("first_glimpse", ["centered", "random"])
def test_a_policy_without_spread_follows_its_means_whatever_the_noise(first_glimpse: str) -> None:
    model, batch = small(first_glimpse=first_glimpse), images(6, 1, 13, 21)
    uniforms, other = noise(6, 3), noise(6, 3, seed=8)
    other[:, 0] = uniforms[:, 0]
    episode = model(batch, None, uniforms, 0.0)
    torch.testing.assert_close(model(batch, None, other, 0.0), episode, rtol=0, atol=0)
    assert episode.log_probs.isfinite().all()
    if first_glimpse == "centered":
        torch.testing.assert_close(model(batch).logits, episode.logits, rtol=0, atol=0)
    else:
        other[:, 0] = 1 - uniforms[:, 0]
        assert not torch.equal(model(batch, None, other, 0.0).corners, episode.corners)


def test_a_spread_for_each_image_is_that_of_the_image_alone() -> None:
    model, batch, uniforms = small(), images(4, 1, 13, 21), noise(4, 3)
    std = torch.tensor([0.0, 0.1, 0.25, 0.7])
    together = model(batch, None, uniforms, std)
    for b in range(4):
        alone = model(batch[b : b + 1], None, uniforms[b : b + 1], float(std[b]))
        torch.testing.assert_close(Episode(*(part[b : b + 1] for part in together)), alone, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(model(batch, None, uniforms)[0][2], together[0][2], rtol=1e-10, atol=1e-10)  # the config's


# What it promises of any image


def test_an_image_is_classified_alike_alone_and_in_a_batch() -> None:
    model, batch, uniforms = small(), images(5, 1, 20, 20), noise(5, 3)
    together = model(batch, None, uniforms)
    for b in range(5):
        alone = model(batch[b : b + 1], None, uniforms[b : b + 1])
        torch.testing.assert_close(Episode(*(part[b : b + 1] for part in together)), alone, rtol=1e-12, atol=1e-12)


def test_more_glimpses_leave_the_first_ones_as_they_were() -> None:
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


def test_one_model_takes_images_of_any_size() -> None:
    model = RAM(replace(SMALL, window=12, scales=4))
    for height, width in ((28, 28), (100, 100), (60, 250), (3, 5), (1, 1)):
        episode = model(torch.rand(2, 1, height, width), None, noise(2, 3).float())
        assert all(part.isfinite().all() for part in episode)
        center = episode.corners + 5.5
        assert (center.double() - torch.tensor([width - 1, height - 1]) <= 0.5).all()
        assert center.min() >= -0.5


def test_trap_16_nothing_is_kept_from_one_call_to_the_next() -> None:
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
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


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
def test_look_shows_what_was_seen_and_where(window: int, scales: int) -> None:
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
        center = (location.clamp(-1, 1).double() + 1) / 2 * torch.tensor([899, 599])  # bfloat16 knows every fourth pixel there
        assert (episode.corners[:, t + 1] - (center - 1)).abs().max() < 0.501
    loss.backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize("value", [0.0, 1.0, 0.5])
def test_flat_images_give_finite_values_and_gradients(value: float) -> None:
    model = small(moved=0.0).float()
    episode = model(torch.full((4, 1, 30, 40), value), None, noise(4, 3).float())
    hybrid_loss(episode, torch.arange(4), model.config)[0].backward()  # type: ignore[no-untyped-call]
    assert all(part.isfinite().all() for part in episode)
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in model.parameters())


# What is refused


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


# The policy's spread over the training


@pytest.mark.parametrize("kind", [RAMConfig, ClassifierConfig])
def test_scales_beyond_any_image_are_refused(kind: type[RAMConfig] | type[ClassifierConfig]) -> None:
    assert kind(scales=8).scales == 8
    with pytest.raises(ValueError, match=r"scales must be at most 8, .* got 9"):
        kind(scales=9)


def test_a_std_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"std must be a number or have shape \(2,\), got \(3,\)"):
        RAM(SMALL)(torch.rand(2, 1, 9, 9), None, None, torch.ones(3))


@pytest.mark.parametrize(("start", "end"), [(0.5, 0.1), (0.1, 0.1), (0.05, 0.2)])
def test_the_spread_goes_from_one_end_to_the_other_by_a_constant_factor(start: float, end: float) -> None:
    config = RAMConfig(policy_std_start=start, policy_std=end, policy_anneal=1000)
    assert config.std_at(0) == start
    assert config.std_at(1000) == end
    assert config.std_at(10**9) == end
    assert config.std_at(500) == pytest.approx(math.sqrt(start * end), rel=1e-12)
    found = [config.std_at(seen) for seen in range(0, 1001, 50)]
    factors = [after / before for before, after in itertools.pairwise(found)]
    assert factors == pytest.approx([(end / start) ** 0.05] * 20, rel=1e-12)
    assert sorted(found, reverse=end < start) == found


def test_the_spread_is_the_last_one_throughout_without_annealing() -> None:
    config = RAMConfig(policy_anneal=0)
    assert {config.std_at(seen) for seen in (0, 1, 10**6)} == {config.policy_std}


# Training


LEARNER = RAMConfig(glimpses=3, window=8, scales=3, hidden=64, features=64, policy_std=0.1, policy_anneal=10_000)
TRAINING = TrainingConfig(images=20_000, batch_size=64, learning_rate=3e-3, warmup=1000, averaging=0, validate_every=10**9)


def trained(config: RAMConfig, training: TrainingConfig) -> tuple[RAM, ClutteredMNIST, list[dict[str, float]]]:
    """Returns a model trained on scikit-learn's digits on a small canvas, the validation set, and the rows of metrics."""
    source, recipe = open_digits("sklearn"), ClutterRecipe(canvas=32, pieces=0)
    train, valid = ClutteredMNIST(source.train, "train", recipe, seed=0), ClutteredMNIST(source.valid, "valid", recipe)
    torch.manual_seed(0)
    model = RAM(config)
    records = fit(classification_task(model, train, valid), training)
    return model, valid, [record.values for record in records if record.kind == "metrics"]


def test_a_short_training_learns_and_its_weights_come_back(tmp_path: Path) -> None:
    model, valid, rows = trained(LEARNER, TRAINING)
    assert rows[-1]["valid_error"] < 55  # chance is 90
    assert rows[-1]["reward"] > 0.2 > rows[0]["reward"]
    file = tmp_path / "weights.safetensors"
    save_weights(file, model.state_dict(), {"model": "RAM", "config": vars(LEARNER), "task": {"kind": "cluttered"}})
    read = RAM.from_pretrained(file)
    assert not read.training
    assert read.config == LEARNER
    batch, uniforms = valid.batch(torch.arange(10)).images, noise(10, 3).float()
    torch.testing.assert_close(read(batch, None, uniforms), model.eval()(batch, None, uniforms), rtol=0, atol=0)


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    save_weights(file, small().state_dict(), {"model": "GlimpseClassifier", "config": vars(SMALL), "task": {"kind": "cluttered"}})
    with pytest.raises(ValueError, match="weights of GlimpseClassifier, not of RAM"):
        RAM.from_pretrained(file)


@pytest.mark.parametrize("reward", REWARDS)
def test_a_short_training_with_several_samples_an_image_learns(reward: Reward) -> None:
    config = replace(LEARNER, monte_carlo=2, reward=reward, test_samples=2)
    _, _, rows = trained(config, replace(TRAINING, images=6000, batch_size=32))
    assert rows[-1]["valid_error"] < 75  # chance is 90
