"""DRAW: against a plain loop over the paper's equations, its traps, and a model small enough to integrate."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from glimpse.attention.window import Window, write
from glimpse.models.draw import DRAW
from glimpse.models.weights import save_weights
from glimpse.settings.draw import GeneratorConfig

SMALL = {"glimpses": 3, "hidden": 6, "latent": 4, "read": 3, "write": 2, "height": 7, "width": 9}
EVERY = [
    {},
    {"channels": 3, "height": 12, "width": 8},
    {"attention": False, "channels": 2},
    {"observation": "logistic", "channels": 3, "read": 1},
]


def small(*, noise: float = 0.3, **changes: Any) -> DRAW:
    """Returns a small model, seeded, in float64, every parameter moved by normal noise of that scale."""
    torch.manual_seed(0)
    model = DRAW(GeneratorConfig(**(SMALL | changes))).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(noise * torch.randn(parameter.shape, dtype=torch.float64))
    return model


def data(model: DRAW, batch: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Returns seeded images of the kind the model observes and noise for them, in float64."""
    config, generator = model.config, torch.Generator().manual_seed(seed)
    levels = 2 if config.observation == "bernoulli" else 256
    shape = (batch, config.channels, config.height, config.width)
    images = torch.randint(levels, shape, generator=generator).double() / (levels - 1)
    return images, model.noise(batch, generator).double()


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def paper_window(raw: np.ndarray, n: int, height: int, width: int) -> tuple[list[float], np.ndarray, np.ndarray]:
    """Returns the parameters of eqs. 21-24 counted from 1, F_Y and F_X of eqs. 19, 20, 25 and 26 as printed."""
    center_x, center_y = (width + 1) / 2 * (raw[0] + 1), (height + 1) / 2 * (raw[1] + 1)
    sigma, stride = np.exp(raw[2]) ** 0.5, (max(width, height) - 1) / max(n - 1, 1) * np.exp(raw[3])

    def filters(center: float, pixels: int) -> np.ndarray:
        rows = []
        for i in range(1, n + 1):
            mu = center + stride * (i - n / 2 - 0.5)
            row = np.array([-((a - mu) ** 2) / (2 * sigma**2) for a in range(1, pixels + 1)])
            row = np.exp(row - row.max())
            rows.append(row / row.sum())
        return np.array(rows)

    return [center_x, center_y, stride, sigma, np.exp(raw[4])], filters(center_y, height), filters(center_x, width)


