"""Long short-term memory with a learned initial state.

References:
    S. Hochreiter, J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997, with the forget gate of F. Gers,
    J. Schmidhuber, F. Cummins, 2000.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from glimpse.filterbank import at_least_float32
from glimpse.linear import Linear

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
        enter, keep, candidate, leave = at_least_float32(self.gates(joined)).chunk(4, dim=1)
        cell = torch.sigmoid(keep) * state.cell + torch.sigmoid(enter) * torch.tanh(candidate)
        return LSTMState(torch.sigmoid(leave) * torch.tanh(cell), cell)
