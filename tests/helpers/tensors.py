"""Seeded tensors in float64."""

import torch
from torch import Tensor


def images(batch: int, channels: int, height: int, width: int, seed: int = 0) -> Tensor:
    """Returns seeded images, 0 to 1, shape (B, C, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand((batch, channels, height, width), generator=generator, dtype=torch.float64)


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Returns seeded standard normal numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def noise(batch: int, glimpses: int, seed: int = 7) -> Tensor:
    """Returns seeded uniform noise of a model that looks at random, shape (B, T, 2)."""
    return torch.rand((batch, glimpses, 2), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
