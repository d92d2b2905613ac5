"""DRAW's learned prior: equal to the standard one at first, then in the bound, the weights and the samples."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from glimpse.generation.sampling import between, draw_latents, latent_usage, prior_latents, reconstruct_images, traversal
from glimpse.models.draw import DRAW
from glimpse.models.weights import load_weights, save_weights
from glimpse.settings.base import from_mapping
from glimpse.settings.draw import GeneratorConfig
from tests.helpers.draw import SMALL, data, small
from tests.helpers.paper import sigmoid
from tests.helpers.weights import OF_DIGITS


def decoded(model: DRAW, latents: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the decoder's inputs for latents (B, T, Z) in units of the prior, and the prior's means and sigmas, (B, T, Z) each.

    A loop over the decoder by the learned map's own weights.
    """
    assert model.prior is not None
    state, z, means, sigmas = model.decoder.initial(len(latents)), [], [], []
    for latent in latents.unbind(dim=1):
        mean, log_sigma = (state.output @ model.prior.weight.T + model.prior.bias).chunk(2, dim=1)
        z.append(mean + log_sigma.exp() * latent)
        means.append(mean)
        sigmas.append(log_sigma.exp())
        state = model.decoder(z[-1], state)
    return torch.stack(z, dim=1), torch.stack(means, dim=1), torch.stack(sigmas, dim=1)