def paper_run(model: DRAW, x: np.ndarray, noise: np.ndarray) -> dict[str, np.ndarray]:
    """Returns what eqs. 1-12 make of one image (C, H, W) and its noise (T, Z), windows counted from 0."""
    config = model.config
    weights = {name: value.detach().numpy() for name, value in model.state_dict().items()}
    channels, height, width = x.shape

    def linear(name: str, inputs: np.ndarray) -> np.ndarray:
        return np.asarray(weights[f"{name}.weight"] @ inputs + weights[f"{name}.bias"])

    def lstm(name: str, inputs: np.ndarray, output: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        enter, keep, candidate, leave = np.split(linear(f"{name}.gates", np.concatenate([inputs, output])), 4)
        cell = sigmoid(keep) * cell + sigmoid(enter) * np.tanh(candidate)
        return sigmoid(leave) * np.tanh(cell), cell

    h_enc, enc_cell = weights["encoder.initial_output"], weights["encoder.initial_cell"]
    h_dec, dec_cell = weights["decoder.initial_output"], weights["decoder.initial_cell"]
    canvas = weights["initial_canvas"].reshape(x.shape)
    kl, latents, canvases, reads, writes = [], [], [canvas], [], []
    for step in range(config.glimpses):
        error = x - sigmoid(canvas)
        if config.attention:
            parameters, f_y, f_x = paper_window(linear("read_window", h_dec), config.read, height, width)
            reads.append(parameters)
            seen = parameters[4] * np.array([f_y @ image @ f_x.T for image in (*x, *error)])
        else:
            seen = np.array([*x, *error])
        h_enc, enc_cell = lstm("encoder", np.concatenate([seen.ravel(), h_dec]), h_enc, enc_cell)
        raw = linear("posterior", h_enc)
        mu, sigma = raw[: config.latent], np.exp(raw[config.latent :])
        latents.append(mu + sigma * noise[step])
        kl.append(sum((m**2 + s**2 - np.log(s**2)) / 2 - 1 / 2 for m, s in zip(mu, sigma, strict=True)))
        h_dec, dec_cell = lstm("decoder", latents[-1], h_dec, dec_cell)
        patch = linear("patch", h_dec)
        if config.attention:
            parameters, f_y, f_x = paper_window(linear("write_window", h_dec), config.write, height, width)
            writes.append(parameters)
            patch = patch.reshape(channels, config.write, config.write)
            patch = 1 / parameters[4] * np.array([f_y.T @ part @ f_x for part in patch])
        canvas = canvas + patch.reshape(x.shape)
        canvases.append(canvas)
    offset = np.array([1, 1, 0, 0, 0])
    windows = {"read": np.array(reads) - offset, "write": np.array(writes) - offset} if config.attention else {}
    mean = sigmoid(canvas)
    nats = -(x * np.log(mean) + (1 - x) * np.log(1 - mean)).sum()
    return {"nats": nats, "kl": np.array(kl), "latents": np.array(latents), "canvases": np.array(canvases)} | windows


@pytest.mark.parametrize(
    "changes",
    [{}, {"channels": 3, "height": 12, "width": 8}, {"read": 1, "write": 4}, {"attention": False, "channels": 2}, {"glimpses": 1}],
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


def test_grey_pixels_under_a_logistic_are_scored_about_the_canvas_means() -> None:
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


def grid() -> tuple[Tensor, Tensor]:
    """Returns points (P, 2, 1) over the plane and the standard normal mass of each, shape (P,)."""
    points = torch.linspace(-9, 9, 181, dtype=torch.float64)
    plane = torch.cartesian_prod(points, points)
    return plane[:, :, None], (-plane.square().sum(dim=1) / 2).exp() / (2 * math.pi) * 0.1**2


def tiny() -> tuple[DRAW, Tensor, float]:
    """Returns a model with two latent numbers, one image, and its log-likelihood by quadrature over the decoder alone."""
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


def test_weights_integrate_to_the_likelihood_and_the_bound_lies_above_its_negative() -> None:
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


def test_more_importance_samples_come_closer_to_the_likelihood_from_below() -> None:
    model, image, log_likelihood = tiny()
    generator, repeats = torch.Generator().manual_seed(0), 1000
    images = image.expand(repeats, -1, -1, -1)
    estimates = [model.importance_bound(images, generator, samples) for samples in (1, 5, 100)]
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
        drawn = model.importance_bound(images, torch.Generator().manual_seed(5), 7, rows=rows)
        torch.testing.assert_close(drawn, model.importance_bound(images, torch.Generator().manual_seed(5), 7))
    assert not bound.requires_grad


def test_trap_7_noise_differs_at_every_step_and_follows_from_the_generator() -> None:
    model = DRAW(GeneratorConfig(glimpses=64, latent=100))
    noise = model.noise(5, torch.Generator().manual_seed(0))
    assert noise.shape == (5, 64, 100)
    assert len({tuple(step) for step in noise.view(-1, 100).tolist()}) == 5 * 64
    assert torch.equal(noise, model.noise(5, torch.Generator().manual_seed(0)))
    correlation = torch.corrcoef(noise.transpose(0, 1).reshape(64, 500)) - torch.eye(64)
    assert correlation.abs().max() < 6 / math.sqrt(500)


@pytest.mark.parametrize("step", [0, 1, 2])
def test_trap_7_the_noise_of_a_step_matters_from_that_step_on(step: int) -> None:
    model = small()
    images, noise = data(model)
    other = noise.clone()
    other[:, step] += 1
    (before, _), (after, _) = model.reconstruct(images, noise), model.reconstruct(images, other)
    changed = (before.canvases != after.canvases).flatten(2).any(dim=2)  # (B, T + 1)
    assert changed.tolist() == [[number > step for number in range(4)]] * 3
    changed = model(images, noise).kl != model(images, other).kl
    assert changed.tolist() == [[number > step for number in range(3)]] * 3


def test_trap_9_reading_and_writing_have_five_parameters_each_of_their_own() -> None:
    model = small()
    images, noise = data(model)
    before, _ = model.reconstruct(images, noise)
    assert model.write_window is not None
    with torch.no_grad():
        model.write_window.bias.add_(0.1)
    after, _ = model.reconstruct(images, noise)
    for name, equal in (("read", True), ("write", False)):
        fields = zip(getattr(before, name), getattr(after, name), strict=True)
        assert [torch.equal(one[:, 0], other[:, 0]) for one, other in fields] == [equal] * 5


def test_trap_10_the_first_states_and_the_first_canvas_are_learned() -> None:
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


def test_trap_11_extreme_canvases_have_a_finite_bound() -> None:
    model = small().float()
    images, noise = (value.float() for value in data(model))
    with torch.no_grad():
        model.initial_canvas.fill_(1e4)
    bound = model(images, noise)
    bound.total.sum().backward()
    black = (images == 0).flatten(1).sum(dim=1)
    torch.testing.assert_close(bound.reconstruction, 1e4 * black, rtol=0.02, atol=0)
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in model.parameters())


def test_trap_13_intensity_multiplies_what_is_read_and_divides_what_is_written() -> None:
    model = small()
    images, _ = data(model)

    def result() -> tuple[Tensor, Tensor]:
        seen = model.look(images, patches=True)[1][0].patches
        canvases = model.draw(torch.ones(3, 3, 4).double()).canvases  # of given latents: only the windows change
        assert seen is not None
        return seen[:, 0], canvases[:, 1] - canvases[:, 0]

    seen, written = result()
    assert model.read_window is not None
    assert model.write_window is not None
    with torch.no_grad():
        model.read_window.bias[4] += math.log(3)
        model.write_window.bias[4] += math.log(2)
    torch.testing.assert_close(result(), (3 * seen, written / 2))


@pytest.mark.parametrize("changes", EVERY)
def test_trap_16_nothing_is_kept_from_one_call_to_the_next(changes: dict[str, Any]) -> None:
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
def test_the_latents_of_a_reconstruction_draw_it_again(changes: dict[str, Any]) -> None:
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


def test_the_tracks_are_those_of_the_posteriors_mean_and_their_patches_make_the_canvas() -> None:
    model = small(channels=2)
    images, noise = data(model)
    drawing, _ = model.reconstruct(images, torch.zeros_like(noise))
    logits, (reading, writing) = model.look(images, 3, patches=True)
    assert logits is None
    assert (reading.kind, reading.scale, reading.n, writing.kind, writing.scale, writing.n) == ("read", 0, 3, "write", 0, 2)
    assert drawing.read is not None
    torch.testing.assert_close(tuple(reading.window), tuple(drawing.read))
    assert reading.patches is not None
    assert writing.patches is not None
    assert reading.patches.shape == (3, 3, 2, 3, 3)
    for step in range(3):
        window = Window(*(field[:, step] for field in writing.window))
        added = drawing.canvases[:, step + 1] - drawing.canvases[:, step]
        torch.testing.assert_close(write(writing.patches[:, step], window, 7, 9), added)
    assert [track.patches for track in model.look(images)[1]] == [None, None]


@pytest.mark.parametrize(
    ("changes", "glimpses", "said"), [({"attention": False}, None, "no windows"), ({}, 4, "3 glimpses, got 4")]
)
def test_windows_that_are_not_there_are_refused(changes: dict[str, Any], glimpses: int | None, said: str) -> None:
    model = small(**changes)
    with pytest.raises(ValueError, match=said):
        model.look(data(model)[0], glimpses)


@pytest.mark.parametrize(("height", "width", "n"), [(28, 28, 5), (40, 60, 12), (28, 28, 1), (1, 1, 2)])
def test_trap_14_the_first_windows_span_the_image_without_aliasing_it(height: int, width: int, n: int) -> None:
    torch.manual_seed(0)
    model = DRAW(GeneratorConfig(height=height, width=width, read=n, write=n, glimpses=2))
    images = torch.rand(2, 1, height, width)
    for track in model.look(images)[1]:
        window = track.window
        longer = max(height, width) - 1
        assert ((window.stride * max(n - 1, 1) - longer).abs() <= 0.2 * longer).all()
        assert ((window.center_x - (width - 1) / 2).abs() <= 0.1 * (width + 1)).all()
        assert ((window.center_y - (height - 1) / 2).abs() <= 0.1 * (height + 1)).all()
        assert (window.sigma >= 0.3 * window.stride).all()
        assert (window.sigma >= 0.3).all()


@pytest.mark.parametrize(("height", "width", "n"), [(28, 28, 5), (40, 60, 12), (28, 28, 1), (5, 4, 12)])
def test_a_patch_of_ones_first_adds_one_to_a_pixel_on_average(height: int, width: int, n: int) -> None:
    model = DRAW(GeneratorConfig(height=height, width=width, write=n, glimpses=1))
    assert model.write_window is not None
    with torch.no_grad():
        model.patch.weight.zero_()
        model.patch.bias.fill_(1.0)
        model.write_window.weight.zero_()
        added = model.draw(torch.zeros(1, 1, 32)).canvases[0, 1]
    assert added.mean().item() == pytest.approx(1.0, rel=1e-5)


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
    torch.testing.assert_close(drawing.canvases, drawn.canvases, rtol=0, atol=0.05)


@pytest.mark.parametrize("observation", ["bernoulli", "logistic"])
def test_64_steps_give_finite_values_and_gradients(observation: str) -> None:
    model = small(noise=0.5, glimpses=64, observation=observation).float()
    images, noise = (value.float() for value in data(model))
    bound = model(images, noise)
    bound.total.sum().backward()
    assert bound.total.isfinite().all()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in model.parameters())


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


