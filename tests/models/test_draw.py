"""DRAW: against a plain loop over the paper's equations and finite differences, and its invariants for any image."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glimpse.models.draw import DRAW
from glimpse.models.weights import save_weights
from glimpse.settings.draw import GeneratorConfig
from tests.helpers.draw import EVERY, data, paper_run, small
from tests.helpers.paper import sigmoid
from tests.helpers.weights import OF_DIGITS, ON_SKLEARN


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"channels": 3, "height": 12, "width": 8},
        {"read": 1, "write": 4},
        {"attention": False, "channels": 2},
        {"glimpses": 1},
        {"prior": "learned"},
        {"layer_norm": True, "noise": 0.1},  # smaller logits, which the plain loop keeps exact
        {"canvas_input": True, "channels": 2},
        {"canvas_input": True, "attention": False},
    ],
)
def test_the_model_equals_a_plain_loop_over_the_equations(changes: dict[str, Any]) -> None:
    model = small(**changes)
    images, noise = data(model)
    bound = model(images, noise)
    drawing, latents = model.reconstruct(images, noise)
    for row in range(len(images)):
        expected = paper_run(model, images[row].numpy(), noise[row].numpy())
        got = {"nats": bound.reconstruction, "kl": bound.kl, "latents": latents, "canvases": drawing.canvases}
        got |= {name: torch.stack(window, dim=-1) for name in ("read", "write") if (window := getattr(drawing, name))}
        assert got.keys() == expected.keys()
        for name, value in got.items():
            np.testing.assert_allclose(value[row].detach().numpy(), expected[name], rtol=1e-9, atol=1e-9, err_msg=name)
        assert bound.total[row].item() == pytest.approx(expected["nats"] + expected["kl"].sum(), rel=1e-9)


def test_gray_pixels_under_a_logistic_are_scored_around_the_canvas_means() -> None:
    model = small(observation="logistic", channels=3)
    images, noise = data(model)
    drawing, _ = model.reconstruct(images, noise)
    mean = model.means(drawing.canvases[:, -1]).detach().numpy()
    assert model.log_scale is not None
    scale = model.log_scale.detach().exp().numpy()[:, None, None]
    upper, lower = (sigmoid((images.numpy() + side / 510 - mean) / scale) for side in (1, -1))
    upper, lower = np.where(images == 1, 1.0, upper), np.where(images == 0, 0.0, lower)
    nats = -np.log(upper - lower).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(model(images, noise).reconstruction.detach().numpy(), nats, rtol=1e-9)


@pytest.mark.parametrize("changes", EVERY)
def test_gradients_agree_with_finite_differences_and_reach_every_parameter(changes: dict[str, Any]) -> None:
    model = small(**changes)
    images, noise = data(model, batch=2)
    parameters = dict(model.named_parameters())
    gradients = torch.autograd.grad(model(images, noise).total.sum(), list(parameters.values()))
    for (name, parameter), gradient in zip(parameters.items(), gradients, strict=True):
        flat, index = parameter.data.view(-1), int(gradient.abs().argmax())
        kept, values = flat[index].item(), []
        for step in (1e-6, -1e-6):
            flat[index] = kept + step
            values.append(model(images, noise).total.sum().item())
        flat[index] = kept
        assert gradient.abs().max() > 0, name
        assert (values[0] - values[1]) / 2e-6 == pytest.approx(gradient.view(-1)[index].item(), rel=1e-5, abs=1e-6), name


def test_noise_differs_at_every_step_and_is_drawn_from_the_generator() -> None:
    model = DRAW(GeneratorConfig(glimpses=64, latent=100))
    noise = model.noise(5, torch.Generator().manual_seed(0))
    assert noise.shape == (5, 64, 100)
    assert len({tuple(step) for step in noise.view(-1, 100).tolist()}) == 5 * 64
    assert torch.equal(noise, model.noise(5, torch.Generator().manual_seed(0)))
    correlation = torch.corrcoef(noise.transpose(0, 1).reshape(64, 500)) - torch.eye(64)
    assert correlation.abs().max() < 6 / math.sqrt(500)


@pytest.mark.parametrize("step", [0, 1, 2])
def test_the_noise_of_a_step_matters_from_that_step_on(step: int) -> None:
    model = small()
    images, noise = data(model)
    other = noise.clone()
    other[:, step] += 1
    (before, _), (after, _) = model.reconstruct(images, noise), model.reconstruct(images, other)
    changed = (before.canvases != after.canvases).flatten(2).any(dim=2)  # (B, T + 1)
    assert changed.tolist() == [[number > step for number in range(4)]] * 3
    changed = model(images, noise).kl != model(images, other).kl
    assert changed.tolist() == [[number > step for number in range(3)]] * 3


def test_the_first_states_and_the_first_canvas_are_learned() -> None:
    model = small()
    names = {"encoder.initial_output", "encoder.initial_cell", "decoder.initial_output", "decoder.initial_cell", "initial_canvas"}
    assert names <= dict(model.named_parameters()).keys()
    canvas = model.draw(data(model)[1]).canvases[:, 0]
    assert torch.equal(canvas, model.initial_canvas.view(1, 7, 9).expand(3, 1, 7, 9))


def test_the_first_canvas_can_start_from_the_mean_of_the_images() -> None:
    model = small(channels=3)
    means = torch.rand((3, 7, 9), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    means[0, 0, :2] = torch.tensor([0.0, 1.0])
    model.set_initial_canvas(means)
    pixels = model.means(model.draw(data(model)[1]).canvases[0, 0])
    torch.testing.assert_close(pixels, means.clamp(0.001, 0.999))
    assert model.initial_canvas.requires_grad


@pytest.mark.parametrize("changes", EVERY)
def test_no_state_is_kept_between_calls(changes: dict[str, Any]) -> None:
    model = small(**changes)
    images, noise = data(model)
    before = set(vars(model))
    first = model(images, noise)
    model(*data(model, batch=5, seed=1))
    model.draw(data(model, batch=2)[1])
    second = model(images, noise)
    assert torch.equal(first.total, second.total)
    assert set(vars(model)) == before


@pytest.mark.parametrize("changes", EVERY)
def test_the_latents_of_a_reconstruction_reproduce_it(changes: dict[str, Any]) -> None:
    model = small(**changes)
    config = model.config
    images, noise = data(model)
    drawing, latents = model.reconstruct(images, noise)
    again = model.draw(latents)
    assert drawing.canvases.shape == (3, 4, config.channels, config.height, config.width)
    torch.testing.assert_close(again.canvases, drawing.canvases)
    assert again.read is None
    assert (again.write is not None) == config.attention
    assert (drawing.read is not None) == config.attention
    pixels = model.means(drawing.canvases)
    assert pixels.min() >= 0
    assert pixels.max() <= 1


@pytest.mark.parametrize("changes", EVERY)
def test_autocast_changes_little_and_leaves_sums_and_places_in_float32(changes: dict[str, Any]) -> None:
    model = small(noise=0.1, **(changes | {"hidden": 32, "height": 28, "width": 28})).float()
    images, noise = (value.float() for value in data(model))
    exact, (drawn, _) = model(images, noise), model.reconstruct(images, noise)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        bound, (drawing, latents) = model(images, noise), model.reconstruct(images, noise)
    places = (*(drawing.read or ()), *(drawing.write or ()))
    assert {value.dtype for value in (*bound, bound.total, drawing.canvases, latents, *places)} == {torch.float32}
    for given, learned in zip(drawing.read or (), drawn.read or (), strict=True):
        assert torch.equal(given[:, 0], learned[:, 0]), "the learned first window depends on autocast"
    torch.testing.assert_close(bound.total, exact.total, rtol=0.01, atol=0)
    torch.testing.assert_close(drawing.canvases, drawn.canvases, rtol=0.01, atol=0.05)


@pytest.mark.parametrize("shape", [(3, 7, 9), (3, 2, 7, 9), (3, 1, 9, 7)])
def test_images_of_another_kind_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(B, 1, 7, 9\)"):
        small()(torch.zeros(shape).double(), torch.zeros(3, 3, 4).double())


@pytest.mark.parametrize("shape", [(3, 4), (1, 3, 4), (3, 4, 3), (3, 2, 4)])
def test_noise_and_latents_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    model = small()
    with pytest.raises(ValueError, match=r"noise must have shape \(3, 3, 4\)"):
        model(data(model)[0], torch.zeros(shape).double())
    if shape[0] == 3:
        with pytest.raises(ValueError, match=r"latents must have shape \(3, 3, 4\)"):
            model.draw(torch.zeros(shape).double())


@pytest.mark.parametrize(
    "wrong",
    [
        {"glimpses": 0},
        {"latent": 0},
        {"read": 0},
        {"height": 0},
        {"beta": -1.0},
        {"beta": math.nan},
        {"observation": "gray"},
        {"prior": "none"},
    ],
)
def test_settings_out_of_range_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        GeneratorConfig(**wrong)


def test_from_pretrained_restores_the_model(tmp_path: Path) -> None:
    model = small(attention=False, observation="logistic").float()
    facts = {"model": "DRAW", "config": vars(model.config), "task": OF_DIGITS}
    save_weights(tmp_path / "weights", model.state_dict(), facts)
    found = DRAW.from_pretrained(tmp_path / "weights")
    assert found.config == model.config
    assert not found.training
    images, noise = (value.float() for value in data(model))
    assert torch.equal(found(images, noise).total, model(images, noise).total)


def test_a_classifiers_weights_are_refused(tmp_path: Path) -> None:
    facts = {"model": "GlimpseClassifier", "config": {}, "task": ON_SKLEARN}
    save_weights(tmp_path / "weights", {}, facts)
    with pytest.raises(ValueError, match="weights of GlimpseClassifier, not of DRAW"):
        DRAW.from_pretrained(tmp_path / "weights")


def test_parameters_other_than_matrices_are_flat_and_not_decayed() -> None:
    matrices = {name for name, parameter in small(observation="logistic").named_parameters() if parameter.ndim > 1}
    assert all(name.endswith(".weight") for name in matrices)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_compiled_model_is_one_graph_and_equals_the_eager_one() -> None:
    model = small().float()
    images, noise = (value.float() for value in data(model))
    model(images, noise).total.sum().backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    model.zero_grad()
    bound = torch.compile(model, fullgraph=True)(images, noise)
    bound.total.sum().backward()
    torch.testing.assert_close(bound.total, model(images, noise).total, rtol=1e-4, atol=1e-4)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name], rtol=1e-3, atol=1e-4)


@pytest.mark.gpu
def test_the_gpu_equals_the_cpu() -> None:
    model = small().float()
    images, noise = (value.float() for value in data(model))
    expected = model(images, noise).total
    torch.testing.assert_close(model.cuda()(images.cuda(), noise.cuda()).total.cpu(), expected, rtol=1e-4, atol=1e-3)
