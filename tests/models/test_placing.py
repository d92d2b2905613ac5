"""Parametrizations of the window against plain loops, and a pointer before training."""

import math

import numpy as np
import pytest
import torch

from glimpse.attention.window import Window, read
from glimpse.models.placing import FINEST_STRIDE, PLACERS, Locator, Pointer, Scatter, brightness
from glimpse.settings.glimpse_classifier import ClassifierConfig
from tests.helpers.tensors import normal


def pointer(window: int = 5, hidden: int = 7, sigma: float = 0.5, *, scale: float = 0.0) -> Pointer:
    """Returns a pointer in float64, every parameter moved by normal noise of that scale."""
    place = Pointer(ClassifierConfig(window=window, hidden=hidden, sigma=sigma)).double()
    with torch.no_grad():
        for index, parameter in enumerate(place.parameters()):
            parameter.add_(scale * normal(*parameter.shape, seed=100 + index))
    return place


def unmoved(place: Pointer) -> Pointer:
    """Returns the pointer with all weights at zero, so that only brightness moves it."""
    with torch.no_grad():
        for layer in (place.raw, place.worth):
            layer.weight.zero_()
    return place


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def looped_window(
    place: Pointer, state: np.ndarray, last: list[float] | None, glimpse: np.ndarray | None, height: int, width: int
) -> list[float]:
    """Returns the next window of one image, one number at a time.

    The center is the last one, plus the mean place of a softmax over the filters, plus a raw number of reaches of half a
    window; it stays inside the image. The first window starts from the image's middle with reaches of half the longer side.
    """
    n = place.n
    weight, bias = place.raw.weight.detach().numpy(), place.raw.bias.detach().numpy()
    raw = [sum(weight[k, i] * state[i] for i in range(len(state))) + bias[k] for k in range(5)]
    coarsest = (max(height, width) - 1) / max(n - 1, 1)
    if last is None or glimpse is None:
        x, y, half, level = (width - 1) / 2, (height - 1) / 2, (max(height, width) - 1) / 2, raw[3] + 4.0
    else:
        gray = glimpse.mean(axis=0)  # (n, n)
        mean, top = gray.mean(), gray.max()
        worth_weight, worth_bias = place.worth.weight.detach().numpy(), place.worth.bias.detach().numpy()
        weights = np.zeros((n, n))
        for row, column in np.ndindex(n, n):
            bright = (gray[row, column] - mean) / (top - mean + 1e-3)
            worth = worth_weight[row * n + column] @ state + worth_bias[row * n + column]
            weights[row, column] = math.exp(place.gain.item() * bright + worth)
        weights /= weights.sum()
        right = sum(weights[row, column] * (column - (n - 1) / 2) for row, column in np.ndindex(n, n))
        down = sum(weights[row, column] * (row - (n - 1) / 2) for row, column in np.ndindex(n, n))
        x, y, half, level = last[0] + last[2] * right, last[1] + last[2] * down, last[2] * (n - 1) / 2, raw[3]
    stride = FINEST_STRIDE * max(coarsest / FINEST_STRIDE, 1.0) ** sigmoid(level)
    return [
        min(max(x + 0.3 * half * raw[0], 0.0), width - 1),
        min(max(y + 0.3 * half * raw[1], 0.0), height - 1),
        stride,
        place.sigma * stride * 2 ** math.tanh(raw[2]),
        math.exp(math.tanh(raw[4])),
    ]


@pytest.mark.parametrize(("n", "height", "width", "channels"), [(5, 30, 44, 3), (1, 9, 6, 1), (12, 100, 100, 1), (4, 3, 2, 2)])
def test_a_pointers_windows_equal_a_plain_loop(n: int, height: int, width: int, channels: int) -> None:
    place, images = pointer(n, scale=0.7), normal(3, channels, height, width).abs()
    window, glimpse = None, None
    last: list[list[float] | None] = [None] * 3
    edges = 0
    for step in range(4):
        state = normal(3, 7, seed=10 + step)
        before = glimpse
        window = place(state, window, glimpse, None, height=height, width=width)
        for row in range(3):
            seen = None if before is None else before[row].detach().numpy()
            last[row] = expected = looped_window(place, state[row].numpy(), last[row], seen, height, width)
            np.testing.assert_allclose([field[row].item() for field in window], expected, rtol=1e-10, atol=1e-10)
            edges += window.center_x[row].item() in (0, width - 1)
        glimpse = read(images, window, n)
    assert edges, "no window came to an edge"


