"""Networks that return the features of a glimpse: of any glimpse, and of a look of the search classifier.

Dimensions: B images, C channels, a glimpse of n x n values.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glimpse.attention.precision import in_float32
from glimpse.models.convolutional import AVERAGING_MOMENTUM, normalized_convolution
from glimpse.models.placing import brightness, expected_offset
from glimpse.settings.search import SearchConfig

__all__ = ["GlimpseEncoder", "LookEncoder"]

_CONTRAST = 3.0  # initial gain of brightness in a look: the brightest filter weighs e^3 times one of mean brightness


class GlimpseEncoder(nn.Module):
    """Features of a glimpse and its location: a normalized two-layer network of the glimpse plus a linear map of the location.

    Args:
        pixels: Number of values in a glimpse.
        features: Number of features.
        location: Number of values that describe the location.
    """

    def __init__(self, pixels: int, features: int, location: int) -> None:
        super().__init__()
        self.what = nn.Sequential(
            nn.Linear(pixels, 2 * features),
            nn.LayerNorm(2 * features),
            nn.ReLU(),
            nn.Linear(2 * features, features),
            nn.LayerNorm(features),
        )
        self.where = nn.Linear(location, features)

    def forward(self, glimpse: Tensor, location: Tensor) -> Tensor:
        """Returns features of shape (B, features) for glimpses (B, ...) and their locations (B, location)."""
        features: Tensor = F.relu(self.what(glimpse.flatten(1)) + self.where(location))
        return features


class LookEncoder(nn.Module):
    """Batch-normalized convolutional network that returns the features of a look and the center of the object in it.

    Args:
        config: Settings.
    """

    def __init__(self, config: SearchConfig) -> None:
        super().__init__()
        stem, trunk, half = config.filters, 2 * config.filters, config.window // 2
        self.stem = normalized_convolution(config.channels, stem, momentum=AVERAGING_MOMENTUM)
        self.trunk = nn.Sequential(
            normalized_convolution(stem, trunk, step=2, momentum=AVERAGING_MOMENTUM),
            normalized_convolution(trunk, trunk, momentum=AVERAGING_MOMENTUM),
            nn.Flatten(),
            nn.Linear(trunk * half**2, config.features),
            nn.ReLU(),
        )
        self.point, self.gain = nn.Conv2d(stem, 1, 1), nn.Parameter(torch.tensor(_CONTRAST))
        for parameter in self.point.parameters():
            nn.init.zeros_(parameter)

    def forward(self, patch: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the features of looks and the offsets of the object from their centers.

        Args:
            patch: Patches of the looks, shape (B, C, n, n).

        Returns:
            Features of shape (B, features), and offsets (x, y) in strides of shape (B, 2).
        """
        stem = self.stem(patch)
        return self.trunk(stem), self._offset(patch, self.point(stem)[:, 0])

    @in_float32
    def _offset(self, patch: Tensor, learned: Tensor) -> Tensor:
        """Returns the mean offset (x, y) under a softmax of relative brightness plus scores of the network (B, n, n)."""
        return expected_offset(self.gain * brightness(patch) + learned)
