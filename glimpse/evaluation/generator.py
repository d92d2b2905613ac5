"""Evaluation of a trained generator: its bound on the negative log-likelihood and the terms of the bound.

Dimensions: N images of C x H x W numbers, T steps. Bounds are on the negative log-likelihood, in nats; lower is better.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from glimpse.datasets.batches import PositionalDataset
from glimpse.models.draw import DRAW
from glimpse.models.likelihood import bits_per_dimension

__all__ = ["NOISE_SEED", "GenerationResult", "evaluation_noise", "measure_generator"]

NOISE_SEED = 150204623
"""Seed of the noise of every evaluation, independent of the training's seed, so that bounds are comparable."""

_EVALUATION_BATCH = 250


@dataclass(frozen=True)
class GenerationResult:
    """Metrics of a generator on a data set; all nats are means over images.

    Attributes:
        n: Number of images N.
        bound_nats: Upper bound on the negative log-likelihood in nats, with one sample of the latents per image.
        standard_error: Standard error of `bound_nats` over images; NaN for a single image.
        reconstruction_nats: Reconstruction term -log p(x | z) of the bound in nats.
        kl_nats: Divergence term of the bound in nats.
        kl_by_step: Divergence of each of the T steps in nats.
        bits_per_dimension: The bound in bits per number of an image; None for a Bernoulli likelihood.
        importance_samples: Number of samples of the importance-weighted bound; 0 if it was not computed.
        importance_nats: Importance-weighted bound in nats; None if it was not computed.
        importance_standard_error: Standard error of `importance_nats` over images; None if it was not computed.
    """

    n: int
    bound_nats: float
    standard_error: float
    reconstruction_nats: float
    kl_nats: float
    kl_by_step: tuple[float, ...]
    bits_per_dimension: float | None
    importance_samples: int = 0
    importance_nats: float | None = None
    importance_standard_error: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Returns the fields by name, in JSON's types."""
        return asdict(self)


def measure_generator(
    model: DRAW, data: PositionalDataset, *, importance_samples: int = 0, rows: int = 1000
) -> Iterator[int | GenerationResult]:
    """Yields the number of images done after every batch and, at the end, the result.

    Args:
        model: Generator in evaluation mode, on the device of the data.
        data: Images.
        importance_samples: Number of samples of the importance-weighted bound; not computed if 0.
        rows: Number of samples, over all images, that the importance-weighted bound evaluates at once.
    """
    bounds: list[Tensor] = []
    kls: list[Tensor] = []
    weighted: list[Tensor] = []
    with torch.no_grad():
        for images, noise in evaluation_noise(model, data):
            bound = model(images, noise)
            bounds.append(bound.total.double().cpu())
            kls.append(bound.kl.double().cpu())
            if importance_samples:
                generator = torch.Generator(images.device).manual_seed(NOISE_SEED + 1 + sum(map(len, weighted)))
                weighted.append(-model.importance_bound(images, generator, importance_samples, rows=rows).double().cpu())
            yield sum(map(len, bounds))
    total, kl = torch.cat(bounds), torch.cat(kls)  # (N,), (N, T)
    config = model.config
    nats, error = _mean(total)
    tighter, tighter_error = _mean(torch.cat(weighted)) if weighted else (None, None)
    yield GenerationResult(
        n=len(total),
        bound_nats=nats,
        standard_error=error,
        reconstruction_nats=float((total - kl.sum(dim=1)).mean()),
        kl_nats=float(kl.sum(dim=1).mean()),
        kl_by_step=tuple(kl.mean(dim=0).tolist()),
        bits_per_dimension=float(bits_per_dimension(total.mean(), config.pixels)) if config.observation == "logistic" else None,
        importance_samples=importance_samples,
        importance_nats=tighter,
        importance_standard_error=tighter_error,
    )


def _mean(values: Tensor) -> tuple[float, float]:
    """Returns the mean and its standard error; NaN for a single value."""
    error = float(values.std()) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return float(values.mean()), error


def evaluation_noise(model: DRAW, data: PositionalDataset) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields all images (B, C, H, W), batch by batch, with noise that depends only on their positions and the type of device."""
    for number, batch in enumerate(data.batches(_EVALUATION_BATCH, stop=len(data))):
        generator = torch.Generator(batch.images.device).manual_seed(NOISE_SEED * 1000 + number)
        yield batch.images, model.noise(len(batch.images), generator)
