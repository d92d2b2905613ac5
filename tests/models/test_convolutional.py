"""The whole-image baselines: against plain loops, and their invariants for any image."""

import copy
import os
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from glimpse.models.convolutional import ConvNet, TwoLayerConv, strided_stages
from glimpse.settings.convolutional import ConvConfig, ConvNetConfig
from tests.helpers.gradients import assert_every_parameter_learns
from tests.helpers.tensors import images
from tests.helpers.weights import written


def two_layers(**changes: int) -> TwoLayerConv:
    """Returns a small seeded two-layer baseline in float64."""
    torch.manual_seed(0)
    small = {"filters": 3, "kernel": 4, "step": 3, "hidden": 7, "classes": 5, "height": 11, "width": 15}
    return TwoLayerConv(ConvConfig(**(small | changes))).double()


def convnet(*, noise: float = 0.0, **changes: int) -> ConvNet:
    """Returns a small seeded convnet in float64, its statistics and parameters moved by noise of that scale."""
    torch.manual_seed(0)
    model = ConvNet(ConvNetConfig(**({"filters": 2, "classes": 4} | changes))).double()
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            if tensor.is_floating_point():
                tensor.add_(noise * torch.rand(tensor.shape, dtype=torch.float64))
    return model


def convolve(image: np.ndarray, weight: np.ndarray, step: int, padding: int) -> np.ndarray:
    """Returns the convolution (K, h, w) of an image (C, H, W) with filters (K, C, k, k), place by place."""
    image = np.pad(image, ((0, 0), (padding, padding), (padding, padding)))
    side = weight.shape[-1]
    rows, columns = ((pixels - side) // step + 1 for pixels in image.shape[1:])
    result = np.empty((len(weight), rows, columns))
    for i in range(rows):
        for j in range(columns):
            patch = image[:, i * step : i * step + side, j * step : j * step + side]
            result[:, i, j] = [(patch * each).sum() for each in weight]
    return result


@pytest.mark.parametrize("channels", [1, 3])
def test_the_two_layer_baseline_equals_a_plain_loop(channels: int) -> None:
    model, batch = two_layers(channels=channels), images(3, channels, 11, 15)
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    (logits,) = model(batch)
    assert logits.shape == (3, 1, 5)
    for row in range(3):
        seen = convolve(batch[row].numpy(), weights["convolve.weight"], 3, 0) + weights["convolve.bias"][:, None, None]
        assert seen.shape == (3, 3, 4)
        hidden = np.maximum(weights["connect.weight"] @ np.maximum(seen, 0).ravel() + weights["connect.bias"], 0)
        expected = weights["classify.weight"] @ hidden + weights["classify.bias"]
        np.testing.assert_allclose(logits[row, 0].detach().numpy(), expected, rtol=0, atol=1e-12)


def test_the_papers_baseline_has_8_filters_at_19_by_19_places_and_256_units() -> None:
    model = TwoLayerConv()
    assert model.convolve.weight.shape == (8, 1, 10, 10)
    assert model.connect.weight.shape == (256, 8 * 19 * 19)
    assert sum(parameter.numel() for parameter in model.parameters()) == 808 + 739_584 + 2570


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 20, 20), (3, 19, 30)])
def test_the_convnet_equals_a_plain_loop_in_eval_mode(channels: int, height: int, width: int) -> None:
    model, batch = convnet(channels=channels, noise=0.5).eval(), images(2, channels, height, width)
    (logits,) = model(batch)
    layers = list(model.stages)
    convolutions, norms = layers[0::3], layers[1::3]
    steps = [2, 2, 1, 2, 1, 1]
    for row in range(2):
        seen = batch[row].numpy()
        for convolution, norm, step in zip(convolutions, norms, steps, strict=True):
            assert isinstance(convolution, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            assert norm.running_mean is not None
            assert norm.running_var is not None
            weight = convolution.weight.detach().numpy()
            seen = convolve(seen, weight, step, weight.shape[-1] // 2)
            mean, variance, gain, shift = (
                value.detach().numpy()[:, None, None] for value in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
            )
            seen = np.maximum((seen - mean) / np.sqrt(variance + 1e-5) * gain + shift, 0)
        peak = seen.max(axis=(1, 2))
        expected = model.classify.weight.detach().numpy() @ peak + model.classify.bias.detach().numpy()
        np.testing.assert_allclose(logits[row, 0].detach().numpy(), expected, rtol=1e-10, atol=1e-10)


def test_training_normalizes_by_the_batch_and_keeps_its_statistics() -> None:
    model, batch = convnet(), images(5, 1, 17, 17)
    convolution, norm = model.stages[0], model.stages[1]
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    seen = convolution(batch).detach().permute(1, 0, 2, 3).flatten(1).numpy()
    model(batch)
    np.testing.assert_allclose(norm.running_mean, 0.1 * seen.mean(axis=1), atol=1e-12)
    np.testing.assert_allclose(norm.running_var, 0.9 + 0.1 * seen.var(axis=1, ddof=1), atol=1e-12)
    assert norm.num_batches_tracked == 1


def test_a_shift_by_eight_pixels_shifts_the_convnets_features_by_one() -> None:
    model = convnet(noise=0.3).eval()
    scene = images(1, 1, 152, 160)
    with torch.no_grad():
        first = model.stages(scene[:, :, :144, :144])
        second = model.stages(scene[:, :, 8:, 16:])
    reach = 4  # places whose field of 57 px crosses the edge
    torch.testing.assert_close(
        second[:, :, reach : -reach - 1, reach : -reach - 2],
        first[:, :, reach + 1 : -reach, reach + 2 : -reach],
        atol=1e-12,
        rtol=0,
    )
    assert first[:, :, reach:-reach, reach:-reach].std() > 1e-3


def test_place_i_of_the_stages_is_centered_on_pixel_8_i() -> None:
    stages = strided_stages(1, 2, ((2, 2), (4, 3))).double().eval()
    for module in stages.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.ones_(module.weight)
    batch = images(1, 1, 121, 129).requires_grad_()
    stages(batch)[0, :, 7, 8].sum().backward()
    assert batch.grad is not None
    seen = batch.grad[0, 0]
    rows, columns = seen.sum(dim=1), seen.sum(dim=0)
    assert (rows @ torch.arange(121.0).double()) / rows.sum() == pytest.approx(56, abs=1e-9)
    assert (columns @ torch.arange(129.0).double()) / columns.sum() == pytest.approx(64, abs=1e-9)


def test_an_images_logits_in_eval_mode_depend_on_no_other_image() -> None:
    batch = images(4, 1, 32, 40)
    model = convnet(noise=0.3).eval()
    (together,) = model(batch)
    torch.testing.assert_close(together[1:2], model(batch[1:2])[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("make", [lambda: two_layers(height=32, width=40), convnet])
def test_gradients_reach_every_parameter(make: Callable[[], nn.Module]) -> None:
    model = make()
    (logits,) = model(images(6, 1, 32, 40))
    logits.square().sum().backward()
    assert_every_parameter_learns(model)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 5), (28, 28), (101, 64)])
def test_the_convnet_accepts_images_of_any_size(height: int, width: int) -> None:
    (logits,) = convnet().eval()(images(2, 1, height, width))
    assert logits.shape == (2, 1, 4)
    assert logits.isfinite().all()


@pytest.mark.parametrize("count", [0, 1, 25, 26, 60])
def test_evaluation_in_chunks_equals_that_of_the_whole_batch(count: int) -> None:
    model, batch = convnet(noise=0.5).eval(), images(count, 1, 21, 17)
    whole = model(batch)[0]
    with torch.no_grad():
        torch.testing.assert_close(model(batch)[0], whole)


def test_batch_statistics_without_gradients_are_those_of_the_whole_batch() -> None:
    batch, (silent, model) = images(60, 1, 21, 17), (convnet(noise=0.5).train() for _ in range(2))
    with torch.no_grad():
        logits = silent(batch)[0]
    torch.testing.assert_close(logits, model(batch)[0])
    for ours, theirs in zip(silent.buffers(), model.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("model", [TwoLayerConv(ConvConfig(height=32, width=32)), ConvNet(ConvNetConfig(filters=4))])
def test_logits_are_float32_under_autocast_and_near_those_without(model: nn.Module) -> None:
    batch = images(8, 1, 32, 32).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (coarse,) = model(batch)
    assert coarse.dtype == torch.float32
    torch.testing.assert_close(coarse, model(batch)[0], atol=0.1, rtol=0.1)


@pytest.mark.parametrize("model", [TwoLayerConv(ConvConfig(height=32, width=32)), ConvNet(ConvNetConfig(filters=2))])
def test_the_compiled_graph_has_no_breaks(model: nn.Module) -> None:
    model, batch = copy.deepcopy(model).eval(), images(2, 1, 32, 32).float()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(batch)[0], model(batch)[0])


@pytest.mark.parametrize("model", [two_layers(), convnet(noise=0.3)])
def test_weights_written_and_read_give_the_same_model(model: TwoLayerConv | ConvNet, tmp_path: Path) -> None:
    model = copy.deepcopy(model).float()
    batch = images(2, 1, 11, 15).float()
    model(batch)  # moves the statistics
    again = type(model).from_pretrained(written(tmp_path / "model.safetensors", model, {"kind": "file", "sha256": ""}))
    assert again.config == model.config
    assert not again.training
    for name, value in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name
    assert torch.equal(again(batch)[0], model.eval()(batch)[0])


def test_weights_of_one_baseline_are_not_read_as_another(tmp_path: Path) -> None:
    file = written(tmp_path / "model.safetensors", convnet(), {"kind": "file", "sha256": ""})
    with pytest.raises(ValueError, match=r"weights of ConvNet, not of TwoLayerConv"):
        TwoLayerConv.from_pretrained(file)


@pytest.mark.parametrize("shape", [(2, 1, 11, 14), (2, 1, 12, 15), (2, 3, 11, 15), (1, 11, 15)])
def test_the_two_layer_baseline_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"images must have shape \(B, 1, 11, 15\), got " + str(shape).replace("(", r"\(")[:-1]):
        two_layers()(torch.rand(shape))