@pytest.mark.parametrize(("height", "width"), [(100, 100), (40, 90), (12, 12)])
def test_a_pointers_first_window_spans_the_image(height: int, width: int) -> None:
    window = unmoved(pointer(12))(normal(1, 7), None, None, None, height=height, width=width)
    assert (window.center_x.item(), window.center_y.item()) == ((width - 1) / 2, (height - 1) / 2)
    span = 11 * window.stride.item()
    assert 0.94 * (max(height, width) - 1) < span <= max(height, width) - 1
    assert window.sigma.item() == pytest.approx(window.stride.item() / 2)
    assert window.intensity.item() == 1


@pytest.mark.parametrize("scale", [1.0, 100.0, 1e6])
def test_a_pointers_window_keeps_its_bounds_whatever_the_weights(scale: float) -> None:
    place, images = pointer(6, scale=scale), normal(200, 1, 40, 60)
    window, glimpse = None, None
    for step in range(5):
        window = place(normal(200, 7, seed=step), window, glimpse, None, height=40, width=60)
        glimpse = read(images, window, 6)
        for center, pixels in ((window.center_x, 60), (window.center_y, 40)):
            assert center.min() >= -1e-9 * scale
            assert center.max() <= pixels - 1 + 1e-9 * scale
        assert window.stride.min() >= FINEST_STRIDE - 1e-9
        assert window.stride.max() <= 59 / 5 + 1e-9
        assert (window.sigma / window.stride).min() >= 0.25 - 1e-9
        assert (window.sigma / window.stride).max() <= 1 + 1e-9
        assert window.intensity.min() >= math.exp(-1) - 1e-9
        assert window.intensity.max() <= math.e + 1e-9
        assert glimpse.isfinite().all()


@pytest.mark.parametrize(("column", "row"), [(20, 70), (75, 15), (50, 50), (88, 88)])
def test_pointing_goes_to_a_bright_blob_before_anything_is_learned(column: int, row: int) -> None:
    place, image = unmoved(pointer(12)), torch.zeros(1, 1, 100, 100, dtype=torch.float64)
    image[:, :, row - 4 : row + 5, column - 4 : column + 5] = 1
    window, state = None, torch.zeros(1, 7, dtype=torch.float64)
    glimpse, away = None, []
    for _ in range(6):
        window = place(state, window, glimpse, None, height=100, width=100)
        glimpse = read(image, window, 12)
        away.append(math.hypot(window.center_x.item() - column, window.center_y.item() - row))
    assert away[1] < max(0.5 * away[0], 3)
    assert away[-1] < 2


def test_pointing_does_not_move_on_a_flat_glimpse() -> None:
    place, state = unmoved(pointer(5)), torch.zeros(2, 7, dtype=torch.float64)
    first = place(state, None, None, None, height=30, width=30)
    for value in (0.0, 0.3, 1.0):
        window = place(state, first, torch.full((2, 1, 5, 5), value, dtype=torch.float64), None, height=30, width=30)
        torch.testing.assert_close((window.center_x, window.center_y), (first.center_x, first.center_y))


def test_the_gradient_passes_at_the_edge_as_if_there_were_none() -> None:
    place = unmoved(pointer(5))
    with torch.no_grad():
        place.raw.bias[0] = 10.0  # far to the right of the image
    window = place(torch.zeros(1, 7, dtype=torch.float64), None, None, None, height=30, width=41)
    assert window.center_x.item() == pytest.approx(40, abs=1e-9)
    (gradient,) = torch.autograd.grad(window.center_x.sum(), place.raw.bias)
    assert gradient[0].item() == pytest.approx(0.3 * 20)


