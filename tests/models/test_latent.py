"""The latents' distribution against torch.distributions, Monte Carlo and the constants of the divergence."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from glimpse.models.latent import LOG_SIGMA_LIMIT, Gaussian


def gaussian(*shape: int, seed: int = 0) -> Gaussian:
    """Returns a random distribution in float64 with fields of that shape."""
    generator = torch.Generator().manual_seed(seed)
    mean, log_sigma = torch.randn((2, *shape), generator=generator, dtype=torch.float64)
    return Gaussian(mean, log_sigma)


def normals(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_the_divergence_is_that_of_torch_distributions() -> None:
    q = gaussian(4, 3, 7)
    expected = kl_divergence(Normal(q.mean, q.log_sigma.exp()), Normal(torch.zeros_like(q.mean), 1.0)).sum(dim=-1)
    torch.testing.assert_close(q.kl(), expected)
    assert q.kl().shape == (4, 3)


def test_the_divergence_is_the_mean_of_the_log_ratio() -> None:
    q, count = gaussian(5), 100_000
    distribution = Normal(q.mean, q.log_sigma.exp())
    z = distribution.mean + distribution.stddev * normals(count, 5)
    ratio = (distribution.log_prob(z) - Normal(0.0, 1.0).log_prob(z)).sum(dim=-1)  # type: ignore[no-untyped-call]
    assert q.kl().item() == pytest.approx(ratio.mean().item(), abs=5 * ratio.std().item() / math.sqrt(count))


def test_the_log_ratio_is_that_of_the_two_densities_at_the_sample() -> None:
    q, noise = gaussian(4, 3, 7), normals(4, 3, 7)
    z = q.sample(noise)
    densities = Normal(0.0, 1.0).log_prob(z) - Normal(q.mean, q.log_sigma.exp()).log_prob(z)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(q.log_ratio(noise), densities.sum(dim=-1))


@pytest.mark.parametrize("steps", [1, 16, 64])
@pytest.mark.parametrize("latent", [1, 32, 100])
def test_the_divergence_of_the_prior_from_itself_is_exactly_0(steps: int, latent: int) -> None:
    at_prior = Gaussian.from_raw(torch.zeros(3, steps, 2 * latent))
    assert torch.equal(at_prior.kl(), torch.zeros(3, steps))


def test_the_constant_counts_every_dimension_of_every_step() -> None:
    q = Gaussian(torch.ones(1, 64, 100, dtype=torch.float64), torch.zeros(1, 64, 100, dtype=torch.float64))
    assert q.kl().sum().item() == pytest.approx(64 * 100 / 2)  # 1/2 (1 + 1 - 0) a dimension, less 3200 in all


def test_the_second_half_is_log_sigma_and_not_log_sigma_squared() -> None:
    raw = torch.tensor([[5.0, 7.0, math.log(3.0), math.log(0.5)]])
    spread = Gaussian.from_raw(raw).sample(torch.ones(1, 2)) - Gaussian.from_raw(raw).sample(torch.zeros(1, 2))
    torch.testing.assert_close(spread, torch.tensor([[3.0, 0.5]]))


@pytest.mark.parametrize("value", [-1e4, 1e4])
def test_no_log_sigma_overflows(value: float) -> None:
    raw = torch.tensor([[0.0, value]], requires_grad=True)
    q = Gaussian.from_raw(raw)
    assert q.log_sigma.abs().item() == LOG_SIGMA_LIMIT
    (q.kl() + q.log_ratio(torch.ones(1, 1))).sum().backward()  # type: ignore[no-untyped-call]
    assert raw.grad is not None
    assert torch.stack([q.kl(), q.log_ratio(torch.ones(1, 1))]).isfinite().all()
    assert raw.grad.isfinite().all()


def test_sixteen_bits_become_float32() -> None:
    q = Gaussian.from_raw(torch.randn(2, 6).bfloat16())
    assert {q.mean.dtype, q.log_sigma.dtype, q.kl().dtype} == {torch.float32}


# Against another Gaussian


def test_the_divergence_from_another_gaussian_is_its_integral() -> None:
    q, p = gaussian(6), gaussian(6, seed=2)
    for dimension, divergence in enumerate(q.relative_to(p).divergences().tolist()):
        center, spread = q.mean[dimension], q.log_sigma[dimension].exp()
        z = center + spread * torch.linspace(-12, 12, 20_001, dtype=torch.float64)
        log_q = Normal(center, spread).log_prob(z)  # type: ignore[no-untyped-call]
        log_p = Normal(p.mean[dimension], p.log_sigma[dimension].exp()).log_prob(z)  # type: ignore[no-untyped-call]
        assert divergence == pytest.approx(torch.trapezoid(log_q.exp() * (log_q - log_p), z).item(), rel=1e-9)


def test_the_divergence_from_another_gaussian_is_that_of_torch_distributions() -> None:
    q, p = gaussian(4, 3, 7), gaussian(4, 3, 7, seed=2)
    expected = kl_divergence(Normal(q.mean, q.log_sigma.exp()), Normal(p.mean, p.log_sigma.exp()))
    torch.testing.assert_close(q.relative_to(p).divergences(), expected)
    torch.testing.assert_close(q.relative_to(p).kl(), expected.sum(dim=-1))


def test_the_log_ratio_to_another_gaussian_is_that_of_the_densities_at_the_sample() -> None:
    q, p, noise = gaussian(4, 3, 7), gaussian(4, 3, 7, seed=2), normals(4, 3, 7)
    z = q.sample(noise)
    distributions = (Normal(each.mean, each.log_sigma.exp()) for each in (p, q))
    log_p, log_q = (each.log_prob(z).sum(dim=-1) for each in distributions)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(q.relative_to(p).log_ratio(noise), log_p - log_q)
    torch.testing.assert_close(p.sample(q.relative_to(p).sample(noise)), z)


def test_relative_to_a_standard_normal_nothing_changes() -> None:
    q = gaussian(4, 3, 7)
    standard = Gaussian.from_raw(torch.zeros(4, 3, 14, dtype=torch.float64))
    assert all(map(torch.equal, q.relative_to(standard), q))


def test_the_gradients_of_the_divergence_agree_with_finite_differences() -> None:
    q, p = gaussian(2, 3), gaussian(2, 3, seed=2)
    numbers = [number.requires_grad_() for number in (*q, *p)]

    def divergence(*numbers: Tensor) -> Tensor:
        return Gaussian(*numbers[:2]).relative_to(Gaussian(*numbers[2:])).kl()

    assert torch.autograd.gradcheck(divergence, numbers)


@pytest.mark.parametrize(("one", "other"), [(-1e4, 1e4), (1e4, -1e4)])
def test_the_narrowest_and_the_widest_have_a_finite_divergence_in_float32(one: float, other: float) -> None:
    raw = torch.tensor([[10.0, one, -10.0, other]], requires_grad=True)
    q, p = Gaussian.from_raw(raw[:, :2]), Gaussian.from_raw(raw[:, 2:])
    relative = q.relative_to(p)
    (relative.kl() + relative.log_ratio(torch.ones(1, 1))).sum().backward()  # type: ignore[no-untyped-call]
    assert relative.kl().isfinite().all()
    assert raw.grad is not None
    assert raw.grad.isfinite().all()


def test_stacked_steps_are_the_second_axis() -> None:
    steps = [Gaussian(torch.full((2, 3), float(step)), torch.full((2, 3), -float(step))) for step in range(4)]
    stacked = Gaussian.stacked(steps)
    for step, own in enumerate(steps):
        assert torch.equal(stacked.mean[:, step], own.mean)
        assert torch.equal(stacked.log_sigma[:, step], own.log_sigma)
