"""The predictions of a trained classifier, over a data set or of one batch, and everything it is judged by.

The noise of models that look at random is drawn by counting: what an image gets depends on its position and the sample alone.
Dimensions: B images of C x H x W numbers, T glimpses (1 of a model that sees the whole image at once), K classes.

References:
    J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011 (counting).
"""

import math
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from glimpse.datasets.batches import PositionalDataset
from glimpse.datasets.counter import words
from glimpse.evaluation.metrics import ClassificationResult, summarize
from glimpse.listener import Listener
from glimpse.models.base import ImageClassifier, Model

__all__ = ["Measurement", "call_inputs", "check_classes", "classify", "measure_classifier", "predictions", "uniforms"]

_BATCH = 250
_SEED = 0
_STREAM = 1024  # apart from those of the data sets


class Measurement(NamedTuple):
    """What a classifier did over a whole data set, and how long that took.

    Attributes:
        result: Everything it is judged by.
        seconds: Of reading it out.
    """

    result: ClassificationResult
    seconds: float


def measure_classifier(
    model: ImageClassifier, data: PositionalDataset, glimpses: int | None = None, listener: Listener | None = None
) -> Measurement:
    """Returns everything a classifier is judged by, over a whole data set.

    Args:
        model: In evaluation mode, on the data's device.
        data: The images.
        glimpses: Number of glimpses; the model's own if None.
        listener: Hears of the progress.

    Raises:
        ValueError: If the data have a class that the model does not have, or no number of glimpses can be asked for.
    """
    logits, labels = [], []
    began = time.monotonic()
    with (listener or Listener()).progress("Evaluating", len(data)) as advance:
        for scores, truth in predictions(model, data, glimpses):
            check_classes(model, truth)
            logits.append(scores.cpu())
            labels.append(truth.cpu())
            advance(sum(map(len, labels)))
    seconds = time.monotonic() - began
    return Measurement(summarize(torch.cat(logits), torch.cat(labels), model.config.classes), seconds)


def check_classes(model: ImageClassifier, labels: Tensor) -> None:
    """Raises ValueError if a label is none of the model's classes."""
    highest = int(labels.max())
    if highest >= model.config.classes:
        raise ValueError(f"the model has classes 0 to {model.config.classes - 1}, the images have {highest}")


@torch.no_grad()
def predictions(model: ImageClassifier, data: PositionalDataset, glimpses: int | None = None) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields logits (B, T, K) and labels (B,) of the whole data set, batch after batch, in float32.

    Args:
        model: In evaluation mode.
        data: The images; a model that looks at random takes its noise from their positions.
        glimpses: Number of glimpses; the model's own if None.
    """
    first = 0
    for batch in data.batches(_BATCH, stop=len(data)):
        positions = torch.arange(first, first + len(batch.images), device=batch.images.device)
        yield classify(model, batch.images, positions, glimpses), batch.labels
        first += len(batch.images)


@torch.no_grad()
def classify(model: ImageClassifier, images: Tensor, positions: Tensor, glimpses: int | None = None) -> Tensor:
    """Returns a classifier's logits, shape (B, T, K), float32: log-probabilities averaged over samples where it takes several.

    Args:
        model: In evaluation mode.
        images: Shape (B, C, H, W).
        positions: What the noise of each image depends on, shape (B,), int64.
        glimpses: Number of glimpses; the model's own if None.

    Raises:
        ValueError: If a number of glimpses is asked of a model that sees the whole image at once.
    """
    samples = max(1, model.config.samples or 0)
    believed = torch.stack(
        [model(images, **call_inputs(model, positions, glimpses, sample))[0].float() for sample in range(samples)]
    )
    if samples == 1:
        return believed[0]
    return torch.logsumexp(torch.log_softmax(believed, dim=-1), dim=0) - math.log(samples)


def call_inputs(model: Model, positions: Tensor, glimpses: int | None = None, sample: int = 0) -> dict[str, Any]:
    """Returns what a model's call takes besides the images: a number of glimpses, and noise where it looks at random.

    Args:
        model: A classifier of any kind, or a generator.
        positions: Those of the images, shape (B,), int64.
        glimpses: Number of glimpses; the model's own if None.
        sample: Which of several independent draws of the noise.

    Raises:
        ValueError: If a number of glimpses is asked of a model that sees the whole image at once.
    """
    noise = uniforms(positions, glimpses or model.config.looks, sample) if model.takes_noise else None
    return model.inputs(glimpses, noise)


def uniforms(positions: Tensor, glimpses: int, sample: int = 0) -> Tensor:
    """Returns numbers uniform in 0 to 1, neither end included, shape (B, glimpses, 2), float32, on the positions' device.

    Args:
        positions: Those of the images in their data set, shape (B,), int64, 0 to 2^32 - 1.
        glimpses: How many places there are to choose; a smaller number gives the beginning of what a larger one does.
        sample: Which of several independent draws.
    """
    drawn = words(_SEED, _STREAM, sample, positions, 2 * glimpses)
    return ((drawn >> 9).to(torch.float32) + 0.5).view(-1, glimpses, 2) / 2**23
