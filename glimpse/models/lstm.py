"""Long short-term memory with a learned initial state.

References:
    S. Hochreiter, J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997, with the forget gate of F. Gers,
    J. Schmidhuber, F. Cummins, 2000.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from glimpse.attention.precision import at_least_float32
from glimpse.models.linear import Linear, runs_eagerly

__all__ = ["LSTM", "LSTMState"]


class LSTMState(NamedTuple):
    """Output h and cell c of an LSTM, both of shape (B, hidden)."""

    output: Tensor
    cell: Tensor


class LSTM(nn.Module):
    """One step of an LSTM; its initial state is learned, as DRAW's are, and its forget gate starts open.

    The state is an argument and a result, never kept here. The cell stays in float32 under autocast.

    Args:
        inputs: Size of the input.
        hidden: Size of the state.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.gates = Linear(inputs + hidden, 4 * hidden)
        self.initial_output = nn.Parameter(torch.zeros(hidden))
        self.initial_cell = nn.Parameter(torch.zeros(hidden))
        with torch.no_grad():
            self.gates.bias[hidden : 2 * hidden] = 1.0

    def initial(self, batch: int) -> LSTMState:
        """Returns the learned state before the first step for a batch of that size."""
        return LSTMState(self.initial_output.expand(batch, -1), self.initial_cell.expand(batch, -1))

    def forward(self, inputs: Tensor, state: LSTMState) -> LSTMState:
        """Returns the state after an input of shape (B, inputs)."""
        joined = torch.cat([inputs, state.output.to(inputs.dtype)], dim=1)
        gates = at_least_float32(self.gates(joined))
        return LSTMState(*(_Cell.apply(gates, state.cell) if runs_eagerly() else _cell(gates, state.cell)))


def _cell(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Returns output and cell, both (B, hidden), after the gates before their activation, (B, 4 hidden), and the last cell."""
    enter, keep, candidate, leave = gates.chunk(4, dim=1)
    cell = torch.sigmoid(keep) * cell + torch.sigmoid(enter) * torch.tanh(candidate)
    return torch.sigmoid(leave) * torch.tanh(cell), cell


class _Cell(torch.autograd.Function):
    """What `_cell` returns, its gradient in closed form: half the operations of automatic differentiation."""

    @staticmethod
    def forward(ctx: Any, gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        hidden = cell.shape[1]
        active = torch.sigmoid(gates)
        enter, keep, candidate, leave = active.chunk(4, dim=1)
        candidate.copy_(_tanh(gates[:, 2 * hidden : 3 * hidden]))
        after = torch.addcmul(keep * cell, enter, candidate)
        bounded = _tanh(after)
        ctx.save_for_backward(gates, cell, active, bounded)
        return leave * bounded, after

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor, grad_after: Tensor) -> tuple[Tensor, ...]:
        gates, cell, active, bounded = ctx.saved_tensors
        if torch.is_grad_enabled():  # for a gradient of the gradient
            return torch.autograd.grad(_cell(gates, cell), (gates, cell), (grad_output, grad_after), create_graph=True)
        hidden = cell.shape[1]
        enter, keep, candidate, leave = active.chunk(4, dim=1)
        grad_after = torch.ops.aten.tanh_backward(grad_output * leave, bounded).add_(grad_after)
        grad = torch.empty_like(active)
        for_enter, for_keep, for_candidate, for_leave = grad.chunk(4, dim=1)
        torch.mul(grad_after, candidate, out=for_enter)
        torch.mul(grad_after, cell, out=for_keep)
        torch.mul(grad_output, bounded, out=for_leave)
        for_candidate.copy_(torch.ops.aten.tanh_backward(grad_after * enter, candidate))
        for part, opened in ((grad[:, : 2 * hidden], active[:, : 2 * hidden]), (for_leave, leave)):
            torch.ops.aten.sigmoid_backward(part, opened, grad_input=part)
        return grad, grad_after.mul_(keep)


def _tanh(values: Tensor) -> Tensor:
    """Returns the hyperbolic tangent; on a CPU by the sigmoid, which torch computes nine times as fast, to 1e-7 in float32."""
    return torch.sigmoid(2 * values).mul_(2).sub_(1) if values.device.type == "cpu" else torch.tanh(values)