def test_a_fresh_learned_prior_is_the_standard_one_to_the_bit() -> None:
    models = []
    for prior in ("standard", "learned"):
        torch.manual_seed(0)
        models.append(DRAW(from_mapping(GeneratorConfig, SMALL | {"prior": prior})))
    standard, learned = models
    images, noise = (numbers.float() for numbers in data(standard))
    for one, other in zip(standard(images, noise), learned(images, noise), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(standard.log_weights(images, noise), learned.log_weights(images, noise))
    assert torch.equal(standard.draw(noise).canvases, learned.draw(noise).canvases)
    assert all(map(torch.equal, standard.state_dict().values(), learned.state_dict().values()))


def test_a_learned_prior_learns_from_the_first_step() -> None:
    torch.manual_seed(0)
    model = DRAW(from_mapping(GeneratorConfig, SMALL | {"prior": "learned"})).double()
    images, noise = data(model)
    with torch.no_grad():
        model.decoder.initial_output.fill_(0.1)
    model(images, noise).total.sum().backward()
    assert model.prior is not None
    for parameter in model.prior.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().max() > 0


def test_weights_and_settings_from_before_the_learned_prior_give_the_same_model(tmp_path: Path) -> None:
    model = small().float()
    settings = {name: value for name, value in vars(model.config).items() if name != "prior"}
    save_weights(tmp_path / "weights", model.state_dict(), {"model": "DRAW", "config": settings, "task": OF_DIGITS})
    found = DRAW.from_pretrained(tmp_path / "weights")
    assert found.config == model.config
    assert found.config.prior == "standard"
    images, noise = (numbers.float() for numbers in data(model))
    assert torch.equal(found(images, noise).total, model(images, noise).total)
    assert not [name for name in load_weights(tmp_path / "weights")[0] if name.startswith("prior")]


def tiny() -> tuple[DRAW, Tensor, tuple[Tensor, Tensor], float]:
    """Returns a model with two latents, one image, a grid, and the log-likelihood by quadrature over the decoder's inputs only.

    The grid has points (P, 2, 1) in units of the prior, and the standard normal mass of each, shape (P,).
    """
    model = small(noise=0.5, glimpses=2, latent=1, hidden=3, height=2, width=3, prior="learned")
    with torch.no_grad():
        model.posterior.weight.mul_(0.3)
        model.posterior.bias.copy_(torch.tensor([0.2, 0.8]))  # wider than the prior, so that no weight is large
    image, _ = data(model, batch=1)
    points = torch.linspace(-9, 9, 361, dtype=torch.float64)
    units = torch.cartesian_prod(points, points)[:, :, None]
    mass = Normal(0.0, 1.0).log_prob(units).sum(dim=(1, 2)).exp() * 0.05**2  # type: ignore[no-untyped-call]
    with torch.no_grad():
        z, means, sigmas = decoded(model, units)
        widths = 0.05**2 * sigmas.prod(dim=1)[:, 0]  # of z's cells
        density = Normal(means, sigmas).log_prob(z).sum(dim=(1, 2)).exp()  # type: ignore[no-untyped-call]
        pixels = sigmoid(model.draw(units).canvases[:, -1].numpy())
    likelihood = np.where(image.numpy() == 1, pixels, 1 - pixels).prod(axis=(1, 2, 3))
    return model, image, (units, mass), math.log((likelihood * (density * widths).numpy()).sum())


def test_weights_integrate_to_the_likelihood_under_the_learned_prior() -> None:
    model, image, (units, mass), expected = tiny()
    with torch.no_grad():
        weights = model.log_weights(image.expand(len(units), -1, -1, -1), units)
        bound = model(image.expand(len(units), -1, -1, -1), units).total
    assert (weights.exp() * mass).sum().log().item() == pytest.approx(expected, abs=1e-4)
    assert (bound * mass).sum().item() > -expected + 0.01
    assert (bound * mass).sum().item() == pytest.approx(-(weights * mass).sum().item(), abs=1e-6)


def test_more_importance_samples_approach_the_likelihood_under_the_learned_prior_from_below() -> None:
    model, image, _, expected = tiny()
    generator, repeats = torch.Generator().manual_seed(0), 500
    images = image.expand(repeats, -1, -1, -1)
    estimates = [
        model.importance_bound(images, (model.noise(repeats, generator) for _ in range(samples))) for samples in (1, 5, 100)
    ]
    means = [estimate.mean().item() for estimate in estimates]
    assert means[0] < means[1] < means[2]
    ratios = (estimates[2] - expected).exp()  # of mean 1, whatever the number of samples
    assert ratios.mean().item() == pytest.approx(1.0, abs=5 * ratios.std().item() / math.sqrt(repeats))


def test_the_divergence_is_the_mean_log_ratio_of_the_densities_of_what_the_decoder_gets() -> None:
    model, count = small(prior="learned", glimpses=1), 40_000
    image, _ = data(model, batch=1)
    noise = model.noise(count, torch.Generator().manual_seed(3)).double()
    with torch.no_grad():
        _, latents = model.reconstruct(image.expand(count, -1, -1, -1), noise)
        z, mean, sigma = decoded(model, latents)
        exact = model(image, noise[:1]).kl.item()
    log_p = Normal(mean, sigma).log_prob(z).sum(dim=(1, 2))  # type: ignore[no-untyped-call]
    centered = (z - z.mean(dim=0))[:, 0]
    log_q = -(centered.square() / centered.var(dim=0) + (2 * math.pi * centered.var(dim=0)).log()).sum(dim=1) / 2
    ratio = log_q - log_p
    assert exact == pytest.approx(ratio.mean().item(), abs=5 * ratio.std().item() / math.sqrt(count))
    assert exact > 0.1


@pytest.fixture(scope="module", name="learned")
def train_tiny() -> tuple[DRAW, Tensor]:
    """Returns a tiny model after some steps of training on two kinds of images, half white to the left or the right."""
    torch.manual_seed(0)
    model = DRAW(GeneratorConfig(glimpses=2, hidden=8, latent=2, read=2, write=3, height=4, width=6, prior="learned"))
    images = torch.zeros(64, 1, 4, 6)
    images[::2, ..., :3] = images[1::2, ..., 3:] = 1
    model.set_initial_canvas(images.mean(dim=0))
    generator, optimizer = torch.Generator().manual_seed(1), torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        model(images, model.noise(64, generator)).total.mean().backward()
        optimizer.step()
    return model.eval(), images


def test_samples_of_a_trained_model_follow_the_prior_it_learned(learned: tuple[DRAW, Tensor]) -> None:
    model, images = learned
    count = 4000
    latents = prior_latents(model, count, seed=2)
    with torch.no_grad():
        z, mean, sigma = decoded(model, latents)
        assert float(model(images, model.noise(64, torch.Generator().manual_seed(2))).total.mean()) < 5.0  # 24 log 2 = 16.6 before
    first = Normal(mean[0, 0], sigma[0, 0])  # the same for all samples: it depends on the learned state only
    assert (mean[:, 0] == mean[:1, 0]).all()
    assert ((z[:, 0].mean(dim=0) - first.mean).abs() < 4 * first.stddev / math.sqrt(count)).all()
    assert ((z[:, 0].std(dim=0) / first.stddev - 1).abs() < 4 / math.sqrt(2 * count)).all()
    assert (mean[:, 1].std(dim=0) > 0.05).any(), "the second prior does not depend on the first latent"
    (drawn,) = draw_latents(model, latents, rows=count)
    halves = drawn.images.view(count, 4, 2, 3).mean(dim=(1, 3)).round()  # (N, 2): left and right
    assert float((halves.sum(dim=1) == 1).float().mean()) > 0.9, "samples are not white on one side"
    assert 0.3 < float(halves[:, 0].mean()) < 0.7


def test_the_tamest_sample_is_the_chain_of_the_priors_means(learned: tuple[DRAW, Tensor]) -> None:
    model, _ = learned
    with torch.no_grad():
        z, mean, _ = decoded(model, prior_latents(model, 1, seed=2, temperature=0.0))
    assert torch.equal(z, mean)


def test_the_ends_of_an_interpolation_and_the_usage_of_latents_are_those_of_the_reconstructions(
    learned: tuple[DRAW, Tensor],
) -> None:
    model, images = learned
    drawn, latents = reconstruct_images(model, images[:2])
    (way,) = draw_latents(model, between(latents[0], latents[1], 6))
    torch.testing.assert_close(way.images[[0, -1]], drawn.images, atol=1e-6, rtol=0)
    usage = latent_usage(model, images, seed=8)
    with torch.no_grad():
        kl = model(images, model.noise(len(images), torch.Generator().manual_seed(8))).kl.sum(dim=1)
    assert float(usage.sum()) == pytest.approx(float(kl.mean()), rel=1e-5)


def test_a_traversal_moves_one_input_of_the_decoder_by_sigmas_of_the_prior_and_the_later_ones_with_the_prior(
    learned: tuple[DRAW, Tensor],
) -> None:
    model, _ = learned
    base, values = prior_latents(model, 1, seed=4)[0], torch.tensor([-3.0, 0.0, 3.0])
    moved = []
    for dimension in (0, 1):
        inputs: list[Tensor] = []
        hook = model.decoder.register_forward_hook(lambda _, given, __, inputs=inputs: inputs.append(given[0]))
        changed = traversal(base, 0, dimension, values)
        (_,) = draw_latents(model, changed)
        hook.remove()
        with torch.no_grad():
            z, mean, sigma = decoded(model, changed)
        torch.testing.assert_close(torch.stack(inputs, dim=1), z)
        torch.testing.assert_close(inputs[0][:, dimension], mean[0, 0, dimension] + values * sigma[0, 0, dimension])
        torch.testing.assert_close(inputs[1], mean[:, 1] + sigma[:, 1] * base[1])
        moved.append((mean[0, 1] - mean[2, 1]).abs().max())
    assert max(moved) > 0.05, "the second prior does not follow the first latents"