@pytest.mark.parametrize("shape", [(2, 3, 11, 15), (1, 11, 15), (2, 1, 0, 15)])
def test_the_convnet_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"images must have shape \(B, 1, H, W\), got "):
        convnet()(torch.rand(shape))


@pytest.mark.parametrize("name", ["filters", "kernel", "step", "hidden", "channels", "classes", "height", "width"])
def test_the_two_layer_configs_numbers_are_at_least_one(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be in 1 to 1000000, got 0"):
        ConvConfig(**{name: 0})


@pytest.mark.parametrize("name", ["filters", "channels", "classes"])
def test_the_convnet_configs_numbers_are_at_least_one(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be in 1 to 1000000, got 0"):
        ConvNetConfig(**{name: 0})


def test_a_kernel_larger_than_the_image_is_refused() -> None:
    with pytest.raises(ValueError, match="kernel must fit into images of 100 x 9, got 10"):
        ConvConfig(width=9)


def test_the_convnet_trains_under_distributed_data_parallel(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setitem(os.environ, "MASTER_ADDR", "127.0.0.1")
    monkeypatch.setitem(os.environ, "MASTER_PORT", str(port))
    plain, wrapped, batch = convnet(), convnet(), images(4, 1, 32, 32)
    dist.init_process_group("gloo", rank=0, world_size=1)
    try:
        network = DistributedDataParallel(wrapped, static_graph=True)
        for _ in range(2):
            for model in (plain, network):
                model.zero_grad()
                model(batch)[0].square().sum().backward()
    finally:
        dist.destroy_process_group()
    for (name, expected), (_, got) in zip(plain.named_parameters(), wrapped.named_parameters(), strict=True):
        torch.testing.assert_close(got.grad, expected.grad, msg=name)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(wrapped.state_dict()[name], value, msg=name)
    assert torch.equal(wrapped.eval()(batch)[0], plain.eval()(batch)[0])
