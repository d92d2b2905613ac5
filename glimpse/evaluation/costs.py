"""Costs of a trained classifier: multiply-adds and time.

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
"""Number of images in the batch that a model is timed on."""


def multiply_adds(model: ImageClassifier, image: Tensor) -> int:
    """Returns the multiply-adds of the forward pass of one image.

    Matrix products (mm, addmm, bmm, baddbmm) and convolutions are counted, including reads by a filterbank, as half the count of
    `torch.utils.flop_counter`, in which a multiply-add is two operations. Elementwise operations, such as the exponentials of
    filters, normalization, activations and pooling, and reads without products, such as crops and `grid_sample`, are not counted.

    Args:
        model: Classifier in evaluation mode.
        image: Shape (1, C, H, W), on the CPU.
    """
    frozen = copy.deepcopy(model).cpu().requires_grad_(False)  # the counter's hooks fail on views of parameters with a gradient
    counter = FlopCounterMode(display=False)
    with counter:
        for _ in predictions(frozen, FixedImages(Batch(image, torch.zeros(1, dtype=torch.long), torch.zeros(1, 2)))):
            pass
    return int(counter.get_total_flops()) // 2


class FixedImages(PositionalDataset):
    """A data set of images in memory, so that timings do not include rendering.

    Args:
        images: All images, N of them.
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
    """Returns the seconds that a model takes for the forward pass of a data set.

    Args:
        network: Classifier in evaluation mode, on the device of the data.
        data: Images.
    """
    began = time.monotonic()
    with torch.no_grad():
        for logits, _ in predictions(network, data):
            last = logits
        float(last.sum())  # waits for the device
    return max(time.monotonic() - began, 1e-9)
