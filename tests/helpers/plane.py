"""A toy task without images: fitting a plane."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from glimpse.datasets.batches import Batch
from glimpse.settings.training import TrainingConfig
from glimpse.training.engine import Record, fit

TOY = TrainingConfig(images=400, batch_size=10, warmup=0, averaging=0, validate_every=100, log_every=50, learning_rate=0.05)


class Plane:
    """Fits y = 2 x1 - 3 x2 + 1 to points that depend only on their position.

    Args:
        bad: Whether the loss of a step is NaN, by the step's first position.
        scores: Results of the validations, one after the other; the true error if None.
        noise: Scale of noise on the targets, from the engine's generator.
    """

    metrics = ("bias",)
    validation_metrics = ("error", "worst")
    chance = math.inf

    def __init__(
        self, bad: Callable[[int], bool] = lambda _: False, scores: Iterator[float] | None = None, noise: float = 0.0
    ) -> None:
        torch.manual_seed(0)
        self.model: nn.Module = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
        self.bad, self.scores, self.noise = bad, scores, noise
        self.seen: list[int] = []

    def batch(self, positions: Tensor) -> Batch:
        self.seen += positions.tolist()
        points = torch.stack([torch.sin(1.7 * positions), torch.cos(2.3 * positions)], dim=1)
        return Batch(points, positions, positions)

    def loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        target = batch.images @ torch.tensor([2.0, -3.0]) + 1
        target = target + self.noise * torch.randn(target.shape, generator=generator)
        loss = (network(batch.images)[:, 0] - target).square().mean()
        factor = math.nan if self.bad(int(batch.labels[0])) else 1.0
        return factor * loss, {"bias": self.model[1].bias.detach()[0]}  # type: ignore[index]

    def plateau(self, best: float) -> str | None:
        return f"on a plateau, {best}" if best >= self.chance else None

    def validate(self, model: nn.Module) -> dict[str, float]:
        assert not model.training
        if self.scores is not None:
            return {"error": next(self.scores), "worst": 0.0}
        batch = self.batch(torch.arange(10_000, 10_050))
        self.seen = self.seen[:-50]
        away = (model(batch.images)[:, 0] - batch.images @ torch.tensor([2.0, -3.0]) - 1).abs()
        return {"error": float(away.mean()), "worst": float(away.max())}


def records(task: Plane, config: TrainingConfig = TOY, kind: str | None = None) -> list[Record]:
    """Returns the records of a training, all or those of one kind."""
    return [record for record in fit(task, config) if kind in (None, record.kind)]


def weights(model: nn.Module) -> list[Tensor]:
    """Returns copies of a model's parameters."""
    return [parameter.detach().clone() for parameter in model.parameters()]
