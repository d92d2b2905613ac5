"""Likelihood of an image given a canvas, for black or white pixels or for 256 levels of intensity.

Dimensions: B images, C channels, H rows, W columns. Log-likelihoods are in nats, computed in float32 at least.

References:
    K. Gregor, I. Danihelka, A. Graves, D. J. Rezende, D. Wierstra, "DRAW: A Recurrent Neural Network For Image Generation", 2015,
    arXiv:1502.04623, eq. 9.
    T. Salimans, A. Karpathy, X. Chen, D. P. Kingma, "PixelCNN++", 2017, arXiv:1701.05517, section 2.1 (discretized logistic).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from glimpse.attention.precision import in_float32

__all__ = ["LOG_SCALE_LIMIT", "bernoulli", "bits_per_dimension", "discretized_logistic"]

LOG_SCALE_LIMIT = 20.0
"""Limit of the magnitude of the log scale of the logistic distribution: its exponential is a normal number in float32."""

_HALF_BIN = 0.5 / 255


@in_float32
def bernoulli(images: Tensor, logits: Tensor) -> Tensor:
    """Returns the log-likelihood of images whose pixels are independent Bernoulli variables.

    Args:
        images: Shape (B, C, H, W), 0 or 1. A value in between is used as the probability of white; the result is then a negative
            cross-entropy, not a likelihood.
        logits: Log-odds of white, shape (B, C, H, W). They are not converted to probabilities, so that large values are exact.

    Returns:
        Log-likelihoods in nats, shape (B,), at most 0.
    """
    return -F.binary_cross_entropy_with_logits(logits, images.to(logits.dtype), reduction="none").flatten(1).sum(dim=1)


@in_float32
def discretized_logistic(images: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    r"""Returns the log-likelihood of images whose pixels are independent logistic variables rounded to 256 levels.

    .. math:: \log P = \log \sigma(a) + \log \sigma(-b) + \log(1 - e^{b - a}), \quad a, b = (x \pm \tfrac{1}{510} - \mu) / s

    which is the logarithm of sigma(a) - sigma(b), computed without cancellation. The outermost levels include the tails: log P is
    log sigma(a) for level 0 and log sigma(-b) for level 255.

    Args:
        images: Levels k / 255 for k = 0, ..., 255, shape (B, C, H, W).
        mean: Means of the distributions, shape (B, C, H, W).
        log_scale: Logarithm of the scale s of each channel, shape (C,), clamped to +-20.

    Returns:
        Log-likelihoods in nats, shape (B,), at most 0.
    """
    images = images.to(mean.dtype)
    precision = (-log_scale.clamp(-LOG_SCALE_LIMIT, LOG_SCALE_LIMIT)).exp()[:, None, None]  # (C, 1, 1)
    ahead = (images - mean) * precision
    below = F.logsigmoid(ahead + _HALF_BIN * precision)  # log of the mass below the upper edge of the bin
    above = F.logsigmoid(_HALF_BIN * precision - ahead)
    inside = torch.log(-torch.expm1(-2 * _HALF_BIN * precision))
    log_mass = torch.where(images < _HALF_BIN, below, torch.where(images > 1 - _HALF_BIN, above, below + above + inside))
    return log_mass.flatten(1).sum(dim=1)


def bits_per_dimension(nats: Tensor, dimensions: int) -> Tensor:
    """Returns a negative log-likelihood in bits per dimension, for images of C * H * W dimensions.

    >>> bits_per_dimension(torch.tensor(8 * math.log(2) * 784), 784)
    tensor(8.)
    """
    return nats / (dimensions * math.log(2))
