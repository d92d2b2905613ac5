"""Cluttered digits: one digit at a random position among random pieces of other digits, sampled anew for every image.

Batches are rendered in integer arithmetic, with the same result on every device. Image i of an epoch is a function of
(seed, split, epoch, i). Positions are pixels counted from 0, x before y. Dimensions: B images, S x S canvas, P pieces.

References:
    github.com/google-deepmind/mnist-cluttered, the program of DRAW's authors.
    V. Mnih, N. Heess, A. Graves, K. Kavukcuoglu, "Recurrent Models of Visual Attention", 2014, arXiv:1406.6247.
"""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from glimpse.datasets.batches import EVALUATION_SEED, SPLIT_OFFSETS, Batch, EpochOrders, PositionalDataset, Split, unit_range
from glimpse.datasets.counter import STREAMS, bounded, words
from glimpse.datasets.digits import Digits
from glimpse.settings.clutter import ClutterRecipe

__all__ = ["ClutteredMNIST", "add_patches"]

_AT_ONCE = 128  # images rendered at once on a CPU, so that their canvases fit in its cache and their memory is reused


class ClutteredMNIST(PositionalDataset):
    """Digits at random positions on a canvas with random pieces of other digits of the same split.

    As in the authors' program, pieces are uniform crops of uniform digits, added at uniform positions. Each epoch is one pass over
    the digits of the split in random order. Sums above 1 are clipped to 1. An item is (image (1, S, S), label, center (x, y)).

    Args:
        digits: Glyphs of the split; images are rendered on their device.
        split: Split that selects the random stream.
        recipe: Constants of the clutter; the authors' if None.
        seed: Random seed, 0 to 2^64 - 1. Validation and test default to `EVALUATION_SEED`.
        epoch: Epoch that items come from; `set_epoch` changes it.

    Raises:
        ValueError: If the split is unknown, the glyphs do not fit the recipe, or a training set has no seed.
    """

    def __init__(
        self, digits: Digits, split: Split, recipe: ClutterRecipe | None = None, *, seed: int | None = None, epoch: int = 0
    ) -> None:
        if split not in SPLIT_OFFSETS:
            raise ValueError(f"split must be one of {', '.join(SPLIT_OFFSETS)}, got {split!r}")
        self.digits, self.split, self.recipe = digits, split, recipe or ClutterRecipe()
        self.recipe.check_glyphs(*digits.images.shape[1:])
        if seed is None and split == "train":
            raise ValueError("training clutter needs a seed; only validation and test have a fixed one")
        self.seed = EVALUATION_SEED if seed is None else seed
        self.epoch = epoch
        self._orders = EpochOrders(
            self.seed, STREAMS["clutter order"] + SPLIT_OFFSETS[split], len(digits.labels), digits.images.device
        )

    def __len__(self) -> int:
        return len(self.digits.labels)

    @property
    def uncluttered(self) -> "ClutteredMNIST":
        """The same digits at the same positions, without pieces: the position of a digit depends only on the first random words."""
        return ClutteredMNIST(self.digits, self.split, replace(self.recipe, pieces=0), seed=self.seed, epoch=self.epoch)

    def batch(self, positions: Tensor) -> Batch:
        """Returns the images at these positions, shape (B,), on the device of the digits."""
        if len(positions) <= _AT_ONCE or self.digits.images.device.type != "cpu":
            images, labels, centers = self.render(positions)
            return Batch(unit_range(images[:, None]), labels, centers)
        shape = (len(positions), 1, self.recipe.canvas, self.recipe.canvas)
        batch = Batch(
            torch.from_numpy(np.empty(shape, dtype=np.float32)),  # NumPy asks Linux for huge pages, which are mapped faster
            torch.empty(len(positions), dtype=torch.int64),
            torch.empty(len(positions), 2),
        )
        for first in range(0, len(positions), _AT_ONCE):
            share = slice(first, first + _AT_ONCE)
            images, batch.labels[share], batch.centers[share] = self.render(positions[share])
            unit_range(images[:, None], out=batch.images[share])
        return batch

    def render(self, positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns uint8 images (B, S, S), labels (B,) and centers (B, 2) at these positions."""
        device, recipe = self.digits.images.device, self.recipe
        epochs, index = positions // len(self), positions % len(self)
        digit = self._orders.at(epochs, index)
        epochs, index = epochs.to(device), index.to(device)
        drawn = words(
            self.seed, STREAMS["clutter"] + SPLIT_OFFSETS[self.split], epochs, index, 2 + 5 * recipe.pieces
        )  # (B, 2 + 5 P)

        canvas = torch.zeros(len(positions), recipe.canvas**2, dtype=torch.int32, device=device)
        glyphs = self.digits.images
        height, width = glyphs.shape[1:]
        free_x, free_y = (recipe.canvas - 2 * recipe.border - side + 1 for side in (width, height))
        left = recipe.border + bounded(drawn[:, 0], free_x)
        top = recipe.border + bounded(drawn[:, 1], free_y)
        add_patches(canvas, recipe.canvas, glyphs[digit][:, None], left[:, None], top[:, None])
        self._add_pieces(canvas, drawn[:, 2:].reshape(len(positions), recipe.pieces, 5))
        images = canvas.clamp_(max=255).to(torch.uint8).view(-1, recipe.canvas, recipe.canvas)
        centers = torch.stack([left + (width - 1) / 2, top + (height - 1) / 2], dim=1)
        return images, self.digits.labels[digit], centers

    def _add_pieces(self, canvas: Tensor, drawn: Tensor) -> None:
        """Adds pieces to the flat canvases (B, S * S), each determined by five random words of shape (B, P, 5)."""
        recipe, (height, width) = self.recipe, self.digits.images.shape[1:]
        source, crop_x, crop_y, piece_x, piece_y = drawn.unbind(dim=-1)  # (B, P) each
        side = torch.arange(recipe.piece_size, device=canvas.device)
        row, column = bounded(crop_y, height - recipe.piece_size + 1), bounded(crop_x, width - recipe.piece_size + 1)
        first = (bounded(source, len(self)) * height + row) * width + column
        pixels = (first[..., None, None] + side[:, None] * width + side).flatten()
        pieces = self.digits.images.flatten().index_select(0, pixels)  # five times as fast as indexing by three tensors
        pieces = pieces.view(*first.shape, recipe.piece_size, recipe.piece_size)
        free = recipe.canvas - recipe.piece_size + 1
        add_patches(canvas, recipe.canvas, pieces, bounded(piece_x, free), bounded(piece_y, free))


def add_patches(canvas: Tensor, side: int, patches: Tensor, left: Tensor, top: Tensor) -> None:
    """Adds patches to square canvases, in place.

    Args:
        canvas: Flat canvases, shape (B, S * S), int32.
        side: Side S of the canvases in pixels.
        patches: Shape (B, P, h, w), uint8.
        left: First column of each patch, shape (B, P).
        top: First row of each patch, shape (B, P).
    """
    height, width = patches.shape[2:]
    rows = top[..., None, None] + torch.arange(height, device=canvas.device)[:, None]
    columns = left[..., None, None] + torch.arange(width, device=canvas.device)
    canvas.scatter_add_(1, (rows * side + columns).flatten(1), patches.flatten(1).int())
