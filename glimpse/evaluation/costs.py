"""What a trained classifier costs: multiply-adds and time. What it reads of an image, its config says.

Dimensions: B images, C channels, H rows, W columns, T glimpses of n x n numbers.
"""

import copy
import time

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from glimpse.datasets.batches import Batch, PositionalDataset
from glimpse.evaluation.classifier import predictions
from glimpse.models.base import ImageClassifier

__all__ = ["TIMED_IMAGES", "FixedImages", "forward_seconds", "multiply_adds"]

TIMED_IMAGES = 250
"""In the batch that a model is timed on."""


def multiply_adds(model: ImageClassifier, image: Tensor) -> int:
    """Returns the multiply-adds of one image's forward pass.

    Counted are products of matrices (mm, addmm, bmm, baddbmm) and convolutions, wherever they are called from, a window's reading
    by its filters included: what `torch.utils.flop_counter` counts, halved, since it counts a multiply-add as two operations. Left
    out is what is done number by number, such as the filters' exponentials, normalisation, activations and pooling, and what is
    picked or interpolated from the image, such as crops and `grid_sample`.

    Args:
        model: Ready to evaluate.
        image: On the CPU, shape (1, C, H, W).
    """
    frozen = copy.deepcopy(model).cpu().requires_grad_(False)  # the counter's hooks fail on views of parameters with a gradient
    counter = FlopCounterMode(display=False)
    with counter:
        for _ in predictions(frozen, FixedImages(Batch(image, torch.zeros(1, dtype=torch.long), torch.zeros(1, 2)))):
            pass
    return int(counter.get_total_flops()) // 2


class FixedImages(PositionalDataset):
    """A data set of a few images that are there already, so that no time goes into making them.

    Args:
        images: All of them.
    """

    def __init__(self, images: Batch) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images.labels)

    def batch(self, positions: Tensor) -> Batch:
        """Returns the images at these positions, shape (B,)."""
        if len(positions) == len(self):
            return self.images
        return Batch(*(values[positions.to(values.device) % len(self)] for values in self.images))


def forward_seconds(network: ImageClassifier, data: FixedImages) -> float:
    """Returns the seconds that a model takes for some images, both on one device."""
    began = time.monotonic()
    with torch.no_grad():
        for logits, _ in predictions(network, data):
            last = logits
        float(last.sum())  # waits for the device
    return max(time.monotonic() - began, 1e-9)
