"""Shares of a batch in several processes: every image is in one share, with the noise that it has in one process."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.testing._internal.distributed.fake_pg import FakeStore

from glimpse.models.noise import draw_share
from glimpse.settings.training import TrainingConfig
from glimpse.training.engine import Trainer

CONFIG = TrainingConfig(images=48, batch_size=12, warmup=0, averaging=0, validate_every=48, log_every=12, clip_norm=1e9)


class Noisy:
    """Fits a plane to images with noise; notes the positions, the noise and the gradients of every step."""

    metrics = ()
    validation_metrics = ("error",)

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = nn.Linear(3, 1)
        self.positions: list[Tensor] = []
        self.noise: list[Tensor] = []
        self.gradients: list[Tensor] = []

    def batch(self, positions: Tensor) -> Tensor:
        self.positions.append(positions)
        return torch.sin(positions[:, None] * torch.tensor([1.0, 2.0, 3.0]))

    def loss(self, network: nn.Module, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        self.noise.append(draw_share(torch.randn, len(batch), 3, generator=generator))
        loss = (network(batch + self.noise[-1]) - batch.sum(dim=1, keepdim=True)).square().mean()
        self.model.weight.register_hook(self.gradients.append)  # type: ignore[no-untyped-call]
        return loss, {}

    def plateau(self, best: float) -> None:
        pass

    def validate(self, model: nn.Module) -> dict[str, float]:
        return {"error": 1.0}


@contextmanager
def rank_of(rank: int, world: int) -> Iterator[None]:
    """Context of a process whose messages to the others are lost."""
    dist.init_process_group("fake", rank=rank, world_size=world, store=FakeStore())
    try:
        yield
    finally:
        dist.destroy_process_group()


def first_step(world: int, rank: int) -> Noisy:
    """Returns the task after its first step in one of several processes."""
    task: Any = Noisy()
    if world == 1:
        next(Trainer(task, CONFIG, torch.device("cpu")).fit())
    else:
        with rank_of(rank, world):
            next(Trainer(task, CONFIG, torch.device("cpu")).fit())
    return task  # type: ignore[no-any-return]


@pytest.mark.parametrize("world", [2, 3])
def test_the_shares_of_a_batch_are_together_the_batch_with_its_noise_and_gradient(
    monkeypatch: pytest.MonkeyPatch, world: int
) -> None:
    monkeypatch.setattr("glimpse.training.engine.DistributedDataParallel", lambda model, **_: model)  # averages are taken below
    alone = first_step(1, 0)
    shares = [first_step(world, rank) for rank in range(world)]
    torch.testing.assert_close(torch.cat([each.positions[0] for each in shares]), alone.positions[0])
    torch.testing.assert_close(torch.cat([each.noise[0] for each in shares]), alone.noise[0], rtol=0, atol=0)
    torch.testing.assert_close(torch.stack([each.gradients[0] for each in shares]).mean(dim=0), alone.gradients[0])
