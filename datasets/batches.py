"""Data sets addressed by position, their splits and their seeds.

What image p is depends on p alone, so that nothing needs storing to go on from there. Position p is item p % len of epoch
p // len. Dimensions: B images of H x W pixels in C channels.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from glimpse.datasets.counter import permutation

__all__ = [
    "EVALUATION_SEED",
    "HOLD_OUT_SEED",
    "SPLIT_OFFSETS",
    "Batch",
    "EpochOrders",
    "PositionalDataset",
    "Split",
    "held_out",
    "unit_range",
]

Split = Literal["train", "valid", "test"]

EVALUATION_SEED = 150204623
"""Seed of every validation and test set, whatever the training's seed: part of the recipe, so that errors compare."""

HOLD_OUT_SEED = 0
"""Seed of every pinned choice of images that are held out for validation or test."""

SPLIT_OFFSETS: dict[Split, int] = {"train": 0, "valid": 1, "test": 2}
"""What a split adds to the first stream of the counter-based generator for a purpose."""


class Batch(NamedTuple):
    """Images with what is known of them.

    Attributes:
        images: Shape (B, C, H, W), float32 in 0 to 1.
        labels: Class of each image, shape (B,), int64.
        centers: Center (x, y) of each digit's frame in pixels, shape (B, 2), float32; NaN if unknown.
    """

    images: Tensor
    labels: Tensor
    centers: Tensor


class PositionalDataset(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """A data set whose epochs follow one another without end; a subclass says its length and makes any batch of positions.

    An item is (image (C, H, W), label, center (x, y)) of the epoch that was set.
    """

    epoch: int = 0

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        if not 0 <= index < len(self):
            raise IndexError(f"index {index} is not in 0 to {len(self) - 1}")
        images, labels, centers = self.batch(torch.tensor([self.epoch * len(self) + index]))
        return images[0], labels[0], centers[0]

    def set_epoch(self, epoch: int) -> None:
        """Takes items from this epoch from now on."""
        self.epoch = epoch

    def batch(self, positions: Tensor) -> Batch:
        """Returns the images at these positions, shape (B,), int64."""
        raise NotImplementedError

    def batches(self, batch_size: int, *, start: int = 0, stop: int | None = None) -> Iterator[Batch]:
        """Yields consecutive batches of positions start to stop (without end if None), the last one possibly smaller."""
        while stop is None or start < stop:
            end = start + batch_size if stop is None else min(start + batch_size, stop)
            yield self.batch(torch.arange(start, end))
            start = end


def held_out(count: int) -> int:
    """Returns how many images of a training part, its last tenth, serve as validation where a set has no part for that.

    Raises:
        ValueError: If there are too few to leave one for either.
    """
    if count < 2:
        raise ValueError(f"a training part needs at least 2 images, one of them for validation, got {count}")
    return max(1, count // 10)


def unit_range(images: Tensor) -> Tensor:
    """Returns uint8 images as float32 in 0 to 1, with the same bits on every device.

    The divisor is a tensor because CUDA turns a division by a Python number into a product with its rounded reciprocal.
    """
    return images.float() / torch.full((), 255.0, device=images.device)


class EpochOrders:
    """The random order of every epoch, a function of (seed, stream, epoch, count); the latest ones are kept.

    Args:
        seed: Key of the randomness, 0 to 2^64 - 1.
        stream: Which sequence of the counter-based generator.
        count: Number of items.
        device: Where the orders are made and kept.
    """

    def __init__(self, seed: int, stream: int, count: int, device: torch.device | str = "cpu") -> None:
        self.seed, self.stream, self.count, self.device = seed, stream, count, torch.device(device)
        self._kept: dict[int, Tensor] = {}

    def at(self, epochs: Tensor, index: Tensor) -> Tensor:
        """Returns which item stands at each index of its epoch, both (B,), on the orders' device."""
        wanted, row = torch.unique(epochs, return_inverse=True)
        kept = [int(epoch) for epoch in wanted]
        self._kept = {epoch: self._kept[epoch] if epoch in self._kept else self._order(epoch) for epoch in kept}
        orders = torch.stack([self._kept[epoch] for epoch in kept])  # (epochs, count)
        return orders[row.to(self.device), index.to(self.device)]

    def _order(self, epoch: int) -> Tensor:
        return permutation(self.seed, self.stream, epoch, self.count, self.device)
