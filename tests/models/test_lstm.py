"""The LSTM against torch's cell."""

import pytest
import torch
import torch.nn.functional as F
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


def test_only_the_forget_gate_starts_open() -> None:
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


def test_a_normalized_output_is_torchs_normalization_of_the_output_and_leaves_the_cell_state() -> None:
    plain, normalized = LSTM(5, 8).double(), LSTM(5, 8, layer_norm=True).double()
    normalized.load_state_dict(plain.state_dict(), strict=False)
    assert normalized.norm is not None
    with torch.no_grad():
        normalized.norm.weight.copy_(normal(8, seed=4))
        normalized.norm.bias.copy_(normal(8, seed=5))
    inputs, state = normal(4, 5), LSTMState(normal(4, 8, seed=1), normal(4, 8, seed=2))
    ours, expected = normalized(inputs, state), plain(inputs, state)
    torch.testing.assert_close(ours.cell, expected.cell, rtol=0, atol=0)
    torch.testing.assert_close(ours.output, F.layer_norm(expected.output, (8,), normal(8, seed=4), normal(8, seed=5)))
    assert normalized.initial(4).output.abs().max() == 0


@pytest.mark.parametrize("layer_norm", [False, True])
def test_the_state_stays_in_float32_under_autocast(layer_norm: bool) -> None:
    lstm = LSTM(5, 3, layer_norm=layer_norm)
    state = lstm.initial(2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for _ in range(3):
            state = lstm(torch.ones(2, 5, dtype=torch.bfloat16), state)
            assert (state.output.dtype, state.cell.dtype) == (torch.float32, torch.float32)


def plain_step(lstm: LSTM, inputs: torch.Tensor, state: LSTMState) -> LSTMState:
    """Returns the state after an input, by automatic differentiation of the equations."""
    enter, keep, candidate, leave = lstm.gates(torch.cat([inputs, state.output], dim=1)).chunk(4, dim=1)
    cell = keep.sigmoid() * state.cell + enter.sigmoid() * candidate.tanh()
    return LSTMState(leave.sigmoid() * cell.tanh(), cell)


def test_values_and_gradients_over_many_steps_equal_those_of_automatic_differentiation() -> None:
    lstm = LSTM(3, 5).double()
    inputs = normal(7, 4, 3).requires_grad_()
    results = []
    for step in (lstm, lambda *args: plain_step(lstm, *args)):
        state = lstm.initial(4)
        for seen in inputs:
            state = step(seen, state)
        loss = (state.output * normal(4, 5, seed=1)).sum() + (state.cell * normal(4, 5, seed=2)).sum()
        results.append((*state, *torch.autograd.grad(loss, [inputs, *lstm.parameters()])))
    for ours, plain in zip(*results, strict=True):
        torch.testing.assert_close(ours, plain, rtol=0, atol=1e-12)


@pytest.mark.parametrize("used", ["output", "cell", "both"])
def test_gradients_of_a_step_equal_finite_differences_twice(used: str) -> None:
    lstm = LSTM(2, 3).double()

    def step(inputs: torch.Tensor, output: torch.Tensor, cell: torch.Tensor) -> tuple[torch.Tensor, ...]:
        state = lstm(inputs, LSTMState(output, cell))
        return tuple(state) if used == "both" else (getattr(state, used),)

    arguments = tuple(normal(4, size, seed=size).requires_grad_() for size in (2, 3, 3))
    assert torch.autograd.gradcheck(step, arguments)
    assert torch.autograd.gradgradcheck(step, arguments)


def test_float32_is_as_good_as_torchs_cell_for_gates_of_any_size() -> None:
    cell, lstm = nn.LSTMCell(1, 300), LSTM(1, 300)
    raw = torch.cat([-(10 ** torch.linspace(-8, 2, 600)), 10 ** torch.linspace(-8, 2, 600)])
    for module in (cell, lstm):
        for parameter in module.parameters():
            nn.init.zeros_(parameter)
    with torch.no_grad():
        lstm.gates.bias.copy_(raw)
        cell.bias_ih.copy_(raw)
    before = torch.linspace(-3, 3, 300)[None]
    ours, theirs = (
        lstm(torch.zeros(1, 1), LSTMState(torch.zeros(1, 300), before)),
        cell(torch.zeros(1, 1), (torch.zeros(1, 300), before)),
    )
    torch.testing.assert_close(tuple(ours), theirs, rtol=0, atol=5e-7)
    assert all(part.isfinite().all() for part in ours)


def test_vmap_over_sets_of_images_equals_a_loop() -> None:
    lstm = LSTM(3, 5).double()
    inputs = normal(2, 4, 3)
    mapped = torch.func.vmap(lambda seen: tuple(lstm(seen, lstm.initial(4))))(inputs)
    for ours, plain in zip(mapped, zip(*(lstm(seen, lstm.initial(4)) for seen in inputs), strict=True), strict=True):
        torch.testing.assert_close(ours, torch.stack(plain))


def test_a_compiled_step_equals_the_eager_one() -> None:
    torch.compiler.reset()
    lstm = LSTM(3, 5)

    def step(inputs: torch.Tensor) -> LSTMState:
        return lstm(inputs, lstm.initial(4))  # type: ignore[no-any-return]

    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(tuple(compiled(torch.ones(4, 3))), tuple(step(torch.ones(4, 3))))
