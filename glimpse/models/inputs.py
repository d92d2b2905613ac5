"""Validation of the inputs of classifiers, and their noise in training.

Dimensions: B images, C channels, H rows, W columns, T glimpses.
"""

import torch
from torch import Tensor

from glimpse.models.noise import draw_share

__all__ = ["check_images", "check_inputs", "training_noise"]


def check_images(images: Tensor, channels: int, size: tuple[int, int] | None = None, weights: torch.dtype | None = None) -> None:
    """Validates the images of a model.

    Args:
        images: Must have shape (B, C, H, W) with at least one pixel, and be floating point.
        channels: Number of channels C that the model supports.
        size: Height and width that the model supports; any if None.
        weights: Type of the weights of a model that computes positions, which must be float32 at least; any if None.

    Raises:
        ValueError: If the images or the weights are invalid.
    """
    if images.ndim != 4 or images.shape[1] != channels or (0 in images.shape[2:] if size is None else images.shape[2:] != size):
        height, width = size or ("H", "W")
        raise ValueError(f"images must have shape (B, {channels}, {height}, {width}), got {tuple(images.shape)}")
    if not images.is_floating_point():
        raise ValueError(f"images must be floating point in 0 to 1, got {images.dtype}: divide pixels of 0 to 255 by 255")
    if weights in (torch.float16, torch.bfloat16):
        raise ValueError(
            f"positions in {weights} are too coarse: instead of half() or bfloat16(), run the float32 model within torch.autocast"
        )


def check_inputs(images: Tensor, channels: int, glimpses: int, uniforms: Tensor | None, weights: torch.dtype | None = None) -> None:
    """Validates the inputs of a model with glimpses.

    Args:
        images: Must have shape (B, C, H, W) with at least one pixel, and be floating point.
        channels: Number of channels C that the model supports.
        glimpses: Must be at least 1.
        uniforms: Must have shape (B, T, 2), or be None.
        weights: Type of the model's weights, which must be float32 at least.

    Raises:
        ValueError: If an input is invalid.
    """
    check_images(images, channels, weights=weights)
    if glimpses < 1:
        raise ValueError(f"glimpses must be at least 1, got {glimpses}")
    if uniforms is not None and uniforms.shape != (images.shape[0], glimpses, 2):
        raise ValueError(f"uniforms must have shape ({images.shape[0]}, {glimpses}, 2), got {tuple(uniforms.shape)}")


def training_noise(count: int, glimpses: int, generator: torch.Generator) -> Tensor:
    """Returns uniform noise in 0 to 1 for the locations of glimpses in training, shape (count, T, 2), on the generator's device."""
    return draw_share(torch.rand, count, glimpses, 2, generator=generator)
