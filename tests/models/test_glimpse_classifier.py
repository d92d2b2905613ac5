"""The glimpse classifier: the paper's preset against a plain loop, and its invariants for any image."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from glimpse.attention.window import Window, read
from glimpse.datasets.labeled_images import ImageSet
from glimpse.evaluation.classifier import predictions
from glimpse.models.glimpse_classifier import GlimpseClassifier
from glimpse.models.losses import supervised_loss
from glimpse.settings.glimpse_classifier import ClassifierConfig, Parametrization
from tests.helpers.gradients import assert_every_parameter_learns, assert_gradients_are_finite
from tests.helpers.paper import paper_filters, paper_window, sigmoid
from tests.helpers.presets import CLASSIFIER_MODELS, CLASSIFIER_PRESETS
from tests.helpers.tensors import images, noise

SMALL = {"glimpses": 3, "window": 4, "hidden": 6, "features": 5}
PRESETS = sorted(CLASSIFIER_MODELS["glimpse"])


def preset_of(name: str) -> ClassifierConfig:
    """Returns the config of a preset of a glimpse classifier."""
    config = CLASSIFIER_PRESETS[name]
    assert isinstance(config, ClassifierConfig)
    return config


def small(preset: str = "tuned", *, noise: float = 0.0, **changes: int | float | str) -> GlimpseClassifier:
    """Returns a small model of a preset, seeded, in float64, every parameter moved by normal noise of that scale."""
    torch.manual_seed(0)
    model = GlimpseClassifier(replace(preset_of(preset), **(SMALL | changes))).double()  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(noise * torch.randn(parameter.shape, dtype=torch.float64))
    return model


def paper_run(model: GlimpseClassifier, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns logits (T, K) and windows (T, 5), counted from 0, of one image (C, H, W) under the paper's equations."""
    weights = {name: value.detach().numpy() for name, value in model.state_dict().items()}
    n, hidden = model.config.window, model.config.hidden
    _, height, width = image.shape
    output, cell = weights["lstm.initial_output"], weights["lstm.initial_cell"]
    logits, windows = [], []
    for _ in range(model.config.glimpses):
        raw = weights["place.raw.weight"] @ output + weights["place.raw.bias"]
        center_x, center_y, stride, sigma, gamma = paper_window(raw, n, width, height)
        glimpses = []
        for wider in (2**scale for scale in range(model.config.scales)):
            filters_x = paper_filters(center_x, wider * stride, wider * sigma, n, width)
            filters_y = paper_filters(center_y, wider * stride, wider * sigma, n, height)
            glimpses.append(gamma * np.stack([filters_y @ channel @ filters_x.T for channel in image]))
        gates = weights["lstm.gates.weight"] @ np.concatenate([np.ravel(glimpses), output]) + weights["lstm.gates.bias"]
        enter, keep, candidate, leave = (gates[k * hidden : (k + 1) * hidden] for k in range(4))
        cell = sigmoid(keep) * cell + sigmoid(enter) * np.tanh(candidate)
        output = sigmoid(leave) * np.tanh(cell)
        logits.append(weights["classify.weight"] @ output + weights["classify.bias"])
        windows.append([center_x - 1, center_y - 1, stride, sigma, gamma])
    return np.array(logits), np.array(windows)


@pytest.mark.parametrize(("channels", "height", "width", "scales"), [(1, 9, 9, 1), (3, 11, 17, 1), (2, 16, 8, 1), (2, 11, 17, 3)])
def test_the_papers_preset_equals_a_plain_loop_over_the_equations(channels: int, height: int, width: int, scales: int) -> None:
    model, batch = small("paper", noise=0.3, channels=channels, scales=scales), images(3, channels, height, width)
    logits, window = model(batch)
    for row in range(3):
        expected_logits, expected_windows = paper_run(model, batch[row].numpy())
        np.testing.assert_allclose(logits[row].detach().numpy(), expected_logits, rtol=0, atol=1e-10)
        got = torch.stack(window, dim=-1)[row].detach().numpy()
        np.testing.assert_allclose(got, expected_windows, rtol=0, atol=1e-10)


def test_the_papers_preset_is_the_papers_parametrization() -> None:
    config = preset_of("paper")
    assert (config.glimpses, config.window, config.hidden) == (8, 12, 256)
    assert (config.encoder, config.parametrization, config.supervision, config.sigma) == ("none", "paper", "last", 1.0)
    assert sorted(name.partition(".")[0] for name, _ in GlimpseClassifier(config).named_children()) == ["classify", "lstm", "place"]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(("batch", "channels", "height", "width"), [(2, 1, 20, 20), (1, 3, 13, 29), (5, 2, 1, 1)])
