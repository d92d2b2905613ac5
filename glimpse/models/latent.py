r"""Latents of a step: a Gaussian with independent dimensions, and its divergence from a standard normal or a learned prior.

A learned prior is a Gaussian too. The posterior is then expressed in units of the prior: the prior's mean is subtracted, and the
difference is divided by its standard deviation. In these units the prior is a standard normal. Divergences and ratios of densities
do not depend on the units.

Dimensions: B images, T steps, Z latent variables per step. Divergences are in nats, computed in float32 at least.

References:
    K. Gregor, I. Danihelka, A. Graves, D. J. Rezende, D. Wierstra, "DRAW: A Recurrent Neural Network For Image Generation", 2015,
    arXiv:1502.04623, eqs. 1, 2, 6, 10 and 11.
    J. Chung, K. Kastner, L. Dinh, K. Goel, A. Courville, Y. Bengio, "A Recurrent Latent Variable Model for Sequential Data", 2015,
    arXiv:1506.02216 (a prior that depends on the recurrent state).
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from glimpse.attention.capture import saveable
from glimpse.attention.precision import at_least_float32

__all__ = ["LOG_SIGMA_LIMIT", "Gaussian"]

LOG_SIGMA_LIMIT = 10.0
"""Limit of the magnitude of log sigma: sigma is clamped to 5e-5 to 2e4, whose squares neither underflow nor overflow."""


@saveable
class Gaussian(NamedTuple):
    """Normal distribution with independent dimensions.

    Attributes:
        mean: Shape (..., Z).
        log_sigma: Logarithm of the standard deviation (not of the variance), shape (..., Z); within +-10 from `from_raw`.
    """

    mean: Tensor
    log_sigma: Tensor

    @classmethod
    def from_raw(cls, raw: Tensor) -> "Gaussian":
        """Returns the distribution parametrized by unconstrained values, shape (..., 2 Z): Z means, then Z log sigmas."""
        mean, log_sigma = at_least_float32(raw).chunk(2, dim=-1)
        return cls(mean, log_sigma.clamp(-LOG_SIGMA_LIMIT, LOG_SIGMA_LIMIT))

    @classmethod
    def stacked(cls, steps: Sequence["Gaussian"]) -> "Gaussian":
        """Stacks the distributions of T steps with fields of shape (B, Z) into one with fields of shape (B, T, Z)."""
        return cls(*(torch.stack(fields, dim=1) for fields in zip(*steps, strict=True)))

    def sample(self, noise: Tensor) -> Tensor:
        """Returns mean + sigma * noise, for standard normal noise of shape (..., Z)."""
        return self.mean + self.log_sigma.exp() * noise

    def relative_to(self, other: "Gaussian") -> "Gaussian":
        r"""Returns the distribution of :math:`(z - \mu_o) / \sigma_o`, in units of another distribution, shape (..., Z).

        Its KL divergence from a standard normal is that of z from the other distribution:

        .. math:: KL_z = \log \frac{\sigma_o}{\sigma} + \frac{\sigma^2 + (\mu - \mu_o)^2}{2 \sigma_o^2} - \frac{1}{2}
        """
        return Gaussian((self.mean - other.mean) * (-other.log_sigma).exp(), self.log_sigma - other.log_sigma)

    def kl(self) -> Tensor:
        """Returns the KL divergence from a standard normal, summed over the Z dimensions, shape (...)."""
        return self.divergences().sum(dim=-1)

    def divergences(self) -> Tensor:
        r"""Returns the KL divergence of every dimension from a standard normal, shape (..., Z).

        .. math:: KL_z = \tfrac{1}{2} (\mu_z^2 + \sigma_z^2 - \log \sigma_z^2 - 1)

        Eq. 11 of DRAW (arXiv:1502.04623) with the constant read as one half per dimension and step, so that it is 0 at the prior.
        """
        return (self.mean.square() + (2 * self.log_sigma).exp() - 2 * self.log_sigma - 1) / 2

    def log_ratio(self, noise: Tensor) -> Tensor:
        """Returns log P(z) - log Q(z) at z = mean + sigma * noise, summed over Z, shape (...); its mean is minus the KL."""
        return (noise.square() - self.sample(noise).square()).sum(dim=-1) / 2 + self.log_sigma.sum(dim=-1)
