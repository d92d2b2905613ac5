"""Samples, neighbors and paths through the latents, against plain loops, closed forms and torch's distributions."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from glimpse.datasets.pixel_sets import Images, StoredImages
from glimpse.generation.sampling import (
    Drawn,
    Nearest,
    between,
    draw_latents,
    latent_usage,
    most_used,
    nearest_images,
    prior_latents,
    reconstruct_images,
    traversal,
)
from glimpse.models.draw import DRAW
from glimpse.settings.draw import GeneratorConfig


def small(**changes: Any) -> DRAW:
    torch.manual_seed(0)
    config = {"glimpses": 3, "hidden": 6, "latent": 4, "read": 3, "write": 2, "height": 7, "width": 9}
    model = DRAW(GeneratorConfig(**(config | changes)))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.5 * torch.randn(parameter.shape))
    return model.eval()


def uniform(*shape: int, seed: int = 1) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def stored(count: int, seed: int = 2) -> StoredImages:
    pixels = torch.randint(256, (count, 1, 5, 4), generator=torch.Generator().manual_seed(seed)).to(torch.uint8)
    return StoredImages(Images.unlabeled(pixels), "train")


def nearest(images: Tensor, data: StoredImages, chunk: int) -> tuple[list[int], Nearest]:
    *done, found = nearest_images(images, data, chunk=chunk)
    assert isinstance(found, Nearest)
    return [step for step in done if isinstance(step, int)], found


# Samples


def test_a_sample_depends_only_on_seed_and_number() -> None:
    model = small()
    many = prior_latents(model, 7, seed=5)
    assert torch.equal(prior_latents(model, 3, seed=5), many[:3])
    assert not torch.equal(prior_latents(model, 3, seed=6), many[:3])
    one_by_one = Drawn.joined(list(draw_latents(model, many, rows=1)))
    at_once = Drawn.joined(list(draw_latents(model, many, rows=100)))
    torch.testing.assert_close(one_by_one.canvases, at_once.canvases, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(one_by_one.tracks[0].window, at_once.tracks[0].window, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("attention", [True, False])
def test_pixels_are_the_models_canvases_as_probabilities(attention: bool) -> None:
    model = small(attention=attention, channels=3)
    latents = prior_latents(model, 2, seed=0)
    (drawn,) = draw_latents(model, latents)
    with torch.no_grad():
        drawing = model.draw(latents)
    torch.testing.assert_close(drawn.canvases, torch.sigmoid(drawing.canvases))
    assert torch.equal(drawn.images, drawn.canvases[:, 3])
    assert drawn.steps == 3
    assert [(track.kind, track.n) for track in drawn.tracks] == ([("write", 2)] if attention else [])


def test_temperature_scales_the_latents_and_at_0_gives_one_image() -> None:
    model = small()
    torch.testing.assert_close(prior_latents(model, 4, seed=1, temperature=0.5), prior_latents(model, 4, seed=1) / 2)
    (cold,) = draw_latents(model, prior_latents(model, 4, seed=1, temperature=0.0))
    torch.testing.assert_close(cold.images, cold.images[:1].expand(4, -1, -1, -1))
    (warm,) = draw_latents(model, prior_latents(model, 4, seed=1))
    assert not torch.allclose(warm.images, warm.images[:1])


def test_latents_of_the_prior_are_standard_normal() -> None:
    latents = prior_latents(small(latent=100), 100, seed=3).flatten()  # 30,000 numbers: the mean is 0 to 1 / sqrt(n)
    assert abs(float(latents.mean())) < 4 / math.sqrt(len(latents))
    assert abs(float(latents.std()) - 1) < 4 / math.sqrt(2 * len(latents))


def test_pixels_are_white_as_often_as_the_canvas_states_and_do_not_flicker() -> None:
    canvases = torch.tensor([0.0, 0.3, 0.3, 0.8, 1.0])[None, :, None, None, None].expand(2, 5, 1, 100, 100)
    drawn = Drawn(canvases, ()).black_or_white(seed=4).canvases
    assert set(drawn.flatten().tolist()) == {0.0, 1.0}
    for canvas, share in zip(drawn.unbind(dim=1), (0.0, 0.3, 0.3, 0.8, 1.0), strict=True):
        assert abs(float(canvas.mean()) - share) <= 4 * math.sqrt(share * (1 - share) / canvas.numel())
    assert torch.equal(drawn[:, 1], drawn[:, 2])
    assert (drawn[:, 3] >= drawn[:, 2]).all()  # a pixel that grows brighter stays white
    assert not torch.equal(drawn[0], drawn[1])
    assert torch.equal(Drawn(canvases[:1], ()).black_or_white(seed=4).canvases, drawn[:1])


# Neighbors


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_the_nearest_image_is_that_of_a_plain_loop(chunk: int) -> None:
    images, data = uniform(6, 1, 5, 4), stored(50)
    done, found = nearest(images, data, chunk)
    assert done == [min(n * chunk, 50) for n in range(1, -(-50 // chunk) + 1)]
    every = data.batch(torch.arange(50)).images.double().numpy()
    for i, image in enumerate(images.double().numpy()):
        distances = [math.sqrt(((image - other) ** 2).sum()) for other in every]
        position = int(np.argmin(distances))
        assert int(found.positions[i]) == position
        assert float(found.distances[i]) == pytest.approx(distances[position], rel=1e-9)
        np.testing.assert_allclose(found.images[i].numpy(), every[position], rtol=1e-6)


def test_a_copy_is_at_distance_0_and_the_first_of_two_equal_images_counts() -> None:
    pixels = torch.full((6, 1, 5, 4), 200, dtype=torch.uint8)
    pixels[[1, 4]] = 17
    data = StoredImages(Images.unlabeled(pixels), "test")
    copies = data.batch(torch.arange(6)).images
    for chunk in (2, 6):
        _, found = nearest(copies, data, chunk)
        assert (found.distances == 0).all()
        assert found.positions.tolist() == [
            int((copies == copy).all(dim=(1, 2, 3)).nonzero()[0]) for copy in torch.split(copies, 1)
        ]


# Interpolations


def test_the_path_between_two_latents_of_equal_norm_is_a_rotation() -> None:
    a, b = normal(3, 4, seed=1).double(), normal(3, 4, seed=2).double()
    b *= a.norm() / b.norm()
    angle = math.acos(float((a * b).sum()) / float(a.norm() ** 2))
    across = b - math.cos(angle) * a  # in their plane, at a right angle to a
    across *= a.norm() / across.norm()
    way = between(a, b, 5)
    for i, latents in enumerate(way):
        torch.testing.assert_close(latents, math.cos(i / 4 * angle) * a + math.sin(i / 4 * angle) * across)
        assert float(latents.norm()) == pytest.approx(float(a.norm()))


@pytest.mark.parametrize("last", [normal(3, 4, seed=2), 2 * normal(3, 4), -normal(3, 4), torch.zeros(3, 4)])
def test_an_interpolation_begins_and_ends_exactly_at_its_ends(last: Tensor) -> None:
    first = normal(3, 4)
    way = between(first, last, 9)
    assert way.shape == (9, 3, 4)
    assert way.isfinite().all()
    assert torch.equal(way[0], first)
    assert torch.equal(way[-1], last)
    with pytest.raises(ValueError, match="at least 2 steps, got 1"):
        between(first, last, 1)


def test_the_ends_of_an_interpolation_are_the_reconstructions() -> None:
    model, images = small(), uniform(2, 1, 7, 9)
    drawn, latents = reconstruct_images(model, images)
    (way,) = draw_latents(model, between(latents[0], latents[1], 6))
    torch.testing.assert_close(way.images[[0, -1]], drawn.images, atol=1e-6, rtol=0)
    assert not torch.allclose(way.images[3], drawn.images[0], atol=1e-3)
    assert [track.kind for track in drawn.tracks] == ["read", "write"]


def test_the_usage_of_latents_is_torchs_divergence_and_sums_to_the_models() -> None:
    model, images = small(), uniform(5, 1, 7, 9)
    usage = latent_usage(model, images, seed=8)
    noise = model.noise(5, torch.Generator().manual_seed(8))
    with torch.no_grad():
        assert float(usage.sum()) == pytest.approx(float(model(images, noise).kl.sum(dim=1).mean()), rel=1e-5)
        posterior = model.infer(images, noise)[1]
    wanted = kl_divergence(Normal(posterior.mean, posterior.log_sigma.exp()), Normal(0.0, 1.0)).mean(dim=0)
    torch.testing.assert_close(usage, wanted)


def test_the_most_used_latents_come_first() -> None:
    usage = torch.tensor([[0.1, 2.0, 0.0], [3.0, 0.2, 0.3]])
    assert most_used(usage, 4) == [(1, 0), (0, 1), (1, 2), (1, 1)]
    assert len(most_used(usage, 100)) == 6


def test_a_traversal_changes_one_number() -> None:
    latents, values = normal(3, 4), torch.tensor([-3.0, 0.0, 3.0])
    changed = traversal(latents, 1, 2, values)
    assert torch.equal(changed[:, 1, 2], values)
    others = torch.ones(3, 4, dtype=torch.bool)
    others[1, 2] = False
    assert (changed[:, others] == latents[others]).all()