def test_every_glimpse_has_a_prediction_and_a_window(preset: str, batch: int, channels: int, height: int, width: int) -> None:
    model = small(preset, channels=channels, classes=7)
    logits, window = model(images(batch, channels, height, width))
    assert logits.shape == (batch, 3, 7)
    assert all(field.shape == (batch, 3) for field in window)
    logits, window = model(images(batch, channels, height, width), glimpses=5)
    assert logits.shape == (batch, 5, 7)
    assert isinstance(window, Window)


@pytest.mark.parametrize("preset", PRESETS)
def test_more_glimpses_do_not_change_the_first_ones(preset: str) -> None:
    model, batch = small(preset, noise=0.3), images(4, 1, 20, 30)
    torch.testing.assert_close(model(batch, glimpses=6)[0][:, :3], model(batch)[0])


@pytest.mark.parametrize("preset", PRESETS)
def test_one_model_accepts_images_of_any_size(preset: str) -> None:
    model = GlimpseClassifier(preset_of(preset))
    for height, width in ((28, 28), (100, 100), (60, 250)):
        logits, _ = model(torch.rand(1, 1, height, width))
        assert logits.isfinite().all()
    gates = ((144 if preset == "paper" else 256) + 256 + 1) * 4 * 256
    encoder = 145 * 512 + 2 * 512 + 513 * 256 + 2 * 256 + 5 * 256  # what, normalized twice, and where
    pointing = 257 * 144 + 1  # worth and gain
    rest = 257 * 5 + 2 * 256 + 257 * 10  # raw window, initial state, classes
    expected = gates + rest + (0 if preset == "paper" else encoder + pointing)
    assert sum(parameter.numel() for parameter in model.parameters()) == expected


@pytest.mark.parametrize("preset", PRESETS)
def test_the_initial_state_gets_a_gradient(preset: str) -> None:
    model = small(preset, noise=0.3)
    model(images(4, 1, 20, 20))[0].square().sum().backward()
    assert_every_parameter_learns(model)


@pytest.mark.parametrize("preset", PRESETS)
def test_no_state_is_kept_between_calls(preset: str) -> None:
    model, batch = small(preset, noise=0.3), images(4, 1, 20, 20)
    before = set(vars(model))
    first, _ = model(batch)
    model(images(2, 1, 33, 17, seed=1))
    second, _ = model(batch)
    assert torch.equal(first, second)
    assert set(vars(model)) == before


