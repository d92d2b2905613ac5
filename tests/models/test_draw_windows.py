"""DRAW's read and write windows: their parameters, initial positions and intensities."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from glimpse.attention.window import Window, write
from glimpse.models.draw import DRAW
from glimpse.settings.draw import GeneratorConfig
from tests.helpers.draw import data, small


def test_reading_and_writing_have_five_separate_parameters_each() -> None:
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


def test_intensity_multiplies_what_is_read_and_divides_what_is_written() -> None:
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


def test_the_write_track_has_the_pixels_of_the_canvas_after_every_step() -> None:
    model = small(channels=2)
    images, noise = data(model)
    drawing, _ = model.reconstruct(images, torch.zeros_like(noise))
    _, (reading, writing) = model.look(images, patches=True)
    assert reading.canvases is None
    assert writing.canvases is not None
    torch.testing.assert_close(writing.canvases, 1 / (1 + (-drawing.canvases[:, 1:]).exp()))
    assert [track.canvases for track in model.look(images)[1]] == [None, None]


@pytest.mark.parametrize(
    ("changes", "glimpses", "said"), [({"attention": False}, None, "no windows"), ({}, 4, "3 glimpses, got 4")]
)
def test_missing_windows_are_refused(changes: dict[str, Any], glimpses: int | None, said: str) -> None:
    model = small(**changes)
    with pytest.raises(ValueError, match=said):
        model.look(data(model)[0], glimpses)


@pytest.mark.parametrize(("height", "width", "n"), [(28, 28, 5), (40, 60, 12), (28, 28, 1), (1, 1, 2)])
def test_the_first_windows_span_the_image_without_aliasing_it(height: int, width: int, n: int) -> None:
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
