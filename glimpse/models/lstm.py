"""Long short-term memory with a learned initial state.

References:
    S. Hochreiter, J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997, with the forget gate of F. Gers,
    J. Schmidhuber, F. Cummins, 2000.
    J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer Normalization", 2016, arXiv:1607.06450.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from glimpse.attention.capture import is_traced
from glimpse.attention.precision import at_least_float32

__all__ = ["LSTM", "LSTMState"]


class LSTMState(NamedTuple):
    """Output h and cell state c of an LSTM, both of shape (B, hidden)."""

    output: Tensor
    cell: Tensor


class LSTM(nn.Module):
    """LSTM cell with a learned initial state, as in DRAW; the bias of the forget gate is initialized to 1.

    The state is passed in and returned; the module does not store it. The cell state stays in float32 under autocast.

    Args:
        inputs: Number of inputs.
        hidden: Number of hidden units.
        layer_norm: Whether the output is layer-normalized, as in DRAW's experiment of section 6.4 of "Layer Normalization"; the
            cell state and the initial output are not.
    """

    def __init__(self, inputs: int, hidden: int, *, layer_norm: bool = False) -> None:
        super().__init__()
        self.gates = nn.Linear(inputs + hidden, 4 * hidden)
        self.initial_output = nn.Parameter(torch.zeros(hidden))
        self.initial_cell = nn.Parameter(torch.zeros(hidden))
        self.norm = nn.LayerNorm(hidden) if layer_norm else None
        with torch.no_grad():
            self.gates.bias[hidden : 2 * hidden] = 1.0

    def initial(self, batch: int) -> LSTMState:
        """Returns the learned initial state for a batch of this size."""
        return LSTMState(self.initial_output.expand(batch, -1), self.initial_cell.expand(batch, -1))

    def forward(self, inputs: Tensor, state: LSTMState) -> LSTMState:
        """Returns the state after an input of shape (B, inputs)."""
        joined = torch.cat([inputs, state.output.to(inputs.dtype)], dim=1)
        gates = at_least_float32(self.gates(joined))
        output, cell = _Cell.apply(gates, state.cell) if _runs_eagerly() else _cell(gates, state.cell)
        return LSTMState(output if self.norm is None else self.norm(output), cell)


def _runs_eagerly() -> bool:
    """Returns whether torch neither compiles, traces nor transforms functions: only then is the handwritten gradient faster."""
    captured = torch.compiler.is_compiling() or is_traced()
    return not captured and not torch._C._are_functorch_transforms_active()


def _cell(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the output and the cell state, both (B, hidden), from the preactivations (B, 4 hidden) and the last cell state."""
    input_gate, forget_gate, candidate, output_gate = gates.chunk(4, dim=1)
    cell = torch.sigmoid(forget_gate) * cell + torch.sigmoid(input_gate) * torch.tanh(candidate)
    return torch.sigmoid(output_gate) * torch.tanh(cell), cell


class _Cell(torch.autograd.Function):
    """`_cell` with its gradient in closed form, which needs half the operations of automatic differentiation."""

    @staticmethod
    def forward(ctx: Any, gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        hidden = cell.shape[1]
        active = torch.sigmoid(gates)
        input_gate, forget_gate, candidate, output_gate = active.chunk(4, dim=1)
        candidate.copy_(_tanh(gates[:, 2 * hidden : 3 * hidden]))
        after = torch.addcmul(forget_gate * cell, input_gate, candidate)
        bounded = _tanh(after)
        ctx.save_for_backward(gates, cell, active, bounded)
        return output_gate * bounded, after

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor, grad_after: Tensor) -> tuple[Tensor, ...]:
        gates, cell, active, bounded = ctx.saved_tensors
        if torch.is_grad_enabled():  # for second derivatives
            return torch.autograd.grad(_cell(gates, cell), (gates, cell), (grad_output, grad_after), create_graph=True)
        hidden = cell.shape[1]
        input_gate, forget_gate, candidate, output_gate = active.chunk(4, dim=1)
        grad_after = torch.ops.aten.tanh_backward(grad_output * output_gate, bounded).add_(grad_after)
        grad = torch.empty_like(active)
        for_input, for_forget, for_candidate, for_output = grad.chunk(4, dim=1)
        torch.mul(grad_after, candidate, out=for_input)
        torch.mul(grad_after, cell, out=for_forget)
        torch.mul(grad_output, bounded, out=for_output)
        for_candidate.copy_(torch.ops.aten.tanh_backward(grad_after * input_gate, candidate))
        for part, opened in ((grad[:, : 2 * hidden], active[:, : 2 * hidden]), (for_output, output_gate)):
            torch.ops.aten.sigmoid_backward(part, opened, grad_input=part)
        return grad, grad_after.mul_(forget_gate)


def _tanh(values: Tensor) -> Tensor:
    """Returns the hyperbolic tangent, on a CPU by torch's sigmoid, which is nine times as fast; accurate to 1e-7 in float32."""
    return torch.sigmoid(2 * values).mul_(2).sub_(1) if values.device.type == "cpu" else torch.tanh(values)
