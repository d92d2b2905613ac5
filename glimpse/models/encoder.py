"""Glimpse encoder, and validation of the inputs of models with glimpses.

Dimensions: B images, C channels, H rows, W columns, T glimpses.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glimpse.models.linear import Linear

__all__ = ["GlimpseEncoder", "check_input", "training_noise"]


class GlimpseEncoder(nn.Module):
    """Features of a glimpse and its location: a normalized two-layer network of the glimpse plus a linear map of the location.

    Args:
        pixels: Number of values in a glimpse.
        features: Number of features.
        place: Number of values that describe the location.
    """

    def __init__(self, pixels: int, features: int, place: int) -> None:
        super().__init__()
        self.what = nn.Sequential(
            Linear(pixels, 2 * features),
            nn.LayerNorm(2 * features),
            nn.ReLU(),
            Linear(2 * features, features),
            nn.LayerNorm(features),
        )
        self.where = nn.Linear(place, features)

    def forward(self, glimpse: Tensor, place: Tensor) -> Tensor:
        """Returns features of shape (B, features) for glimpses (B, ...) and their locations (B, place)."""
        features: Tensor = F.relu(self.what(glimpse.flatten(1)) + self.where(place))
        return features


def check_input(images: Tensor, channels: int, glimpses: int, uniforms: Tensor | None) -> int:
    """Returns the number of glimpses T after validating the inputs of a model with glimpses.

    Args:
        images: Must have shape (B, C, H, W).
        channels: Number of channels C that the model supports.
        glimpses: Must be at least 1.
        uniforms: Must have shape (B, T, 2), or be None.

    Raises:
        ValueError: If an input is invalid.
    """
    if images.ndim != 4 or images.shape[1] != channels:
        raise ValueError(f"images must have shape (B, {channels}, H, W), got {tuple(images.shape)}")
    if glimpses < 1:
        raise ValueError(f"glimpses must be at least 1, got {glimpses}")
    if uniforms is not None and uniforms.shape != (len(images), glimpses, 2):
        raise ValueError(f"uniforms must have shape ({len(images)}, {glimpses}, 2), got {tuple(uniforms.shape)}")
    return glimpses


def training_noise(count: int, glimpses: int, generator: torch.Generator) -> Tensor:
    """Returns uniform noise in 0 to 1 for the locations of glimpses in training, shape (count, T, 2), on the generator's device."""
    return torch.rand(count, glimpses, 2, generator=generator, device=generator.device)