def test_a_pointers_gradients_come_from_the_state_and_do_not_chain_through_windows() -> None:
    place, state = pointer(5, scale=0.1), normal(2, 7).requires_grad_()
    before = [torch.full((2,), value, dtype=torch.float64, requires_grad=True) for value in (20.0, 15.0, 2.0, 1.0, 1.0)]
    glimpse = normal(2, 1, 5, 5).requires_grad_()
    window = place(state, Window(*before), glimpse, None, height=30, width=40)
    for field in window:
        gradients = torch.autograd.grad(field.sum(), [state, *before, glimpse], retain_graph=True, allow_unused=True)
        assert gradients[0] is not None
        assert gradients[0].abs().max() > 0
        assert all(gradient is None for gradient in gradients[1:])


def test_a_pointers_gradients_are_those_of_finite_differences() -> None:
    place, state, glimpse = pointer(5, scale=0.1), normal(2, 7).requires_grad_(), normal(2, 1, 5, 5)
    last = Window(*(torch.full((2,), value, dtype=torch.float64) for value in (20.0, 15.0, 2.0, 1.0, 1.0)))
    parameters = list(place.parameters())
    assert torch.autograd.gradcheck(
        lambda state, *_: torch.stack(place(state, last, glimpse, None, height=30, width=40)), (state, *parameters)
    )


def test_brightness_has_mean_zero_and_maximum_one() -> None:
    glimpse = normal(6, 3, 4, 4).abs()
    scaled = brightness(glimpse)
    assert scaled.shape == (6, 4, 4)
    torch.testing.assert_close(scaled.mean(dim=(1, 2)), torch.zeros(6, dtype=torch.float64))
    assert (scaled.amax(dim=(1, 2)) - 1).abs().max() < 0.01
    assert brightness(torch.full((1, 1, 4, 4), 0.7))[0].abs().max() < 1e-3
    assert brightness(torch.zeros(1, 1, 4, 4, dtype=torch.bfloat16)).dtype == torch.float32


def test_a_locators_first_window_is_that_of_raw_zeros_with_the_sigma_asked_for() -> None:
    place = Locator(ClassifierConfig(window=12, hidden=7, parametrization="paper", sigma=3.5)).double()
    window = place(torch.zeros(2, 7, dtype=torch.float64), None, None, None, height=75, width=100)
    expected = (49.5, 37.0, 9.0, 3.5, 1.0)
    for field, value in zip(window, expected, strict=True):
        torch.testing.assert_close(field, torch.full((2,), value, dtype=torch.float64))


def test_a_locator_is_a_linear_map_decoded_by_the_papers_equations() -> None:
    place, state = Locator(ClassifierConfig(window=3, hidden=7, parametrization="paper", sigma=2.0)).double(), normal(4, 7)
    raw = state @ place.raw.weight.T + place.raw.bias
    expected = Window.from_raw(raw, n=3, height=8, width=11)
    torch.testing.assert_close(place(state, None, None, None, height=8, width=11), expected)


def test_only_random_windows_depend_on_noise() -> None:
    assert {name: kind.takes_noise for name, kind in PLACERS.items()} == {"paper": False, "pointing": False, "random": True}


