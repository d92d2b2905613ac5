"""Noise in training that does not depend on the number of processes that share a batch."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["ShareGenerator", "draw_share"]


class ShareGenerator(torch.Generator):
    """Generator of a process that computes a share of every batch; all processes give it the same seed.

    Attributes:
        rank: Position of the share, counted from 0.
        world: Number of shares.
    """

    rank: int = 0
    world: int = 1

    def of(self, rank: int, world: int) -> "ShareGenerator":
        """Returns the generator itself, as that of a share."""
        self.rank, self.world = rank, world
        return self


def draw_share(draw: Callable[..., Tensor], count: int, *shape: int, generator: torch.Generator) -> Tensor:
    """Returns random numbers for the images of a share: those rows of the numbers that one process draws for the whole batch.

    Args:
        draw: `torch.rand` or `torch.randn`.
        count: Number of rows of the share.
        shape: Shape of a row.
        generator: Source of randomness; the share is the whole batch unless it is a `ShareGenerator`.

    Returns:
        Shape (count, *shape), on the generator's device.
    """
    rank, world = (generator.rank, generator.world) if isinstance(generator, ShareGenerator) else (0, 1)
    options: dict[str, Any] = {"generator": generator, "device": generator.device}
    return draw(world * count, *shape, **options)[rank * count : (rank + 1) * count]
