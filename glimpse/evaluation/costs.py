"""Costs of a trained classifier: multiply-adds and time.

Dimensions: B images, C channels, H rows, W columns, T glimpses of n x n numbers.
"""

import copy

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from glimpse.evaluation.classifier import classify
from glimpse.models.base import ImageClassifier

__all__ = ["forward_pass", "multiply_adds"]


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
        classify(frozen, image, torch.zeros(1, dtype=torch.int64))
    return int(counter.get_total_flops()) // 2


def forward_pass(network: ImageClassifier, images: Tensor) -> None:
    """Classifies images in one batch and waits for the device.

    Args:
        network: Classifier in evaluation mode, on the device of the images.
        images: Shape (B, C, H, W), in memory, so that a timing does not include rendering.
    """
    logits = classify(network, images, torch.arange(len(images), device=images.device))
    float(logits.sum())  # waits for the device
