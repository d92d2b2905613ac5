"""Data sets of uint8 images for generative models, ordered, cropped and binarized by counter-based random numbers.

The image at position p of a split depends only on (seed, split, p), not on batch size, device or process. Training images come in
another random order every epoch. Validation and test images are the same in every pass and come in one fixed random order, so that
the first images are a representative sample even if the file is grouped by class. Dimensions: B images of H x W pixels in C
channels.

References:
    R. Salakhutdinov, I. Murray, "On the Quantitative Analysis of Deep Belief Networks", ICML 2008 (binarizing by intensity).
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from glimpse.datasets.batches import (
    EVALUATION_SEED,
    SPLIT_OFFSETS,
    Batch,
    EpochOrders,
    PositionalDataset,
    Split,
    last_tenth,
    unit_range,
)
from glimpse.datasets.counter import STREAMS, bounded, words
from glimpse.datasets.split_rule import SplitKind
from glimpse.digest import sha256_of_images

__all__ = ["Images", "Opened", "PixelSet", "SetMaker", "StoredImages", "binarize", "digest"]


class Images(NamedTuple):
    """Images of one split, as they were read.

    Attributes:
        pixels: Shape (N, C, H, W), uint8.
        labels: Class of each image, shape (N,), int64; -1 if unknown.
    """

    pixels: Tensor
    labels: Tensor

    @classmethod
    def unlabeled(cls, pixels: Tensor) -> "Images":
        """Returns images of unknown class."""
        return cls(pixels, torch.full((len(pixels),), -1, device=pixels.device))

    def at(self, rows: slice | Tensor) -> "Images":
        """Returns the images in these rows, a slice or indices of shape (B,)."""
        return Images(self.pixels[rows], self.labels[rows])

    def without_last_tenth(self) -> tuple["Images", "Images"]:
        """Returns all images but the last tenth, and that tenth, to be held out.

        Raises:
            ValueError: If there are fewer than two images.
        """
        kept, held_out = last_tenth(len(self.labels))
        return self.at(kept), self.at(held_out)


def digest(*parts: Images) -> str:
    """Returns the SHA-256 over the shapes, pixels and labels of all parts."""
    return sha256_of_images(*((part.pixels.numpy(), part.labels.numpy()) for part in parts))


def binarize(pixels: Tensor, seed: int, stream: int, epochs: Tensor, index: Tensor) -> Tensor:
    """Returns images with sampled values: 255 with probability value / 255, up to 255 / 2^32, else 0.

    Args:
        pixels: Shape (B, C, H, W), uint8.
        seed: Random seed, 0 to 2^64 - 1.
        stream: Stream of the counter-based generator.
        epochs: Epoch of each image, shape (B,).
        index: Index of each image in its epoch, shape (B,).
    """
    drawn = words(seed, stream, epochs, index, pixels[0].numel()).view(pixels.shape)
    return torch.where(bounded(drawn, 255) < pixels, 255, 0).to(torch.uint8)


class PixelSet(PositionalDataset):
    """Base of sets of uint8 images in random order, binarized at each visit if asked for; a subclass implements `render`.

    Validation and test always use epoch 0 and `EVALUATION_SEED`.

    Args:
        count: Number of images in an epoch.
        split: Split that selects the random stream.
        shape: Channels, height and width of every image.
        seed: Random seed of the training images, 0 to 2^64 - 1.
        binarized: Whether every pixel is sampled as 0 or 1 with its value as the probability.
        device: Device that the images are rendered on.
    """

    def __init__(
        self, count: int, split: Split, shape: tuple[int, int, int], *, seed: int, binarized: bool, device: torch.device | str
    ) -> None:
        self.count, self.split, self.shape, self.binarized = count, split, shape, binarized
        self.seed = seed if split == "train" else EVALUATION_SEED
        self.device = torch.device(device)
        self._orders = EpochOrders(self.seed, self.stream("order"), count, self.device)

    def __len__(self) -> int:
        return self.count

    @property
    def is_drawn(self) -> bool:
        """Whether the images, and not only their order, depend on the seed."""
        return self.binarized

    def stream(self, purpose: str) -> int:
        """Returns the stream of the counter-based generator for a purpose, a key of `STREAMS`, in this split."""
        return STREAMS[purpose] + SPLIT_OFFSETS[self.split]

    def batch(self, positions: Tensor) -> Batch:
        """Returns the images at these positions, shape (B,), on the device of the set."""
        epochs, index = positions // len(self), positions % len(self)
        if self.split != "train":
            epochs = torch.zeros_like(epochs)
        item = self._orders.at(epochs, index)
        epochs, index = epochs.to(self.device), index.to(self.device)
        pixels, labels = self.render(epochs, index, item)
        if self.binarized:
            pixels = binarize(pixels, self.seed, self.stream("binarize"), epochs, index)
        unknown = torch.full((len(index), 2), torch.nan, device=self.device)
        return Batch(unit_range(pixels), labels, unknown)

    def render(self, epochs: Tensor, index: Tensor, item: Tensor) -> Images:
        """Returns the images of items, before binarization.

        Args:
            epochs: Epoch of each image, shape (B,), on the device of the set.
            index: Index of each image in its epoch, shape (B,).
            item: Item at that index in the order of the epoch, shape (B,).
        """
        raise NotImplementedError


class StoredImages(PixelSet):
    """Images stored on a device as uint8.

    Args:
        images: All images of the split.
        split: Split that selects the random stream.
        seed: Random seed of the training images, 0 to 2^64 - 1.
        binarized: Whether every pixel is sampled as 0 or 1 with its value as the probability.
        crop: Height and width in pixels to crop: at a random position at each visit in training, from the middle in validation and
            test. Not cropped if None.
        device: Device that the images are stored on and the batches are made on.

    Raises:
        ValueError: If there are no images, or the crop is larger than they are.
    """

    def __init__(
        self,
        images: Images,
        split: Split,
        *,
        seed: int = 0,
        binarized: bool = False,
        crop: tuple[int, int] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        count, channels, height, width = images.pixels.shape
        if count == 0:
            raise ValueError(f"the {split} part holds no images")
        crop_height, crop_width = crop or (height, width)
        if not (0 < crop_height <= height and 0 < crop_width <= width):
            raise ValueError(f"a crop of {crop_height} x {crop_width} cannot be cut from images of {height} x {width}")
        self.is_cropped = crop is not None
        shape = (channels, crop_height, crop_width)
        super().__init__(count, split, shape, seed=seed, binarized=binarized, device=device)
        self.images = Images(images.pixels.to(self.device), images.labels.to(self.device))

    @property
    def is_drawn(self) -> bool:
        """Whether the bits or the crops, and not only the order, depend on the seed."""
        return self.binarized or self.is_cropped

    def render(self, epochs: Tensor, index: Tensor, item: Tensor) -> Images:
        """Returns the images of these items, cropped, with their labels; see `PixelSet.render`."""
        pixels, labels = self.stored(item)
        if self.shape == pixels.shape[1:]:
            return Images(pixels, labels)
        top, left = self._corners(epochs, index)
        rows = top[:, None] + torch.arange(self.shape[1], device=self.device)  # (B, h)
        columns = left[:, None] + torch.arange(self.shape[2], device=self.device)  # (B, w)
        channels = torch.arange(self.shape[0], device=self.device)[:, None, None]
        image = torch.arange(len(pixels), device=self.device)[:, None, None, None]
        cut = pixels[image, channels, rows[:, None, :, None], columns[:, None, None, :]]  # (B, C, h, w)
        return Images(cut, labels)

    def stored(self, item: Tensor) -> Images:
        """Returns the images of these items, shape (B,), as they are stored, with their labels."""
        return self.images.at(item)

    def _corners(self, epochs: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the top and the left pixel of every crop, both (B,)."""
        free_y, free_x = (stored - cut for stored, cut in zip(self.images.pixels.shape[2:], self.shape[1:], strict=True))
        if self.split != "train":
            return torch.full_like(index, free_y // 2), torch.full_like(index, free_x // 2)
        drawn = words(self.seed, self.stream("crop"), epochs, index, 2)
        return bounded(drawn[:, 0], free_y + 1), bounded(drawn[:, 1], free_x + 1)


class SetMaker(Protocol):
    """A function that makes a data set from the images of one split, with the arguments of `StoredImages`."""

    def __call__(
        self,
        images: Images,
        split: Split,
        *,
        seed: int,
        binarized: bool,
        crop: tuple[int, int] | None,
        device: torch.device | str,
    ) -> PixelSet:
        """Returns the data set."""
        ...


@dataclass(frozen=True)
class Opened:
    """Images of all three splits, as they were read.

    Attributes:
        train: Training images.
        valid: Validation images.
        test: Test images.
        path: Folder or file of the images; None if they are not in a file.
        sha256: Digest of the images.
        note: Statement that they are only a part of the set; None if they are all of it.
        reason: Why the whole set was not found, else None.
        crop: Default height and width in pixels of crops; None for whole images.
        make: Function that makes a data set from the images of one split.
        split: How glimpse held out images of a file for validation, else None.
    """

    train: Images
    valid: Images
    test: Images
    path: str | None
    sha256: str
    note: str | None = None
    reason: str | None = None
    crop: tuple[int, int] | None = None
    make: "SetMaker" = StoredImages
    split: SplitKind | None = None
