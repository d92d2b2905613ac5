"""The spatial transformer: its sampling and localization against plain loops, and its invariants for any image."""

import copy
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from glimpse.models.spatial_transformer import Localizer, SpatialTransformer, affine_read
from glimpse.settings.spatial_transformer import SpatialTransformerConfig
from tests.helpers.gradients import assert_every_parameter_learns
from tests.helpers.tensors import images
from tests.helpers.weights import written


def transformer(*, noise: float = 0.0, **changes: int) -> SpatialTransformer:
    """Returns a small seeded model in float64, its statistics and parameters moved by noise of that scale."""
    torch.manual_seed(0)
    model = SpatialTransformer(
        SpatialTransformerConfig(**({"window": 4, "filters": 2, "features": 5, "classes": 4} | changes))
    ).double()
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            if tensor.is_floating_point():
                tensor.add_(noise * torch.rand(tensor.shape, dtype=torch.float64))
    return model


def bilinear(image: np.ndarray, affine: np.ndarray, n: int) -> np.ndarray:
    """Returns the window (C, n, n) of an image (C, H, W) under a matrix (2, 3), point by point, 0 outside."""
    channels, height, width = image.shape
    window = np.zeros((channels, n, n))
    for i in range(n):
        for j in range(n):
            x, y = affine @ np.array([(2 * j + 1) / n - 1, (2 * i + 1) / n - 1, 1.0])
            column, row = (x + 1) * width / 2 - 0.5, (y + 1) * height / 2 - 0.5
            for r in (math.floor(row), math.floor(row) + 1):
                for c in (math.floor(column), math.floor(column) + 1):
                    if 0 <= r < height and 0 <= c < width:
                        window[:, i, j] += (1 - abs(row - r)) * (1 - abs(column - c)) * image[:, r, c]
    return window


@pytest.mark.parametrize(("channels", "height", "width", "n"), [(1, 9, 9, 4), (3, 11, 17, 5), (2, 16, 8, 1)])
def test_the_window_equals_a_plain_loop_of_bilinear_interpolation(channels: int, height: int, width: int, n: int) -> None:
    batch = images(6, channels, height, width)
    random = torch.Generator().manual_seed(1)
    affine = 0.8 * torch.randn((6, 2, 3), generator=random, dtype=torch.float64)
    got = affine_read(batch, affine, n)
    for row in range(6):
        np.testing.assert_allclose(got[row], bilinear(batch[row].numpy(), affine[row].numpy(), n), rtol=0, atol=1e-12)


def test_the_identity_reads_the_image_itself() -> None:
    batch = images(2, 3, 7, 7)
    identity = torch.eye(2, 3, dtype=torch.float64).expand(2, 2, 3)
    torch.testing.assert_close(affine_read(batch, identity, 7), batch, rtol=0, atol=1e-14)


def test_a_translation_moves_right_before_down() -> None:
    batch = images(1, 1, 8, 8)
    affine = torch.tensor([[[1.0, 0.0, 2 * 2 / 8], [0.0, 1.0, 2 * 3 / 8]]], dtype=torch.float64)  # 2 right, 3 down
    expected = torch.zeros(1, 1, 8, 8, dtype=torch.float64)
    expected[:, :, :5, :6] = batch[:, :, 3:, 2:]
    torch.testing.assert_close(affine_read(batch, affine, 8), expected, rtol=0, atol=1e-14)


def test_the_gradient_of_the_window_is_that_of_finite_differences() -> None:
    random = torch.Generator().manual_seed(2)
    affine = (torch.eye(2, 3) + 0.1 * torch.randn((2, 2, 3), generator=random)).double().requires_grad_()
    batch = images(2, 2, 5, 6).requires_grad_()
    assert torch.autograd.gradcheck(lambda image, matrix: affine_read(image, matrix, 3), (batch, affine), eps=1e-7)


def test_sixteen_bit_images_are_read_at_coordinates_in_float32() -> None:
    batch = images(2, 1, 100, 100).bfloat16()
    affine = torch.tensor([[0.3, 0.01, 0.511], [-0.01, 0.3, -0.307]]).expand(2, 2, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = affine_read(batch, affine, 5)
    assert got.dtype == torch.float32
    for row in range(2):
        np.testing.assert_allclose(got[row], bilinear(batch[row].double().numpy(), affine[row].double().numpy(), 5), atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(24, 24), (40, 19)])
