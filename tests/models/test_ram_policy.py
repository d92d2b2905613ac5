"""The policy of a recurrent attention model: the density of samples, gradients, noise and spread."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats

from glimpse.attention.retina import Retina
from glimpse.models.losses import REINFORCE_WEIGHT, Episode, hybrid_loss, reinforce_loss, returns, supervised_loss
from glimpse.models.ram import RAM, _normal
from glimpse.settings.glimpse_classifier import Supervision
from glimpse.settings.ram import RAMConfig, Reward
from tests.helpers.ram import REWARDS, SMALL, Watched, gradients, joined, log_density, policy, rest, small
from tests.helpers.tensors import images, noise

# The density is that of the sample, and no gradient leaks


def test_the_density_is_the_normals_at_exactly_the_sample() -> None:
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


def test_no_gradient_passes_through_the_sample() -> None:
    model, batch, uniforms = small(glimpses=4), images(40, 1, 12, 15), noise(40, 4)
    watched, std = Watched(model), torch.linspace(0.05, 0.5, 40)
    model(batch, None, uniforms, std).log_probs.sum().backward()
    assert not any(known.requires_grad for known in watched.known)
    for t, step in enumerate(watched.steps):
        score = torch.special.ndtri(uniforms[:, t + 1]) / std[:, None]  # (location - mean) / std^2; through the sample it were 0
        torch.testing.assert_close(step.grad, score, rtol=1e-6, atol=1e-9)


def test_a_mean_moved_into_the_image_still_has_a_gradient() -> None:
    model = small(glimpses=2)
    with torch.no_grad():
        model.locate[2].bias.copy_(torch.tensor([9.0, -9.0]))  # type: ignore[operator]
    watched, uniforms = Watched(model), noise(5, 2)
    model(images(5, 1, 12, 15), None, uniforms).log_probs.sum().backward()
    assert torch.equal(watched.means()[0], torch.tensor([1.0, -1.0], dtype=torch.float64).expand(5, 2))
    torch.testing.assert_close(watched.steps[0].grad, torch.special.ndtri(uniforms[:, 1]) / 0.25)


@pytest.mark.parametrize("supervision", ["last", "linear"])
@pytest.mark.parametrize("reward", REWARDS)
def test_classification_and_policy_are_learned_separately(reward: Reward, supervision: Supervision) -> None:
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
        joined(loss, policy(model)), REINFORCE_WEIGHT / 2 * joined(where, policy(model)), rtol=1e-12, atol=1e-15
    )
    error = (episode.baselines - gained).square().mean()
    np.testing.assert_allclose(joined(loss, baselines), joined(error, baselines), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("reward", REWARDS)
def test_returns_and_advantages_pass_no_gradient(reward: Reward) -> None:
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


# Locations


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


def test_each_image_is_sampled_with_its_own_spread() -> None:
    model, batch, uniforms = small(), images(4, 1, 13, 21), noise(4, 3)
    std = torch.tensor([0.0, 0.1, 0.25, 0.7])
    together = model(batch, None, uniforms, std)
    for b in range(4):
        alone = model(batch[b : b + 1], None, uniforms[b : b + 1], float(std[b]))
        torch.testing.assert_close(Episode(*(part[b : b + 1] for part in together)), alone, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(model(batch, None, uniforms)[0][2], together[0][2], rtol=1e-10, atol=1e-10)  # the config's


def test_a_std_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"std must be a number or have shape \(2,\), got \(3,\)"):
        RAM(SMALL)(torch.rand(2, 1, 9, 9), None, None, torch.ones(3))


# The spread over a training


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