@pytest.mark.parametrize("samples", [None, 0])
def test_no_importance_samples_are_refused(samples: int | None) -> None:
    model = small()
    with pytest.raises(ValueError, match=f"at least 1, got {samples}"):
        model.importance_bound(data(model)[0], torch.Generator(), samples)


@pytest.mark.parametrize(
    "wrong",
    [{"glimpses": 0}, {"latent": 0}, {"read": 0}, {"height": 0}, {"beta": -1.0}, {"beta": math.nan}, {"observation": "grey"}],
)
def test_settings_out_of_range_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        GeneratorConfig(**wrong)


def test_the_weight_of_the_divergence_rises_linearly() -> None:
    config = GeneratorConfig(beta=0.5, beta_warmup=1000)
    assert [config.kl_weight(images) for images in (0, 500, 1000, 9000)] == [0.0, 0.25, 0.5, 0.5]
    assert GeneratorConfig(beta=2.0).kl_weight(0) == 2.0


def test_from_pretrained_gives_the_model_back(tmp_path: Path) -> None:
    model = small(attention=False, observation="logistic").float()
    facts = {"model": "DRAW", "config": vars(model.config), "task": {"kind": "digits"}}
    save_weights(tmp_path / "weights", model.state_dict(), facts)
    found = DRAW.from_pretrained(tmp_path / "weights")
    assert found.config == model.config
    assert not found.training
    images, noise = (value.float() for value in data(model))
    assert torch.equal(found(images, noise).total, model(images, noise).total)


def test_a_classifiers_weights_are_refused(tmp_path: Path) -> None:
    facts = {"model": "GlimpseClassifier", "config": {}, "task": {"kind": "cluttered"}}
    save_weights(tmp_path / "weights", {}, facts)
    with pytest.raises(ValueError, match="weights of GlimpseClassifier, not of DRAW"):
        DRAW.from_pretrained(tmp_path / "weights")


def test_what_is_no_matrix_is_a_flat_parameter_which_weight_decay_spares() -> None:
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
def test_the_gpu_gives_what_the_cpu_gives() -> None:
    model = small().float()
    images, noise = (value.float() for value in data(model))
    expected = model(images, noise).total
    torch.testing.assert_close(model.cuda()(images.cuda(), noise.cuda()).total.cpu(), expected, rtol=1e-4, atol=1e-3)
