"""REINFORCE: returns against loops, and its estimate against exact gradients."""

import itertools
import math

import numpy as np
import pytest
import torch
from numpy.polynomial.hermite_e import hermegauss
from scipy.special import ndtr
from torch import Tensor, nn

from glimpse.models.losses import REINFORCE_WEIGHT, Episode, hybrid_loss, reinforce_loss, returns
from glimpse.settings.ram import Reward
from tests.helpers.ram import REWARDS, Watched, joined, log_density, policy, small
from tests.helpers.tensors import images

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
def test_one_glimpse_has_no_returns(reward: Reward) -> None:
    assert returns(torch.zeros(3, 1, 4), torch.tensor([0, 1, 2]), reward).shape == (3, 0)


# REINFORCE against exact gradients


def estimates(log_probs: Tensor, gained: Tensor, parameters: list[nn.Parameter]) -> np.ndarray:
    """Returns REINFORCE's estimate of the gradient of the expected return from each of K outcomes, shape (K, parameters)."""
    rows = [joined(-reinforce_loss(log_probs[k : k + 1], gained[k : k + 1]), parameters) for k in range(len(log_probs))]
    return np.stack(rows)


class TwoChoices:
    """A policy that chooses one of three, then one of four given the first, with random rewards around 5 for every outcome."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.first = nn.Parameter(torch.randn(3, generator=generator, dtype=torch.float64))
        self.second = nn.Parameter(torch.randn(3, 4, generator=generator, dtype=torch.float64))
        early, late = (torch.rand(shape, generator=generator, dtype=torch.float64) for shape in ((3,), (3, 4)))
        self.outcomes = torch.tensor(list(itertools.product(range(3), range(4))))  # (12, 2)
        a, b = self.outcomes.T
        self.rewards = torch.stack([2 + early[a], 3 + late[a, b]], dim=1)  # (12, 2): rewards after each choice
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
    """Returns the uniform noise equivalent to normal noise of shape (K, T - 1, 2), with the first glimpse in the middle."""
    first = np.full((len(grid), 1, 2), 0.5)
    return torch.from_numpy(np.concatenate([first, ndtr(grid.reshape(len(grid), glimpses - 1, 2))], axis=1))


def gained_in_all(episode: Episode, label: int) -> Tensor:
    """Returns the total reward of an episode's locations, in nats, shape (B,)."""
    labels = torch.full((len(episode.logits),), label)
    return returns(episode.logits, labels, "gain").sum(dim=1)


@pytest.mark.parametrize(("glimpses", "count"), [(2, 9), (3, 5)])
def test_the_models_expected_estimate_is_the_gradient_of_its_expected_return(glimpses: int, count: int) -> None:
    """On a black image the return is a smooth function of the locations, integrated by Gauss-Hermite quadrature."""
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
def test_the_models_gradient_is_exact_if_the_return_depends_on_the_pixel_that_was_hit(reward: Reward) -> None:
    """The probability of each pixel is a difference of normal distribution functions, so the expected return has a closed form."""
    model = small(glimpses=2, window=1, scales=1, reward=reward, first_glimpse="centered", supervision="last")
    with torch.no_grad():
        model.encoder.where.weight.zero_()  # the location itself is not an input
    side, height, width = 256, 4, 5
    image, levels = images(1, 1, height, width), (torch.arange(side).double() + 0.5) / side
    middle = torch.full((side**2, 2), 0.5, dtype=torch.float64)
    uniforms = torch.stack([middle, torch.cartesian_prod(levels, levels)], dim=1)  # (side^2, 2, 2)
    batch = image.expand(side**2, -1, -1, -1)
    with torch.no_grad():
        model.classify.weight.mul_(4)
        model.classify.bias.sub_(model(batch, None, uniforms).logits[:, 1].mean(dim=0))  # the class depends on the pixel
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
    exact, found = REINFORCE_WEIGHT * joined(expected_return, policy(model)), -joined(loss, policy(model))
    assert np.abs(exact).max() > 1e-3
    np.testing.assert_allclose(found, exact, rtol=0, atol=0.02 * np.abs(exact).max())
