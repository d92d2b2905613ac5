"""Glimpse encoder: what a glimpse shows and where it was, as features for the LSTM; and the check of what glimpse models are given.

Dimensions: B images, C channels, H rows, W columns, T glimpses.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glimpse.models.linear import Linear

__all__ = ["GlimpseEncoder", "check_input", "training_noise"]


class GlimpseEncoder(nn.Module):
    """What a glimpse shows and where it is, as features for the LSTM: a normalized two-layer network plus a linear map.

    Args:
        pixels: Numbers in a glimpse.
        features: Size of the result.
        place: Numbers that describe where it is.
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
        """Returns features of shape (B, features) for what was seen, (B, ...), and where, (B, place)."""
        features: Tensor = F.relu(self.what(glimpse.flatten(1)) + self.where(place))
        return features


def check_input(images: Tensor, channels: int, glimpses: int, uniforms: Tensor | None) -> int:
    """Returns the number of glimpses, when what a model that looks through windows was given fits it.

    Raises:
        ValueError: If the images have another number of channels, there are no glimpses, or the noise has another shape.
    """
    if images.ndim != 4 or images.shape[1] != channels:
        raise ValueError(f"images must have shape (B, {channels}, H, W), got {tuple(images.shape)}")
    if glimpses < 1:
        raise ValueError(f"glimpses must be at least 1, got {glimpses}")
    if uniforms is not None and uniforms.shape != (len(images), glimpses, 2):
        raise ValueError(f"uniforms must have shape ({len(images)}, {glimpses}, 2), got {tuple(uniforms.shape)}")
    return glimpses


def training_noise(count: int, glimpses: int, generator: torch.Generator) -> Tensor:
    """Returns uniform noise in 0 to 1 for the places of glimpses in training, shape (count, T, 2), on the generator's device."""
    return torch.rand(count, glimpses, 2, generator=generator, device=generator.device)