@pytest.mark.parametrize("preset", PRESETS)
def test_an_image_is_classified_the_same_in_any_batch(preset: str) -> None:
    model, batch = small(preset, noise=0.3), images(5, 1, 20, 20)
    alone = torch.cat([model(image[None])[0] for image in batch])
    torch.testing.assert_close(alone, model(batch)[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_model_sees_nothing_but_its_glimpses(preset: str) -> None:
    model, batch = small(preset, noise=0.3), images(4, 1, 20, 20)
    _, window = model(batch)
    height, width = 20, 20
    blind = torch.ones(4, height, width, dtype=torch.bool)  # pixels where every filter is zero
    for step in range(3):
        rows, columns = Window(*(field[:, step] for field in window)).filters(n=4, height=height, width=width)
        blind &= torch.einsum("bih,bjw->bhw", rows, columns) == 0
    changed = torch.where(blind[:, None], 1 - batch, batch)
    torch.testing.assert_close(model(changed)[0], model(batch)[0])


@pytest.mark.parametrize(("preset", "glimpses"), [("paper", 3), ("tuned", 1)])  # those of a pointer do not chain, by design
def test_the_gradients_are_those_of_finite_differences(preset: str, glimpses: int) -> None:
    model, batch = small(preset, noise=0.2, glimpses=glimpses, hidden=3, features=3, classes=3), images(2, 1, 7, 9)
    parameters = list(model.parameters())

    def loss() -> Tensor:
        logits, _ = model(batch)
        return supervised_loss(logits, torch.tensor([0, 2]), "linear")

    gradients = torch.autograd.grad(loss(), parameters, materialize_grads=True)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        flat, index = parameter.data.view(-1), int(gradient.abs().argmax())
        kept, values = flat[index].item(), []
        for step in (1e-6, -1e-6):
            flat[index] = kept + step
            values.append(loss().item())
        flat[index] = kept
        numeric = (values[0] - values[1]) / 2e-6
        assert numeric == pytest.approx(gradient.view(-1)[index].item(), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("value", [0.0, 1.0, 0.5])
def test_flat_images_give_finite_values_and_gradients(preset: str, value: float) -> None:
    model = small(preset).float()
    logits, window = model(torch.full((3, 1, 40, 30), value))
    supervised_loss(logits, torch.tensor([1, 2, 3]), "linear").backward()  # type: ignore[no-untyped-call]
    assert logits.isfinite().all()
    assert all(field.isfinite().all() for field in window)
    assert_gradients_are_finite(model)


@pytest.mark.parametrize("preset", PRESETS)
def test_coordinates_stay_in_float32_under_autocast(preset: str) -> None:
    model, batch = small(preset, window=8).float(), images(4, 1, 100, 100).float()
    exact, _ = model(batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits, window = model(batch)
        loss = supervised_loss(logits, torch.tensor([1, 2, 3, 4]), "linear")
    assert (logits.dtype, loss.dtype) == (torch.float32, torch.float32)
    assert all(field.dtype == torch.float32 for field in window)
    coarse = torch.stack([field.bfloat16().float() for field in window[:2]])
    assert not torch.equal(coarse, torch.stack(window[:2])), "the centers are on bfloat16's grid"
    torch.testing.assert_close(logits, exact, rtol=0, atol=0.1)


def test_only_the_last_glimpse_is_supervised_or_all_with_linear_weights() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn((6, 4, 5), generator=generator, dtype=torch.float64), torch.tensor([0, 1, 2, 3, 4, 0])
    last, linear = 0.0, 0.0
    for row in range(6):
        for step in range(4):
            scores = logits[row, step].numpy()
            nats = -np.log(np.exp(scores[labels[row]]) / np.exp(scores).sum())
            linear += (step + 1) * nats / (6 * (1 + 2 + 3 + 4))
            last += nats / 6 if step == 3 else 0
    assert supervised_loss(logits, labels, "last").item() == pytest.approx(last, abs=1e-12)
    assert supervised_loss(logits, labels, "linear").item() == pytest.approx(linear, abs=1e-12)


@pytest.mark.parametrize("shape", [(3, 40, 40), (2, 3, 40, 40), (2, 1, 1, 40, 40)])
def test_images_of_another_kind_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(B, 1, H, W\)"):
        small()(torch.zeros(shape))


def test_no_glimpses_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        small()(torch.zeros(1, 1, 9, 9).double(), glimpses=0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"glimpses": 0},
        {"window": 0},
        {"scales": 0},
        {"classes": 0},
        {"sigma": 0.0},
        {"encoder": "cnn"},
        {"parametrization": "draw"},
    ],
)
def test_settings_out_of_range_are_refused_by_name(wrong: dict[str, int | float | str]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ClassifierConfig(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("parametrization", "encoder"), [("paper", "mlp"), ("pointing", "none")])
def test_parametrizations_and_encoders_combine(parametrization: Parametrization, encoder: str) -> None:
    model = small(parametrization=parametrization, encoder=encoder)
    assert model(images(2, 1, 20, 20))[0].isfinite().all()


# Scales


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_scale_has_its_own_window_around_one_center(preset: str, channels: int) -> None:
    model, batch = small(preset, noise=0.3, channels=channels, scales=3), images(4, channels, 20, 30)
    logits, window = model(batch)
    looked, tracks = model.look(batch, patches=True)
    torch.testing.assert_close(looked, logits)
    assert [(track.kind, track.scale, track.n) for track in tracks] == [("glimpse", 0, 4), ("glimpse", 1, 4), ("glimpse", 2, 4)]
    for scale, track in enumerate(tracks):
        center_x, center_y, stride, sigma, intensity = window
        expected = Window(center_x, center_y, stride * 2**scale, sigma * 2**scale, intensity)
        torch.testing.assert_close(tuple(track.window), tuple(expected))
        assert track.patches is not None
        assert track.patches.shape == (4, 3, channels, 4, 4)
        for step in range(3):
            seen = read(batch, Window(*(field[:, step] for field in expected)), 4)
            torch.testing.assert_close(track.patches[:, step], seen)
    assert all(track.patches is None for track in model.look(batch)[1])


def test_the_encoder_sees_every_scale_and_a_pointer_points_in_the_finest() -> None:
    model, batch = small(noise=0.3, scales=3), images(4, 1, 20, 30)
    logits, tracks = model.look(batch, patches=True)
    assert model.encoder is not None
    state, window, finest = model.lstm.initial(4), None, None
    for step in range(3):
        window = model.place(state.output, window, finest, None, height=20, width=30)
        place = [
            2 * window.center_x / 29 - 1,
            2 * window.center_y / 19 - 1,
            window.stride.log(),
            (window.sigma / window.stride).log(),
        ]
        seen = [read(batch, Window(window[0], window[1], k * window[2], k * window[3], window[4]), 4) for k in (1, 2, 4)]
        finest = seen[0]
        state = model.lstm(model.encoder(torch.cat([patch.flatten(1) for patch in seen], dim=1), torch.stack(place, dim=1)), state)
        torch.testing.assert_close(logits[:, step], model.classify(state.output))
        torch.testing.assert_close(tracks[0].window.center_x[:, step], window.center_x)


@pytest.mark.parametrize("preset", PRESETS)
def test_each_scale_adds_the_same_number_of_inputs(preset: str) -> None:
    one, three = (sum(p.numel() for p in small(preset, scales=scales, channels=2).parameters()) for scales in (1, 3))
    assert three - one == 2 * 2 * 4**2 * (4 * 6 if preset == "paper" else 2 * 5)


# Windows at random


def test_random_windows_follow_the_noise_after_a_learned_first_one() -> None:
    model, batch, uniforms = small("random-glimpses", noise=0.3), images(5, 1, 20, 30), noise(5, 3)
    logits, window = model(batch, None, uniforms)
    assert logits.shape == (5, 3, 10)
    torch.testing.assert_close(window.center_x[:, 1:], 29 * uniforms[:, 1:, 0])
    torch.testing.assert_close(window.center_y[:, 1:], 19 * uniforms[:, 1:, 1])
    assert all(len(field[:, 0].unique()) == 1 for field in window)
    assert len(window.stride[:, 1].unique()) == 5, "how wide a window is should depend on what was seen"
    other = torch.cat([1 - uniforms[:, :1], uniforms[:, 1:]], dim=1)  # the noise of the first glimpse is not used
    assert torch.equal(model(batch, None, other)[0], logits)


def test_random_windows_need_noise_of_the_right_shape() -> None:
    model, batch = small("random-glimpses"), images(2, 1, 20, 20)
    with pytest.raises(ValueError, match="require uniforms"):
        model(batch)
    assert model(batch, 1)[0].shape == (2, 1, 10)  # the first window is learned
    for shape in ((2, 2, 2), (1, 3, 2), (2, 3), (2, 3, 1), (2, 4, 2)):
        with pytest.raises(ValueError, match=r"uniforms must have shape \(2, 3, 2\)"):
            model(batch, None, torch.rand(shape))
    with pytest.raises(ValueError, match=r"uniforms must have shape \(2, 5, 2\), got \(2, 3, 2\)"):
        model(batch, 5, noise(2, 3))


def test_random_windows_give_every_parameter_a_gradient() -> None:
    model = small("random-glimpses", noise=0.3)
    model(images(4, 1, 20, 20), None, noise(4, 3))[0].square().sum().backward()
    assert_every_parameter_learns(model)


@pytest.mark.parametrize("preset", PRESETS)
def test_noise_does_not_affect_a_model_that_chooses_its_windows(preset: str) -> None:
    model, batch = small(preset, noise=0.3), images(2, 1, 20, 20)
    assert torch.equal(model(batch, None, noise(2, 3))[0], model(batch)[0])


def test_an_image_with_its_noise_is_classified_the_same_in_any_batch() -> None:
    model, batch, uniforms = small("random-glimpses", noise=0.3, scales=2), images(5, 1, 20, 20), noise(5, 3)
    alone = torch.cat([model(image[None], None, its[None])[0] for image, its in zip(batch, uniforms, strict=True)])
    torch.testing.assert_close(alone, model(batch, None, uniforms)[0], rtol=1e-12, atol=1e-12)


def test_predictions_cover_the_whole_set_in_its_order() -> None:
    pixels, labels = images(260, 1, 9, 9)[:, 0].float().numpy(), np.arange(260) % 10
    model = small().float().eval()
    with torch.no_grad():
        parts = list(predictions(model, ImageSet(pixels, labels), glimpses=2))
        logits, truth = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
        expected, _ = model(torch.from_numpy(pixels)[:, None], glimpses=2)
    torch.testing.assert_close(logits, expected)
    assert truth.tolist() == labels.tolist()


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_compiled_model_equals_the_eager_one(preset: str) -> None:
    model, batch = small(preset, noise=0.3).float(), images(4, 1, 20, 30).float()
    compiled = torch.compile(model)
    expected, places = model(batch)
    expected.square().mean().backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    model.zero_grad()
    logits, windows = compiled(batch)
    logits.square().mean().backward()
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(tuple(windows), tuple(places), rtol=1e-4, atol=1e-4)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name], rtol=1e-3, atol=1e-5)
