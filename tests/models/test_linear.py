"""Linear maps by oneDNN against torch's own, in values, gradients and gradients of gradients."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from glimpse.models import linear as module
from glimpse.models.linear import Linear, linear

needs_onednn = pytest.mark.skipif(not (module._WIDE and module._ONEDNN), reason="needs oneDNN and AVX-512")

SHAPES = [(128, 520, 1024), (32, 33, 64), (33, 100, 47), (1, 5, 3), (0, 40, 50)]


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Returns seeded standard normal numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def parts(rows: int, inputs: int, outputs: int, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Returns inputs, weight and bias, all of which require gradients."""
    shapes = ((rows, inputs), (outputs, inputs), (outputs,))
    return [normal(*shape, seed=seed, dtype=dtype).requires_grad_() for seed, shape in enumerate(shapes)]


def is_on_onednn(product: Tensor) -> bool:
    """Returns whether oneDNN computes a product that requires gradients."""
    return type(product.grad_fn).__name__ == "_OneDNNLinearBackward"


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("biased", [True, False])
def test_values_and_gradients_equal_those_of_float64(shape: tuple[int, int, int], biased: bool) -> None:
    ours, exact = parts(*shape), parts(*shape, dtype=torch.float64)
    if not biased:
        ours, exact = ours[:2], exact[:2]
    product, expected = linear(*ours), F.linear(*exact)
    assert product.dtype == torch.float32
    torch.testing.assert_close(product.double(), expected, rtol=0, atol=2e-4)
    grad = normal(*expected.shape, seed=3, dtype=torch.float64)
    for got, wanted in zip(
        torch.autograd.grad(product, ours, grad.float()), torch.autograd.grad(expected, exact, grad), strict=True
    ):
        torch.testing.assert_close(got.double(), wanted, rtol=0, atol=4e-4)


@needs_onednn
def test_onednn_multiplies_large_maps_and_torch_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_on_onednn(linear(*parts(32, 33, 64)))
    for shape in ((31, 64, 64), (64, 31, 64), (64, 64, 31)):
        assert not is_on_onednn(linear(*parts(*shape)))
    assert not is_on_onednn(linear(*parts(32, 33, 64, dtype=torch.float64)))
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    assert not is_on_onednn(linear(*parts(32, 33, 64)))


@needs_onednn
@pytest.mark.parametrize("kind", ["transposed", "expanded", "columns"])
def test_matrices_of_any_strides_are_multiplied(kind: str) -> None:
    inputs = {"transposed": normal(40, 64).t(), "expanded": normal(40).expand(64, 40), "columns": normal(64, 100)[:, 7:47]}[kind]
    weight = normal(50, 40, seed=1).requires_grad_()
    product = linear(inputs, weight)
    assert is_on_onednn(product)
    torch.testing.assert_close(product, F.linear(inputs, weight), rtol=0, atol=1e-4)
    (gradient,) = torch.autograd.grad(product.sum(), weight)  # of stride 0
    torch.testing.assert_close(gradient, inputs.sum(dim=0).expand(50, 40), rtol=0, atol=1e-4)


@needs_onednn
def test_gradients_of_gradients_equal_torchs() -> None:
    def penalty(map_: object) -> list[Tensor]:
        inputs, weight, bias = parts(40, 50, 60)
        (slope,) = torch.autograd.grad(torch.tanh(map_(inputs, weight, bias) / 8).sum(), inputs, create_graph=True)  # type: ignore[operator]
        return list(torch.autograd.grad(slope.square().sum(), [inputs, weight, bias]))

    for got, wanted in zip(penalty(linear), penalty(F.linear), strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)


@needs_onednn
def test_vmap_equals_a_loop() -> None:
    inputs, weight = normal(3, 40, 50), normal(60, 50, seed=1)
    mapped = torch.func.vmap(linear, in_dims=(0, None))(inputs, weight)
    torch.testing.assert_close(mapped, torch.stack([linear(each, weight) for each in inputs]))

    def loss(weight: Tensor, inputs: Tensor) -> Tensor:
        return linear(inputs, weight).square().sum()

    gradients = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(weight, inputs)
    torch.testing.assert_close(gradients, torch.stack([torch.func.grad(loss)(weight, each) for each in inputs]))


def test_autocast_computes_in_sixteen_bits_as_torch_does() -> None:
    inputs, weight, bias = parts(40, 50, 60)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        product = linear(inputs, weight, bias)
        assert product.dtype == torch.bfloat16
        assert torch.equal(product, F.linear(inputs, weight, bias))


def test_a_module_has_torchs_parameters_and_values() -> None:
    theirs = nn.Linear(50, 60)
    ours = Linear(50, 60)
    ours.load_state_dict(copy.deepcopy(theirs.state_dict()))
    for shape in ((50,), (40, 50), (2, 40, 50)):
        inputs = normal(*shape)
        torch.testing.assert_close(ours(inputs), theirs(inputs))


@pytest.mark.parametrize("shape", SHAPES)
def test_operations_are_counted_as_torchs_are(shape: tuple[int, int, int]) -> None:
    def counted(map_: object) -> int:
        with FlopCounterMode(display=False) as counter:
            product: Tensor = map_(*parts(*shape))  # type: ignore[operator]
            product.sum().backward()  # type: ignore[no-untyped-call]
        return int(counter.get_total_flops())

    assert counted(linear) == counted(F.linear)


def test_a_compiled_map_is_one_graph_and_equals_the_eager_one() -> None:
    torch.compiler.reset()
    map_ = Linear(50, 60)
    inputs = normal(40, 50)
    compiled = torch.compile(map_, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(inputs), map_(inputs))
