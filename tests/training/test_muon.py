"""Muon, compared with torch's on matrices of its own for every gate."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from glimpse.models.draw import DRAW
from glimpse.models.lstm import LSTM
from glimpse.models.weights import load_weights
from glimpse.settings.draw import GeneratorConfig
from glimpse.settings.training import TrainingConfig
from glimpse.training.calls import train_generator
from glimpse.training.engine import Trainer
from glimpse.training.muon import Muon, hidden_matrices, orthogonalized
from tests.helpers.lines import CONFIG, Line, trainer

RATE, DECAY, STEPS = 0.02, 0.1, 4
BF16 = TrainingConfig(weight_decay=DECAY, precision="bf16")


def gradients(shape: torch.Size) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return (torch.randn(shape, generator=generator) for _ in range(STEPS))


def expected(weight: Tensor, blocks: int) -> Tensor:
    """Returns the weights after some steps of torch's Muon, with a parameter for every block of rows."""
    parameters = [nn.Parameter(part.clone()) for part in weight.detach().chunk(blocks)]
    optimizer = torch.optim.Muon(parameters, lr=RATE, weight_decay=DECAY, adjust_lr_fn="match_rms_adamw")
    for gradient in gradients(weight.shape):
        for parameter, part in zip(parameters, gradient.chunk(blocks), strict=True):
            parameter.grad = part.clone()
        optimizer.step()  # type: ignore[no-untyped-call]
    return torch.cat([parameter.detach() for parameter in parameters])


@pytest.mark.parametrize(("inputs", "outputs"), [(48, 32), (32, 80), (40, 40)])
def test_a_linear_layer_is_updated_as_by_torch(inputs: int, outputs: int) -> None:
    torch.manual_seed(0)
    model = nn.Linear(inputs, outputs)
    weight, want = model.weight, expected(model.weight, 1)
    muon = Muon(model, BF16)
    for gradient in gradients(weight.shape):
        weight.grad = gradient.clone()
        muon.step(RATE)
    torch.testing.assert_close(weight.detach(), want, rtol=0, atol=2e-5)  # an update's values are about 0.02


def test_every_gate_of_an_lstm_is_a_matrix_of_its_own() -> None:
    torch.manual_seed(0)
    lstm = LSTM(20, 32)
    weight, want, whole = lstm.gates.weight, expected(lstm.gates.weight, 4), expected(lstm.gates.weight, 1)
    muon = Muon(lstm, BF16)
    for gradient in gradients(weight.shape):
        weight.grad = gradient.clone()
        muon.step(RATE)
    torch.testing.assert_close(weight.detach(), want, rtol=0, atol=2e-5)
    assert not torch.allclose(want, whole, atol=1e-3)


@pytest.mark.parametrize("shape", [(3, 20, 50), (2, 50, 20), (1, 30, 30)])
def test_directions_stay_and_their_lengths_become_alike(shape: tuple[int, int, int]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    left, lengths, right = torch.linalg.svd(matrices, full_matrices=False)
    inside = left.mT @ orthogonalized(matrices, torch.float64) @ right.mT  # in the basis of singular vectors
    diagonal = torch.diagonal(inside, dim1=1, dim2=2)
    torch.testing.assert_close(inside, torch.diag_embed(diagonal), rtol=0, atol=1e-10)
    spread = lengths / lengths[:, :1] > 0.02  # shorter ones take more iterations
    assert (diagonal[spread] > 0.6).all()
    assert (diagonal < 1.3).all()


def test_no_gradient_no_update_and_a_gradient_of_zero_only_decays() -> None:
    unused, still = nn.Linear(32, 32), nn.Linear(32, 32)
    before = [layer.weight.detach().clone() for layer in (unused, still)]
    still.weight.grad = torch.zeros(32, 32)
    Muon(nn.Sequential(unused, still), BF16).step(RATE)
    torch.testing.assert_close(unused.weight.detach(), before[0], rtol=0, atol=0)
    torch.testing.assert_close(still.weight.detach(), before[1] * (1 - RATE * DECAY))


def test_hidden_matrices_are_those_of_lstms_and_large_linear_layers() -> None:
    assert hidden_matrices(DRAW(GeneratorConfig(read=5, write=6, latent=20, hidden=64, prior="learned"))) == {
        "encoder.gates.weight": 4,
        "decoder.gates.weight": 4,
        "posterior.weight": 1,
        "patch.weight": 1,
        "prior.weight": 1,
    }
    small = nn.Sequential(nn.Linear(31, 64), nn.Linear(64, 31), nn.Conv2d(32, 32, 3), nn.Linear(32, 32))
    assert hidden_matrices(small) == {"3.weight": 1}


class Plane(Line):
    """Fits y = 2 x in 32 dimensions."""

    def __init__(self, scores: Iterator[float]) -> None:
        super().__init__(scores)
        self.model = nn.Linear(32, 32)

    def batch(self, positions: Tensor) -> Any:
        line = super().batch(positions)
        return line._replace(images=torch.sin(line.images * torch.arange(1, 33)))


def test_a_checkpoint_without_fitting_momentum_is_refused() -> None:
    config, cpu = replace(CONFIG, optimizer="muon"), torch.device("cpu")
    run = Trainer(Plane(iter((4, 3, 2, 1))), config, cpu)
    list(run.fit())
    state = run.state()
    assert state["muon"]["weight"].abs().max() > 0
    new = Trainer(Plane(iter(())), config, cpu)
    other, short, nan = {"other": torch.zeros(32, 32)}, {"weight": torch.zeros(32, 31)}, {"weight": torch.full((32, 32), torch.nan)}
    for wrong, said in ((other, "missing, such as 'weight'"), (short, "shape"), (nan, "NaN"), (None, "tensors by name")):
        with pytest.raises(ValueError, match=said):
            new.restore(state | {"muon": wrong})
    with pytest.raises(ValueError, match="the state must hold"):
        trainer(config=CONFIG).restore(state)
    assert new.muon is not None
    assert new.muon.momentum["weight"].abs().max() == 0
    new.restore(state)
    torch.testing.assert_close(new.muon.momentum["weight"], state["muon"]["weight"], rtol=0, atol=0)


GENERATOR: dict[str, Any] = {"glimpses": 2, "hidden": 32, "latent": 16, "data": "digits", "threads": 1, "optimizer": "muon"}


def test_a_training_with_muon_resumes_to_the_same_weights(tmp_path: Path) -> None:
    budget: dict[str, Any] = {"images": 640, "batch_size": 16, "learning_rate": 0.01, "validate_every": 320, "averaging": 0}
    whole = train_generator(out=tmp_path / "whole", **GENERATOR, **budget)

    def interrupt(record: Any) -> None:
        if record.images == 320:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_generator(out=tmp_path / "parts", progress=interrupt, checkpoint_every=0.0, **GENERATOR, **budget)
    parts = train_generator(out=tmp_path / "parts", resume=True)
    torch.testing.assert_close(load_weights(parts.folder)[0], load_weights(whole.folder)[0], rtol=0, atol=0)
