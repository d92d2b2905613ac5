r"""The latent of a step: a Gaussian with independent dimensions against a standard normal or a learned prior.

A learned prior is a Gaussian too. The posterior is then taken in units of the prior: less the prior's mean, divided by its standard
deviation. The prior is a standard normal in these units, and neither a divergence nor a ratio of densities depends on the units.

Dimensions: B images, T steps, Z latent numbers a step. Everything is in nats and in float32 at least.

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

from glimpse.attention.precision import at_least_float32

__all__ = ["LOG_SIGMA_LIMIT", "Gaussian"]

LOG_SIGMA_LIMIT = 10.0
"""The logarithm of a standard deviation is clamped to this magnitude: 5e-5 to 2e4, whose squares are ordinary numbers."""


class Gaussian(NamedTuple):
    """Normal distribution with independent dimensions.

    Attributes:
        mean: Shape (..., Z).
        log_sigma: Logarithm of the standard deviation (not of the variance), shape (..., Z); within +-10 in its own units.
    """

    mean: Tensor
    log_sigma: Tensor

    @classmethod
    def from_raw(cls, raw: Tensor) -> "Gaussian":
        """Returns the distribution that 2 Z unconstrained numbers stand for, shape (..., 2 Z): means, then log sigma."""
        mean, log_sigma = at_least_float32(raw).chunk(2, dim=-1)
        return cls(mean, log_sigma.clamp(-LOG_SIGMA_LIMIT, LOG_SIGMA_LIMIT))

    @classmethod
    def stacked(cls, steps: Sequence["Gaussian"]) -> "Gaussian":
        """Returns the distributions of T steps, fields of shape (B, Z), as one with fields of shape (B, T, Z)."""
        return cls(*(torch.stack(fields, dim=1) for fields in zip(*steps, strict=True)))

    def sample(self, noise: Tensor) -> Tensor:
        """Returns mean + sigma * noise, for standard normal noise of shape (..., Z)."""
        return self.mean + self.log_sigma.exp() * noise

    def relative_to(self, other: "Gaussian") -> "Gaussian":
        r"""Returns the distribution of :math:`(z - \mu_o) / \sigma_o`, in units of another one, shape (..., Z).

        Its divergence from a standard normal is the divergence of z from the other distribution:

        .. math:: KL_z = \log \frac{\sigma_o}{\sigma} + \frac{\sigma^2 + (\mu - \mu_o)^2}{2 \sigma_o^2} - \frac{1}{2}
        """
        return Gaussian((self.mean - other.mean) * (-other.log_sigma).exp(), self.log_sigma - other.log_sigma)

    def kl(self) -> Tensor:
        """Returns the divergence from a standard normal, shape (...), summed over the Z dimensions."""
        return self.divergences().sum(dim=-1)

    def divergences(self) -> Tensor:
        r"""Returns the divergence of every dimension from a standard normal, shape (..., Z).

        .. math:: KL_z = \tfrac{1}{2} (\mu_z^2 + \sigma_z^2 - \log \sigma_z^2 - 1)

        Eq. 11 of DRAW (arXiv:1502.04623), its constant read as one half for every dimension and step: 0 at the prior.
        """
        return (self.mean.square() + (2 * self.log_sigma).exp() - 2 * self.log_sigma - 1) / 2

    def log_ratio(self, noise: Tensor) -> Tensor:
        """Returns log P(z) - log Q(z) at z = mean + sigma * noise, shape (...), summed over Z: minus the KL on average."""
        return (noise.square() - self.sample(noise).square()).sum(dim=-1) / 2 + self.log_sigma.sum(dim=-1)
