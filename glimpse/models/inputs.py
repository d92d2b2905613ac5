"""Validation of the inputs of classifiers, and their noise in training.

Dimensions: B images, C channels, H rows, W columns, T glimpses.
"""

import torch
from torch import Tensor

__all__ = ["check_images", "check_inputs", "training_noise"]


def check_images(images: Tensor, channels: int) -> None:
    """Raises ValueError if images do not have shape (B, channels, H, W) with at least one pixel."""
    if images.ndim != 4 or images.shape[1] != channels or 0 in images.shape[2:]:
        raise ValueError(f"images must have shape (B, {channels}, H, W), got {tuple(images.shape)}")


def check_inputs(images: Tensor, channels: int, glimpses: int, uniforms: Tensor | None) -> int:
    """Returns the number of glimpses T after validating the inputs of a model with glimpses.

    Args:
        images: Must have shape (B, C, H, W) with at least one pixel.
        channels: Number of channels C that the model supports.
        glimpses: Must be at least 1.
        uniforms: Must have shape (B, T, 2), or be None.

    Raises:
        ValueError: If an input is invalid.
    """
    check_images(images, channels)
    if glimpses < 1:
        raise ValueError(f"glimpses must be at least 1, got {glimpses}")
    if uniforms is not None and uniforms.shape != (len(images), glimpses, 2):
        raise ValueError(f"uniforms must have shape ({len(images)}, {glimpses}, 2), got {tuple(uniforms.shape)}")
    return glimpses


def training_noise(count: int, glimpses: int, generator: torch.Generator) -> Tensor:
    """Returns uniform noise in 0 to 1 for the locations of glimpses in training, shape (count, T, 2), on the generator's device."""
    return torch.rand(count, glimpses, 2, generator=generator, device=generator.device)
