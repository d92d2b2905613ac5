"""The LSTM against torch's own cell."""

import pytest
import torch
from torch import nn

from glimpse.models.lstm import LSTM, LSTMState
from tests.helpers.tensors import normal


@pytest.mark.parametrize(("inputs", "hidden"), [(1, 1), (5, 3), (3, 8)])
def test_a_step_equals_a_step_of_torchs_cell(inputs: int, hidden: int) -> None:
    cell, lstm = nn.LSTMCell(inputs, hidden).double(), LSTM(inputs, hidden).double()
    with torch.no_grad():
        lstm.gates.weight.copy_(torch.cat([cell.weight_ih, cell.weight_hh], dim=1))
        lstm.gates.bias.copy_(cell.bias_ih + cell.bias_hh)
    state = LSTMState(normal(4, hidden), normal(4, hidden, seed=1))
    theirs = state.output, state.cell
    for step in range(5):
        seen = normal(4, inputs, seed=2 + step)
        state, theirs = lstm(seen, state), cell(seen, theirs)
        torch.testing.assert_close(tuple(state), theirs, rtol=0, atol=1e-12)


def test_the_forget_gate_starts_open_and_alone() -> None:
    bias = LSTM(5, 40).gates.bias
    assert (bias[40:80] == 1).all()
    assert bias[:40].abs().max() < 0.2
    assert bias[80:].abs().max() < 0.2


def test_the_initial_state_is_learned_and_the_same_for_every_image() -> None:
    lstm = LSTM(5, 3)
    with torch.no_grad():
        lstm.initial_output.copy_(torch.tensor([1.0, 2.0, 3.0]))
        lstm.initial_cell.copy_(torch.tensor([4.0, 5.0, 6.0]))
    state = lstm.initial(2)
    assert state.output.tolist() == [[1, 2, 3]] * 2
    assert state.cell.tolist() == [[4, 5, 6]] * 2
    after = lstm(torch.zeros(2, 5), state)
    after.output.sum().backward()
    assert lstm.initial_output.grad is not None
    assert lstm.initial_output.grad.abs().min() > 0
    assert lstm.initial_cell.grad is not None
    assert lstm.initial_cell.grad.abs().min() > 0


def test_the_state_stays_in_float32_under_autocast() -> None:
    lstm = LSTM(5, 3)
    state = lstm.initial(2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for _ in range(3):
            state = lstm(torch.ones(2, 5, dtype=torch.bfloat16), state)
            assert (state.output.dtype, state.cell.dtype) == (torch.float32, torch.float32)