@pytest.mark.parametrize(("n", "height", "width"), [(5, 30, 44), (1, 9, 6), (12, 100, 100), (4, 1, 2)])
def test_a_scatters_windows_equal_a_plain_loop(n: int, height: int, width: int) -> None:
    place = Scatter(ClassifierConfig(window=n, hidden=7, parametrization="random")).double()
    with torch.no_grad():
        for index, parameter in enumerate(place.parameters()):
            parameter.add_(0.7 * normal(*parameter.shape, seed=100 + index))
    weight, bias = place.raw.weight.detach().numpy(), place.raw.bias.detach().numpy()
    state, uniforms = normal(3, 7), torch.tensor([[0.0, 1.0], [0.5, 0.25], [0.9, 0.1]], dtype=torch.float64)
    before, seen = Window(*normal(5, 3).abs()), normal(3, 2, n, n)
    window = place(state, before, seen, uniforms, height=height, width=width)
    coarsest = max((max(height, width) - 1) / max(n - 1, 1), FINEST_STRIDE)
    for row in range(3):
        raw = weight @ state[row].numpy() + bias
        stride = FINEST_STRIDE * (coarsest / FINEST_STRIDE) ** sigmoid(raw[3])
        center_x, center_y = (width - 1) * float(uniforms[row, 0]), (height - 1) * float(uniforms[row, 1])
        expected = [center_x, center_y, stride, 0.5 * stride * 2 ** math.tanh(raw[2]), math.exp(math.tanh(raw[4]))]
        np.testing.assert_allclose([field[row].item() for field in window], expected, rtol=1e-10, atol=1e-10)


def test_a_scatters_first_window_is_a_pointers_and_takes_no_noise() -> None:
    place, other = Scatter(ClassifierConfig(window=5, hidden=7, parametrization="random")).double(), pointer(scale=0.7)
    place.load_state_dict({name: value for name, value in other.state_dict().items() if name.startswith("raw")})
    expected = other(normal(3, 7), None, None, None, height=30, width=44)
    for uniforms in (None, torch.rand(3, 2)):
        torch.testing.assert_close(place(normal(3, 7), None, None, uniforms, height=30, width=44), expected, rtol=0, atol=0)


def test_a_scatters_centers_are_uniform_over_the_image_and_pass_no_gradient() -> None:
    place, count = Scatter(ClassifierConfig(window=5, hidden=7, parametrization="random")), 20_000
    uniforms = torch.rand(count, 2, generator=torch.Generator().manual_seed(0))
    before, seen = Window(*torch.ones(5, count)), torch.rand(count, 1, 5, 5)
    window = place(torch.randn(count, 7), before, seen, uniforms, height=31, width=61)
    for center, pixels in ((window.center_x, 61), (window.center_y, 31)):
        assert 0 <= center.min() <= center.max() <= pixels - 1
        share = torch.histc(center.detach() / (pixels - 1), bins=10, min=0, max=1) / count
        assert (share - 0.1).abs().max() < 5 * math.sqrt(0.1 * 0.9 / count)
        gradients = torch.autograd.grad(center.sum(), list(place.parameters()), retain_graph=True, materialize_grads=True)
        assert all(gradient[:2].abs().max() == 0 for gradient in gradients)


def test_a_scatter_without_noise_is_refused() -> None:
    place = Scatter(ClassifierConfig(window=5, hidden=7, parametrization="random"))
    with pytest.raises(ValueError, match="require uniforms"):
        place(torch.zeros(2, 7), Window(*torch.ones(5, 2)), torch.zeros(2, 1, 5, 5), None, height=9, width=9)


@pytest.mark.parametrize("factor", [1, 2, 8])
def test_a_wider_window_has_the_same_center_and_more_stride_and_sigma(factor: int) -> None:
    window = Window(*normal(5, 3).abs())
    wider = window.widened(factor)
    for name, share in (("center_x", 1), ("center_y", 1), ("stride", factor), ("sigma", factor), ("intensity", 1)):
        assert (getattr(wider, name) == share * getattr(window, name)).all(), name


@pytest.mark.parametrize("kind", ["paper", "pointing", "random"])
def test_the_raw_numbers_of_a_window_are_computed_in_float32_under_autocast(kind: str) -> None:
    config = ClassifierConfig(window=5, hidden=7, parametrization=kind)  # type: ignore[arg-type]
    place = PLACERS[config.parametrization](config)
    state = torch.randn(3, 7, generator=torch.Generator().manual_seed(1))
    plain = place(state, None, None, None, height=100, width=100)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        window = place(state, None, None, None, height=100, width=100)
    assert all(torch.equal(one, other) for one, other in zip(window, plain, strict=True))
