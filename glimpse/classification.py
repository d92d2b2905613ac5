"""Classification through glimpses as a task for the engine, and the evaluation of a trained classifier."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from glimpse.classifier import GlimpseClassifier, supervised_loss
from glimpse.datasets.batches import Batch, PositionalDataset

__all__ = ["ClassificationTask", "predictions"]

_EVALUATION_BATCH = 250


class ClassificationTask:
    """Trains a glimpse classifier on one data set and validates it on another.

    Args:
        model: The classifier.
        train: Training images, on the model's device.
        valid: Validation images, on the model's device.
    """

    metrics = ("train_error",)
    validation_metrics = ("error", "nll")

    def __init__(self, model: GlimpseClassifier, train: PositionalDataset, valid: PositionalDataset) -> None:
        self.model, self.train, self.valid = model, train, valid
        self.chance_loss = math.log(model.config.classes)

    def batch(self, positions: Tensor) -> Batch:
        """Returns the training images at these positions."""
        return self.train.batch(positions)

    def loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the supervised cross-entropy in nats, and the error after the last glimpse in percent."""
        logits, _ = network(batch.images)
        wrong = logits[:, -1].argmax(dim=-1) != batch.labels
        return supervised_loss(logits, batch.labels, self.model.config.supervision), {"train_error": 100 * wrong.float().mean()}

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Returns the error in percent and the cross-entropy in nats after the last glimpse, over the whole validation set."""
        wrong, nll = 0, 0.0
        for logits, labels in predictions(model, self.valid):
            wrong += int((logits[:, -1].argmax(dim=-1) != labels).sum())
            nll += float(nn.functional.cross_entropy(logits[:, -1], labels, reduction="sum"))
        return {"error": 100 * wrong / len(self.valid), "nll": nll / len(self.valid)}


def predictions(model: nn.Module, data: PositionalDataset, glimpses: int | None = None) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields logits (B, T, classes) and labels (B,) of the whole data set, batch after batch, in float32."""
    extra = {} if glimpses is None else {"glimpses": glimpses}
    for batch in data.batches(_EVALUATION_BATCH, stop=len(data)):
        logits, _ = model(batch.images, **extra)
        yield logits.float(), batch.labels