def test_the_matrices_equal_a_plain_loop_over_places(height: int, width: int) -> None:
    model, batch = transformer(noise=0.3).eval(), images(3, 1, height, width)
    localise = model.localise
    features = localise.stages(batch).detach().numpy()
    worth, weight = localise.worth.weight.detach().numpy()[0], localise.rest.weight.detach().numpy()
    affine = localise(batch).detach()
    assert affine.shape == (3, 2, 3)
    for row in range(3):
        total, pointed, seen = 0.0, np.zeros(2), np.zeros(len(worth))
        for i in range(features.shape[2]):
            for j in range(features.shape[3]):
                here = features[row, :, i, j]
                likely = math.exp(worth @ here)
                total += likely
                pointed += likely * np.array([(2 * 8 * j + 1) / width - 1, (2 * 8 * i + 1) / height - 1])
                seen += likely * here
        rest = (weight @ (seen / total) + localise.rest.bias.detach().numpy()).reshape(2, 3)
        expected = 0.35 * (np.eye(2, 3) + rest)
        expected[:, 2] += pointed / total
        np.testing.assert_allclose(affine[row], expected, rtol=0, atol=1e-12)


def test_the_window_starts_upright_at_a_third_of_the_image_inside_it() -> None:
    model = transformer()
    affine = model(images(8, 1, 40, 40))[1].detach()
    torch.testing.assert_close(affine[:, :, :2], (0.35 * torch.eye(2).double()).expand(8, 2, 2))
    assert affine[:, :, 2].abs().max() < 1


def test_the_window_follows_the_worth_of_the_places() -> None:
    torch.manual_seed(0)
    localizer = Localizer(1, 4).double().eval()
    image = torch.zeros(1, 1, 100, 100, dtype=torch.float64)
    image[:, :, 66:79, 18:31] = torch.rand(13, 13, dtype=torch.float64)  # around pixel (24, 72), which place (3, 9) is centered on
    with torch.no_grad():
        features = localizer.stages(image)[0]
        excess = features[:, 9, 3] - features.flatten(1).mean(dim=1)
        localizer.worth.weight.copy_(1e3 * excess / excess.norm() ** 2)
        x, y = localizer(image)[0, :, 2]
    assert x == pytest.approx((2 * 24 + 1) / 100 - 1, abs=0.1)
    assert y == pytest.approx((2 * 72 + 1) / 100 - 1, abs=0.1)


def test_gradients_reach_every_parameter() -> None:
    model = transformer()
    logits, _ = model(images(6, 1, 32, 40))
    logits.square().sum().backward()
    assert_every_parameter_learns(model)


def test_an_image_in_eval_mode_depends_on_no_other_image() -> None:
    batch = images(4, 1, 32, 40)
    model = transformer(noise=0.3).eval()
    for together, alone in zip(model(batch), model(batch[1:2]), strict=True):
        torch.testing.assert_close(together[1:2], alone, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 1, 1), (3, 28, 28), (2, 101, 64)])
def test_images_may_have_any_size(channels: int, height: int, width: int) -> None:
    logits, affine = transformer(channels=channels).eval()(images(2, channels, height, width))
    assert logits.shape == (2, 1, 4)
    assert affine.shape == (2, 2, 3)
    assert logits.isfinite().all()


def test_logits_and_matrices_are_float32_under_autocast_and_near_those_without() -> None:
    model, batch = transformer(filters=4).float(), images(8, 1, 32, 32).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits, affine = model(batch)
    assert logits.dtype == affine.dtype == torch.float32
    expected_logits, expected_affine = model(batch)
    torch.testing.assert_close(affine, expected_affine, atol=0.02, rtol=0)
    torch.testing.assert_close(logits, expected_logits, atol=0.2, rtol=0.1)


def test_the_compiled_graph_has_no_breaks() -> None:
    model, batch = transformer().float().eval(), images(2, 1, 32, 32).float()
    compiled: nn.Module = torch.compile(model, fullgraph=True, backend="aot_eager")  # type: ignore[assignment]
    for got, expected in zip(compiled(batch), model(batch), strict=True):
        torch.testing.assert_close(got, expected)


def test_weights_written_and_read_give_the_same_model(tmp_path: Path) -> None:
    model, batch = copy.deepcopy(transformer(noise=0.3)).float(), images(2, 1, 24, 24).float()
    model(batch)  # moves the statistics
    again = SpatialTransformer.from_pretrained(written(tmp_path / "model.safetensors", model, {"kind": "file", "sha256": ""}))
    assert again.config == model.config
    assert not again.training
    for name, value in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name
    for got, expected in zip(again(batch), model.eval()(batch), strict=True):
        assert torch.equal(got, expected)


@pytest.mark.parametrize("shape", [(2, 3, 11, 15), (1, 11, 15), (2, 1, 0, 15)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"images must have shape \(B, 1, H, W\), got "):
        transformer()(torch.rand(shape))


@pytest.mark.parametrize("name", ["window", "filters", "features", "channels", "classes"])
def test_the_configs_numbers_are_at_least_one(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be in 1 to 1000000, got 0"):
        SpatialTransformerConfig(**{name: 0})
