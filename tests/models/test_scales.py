"""Several scales of a window, and windows at random places."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from glimpse.attention.filterbank import gaussian_filters
from glimpse.attention.window import Window, read
from glimpse.evaluation.classifier import uniforms
from glimpse.models.placing import Pointer, Scatter
from glimpse.settings.glimpse_classifier import Parametrization
from tests.helpers.classifiers import GLIMPSE, SIDE, built, data

pytestmark = pytest.mark.usefixtures("no_gradients")


# Several scales


@pytest.mark.parametrize("parametrization", ["paper", "pointing", "random"])
def test_every_scale_has_twice_the_stride_and_sigma_of_the_one_before(parametrization: Parametrization) -> None:
    model = built(replace(GLIMPSE, scales=3, parametrization=parametrization))
    batch, noise = data(5).batch(torch.arange(5)).images, uniforms(torch.arange(5), 3)
    _, window = model(batch, None, noise)
    _, tracks = model.look(batch, None, noise, patches=True)
    assert [(track.kind, track.scale, track.n) for track in tracks] == [("glimpse", 0, 4), ("glimpse", 1, 4), ("glimpse", 2, 4)]
    for scale, track in enumerate(tracks):
        for name, factor in {"center_x": 1, "center_y": 1, "stride": 2**scale, "sigma": 2**scale, "intensity": 1}.items():
            torch.testing.assert_close(getattr(track.window, name), factor * getattr(window, name), rtol=0, atol=0)
        assert track.patches is not None
        for t in range(3):
            step = Window(*(field[:, t] for field in track.window))
            torch.testing.assert_close(track.patches[:, t], read(batch, step, 4), rtol=0, atol=0)


def test_a_widened_window_reads_through_wider_filters() -> None:
    batch = data(2).batch(torch.arange(2)).images.double()
    numbers = torch.tensor([[6.0, 11.5], [9.25, 3.0], [1.5, 0.8], [0.7, 1.1], [1.3, 0.6]], dtype=torch.float64)
    window = Window(*numbers)
    seen = read(batch, window.widened(4), 3)
    for b in range(2):
        center_x, center_y, stride, sigma, intensity = (number[b : b + 1] for number in numbers)
        down = gaussian_filters(center_y, 4 * stride, 4 * sigma, n_filters=3, n_pixels=SIDE)[0]
        right = gaussian_filters(center_x, 4 * stride, 4 * sigma, n_filters=3, n_pixels=SIDE)[0]
        torch.testing.assert_close(seen[b, 0], intensity * (down @ batch[b, 0] @ right.T), rtol=0, atol=1e-12)
    assert window.widened(4).intensity is window.intensity


@pytest.mark.parametrize("encoder", ["none", "mlp"])
def test_the_network_gets_every_scale_in_order(encoder: Any) -> None:
    model = built(replace(GLIMPSE, scales=3, encoder=encoder))
    fed: list[Tensor] = []
    watched = model.lstm if encoder == "none" else model.encoder
    watched.register_forward_hook(lambda module, inputs, _: fed.append(inputs[0]))
    batch = data(5).batch(torch.arange(5)).images
    _, window = model(batch)
    for t in range(3):
        first = Window(*(field[:, t] for field in window))
        expected = torch.cat([read(batch, first.widened(2**scale), 4).flatten(1) for scale in range(3)], dim=1)
        torch.testing.assert_close(fed[t].flatten(1), expected, rtol=0, atol=0)


def test_a_pointer_of_several_scales_points_in_the_finest() -> None:
    model, shown = built(replace(GLIMPSE, scales=3)), []
    model.place.register_forward_hook(lambda module, inputs, _: shown.append(inputs[2]))
    batch = data(5).batch(torch.arange(5)).images
    _, window = model(batch)
    assert shown[0] is None
    for t in (1, 2):
        torch.testing.assert_close(shown[t], read(batch, Window(*(field[:, t - 1] for field in window)), 4), rtol=0, atol=0)


# Windows at random places


def scatter(*, moved: float = 0.5) -> Scatter:
    """Returns a scatter in float64, every parameter moved by normal noise of that scale."""
    torch.manual_seed(0)
    place = Scatter(GLIMPSE).double()
    for parameter in place.parameters():
        parameter.add_(moved * torch.randn(parameter.shape, dtype=torch.float64))
    return place


def test_all_centers_but_the_first_are_uniform_over_the_image() -> None:
    place, count, height, width = scatter(), 20_000, 13, 29
    generator = torch.Generator().manual_seed(0)
    state = torch.randn((count, 6), generator=generator, dtype=torch.float64)
    glimpse = torch.rand((count, 1, 4, 4), generator=generator, dtype=torch.float64)
    noise = torch.rand((count, 2), generator=generator, dtype=torch.float64)
    first = place(state, None, None, noise, height=height, width=width)
    second = place(state, first, glimpse, noise, height=height, width=width)
    torch.testing.assert_close(second.center_x, 28 * noise[:, 0], rtol=0, atol=1e-12)
    torch.testing.assert_close(second.center_y, 12 * noise[:, 1], rtol=0, atol=1e-12)
    for center, side in ((second.center_x, width - 1), (second.center_y, height - 1)):
        counts = np.histogram(center.numpy(), bins=20, range=(0, side))[0]
        assert counts.sum() == count
        assert ((counts - count / 20) ** 2 / (count / 20)).sum() < 19 + 5 * (2 * 19) ** 0.5


def test_the_first_window_is_the_pointers_and_so_is_the_size_of_all() -> None:
    place, pointer = scatter(), Pointer(GLIMPSE).double()
    pointer.raw.load_state_dict(place.raw.state_dict())
    generator = torch.Generator().manual_seed(0)
    state = torch.randn((7, 6), generator=generator, dtype=torch.float64)
    glimpse = torch.rand((7, 1, 4, 4), generator=generator, dtype=torch.float64)
    noise = torch.rand((7, 2), generator=generator, dtype=torch.float64)
    first = pointer(state, None, None, None, height=13, width=29)
    torch.testing.assert_close(place(state, None, None, noise, height=13, width=29), first, rtol=0, atol=0)
    found = place(state, first, glimpse, noise, height=13, width=29)
    torch.testing.assert_close(found[2:], pointer(state, first, glimpse, None, height=13, width=29)[2:], rtol=0, atol=0)
    assert sorted(name for name, _ in place.named_parameters()) == ["raw.bias", "raw.weight"]


def test_random_windows_need_noise() -> None:
    model, batch = built(replace(GLIMPSE, parametrization="random")), data(2).batch(torch.arange(2)).images
    assert model(batch, 1)[0].shape == (2, 1, 4)  # the first window is a pointer's
    with pytest.raises(ValueError, match="random windows require uniforms"):
        model(batch)
    with pytest.raises(ValueError, match=r"uniforms must have shape \(2, 3, 2\), got \(2, 2, 2\)"):
        model(batch, None, torch.rand(2, 2, 2))


def test_other_models_of_the_kind_ignore_the_noise() -> None:
    model, batch = built(GLIMPSE), data(4).batch(torch.arange(4)).images
    assert torch.equal(model(batch, None, torch.rand(4, 3, 2))[0], model(batch)[0])
