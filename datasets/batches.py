"""Data sets indexed by position, their splits and their seeds.

Position p is item p % len of epoch p // len, for any p from 0; epochs follow one another without end. The image at position p
depends only on p, so that training resumes from a position without stored state. Dimensions: B images of H x W pixels in C
channels.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from glimpse.datasets.counter import permutation

__all__ = [
    "EVALUATION_BATCH",
    "EVALUATION_SEED",
    "HOLD_OUT_SEED",
    "SPLIT_OFFSETS",
    "Batch",
    "EpochOrders",
    "PositionalDataset",
    "Split",
    "last_tenth",
    "unit_range",
]

Split = Literal["train", "valid", "test"]

EVALUATION_SEED = 150204623
"""Seed of every validation and test set, independent of the training's seed, so that errors are comparable."""

EVALUATION_BATCH = 250
"""Number of images per batch in evaluations."""

HOLD_OUT_SEED = 0
"""Seed of every fixed selection of images that are held out for validation or test."""

SPLIT_OFFSETS: dict[Split, int] = {"train": 0, "valid": 1, "test": 2}
"""Offset of each split from a purpose's first stream of the counter-based generator."""


class Batch(NamedTuple):
    """Images with labels and positions of their digits.

    Attributes:
        images: Shape (B, C, H, W), float32 in 0 to 1.
        labels: Class of each image, shape (B,), int64; -1 if unknown.
        centers: Center (x, y) of each digit's frame in pixels, shape (B, 2), float32; NaN if unknown.
    """

    images: Tensor
    labels: Tensor
    centers: Tensor


class PositionalDataset(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Base of data sets indexed by position; a subclass implements `__len__` and `batch`.

    An item is (image (C, H, W), label, center (x, y)) of the current epoch, 0 unless `set_epoch` changes it.
    """

    epoch: int = 0

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        if not 0 <= index < len(self):
            raise IndexError(f"index {index} is not in 0 to {len(self) - 1}")
        images, labels, centers = self.batch(torch.tensor([self.epoch * len(self) + index]))
        return images[0], labels[0], centers[0]

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Returns several items, rendered as one batch; `torch.utils.data.DataLoader` calls it for each of its batches."""
        outside = next((index for index in indices if not 0 <= index < len(self)), None)
        if outside is not None:
            raise IndexError(f"index {outside} is not in 0 to {len(self) - 1}")
        batch = self.batch(self.epoch * len(self) + torch.as_tensor(indices, dtype=torch.int64))
        return list(zip(*(values.unbind() for values in batch), strict=True))

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch that items come from."""
        self.epoch = epoch

    @property
    def uncluttered(self) -> "PositionalDataset | None":
        """The same images without clutter; None if they are not known."""
        return None

    def batch(self, positions: Tensor) -> Batch:
        """Returns the images at these positions, shape (B,), int64."""
        raise NotImplementedError

    def batches(self, batch_size: int, *, start: int = 0, stop: int | None = None) -> Iterator[Batch]:
        """Yields consecutive batches of the positions from start up to stop; the last one may be smaller.

        Args:
            batch_size: Number of images in a batch.
            start: First position.
            stop: Position after the last one; None for an endless sequence.
        """
        while stop is None or start < stop:
            end = start + batch_size if stop is None else min(start + batch_size, stop)
            yield self.batch(torch.arange(start, end))
            start = end


def last_tenth(count: int) -> tuple[slice, slice]:
    """Returns the rows of a training part to train on, and those to hold out: its last tenth, at least one.

    Args:
        count: Number of images in the training part.

    Raises:
        ValueError: If there are fewer than two images.

    >>> last_tenth(50)
    (slice(None, 45, None), slice(45, None, None))
    """
    if count < 2:
        raise ValueError(f"a training part needs at least 2 images, one of them for validation, got {count}")
    kept = count - max(1, count // 10)
    return slice(kept), slice(kept, None)


def unit_range(images: Tensor, out: Tensor | None = None) -> Tensor:
    """Returns uint8 images as float32 in 0 to 1, bit for bit the same on every device.

    The divisor is a tensor because CUDA replaces division by a Python number with multiplication by its rounded reciprocal.

    Args:
        images: Images of any shape, uint8.
        out: Tensor of the same shape, float32, for the result; a new one if None.
    """
    result = images.float() if out is None else out.copy_(images)
    return result.div_(torch.full((), 255.0, device=images.device))


class EpochOrders:
    """Random order of every epoch, a function of (seed, stream, epoch, count); the orders last asked for are cached.

    Args:
        seed: Random seed, 0 to 2^64 - 1.
        stream: Stream of the counter-based generator.
        count: Number of items in an epoch.
        device: Device that the orders are computed and cached on.
    """

    def __init__(self, seed: int, stream: int, count: int, device: torch.device | str = "cpu") -> None:
        self.seed, self.stream, self.count, self.device = seed, stream, count, torch.device(device)
        self._kept: dict[int, Tensor] = {}

    def at(self, epochs: Tensor, index: Tensor) -> Tensor:
        """Returns the item at each index of its epoch, shape (B,), on the device of the orders.

        Args:
            epochs: Epoch of each index, shape (B,), int64.
            index: Index within the epoch, 0 to count - 1, shape (B,), int64.
        """
        wanted, row = torch.unique(epochs, return_inverse=True)
        kept = [int(epoch) for epoch in wanted]
        self._kept = {epoch: self._kept[epoch] if epoch in self._kept else self._order(epoch) for epoch in kept}
        orders = torch.stack([self._kept[epoch] for epoch in kept])  # (epochs, count)
        return orders[row.to(self.device), index.to(self.device)]

    def _order(self, epoch: int) -> Tensor:
        return permutation(self.seed, self.stream, epoch, self.count, self.device)
