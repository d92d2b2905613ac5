"""Classification as a task for the engine, and the predictions of a trained classifier.

Dimensions: B images, T glimpses (1 of a model that sees the whole image at once), K classes.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glimpse.datasets.batches import PositionalDataset
from glimpse.evaluation.chance import uniforms
from glimpse.models.catalogue import Classifier
from glimpse.models.glimpse_classifier import GlimpseClassifier, supervised_loss
from glimpse.models.ram import RAM, Episode, hybrid_loss
from glimpse.settings.config import ClassifierConfig, RAMConfig

__all__ = [
    "ClassificationTask",
    "ReinforcedTask",
    "capturable",
    "classification_task",
    "classify",
    "glimpses_of",
    "look_inputs",
    "predictions",
    "samples_of",
]

_EVALUATION_BATCH = 250


class _Episodes(NamedTuple):
    """A batch of training images with the standard deviation of the location policy for each, shape (B,)."""

    images: Tensor
    labels: Tensor
    centers: Tensor
    std: Tensor


class ClassificationTask:
    """Trains a classifier on one data set and validates it on another.

    Args:
        model: The classifier.
        train: Training images, on the model's device.
        valid: Validation images, on the model's device.
    """

    metrics: tuple[str, ...] = ("train_error",)
    validation_metrics = ("error", "nll")

    def __init__(self, model: Classifier, train: PositionalDataset, valid: PositionalDataset) -> None:
        self.model, self.train, self.valid = model, train, valid
        self.chance_loss = math.log(model.config.classes)

    def batch(self, positions: Tensor) -> Any:
        """Returns the training images at these positions."""
        return self.train.batch(positions)

    def loss(self, network: nn.Module, batch: Any, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the supervised cross-entropy in nats, and the error after the last glimpse in percent."""
        config = self.model.config
        noise = _noise(self.model, len(batch.images), generator) if _looks_at_random(self.model) else None
        logits: Tensor = network(batch.images)[0] if noise is None else network(batch.images, None, noise)[0]
        supervision = config.supervision if isinstance(config, ClassifierConfig) else "last"
        return supervised_loss(logits, batch.labels, supervision), {"train_error": _error(logits, batch.labels)}

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Returns the error in percent and the cross-entropy in nats after the last glimpse, over the whole validation set."""
        wrong, nll = 0, 0.0
        for logits, labels in predictions(model, self.valid):
            wrong += int((logits[:, -1].argmax(dim=-1) != labels).sum())
            nll += float(F.cross_entropy(logits[:, -1], labels, reduction="sum"))
        return {"error": 100 * wrong / len(self.valid), "nll": nll / len(self.valid)}


class ReinforcedTask(ClassificationTask):
    """Trains a recurrent attention model: cross-entropy for what it sees, REINFORCE for where it looks."""

    metrics = ("train_error", "reward")

    def __init__(self, model: RAM, train: PositionalDataset, valid: PositionalDataset) -> None:
        super().__init__(model, train, valid)
        self.settings = model.config

    def batch(self, positions: Tensor) -> _Episodes:
        """Returns the training images at these positions, and the policy's standard deviation there."""
        batch = self.train.batch(positions)
        return _Episodes(*batch, batch.images.new_tensor([self.settings.std_at(seen) for seen in positions.tolist()]))

    def loss(self, network: nn.Module, batch: Any, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the hybrid loss, the error after the last glimpse in percent and the mean return of a location."""
        samples = self.settings.monte_carlo
        images, labels = batch.images.repeat_interleave(samples, dim=0), batch.labels.repeat_interleave(samples)
        std = batch.std.repeat_interleave(samples)
        episode = Episode(*network(images, None, _noise(self.model, len(images), generator), std))
        loss, parts = hybrid_loss(episode, labels, self.settings)
        return loss, {"train_error": _error(episode.logits, labels)} | parts


def classification_task(model: Classifier, train: PositionalDataset, valid: PositionalDataset) -> ClassificationTask:
    """Returns the task that trains a classifier of any kind."""
    return ReinforcedTask(model, train, valid) if isinstance(model, RAM) else ClassificationTask(model, train, valid)


def predictions(model: nn.Module, data: PositionalDataset, glimpses: int | None = None) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields logits (B, T, K) and labels (B,) of the whole data set, batch after batch, in float32.

    Args:
        model: A classifier of any kind, in evaluation mode.
        data: The images; a model that looks at random takes its noise from their positions.
        glimpses: Number of glimpses; the model's own if None.
    """
    first = 0
    for batch in data.batches(_EVALUATION_BATCH, stop=len(data)):
        positions = torch.arange(first, first + len(batch.images), device=batch.images.device)
        yield classify(model, batch.images, positions, glimpses), batch.labels
        first += len(batch.images)


def classify(model: Any, images: Tensor, positions: Tensor, glimpses: int | None = None) -> Tensor:
    """Returns a classifier's logits, shape (B, T, K), float32: log-probabilities averaged over samples where it takes several.

    Args:
        model: A classifier of any kind, in evaluation mode.
        images: Shape (B, C, H, W).
        positions: What the noise of each image depends on, shape (B,), int64.
        glimpses: Number of glimpses; the model's own if None.

    Raises:
        ValueError: If a number of glimpses is asked of a model that sees the whole image at once.
    """
    samples = max(1, samples_of(model))
    believed = torch.stack(
        [model(images, **look_inputs(model, positions, glimpses, sample))[0].float() for sample in range(samples)]
    )
    if samples == 1:
        return believed[0]
    return torch.logsumexp(torch.log_softmax(believed, dim=-1), dim=0) - math.log(samples)


def look_inputs(model: Any, positions: Tensor, glimpses: int | None = None, sample: int = 0) -> dict[str, Any]:
    """Returns what a classifier's call takes beside the images: a number of glimpses, and noise where it looks at random.

    Args:
        model: A classifier of any kind, or a generator.
        positions: Those of the images, shape (B,), int64.
        glimpses: Number of glimpses; the model's own if None.
        sample: Which of several independent draws of the noise.

    Raises:
        ValueError: If a number of glimpses is asked of a model that sees the whole image at once.
    """
    known = getattr(model.config, "glimpses", None)
    if known is None:
        if glimpses is not None:
            raise ValueError(f"a {type(model).__name__} sees the whole image at once: it takes no number of glimpses")
        return {}
    inputs: dict[str, Any] = {"glimpses": glimpses}
    if _looks_at_random(model):
        inputs["uniforms"] = uniforms(positions, glimpses or known, sample)
        if isinstance(model, RAM):
            inputs["std"] = None if samples_of(model) else 0.0
    return inputs


def glimpses_of(model: Classifier) -> int:
    """Returns after how many glimpses a classifier answers: 1 if it sees the whole image at once."""
    return getattr(model.config, "glimpses", 1)


def samples_of(model: Any) -> int:
    """Returns how many sequences of sampled locations a classifier's answer at test time averages over; 0 if it samples none."""
    return model.config.test_samples if isinstance(model.config, RAMConfig) else 0


def capturable(model: Classifier) -> bool:
    """Returns whether a classifier's training can be captured as a CUDA graph: noise is not among a capture's inputs."""
    return not (isinstance(model, RAM) or _looks_at_random(model))


def _looks_at_random(model: Any) -> bool:
    """Returns whether a trained classifier's answer depends on noise."""
    if isinstance(model, RAM):
        return model.config.test_samples > 0 or model.config.first_glimpse == "random"
    return isinstance(model, GlimpseClassifier) and model.config.parametrization == "random"


def _noise(model: Classifier, count: int, generator: torch.Generator) -> Tensor:
    """Returns uniform noise for so many images in training, shape (count, T, 2)."""
    return torch.rand(count, glimpses_of(model), 2, generator=generator, device=generator.device)


def _error(logits: Tensor, labels: Tensor) -> Tensor:
    """Returns the error after the last glimpse in percent, a scalar."""
    return 100 * (logits[:, -1].argmax(dim=-1) != labels).float().mean()
