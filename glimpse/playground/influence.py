"""Influence of single latent variables on the images of a generator.

Dimensions: B samples, T steps, Z latent variables per step.
"""

import torch
from torch import Tensor

from glimpse.models.draw import DRAW

__all__ = ["latent_influence"]

_SAMPLES = 64  # independent samples and directions: the largest influences stand out from far fewer


def latent_influence(model: DRAW, *, samples: int = _SAMPLES, seed: int = 0) -> Tensor:
    r"""Returns the mean squared change of the image per unit of each latent variable, shape (T, Z).

    .. math:: \mathbb{E} \, \lVert \partial x / \partial z_{ti} \rVert^2 = \mathbb{E} \, (\partial (v \cdot x) / \partial z_{ti})^2

    for latents z of the prior and random directions v of independent signs: a single backward pass for all variables.

    Args:
        model: The generator.
        samples: Number B of samples, each with its own direction.
        seed: Random seed.
    """
    generator = torch.Generator().manual_seed(seed)
    latents = model.noise(samples, generator).requires_grad_(True)
    images = model.means(model.draw(latents).canvases[:, -1])
    signs = 2.0 * torch.randint(2, images.shape, generator=generator) - 1
    (gradient,) = torch.autograd.grad((signs * images).sum(), latents)
    return gradient.square().mean(dim=0)
