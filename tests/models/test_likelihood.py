"""The likelihoods against other libraries, also at and beyond the edges of their range."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.distributions import Bernoulli

from glimpse.models.likelihood import bernoulli, bits_per_dimension, discretized_logistic

LEVELS = torch.arange(256, dtype=torch.float64) / 255


def log_masses(mean: float, log_scale: float, dtype: torch.dtype = torch.float64) -> Tensor:
    """Returns the log-probabilities of the 256 levels of one pixel."""
    images = LEVELS.to(dtype).view(256, 1, 1, 1)
    return discretized_logistic(images, torch.full_like(images, mean), torch.tensor([log_scale], dtype=dtype))


def test_bernoulli_is_that_of_torch_distributions() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn((5, 3, 4, 6), generator=generator, dtype=torch.float64)
    images = torch.randint(2, logits.shape, generator=generator).double()
    expected = Bernoulli(logits=logits).log_prob(images).sum(dim=(1, 2, 3))  # type: ignore[no-untyped-call]
    torch.testing.assert_close(bernoulli(images, logits), expected)


@pytest.mark.parametrize("logit", [-1e30, -200.0, 200.0, 1e30])
def test_extreme_canvases_have_finite_likelihoods_and_gradients(logit: float) -> None:
    logits = torch.full((2, 1, 1, 1), logit, requires_grad=True)
    nats = bernoulli(torch.tensor([0.0, 1.0]).view(2, 1, 1, 1), logits)
    nats.sum().backward()  # type: ignore[no-untyped-call]
    assert sorted(nats.tolist()) == pytest.approx([-abs(logit), 0.0])
    assert logits.grad is not None
    assert sorted(logits.grad.abs().flatten().tolist()) == [0.0, 1.0]


@pytest.mark.parametrize("mean", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("log_scale", [-12.0, -6.0, -2.0, 0.0, 5.0])
def test_the_probabilities_of_the_256_levels_sum_to_one(mean: float, log_scale: float) -> None:
    assert log_masses(mean, log_scale).exp().sum().item() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("mean", [0.0, 0.21, 0.5, 0.999])
@pytest.mark.parametrize("log_scale", [-5.0, -2.0, 0.0, 2.0])
def test_every_level_has_the_mass_between_its_borders(mean: float, log_scale: float) -> None:
    borders = np.concatenate([[-np.inf], (np.arange(255) + 0.5) / 255, [np.inf]])
    masses = np.diff(stats.logistic.cdf(borders, loc=mean, scale=math.exp(log_scale)))
    np.testing.assert_allclose(log_masses(mean, log_scale).exp().numpy(), masses, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("log_scale", [-7.0, -2.0, 3.0])
def test_float32_is_as_accurate_as_float64(log_scale: float) -> None:
    exact, single = log_masses(0.4, log_scale), log_masses(0.4, log_scale, torch.float32)
    torch.testing.assert_close(single.double(), exact, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("log_scale", [-1e4, -20.0, 20.0, 1e4])
@pytest.mark.parametrize("mean", [0.0, 0.5, 1.0])
def test_no_scale_is_too_small_or_too_large(mean: float, log_scale: float) -> None:
    images = LEVELS.float().view(256, 1, 1, 1)
    means, scale = torch.full_like(images, mean).requires_grad_(), torch.tensor([log_scale], requires_grad=True)
    nats = discretized_logistic(images, means, scale)
    nats.mean().backward()  # type: ignore[no-untyped-call]
    assert nats.isfinite().all()
    assert nats.max() <= 0
    assert means.grad is not None
    assert scale.grad is not None
    assert means.grad.isfinite().all()
    assert scale.grad.isfinite().all()


@pytest.mark.parametrize("sign", [-1, 1])
def test_scales_beyond_the_limit_are_those_of_the_limit(sign: int) -> None:
    images, mean = torch.tensor([0.0, 0.2, 1.0]).view(1, 1, 1, 3), torch.full((1, 1, 1, 3), 0.2)
    beyond, limit = (discretized_logistic(images, mean, torch.tensor([sign * size])) for size in (25.0, 20.0))
    assert torch.equal(beyond, limit)
    assert not torch.equal(limit, discretized_logistic(images, mean, torch.tensor([sign * 19.0])))


def test_every_channel_has_its_own_scale() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (2, 3, 4, 5), generator=generator).double() / 255
    means = torch.rand(images.shape, generator=generator, dtype=torch.float64)
    log_scale = torch.tensor([-3.0, -1.0, 0.5], dtype=torch.float64)
    apart = sum(discretized_logistic(images[:, [c]], means[:, [c]], log_scale[[c]]) for c in range(3))
    torch.testing.assert_close(discretized_logistic(images, means, log_scale), apart)


def test_likelihoods_are_in_float32_under_autocast() -> None:
    images, canvas = torch.zeros(2, 1, 3, 3).bfloat16(), torch.randn(2, 1, 3, 3).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        nats = bernoulli(images, canvas), discretized_logistic(images, canvas.sigmoid(), torch.tensor([-2.0]))
    assert [value.dtype for value in nats] == [torch.float32, torch.float32]


def test_a_probability_of_one_half_is_one_bit_per_pixel() -> None:
    nats = -bernoulli(torch.zeros(2, 3, 4, 5), torch.zeros(2, 3, 4, 5))
    torch.testing.assert_close(bits_per_dimension(nats, 60), torch.ones(2))
