"""Evaluation of a trained generator: its bound on the negative log-likelihood and the terms of the bound.

Dimensions: N images of C x H x W numbers, T steps. Bounds are on the negative log-likelihood, in nats; lower is better.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from glimpse.attention.products import fast_products
from glimpse.datasets.batches import EVALUATION_BATCH, EVALUATION_SEED, PositionalDataset
from glimpse.listener import Listener
from glimpse.models.draw import DRAW
from glimpse.models.likelihood import bits_per_dimension

__all__ = ["GenerationResult", "evaluation_noise", "measure_generator"]


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
    model: DRAW, data: PositionalDataset, *, importance_samples: int = 0, rows: int = 1000, listener: Listener | None = None
) -> GenerationResult:
    """Returns the metrics of a generator on a whole data set.

    Args:
        model: Generator in evaluation mode, on the device of the data.
        data: Images.
        importance_samples: Number of samples of the importance-weighted bound; not computed if 0.
        rows: Number of samples, over all images, that the importance-weighted bound evaluates at once.
        listener: Receives the progress.
    """
    bounds: list[Tensor] = []
    kls: list[Tensor] = []
    weighted: list[Tensor] = []
    done = 0
    with torch.no_grad(), fast_products(), (listener or Listener()).progress("Evaluating", len(data)) as advance:
        for images, noise in evaluation_noise(model, data):
            bound = model(images, noise)
            bounds.append(bound.total.double().cpu())
            kls.append(bound.kl.double().cpu())
            if importance_samples:
                generator = torch.Generator(images.device).manual_seed(EVALUATION_SEED + 1 + done)
                noises = (_noise(model, len(images), generator) for _ in range(importance_samples))
                weighted.append(-model.importance_bound(images, noises, rows=rows).double().cpu())
            done += len(images)
            advance(done)
    total, kl = torch.cat(bounds), torch.cat(kls)  # (N,), (N, T)
    config = model.config
    nats, error = _mean(total)
    tighter, tighter_error = _mean(torch.cat(weighted)) if weighted else (None, None)
    return GenerationResult(
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
    for number, batch in enumerate(data.batches(EVALUATION_BATCH, stop=len(data))):
        generator = torch.Generator(batch.images.device).manual_seed(EVALUATION_SEED * 1000 + number)
        yield batch.images, _noise(model, len(batch.images), generator)


def _noise(model: DRAW, count: int, generator: torch.Generator) -> Tensor:
    """Returns noise for the first images of a batch; torch's random numbers depend on how many are generated at once."""
    return model.noise(EVALUATION_BATCH, generator)[:count]
