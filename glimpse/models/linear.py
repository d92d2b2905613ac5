"""Linear maps in float32 by oneDNN on CPUs where it is faster than torch's default.

By default torch multiplies float32 matrices with MKL, which uses AVX-512 only on Intel's CPUs; oneDNN, which is included in torch,
uses it on every CPU that supports it. On a Zen 5 core a map of (128, 520) to (128, 1024) ran at 240 GFLOP/s instead of 114. The
choice depends on the machine, the shapes and dtypes, autocast, `torch.compile`, transformations of functions such as `vmap`, and
`torch.backends.mkldnn.enabled`. A resumed training has all of them in common with an uninterrupted one, and therefore equals it.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import flop_registry, register_flop_formula

__all__ = ["Linear", "linear", "runs_eagerly"]

_LEAST = 32  # minimum of a product's three sizes: below it the overhead of oneDNN exceeds its benefit

_ONEDNN = getattr(torch.ops.mkldnn, "_linear_pointwise", None) if torch.backends.mkldnn.is_available() else None  # type: ignore[no-untyped-call]
_WIDE = torch.backends.cpu.get_cpu_capability() == "AVX512"


class Linear(nn.Linear):
    """`torch.nn.Linear`, computed by `linear`."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (torch's name)
        """Returns the outputs, shape (..., out_features), for inputs of shape (..., in_features)."""
        return linear(input, self.weight, self.bias)


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Returns inputs times the transposed weight plus bias, equal to `torch.nn.functional.linear` up to rounding.

    Args:
        inputs: Shape (..., inputs).
        weight: Shape (outputs, inputs).
        bias: Shape (outputs,); no bias if None.

    Returns:
        Shape (..., outputs).
    """
    if _is_faster_with_onednn(inputs, weight):
        product: Tensor = _OneDNNLinear.apply(inputs, weight, bias)
        return product
    return F.linear(inputs, weight, bias)


def runs_eagerly() -> bool:
    """Returns whether torch neither compiles nor transforms functions: only then are handwritten gradients faster."""
    return not torch.compiler.is_compiling() and not torch._C._are_functorch_transforms_active()


class _OneDNNLinear(torch.autograd.Function):
    """Linear map by oneDNN, whose gradients are linear maps again and can be differentiated in turn."""

    @staticmethod
    def forward(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        product: Tensor = _ONEDNN(_contiguous(inputs), _contiguous(weight), bias, "none", [], "")  # type: ignore[misc]
        return product

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor | None], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:2])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        inputs, weight = ctx.saved_tensors
        for_inputs, for_weight, for_bias = ctx.needs_input_grad
        return (
            linear(grad, weight.t()) if for_inputs else None,
            linear(grad.t(), inputs.t()) if for_weight else None,
            grad.sum(dim=0) if for_bias else None,
        )


def _is_faster_with_onednn(inputs: Tensor, weight: Tensor) -> bool:
    """Returns whether oneDNN multiplies these two matrices faster than torch, with the same precision."""
    return (
        _WIDE
        and _ONEDNN is not None
        and inputs.ndim == 2
        and inputs.dtype == weight.dtype == torch.float32
        and inputs.device.type == "cpu"
        and min(*inputs.shape, len(weight)) >= _LEAST
        and bool(torch.backends.mkldnn.enabled)
        and not torch.is_autocast_enabled("cpu")
        and runs_eagerly()
    )


def _contiguous(matrix: Tensor) -> Tensor:
    """Returns the matrix with contiguous rows or columns; oneDNN is slow with any other layout."""
    return matrix if matrix.is_contiguous() or matrix.t().is_contiguous() else matrix.contiguous()


if _ONEDNN is not None and _ONEDNN not in flop_registry:

    @register_flop_formula(_ONEDNN)
    def _operations(inputs: Any, weight: Any, *_: Any, out_shape: Any = None, **__: Any) -> int:
        """Returns the number of operations of a product for torch's counter; a multiply-add is two operations."""
        return 2 * int(inputs[0]) * int(inputs[1]) * int(weight[0])
