"""Predictions and metrics of a trained classifier, on a batch or a data set.

The noise of models with random locations comes from a counter-based generator: the noise of an image depends only on its position
and the sample. Dimensions: B images of C x H x W numbers, T glimpses (1 for a model that sees the whole image at once), K classes.

References:
    J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011 (the generator).
"""

import math
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from glimpse.attention.products import fast_products
from glimpse.attention.window import Window
from glimpse.datasets.batches import EVALUATION_BATCH, Batch, PositionalDataset
from glimpse.datasets.counter import STREAMS, words
from glimpse.evaluation.metrics import ClassificationResult, summarize
from glimpse.listener import Listener
from glimpse.models.base import ImageClassifier, Model

__all__ = [
    "Answers",
    "Measurement",
    "answers",
    "call_inputs",
    "check_classes",
    "classify",
    "measure_classifier",
    "predictions",
    "uniforms",
]

_SEED = 0


class Answers(NamedTuple):
    """Predictions of a classifier for a batch of images.

    Attributes:
        positions: Position of each image in its data set, shape (B,), int64.
        batch: The images, their labels and the centers of their digits.
        logits: Logits after each glimpse, shape (B, T, K), float32.
        window: Windows of the smallest scale, fields of shape (B, T); None if they were not requested, or the model has none. For a
            model that averages over samples, those of the first sample.
    """

    positions: Tensor
    batch: Batch
    logits: Tensor
    window: Window | None = None


class Measurement(NamedTuple):
    """Metrics of a classifier on a data set, and the time they took.

    Attributes:
        result: Metrics of the classifier.
        seconds: Duration of the predictions in seconds.
    """

    result: ClassificationResult
    seconds: float


def measure_classifier(
    model: ImageClassifier,
    data: PositionalDataset,
    glimpses: int | None = None,
    listener: Listener | None = None,
    observe: Callable[[Answers], None] | None = None,
) -> Measurement:
    """Returns the metrics of a classifier on a whole data set.

    Args:
        model: Classifier in evaluation mode, on the device of the data.
        data: Images and labels.
        glimpses: Number of glimpses; the model's own if None.
        listener: Receives the progress.
        observe: Called with the answers for every batch, which then include the windows.

    Raises:
        ValueError: If the data have a class that the model does not have, or a number of glimpses is given for a model that sees
            the whole image at once.
    """
    logits, labels = [], []
    began = time.monotonic()
    with (listener or Listener()).progress("Evaluating", len(data)) as advance:
        for found in answers(model, data, glimpses, windows=observe is not None):
            check_classes(model, found.batch.labels)
            logits.append(found.logits.cpu())
            labels.append(found.batch.labels.cpu())
            if observe is not None:
                observe(found)
            advance(sum(map(len, labels)))
    seconds = time.monotonic() - began
    return Measurement(summarize(torch.cat(logits), torch.cat(labels), model.config.classes), seconds)


def check_classes(model: Model, labels: Tensor, name: str = "the model") -> None:
    """Checks that all labels are classes of a model.

    Args:
        model: A classifier.
        labels: Labels from 0, shape (B,).
        name: Name of the model in the error.

    Raises:
        ValueError: If a label is not one of the model's classes.
    """
    highest = int(labels.max())
    if highest >= model.config.classes:
        raise ValueError(f"{name} has classes 0 to {model.config.classes - 1}, the images have {highest}")


def predictions(model: ImageClassifier, data: PositionalDataset, glimpses: int | None = None) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields logits (B, T, K), float32, and labels (B,) of a whole data set, batch by batch.

    Args:
        model: Classifier in evaluation mode, on the device of the data.
        data: Images and labels; their positions determine the noise of a model with random locations.
        glimpses: Number of glimpses; the model's own if None.

    Raises:
        ValueError: If a number of glimpses is given for a model that sees the whole image at once.
    """
    for found in answers(model, data, glimpses):
        yield found.logits, found.batch.labels


@torch.no_grad()
def answers(
    model: ImageClassifier, data: PositionalDataset, glimpses: int | None = None, *, windows: bool = False
) -> Iterator[Answers]:
    """Yields the predictions of a classifier for a whole data set, batch by batch.

    Args:
        model: Classifier in evaluation mode, on the device of the data.
        data: Images and labels; their positions determine the noise of a model with random locations.
        glimpses: Number of glimpses; the model's own if None.
        windows: Whether to include the windows, if the model has any.

    Raises:
        ValueError: If a number of glimpses is given for a model that sees the whole image at once.
    """
    first = 0
    for batch in data.batches(EVALUATION_BATCH, stop=len(data)):
        positions = torch.arange(first, first + len(batch.images), device=batch.images.device)
        window = None
        if windows and model.shows_windows:
            with fast_products():  # as in `classify`, so that the predictions are the same
                found, tracks = model.look(batch.images, **call_inputs(model, positions, glimpses))
            window = next(track.window for track in tracks if track.scale == 0)
        if window is None or found is None or (model.config.samples or 0) > 1:
            found = classify(model, batch.images, positions, glimpses)
        yield Answers(positions, batch, found.float(), window)
        first += len(batch.images)


@torch.no_grad()
@fast_products()
def classify(model: ImageClassifier, images: Tensor, positions: Tensor, glimpses: int | None = None) -> Tensor:
    """Returns the logits of a classifier; for a model with several samples, the logarithm of the mean probabilities.

    Args:
        model: Classifier in evaluation mode.
        images: Shape (B, C, H, W).
        positions: Position of each image, which determines its noise, shape (B,), int64.
        glimpses: Number of glimpses; the model's own if None.

    Returns:
        Logits after each glimpse, shape (B, T, K), float32.

    Raises:
        ValueError: If a number of glimpses is given for a model that sees the whole image at once.
    """
    samples = max(1, model.config.samples or 0)
    believed = torch.stack(
        [model(images, **call_inputs(model, positions, glimpses, sample))[0].float() for sample in range(samples)]
    )
    if samples == 1:
        return believed[0]
    return torch.logsumexp(torch.log_softmax(believed, dim=-1), dim=0) - math.log(samples)


def call_inputs(model: Model, positions: Tensor, glimpses: int | None = None, sample: int = 0) -> dict[str, Any]:
    """Returns the keyword arguments of a model's call besides the images: a number of glimpses, and noise if it takes any.

    Args:
        model: A classifier or a generator.
        positions: Position of each image in its data set, shape (B,), int64.
        glimpses: Number of glimpses; the model's own if None.
        sample: Number of an independent draw of the noise, from 0.

    Raises:
        ValueError: If a number of glimpses is given for a model that sees the whole image at once.
    """
    noise = uniforms(positions, glimpses or model.config.glimpses, sample) if model.takes_noise else None
    return model.inputs(glimpses, noise)


def uniforms(positions: Tensor, glimpses: int, sample: int = 0) -> Tensor:
    """Returns numbers uniform in 0 to 1, both ends excluded.

    Args:
        positions: Position of each image in its data set, shape (B,), int64, 0 to 2^32 - 1.
        glimpses: Number of locations to draw; fewer locations are the first of more.
        sample: Number of an independent draw, from 0.

    Returns:
        Shape (B, glimpses, 2), float32, on the device of the positions.
    """
    drawn = words(_SEED, STREAMS["test locations"], sample, positions, 2 * glimpses)
    return ((drawn >> 9).to(torch.float32) + 0.5).view(-1, glimpses, 2) / 2**23
