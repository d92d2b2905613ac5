"""Precision and scope of the products by oneDNN."""

import pytest
import torch
from torch import Tensor

from glimpse.attention import products
from glimpse.attention.products import fast_products

SHAPES = [((128, 520), (520, 1024)), ((33, 100), (100, 5)), ((7, 12, 100), (7, 100, 100)), ((0, 40), (40, 50))]


def normal(shape: tuple[int, ...], seed: int) -> Tensor:
    """Returns seeded standard normal numbers in float64 that float32 represents exactly."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).double()


def current() -> str:
    """Returns torch's setting for float32 products by oneDNN."""
    return str(products._setting().fp32_precision)


@pytest.mark.parametrize("shapes", SHAPES)
def test_values_and_gradients_equal_those_of_float64(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    exact = [normal(shape, seed).requires_grad_() for seed, shape in enumerate(shapes)]
    ours = [each.detach().float().requires_grad_() for each in exact]
    expected = exact[0] @ exact[1]
    grad = normal(tuple(expected.shape), 3)
    with fast_products():
        product = ours[0] @ ours[1]
        gradients = torch.autograd.grad(product, ours, grad.float())
    torch.testing.assert_close(product.double(), expected, rtol=0, atol=2e-4)
    for got, wanted in zip(gradients, torch.autograd.grad(expected, exact, grad), strict=True):
        torch.testing.assert_close(got.double(), wanted, rtol=0, atol=4e-4)


@pytest.mark.parametrize("better", [True, False])
def test_the_setting_is_changed_only_inside_and_only_where_it_helps(better: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_is_onednn_better", lambda: better)
    before = current()
    inside = "bf16" if better else before
    with fast_products():
        assert current() == inside
        with fast_products():
            assert current() == inside
        assert current() == inside
    assert current() == before

    @fast_products()
    def failing() -> None:
        raise KeyError(current())

    with pytest.raises(KeyError, match=inside):
        failing()
    assert current() == before


@pytest.mark.parametrize("rounds", [True, False])
def test_a_library_that_rounds_to_bfloat16_is_noticed(rounds: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if rounds:
        exact = Tensor.__matmul__

        def rounded(left: Tensor, right: Tensor) -> Tensor:
            return exact(left.bfloat16(), right.bfloat16()).float() if left.dtype == torch.float32 else exact(left, right)

        monkeypatch.setattr(Tensor, "__matmul__", rounded)
    assert products._keeps_float32() is not rounds
