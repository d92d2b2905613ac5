"""The latents' distribution against torch.distributions, Monte Carlo and its constants, which are easily miscounted."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from glimpse.models.latent import LOG_SIGMA_LIMIT, Posterior


def posterior(*shape: int, seed: int = 0) -> Posterior:
    """Returns a random distribution in float64 with fields of that shape."""
    generator = torch.Generator().manual_seed(seed)
    mean, log_sigma = torch.randn((2, *shape), generator=generator, dtype=torch.float64)
    return Posterior(mean, log_sigma)


def normals(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_the_divergence_is_that_of_torch_distributions() -> None:
    q = posterior(4, 3, 7)
    expected = kl_divergence(Normal(q.mean, q.log_sigma.exp()), Normal(torch.zeros_like(q.mean), 1.0)).sum(dim=-1)
    torch.testing.assert_close(q.kl(), expected)
    assert q.kl().shape == (4, 3)


def test_the_divergence_is_the_mean_of_the_log_ratio() -> None:
    q, count = posterior(5), 100_000
    distribution = Normal(q.mean, q.log_sigma.exp())
    z = distribution.mean + distribution.stddev * normals(count, 5)
    ratio = (distribution.log_prob(z) - Normal(0.0, 1.0).log_prob(z)).sum(dim=-1)  # type: ignore[no-untyped-call]
    assert q.kl().item() == pytest.approx(ratio.mean().item(), abs=5 * ratio.std().item() / math.sqrt(count))


def test_the_log_ratio_is_that_of_the_two_densities_at_the_sample() -> None:
    q, noise = posterior(4, 3, 7), normals(4, 3, 7)
    z = q.sample(noise)
    densities = Normal(0.0, 1.0).log_prob(z) - Normal(q.mean, q.log_sigma.exp()).log_prob(z)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(q.log_ratio(noise), densities.sum(dim=-1))


@pytest.mark.parametrize("steps", [1, 16, 64])
@pytest.mark.parametrize("latent", [1, 32, 100])
def test_the_divergence_of_the_prior_from_itself_is_exactly_0(steps: int, latent: int) -> None:
    at_prior = Posterior.from_raw(torch.zeros(3, steps, 2 * latent))
    assert torch.equal(at_prior.kl(), torch.zeros(3, steps))


def test_the_constant_counts_every_dimension_of_every_step() -> None:
    q = Posterior(torch.ones(1, 64, 100, dtype=torch.float64), torch.zeros(1, 64, 100, dtype=torch.float64))
    assert q.kl().sum().item() == pytest.approx(64 * 100 / 2)  # 1/2 (1 + 1 - 0) a dimension, less 3200 in all


def test_the_second_half_is_log_sigma_and_not_log_sigma_squared() -> None:
    raw = torch.tensor([[5.0, 7.0, math.log(3.0), math.log(0.5)]])
    spread = Posterior.from_raw(raw).sample(torch.ones(1, 2)) - Posterior.from_raw(raw).sample(torch.zeros(1, 2))
    torch.testing.assert_close(spread, torch.tensor([[3.0, 0.5]]))


@pytest.mark.parametrize("value", [-1e4, 1e4])
def test_no_log_sigma_overflows(value: float) -> None:
    raw = torch.tensor([[0.0, value]], requires_grad=True)
    q = Posterior.from_raw(raw)
    assert q.log_sigma.abs().item() == LOG_SIGMA_LIMIT
    (q.kl() + q.log_ratio(torch.ones(1, 1))).sum().backward()  # type: ignore[no-untyped-call]
    assert raw.grad is not None
    assert torch.stack([q.kl(), q.log_ratio(torch.ones(1, 1))]).isfinite().all()
    assert raw.grad.isfinite().all()


def test_sixteen_bits_become_float32() -> None:
    q = Posterior.from_raw(torch.randn(2, 6).bfloat16())
    assert {q.mean.dtype, q.log_sigma.dtype, q.kl().dtype} == {torch.float32}
