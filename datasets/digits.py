"""Digit sources: glyphs with labels, from MNIST and its kin, scikit-learn, or a person's own file.

Dimensions: N glyphs of H x W pixels (28 x 28 for all but a person's own).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Digits"]


@dataclass(frozen=True)
class Digits:
    """Glyphs of one split.

    Attributes:
        images: Shape (N, H, W), uint8, white on black.
        labels: Shape (N,), int64, from 0.
        source: Where they come from, as the run records it.
    """

    images: Tensor
    labels: Tensor
    source: str

    def to(self, device: torch.device | str) -> "Digits":
        """Returns the same glyphs on a device."""
        return Digits(self.images.to(device), self.labels.to(device), self.source)
