"""DRAW's bound: a model small enough for quadrature, importance samples, and the weight of the divergence."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from glimpse.models.draw import DRAW
from glimpse.settings.draw import GeneratorConfig
from tests.helpers.draw import data, small
from tests.helpers.gradients import assert_gradients_are_finite
from tests.helpers.paper import sigmoid


def grid() -> tuple[Tensor, Tensor]:
    """Returns points (P, 2, 1) over the plane and the standard normal mass of each, shape (P,)."""
    points = torch.linspace(-9, 9, 181, dtype=torch.float64)
    plane = torch.cartesian_prod(points, points)
    return plane[:, :, None], (-plane.square().sum(dim=1) / 2).exp() / (2 * math.pi) * 0.1**2


def tiny() -> tuple[DRAW, Tensor, float]:
    """Returns a model with two latent numbers, one image, and its log-likelihood by quadrature over the decoder only."""
    model = small(noise=0.7, glimpses=2, latent=1, hidden=3, height=2, width=3)
    with torch.no_grad():
        model.posterior.weight.mul_(0.3)
        model.posterior.bias.copy_(torch.tensor([0.3, 0.1]))  # wider than the prior, so that no weight is large
    image, _ = data(model, batch=1)
    latents, mass = grid()
    with torch.no_grad():
        mean = sigmoid(model.draw(latents).canvases[:, -1].numpy())
    likelihood = np.where(image.numpy() == 1, mean, 1 - mean).prod(axis=(1, 2, 3))
    return model, image, math.log((likelihood * mass.numpy()).sum())


def test_weights_integrate_to_the_likelihood_and_the_bound_exceeds_its_negative() -> None:
    model, image, log_likelihood = tiny()
    noise, mass = grid()
    with torch.no_grad():
        log_weights = model.log_weights(image.expand(len(noise), -1, -1, -1), noise)
        bound = model(image.expand(len(noise), -1, -1, -1), noise).total
    assert mass.sum().item() == pytest.approx(1.0, abs=1e-12)
    assert (log_weights.exp() * mass).sum().log().item() == pytest.approx(log_likelihood, abs=1e-6)
    mean = (bound * mass).sum().item()
    assert mean > -log_likelihood + 0.01
    assert mean == pytest.approx(-(log_weights * mass).sum().item(), abs=1e-6)


def test_more_importance_samples_approach_the_likelihood_from_below() -> None:
    model, image, log_likelihood = tiny()
    generator, repeats = torch.Generator().manual_seed(0), 1000
    images = image.expand(repeats, -1, -1, -1)

    def noises(samples: int) -> Iterator[Tensor]:
        return (model.noise(repeats, generator) for _ in range(samples))

    estimates = [model.importance_bound(images, noises(samples)) for samples in (1, 5, 100)]
    means = [estimate.mean().item() for estimate in estimates]
    assert means[0] < means[1] < means[2]
    ratios = (estimates[2] - log_likelihood).exp()  # of mean 1, whatever the number of samples
    assert ratios.mean().item() == pytest.approx(1.0, abs=5 * ratios.std().item() / math.sqrt(repeats))
    assert means[2] == pytest.approx(log_likelihood, abs=0.02)


def test_the_importance_bound_is_the_log_mean_of_the_weights_however_many_run_at_once() -> None:
    model = small()
    images, _ = data(model)
    noise = torch.stack([model.noise(3, torch.Generator().manual_seed(seed)) for seed in range(7)]).double()
    weights = np.array([model.log_weights(images, sample).tolist() for sample in noise])
    for rows in (1, 7, 1000):
        bound = model.importance_bound(images, noise, rows=rows)
        np.testing.assert_allclose(bound.numpy(), np.log(np.exp(weights).mean(axis=0)), rtol=1e-9)
        torch.testing.assert_close(model.importance_bound(images, iter(noise), rows=rows), bound)
    assert not bound.requires_grad


def test_no_importance_samples_are_refused() -> None:
    model = small()
    with pytest.raises(ValueError, match="at least one sample, got none"):
        model.importance_bound(data(model)[0], [])


def test_extreme_canvases_have_a_finite_bound() -> None:
    model = small().float()
    images, noise = (value.float() for value in data(model))
    with torch.no_grad():
        model.initial_canvas.fill_(1e4)
    bound = model(images, noise)
    bound.total.sum().backward()
    black = (images == 0).flatten(1).sum(dim=1)
    torch.testing.assert_close(bound.reconstruction, 1e4 * black, rtol=0.02, atol=0)
    assert_gradients_are_finite(model)


@pytest.mark.parametrize("observation", ["bernoulli", "logistic"])
def test_64_steps_give_finite_values_and_gradients(observation: str) -> None:
    model = small(noise=0.5, glimpses=64, observation=observation).float()
    images, noise = (value.float() for value in data(model))
    bound = model(images, noise)
    bound.total.sum().backward()
    assert bound.total.isfinite().all()
    assert_gradients_are_finite(model)


def test_the_weight_of_the_divergence_rises_linearly() -> None:
    config = GeneratorConfig(beta=0.5, beta_warmup=1000)
    assert [config.kl_weight(images) for images in (0, 500, 1000, 9000)] == [0.0, 0.25, 0.5, 0.5]
    assert GeneratorConfig(beta=2.0).kl_weight(0) == 2.0
