"""The window under torch.compile, vmap, autocast, other memory layouts and on other devices, where its numbers do not change."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from glimpse.attention.window import Window, read, write
from tests.helpers.tensors import normal
from tests.helpers.windows import pipeline, random_raw


def test_autocast_leaves_coordinates_filters_and_glimpses_in_float32() -> None:
    image, raw = normal(4, 2, 100, 100).float(), random_raw(4).float()
    patch = normal(4, 2, 12, 12).float()

    def run() -> tuple[Tensor, ...]:
        window = Window.from_raw(raw, n=12, height=100, width=100)
        return *window, *window.filters(n=12, height=100, width=100), read(image, window, 12), write(patch, window, 100, 100)

    expected = run()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = run()
    for ours, theirs in zip(cast, expected, strict=True):
        assert ours.dtype == torch.float32
        assert torch.equal(ours, theirs)


def test_bfloat16_inputs_are_promoted_before_they_become_pixels() -> None:
    raw = (0.03 * normal(50, 5)).bfloat16()
    window = Window.from_raw(raw, n=12, height=100, width=100)  # 49.6 is not a bfloat16 number; 49.5 and 49.75 are
    assert all(field.dtype == torch.float32 for field in window)
    exact = Window.from_raw(raw.double(), n=12, height=100, width=100)
    torch.testing.assert_close(window.center_x.double(), exact.center_x, rtol=0, atol=1e-5)
    image = normal(50, 1, 100, 100).bfloat16()
    assert read(image, window, 12).dtype == torch.float32
    assert write(image[..., :12, :12], window, 100, 100).dtype == torch.float32


def test_a_window_of_bfloat16_fields_reads_in_float32() -> None:
    fields = [torch.tensor([value], dtype=torch.bfloat16) for value in (49.5, 49.5, 9.0, 1.0, 1.0)]
    image = normal(1, 1, 100, 100).float()
    expected = read(image, Window(*(field.float() for field in fields)), 12)
    assert torch.equal(read(image, Window(*fields), 12), expected)


def check_compiled(compiled: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> None:
    """Asserts that a compiled pipeline has the values and gradients of the eager one."""
    image, raw = normal(3, 2, 9, 13).float(), random_raw(3).float().requires_grad_()
    for ours, eager in zip(compiled(raw, image), pipeline(raw, image), strict=True):
        torch.testing.assert_close(ours, eager)
        gradients = [torch.autograd.grad(out.square().sum(), raw, retain_graph=True)[0] for out in (ours, eager)]
        torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)


def test_compiling_into_one_graph_changes_no_value_and_no_gradient() -> None:
    torch.manual_seed(0)
    torch.compiler.reset()
    check_compiled(torch.compile(pipeline, fullgraph=True, backend="aot_eager"))


@pytest.mark.slow
def test_compiling_by_inductor_changes_no_value_and_no_gradient() -> None:
    torch.manual_seed(0)
    torch.compiler.reset()
    check_compiled(torch.compile(pipeline, fullgraph=True))


def test_compiling_under_autocast_keeps_float32() -> None:
    torch.compiler.reset()
    compiled = torch.compile(pipeline, fullgraph=True, backend="aot_eager")
    image, raw = normal(3, 2, 9, 13).float(), random_raw(3).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = compiled(raw, image)
    torch.testing.assert_close(cast, pipeline(raw, image))


def test_vmap_over_glimpses_equals_a_loop_over_them() -> None:
    image, raw = normal(3, 2, 9, 13), normal(3, 5, 5, seed=3)  # (B, C, H, W), (B, T, 5)
    mapped = torch.func.vmap(pipeline, in_dims=(1, None), out_dims=1)(raw, image)
    for t in range(5):
        for ours, looped in zip(mapped, pipeline(raw[:, t], image), strict=True):
            torch.testing.assert_close(ours[:, t], looped)


def test_gradients_of_single_images_by_vmap_equal_a_loop_over_the_images() -> None:
    image, raw = normal(3, 2, 9, 13), random_raw(3)

    def loss(raw: Tensor, image: Tensor) -> Tensor:
        return pipeline(raw[None], image[None])[1].square().sum()

    mapped = torch.func.vmap(torch.func.grad(loss))(raw, image)
    looped = torch.stack([torch.func.grad(loss)(raw[row], image[row]) for row in range(3)])
    torch.testing.assert_close(mapped, looped)


def test_images_of_any_memory_layout_read_the_same() -> None:
    image = normal(3, 2, 13, 9)
    window = Window.from_raw(random_raw(3), n=4, height=9, width=13)
    expected = read(image.transpose(2, 3).contiguous(), window, 4)
    torch.testing.assert_close(read(image.transpose(2, 3), window, 4), expected)
    channels_last = image.transpose(2, 3).contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(read(channels_last, window, 4), expected)


def test_inputs_are_not_changed_in_place() -> None:
    image, raw = normal(2, 1, 6, 6), random_raw(2)
    copies = image.clone(), raw.clone()
    window = Window.from_raw(raw, n=3, height=6, width=6)
    fields = [field.clone() for field in window]
    write(read(image, window, 3), window, 6, 6)
    for ours, copy in zip((image, raw, *window), (*copies, *fields), strict=True):
        assert torch.equal(ours, copy)


class HostTensors(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Collects the operations that create or read a tensor on the host."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if any(isinstance(tensor, Tensor) and tensor.device.type == "cpu" for tensor in (made, *args)):
            self.found.append(str(func))
        return made


def test_nothing_is_copied_from_the_host_to_the_device() -> None:
    """Each such copy would wait for the GPU. The tensors are fake, so no GPU is needed."""
    with FakeTensorMode(), HostTensors() as host:
        _, canvas = pipeline(torch.empty(3, 5, device="cuda"), torch.empty(3, 2, 9, 13, device="cuda"))
    assert canvas.device.type == "cuda"
    assert not host.found


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_reads_and_writes_what_the_cpu_does() -> None:
    image, raw = normal(3, 2, 9, 13), random_raw(3)
    for ours, expected in zip(pipeline(raw.cuda(), image.cuda()), pipeline(raw, image), strict=True):
        torch.testing.assert_close(ours.cpu(), expected)
