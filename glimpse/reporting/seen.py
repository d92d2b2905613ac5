"""What a report keeps of a classifier's predictions: their confidence, for reliability, and the worst images.

Dimensions: N images, T glimpses, K classes, B bins.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from glimpse.evaluation.classifier import Answers

__all__ = ["Bin", "Seen", "Worst", "reliability"]


class Bin(NamedTuple):
    """Predictions with a probability in a range.

    Attributes:
        low: Lower end of the range, excluded.
        high: Upper end of the range, included.
        images: Number of images.
        right: Number of them that are classified correctly.
        confidence: Mean probability of the predicted class, 0 to 1; 0 without images.
    """

    low: float
    high: float
    images: int
    right: int
    confidence: float


class Worst(NamedTuple):
    """Misclassified images, the one with the most probable wrong class first.

    Attributes:
        positions: Position of each image in its set, shape (N,), int64.
        images: Shape (N, C, H, W).
        labels: True classes, shape (N,).
        predicted: Predicted classes, shape (N,).
        probabilities: Probability of the predicted class, shape (N,).
    """

    positions: Tensor
    images: Tensor
    labels: Tensor
    predicted: Tensor
    probabilities: Tensor


class Seen:
    """Collects predictions batch by batch.

    Args:
        worst: Number of misclassified images that are kept.
    """

    def __init__(self, worst: int) -> None:
        self.most = worst
        self._confidence: list[Tensor] = []
        self._right: list[Tensor] = []
        self._worst: Worst | None = None

    def add(self, found: Answers) -> None:
        """Adds the predictions of a batch after the last glimpse."""
        probabilities, predicted = found.logits[:, -1].double().softmax(dim=-1).cpu().max(dim=-1)  # (N,)
        labels = found.batch.labels.cpu()
        self._confidence.append(probabilities)
        self._right.append(predicted == labels)
        wrong = (predicted != labels).nonzero().flatten()
        wrong = wrong[probabilities[wrong].argsort(descending=True, stable=True)[: self.most]]
        images, positions = found.batch.images[wrong.to(found.batch.images.device)].cpu(), found.positions.cpu()[wrong]
        new = Worst(positions, images, labels[wrong], predicted[wrong], probabilities[wrong])
        joined = new if self._worst is None else Worst(*(torch.cat(pair) for pair in zip(self._worst, new, strict=True)))
        first = joined.probabilities.argsort(descending=True, stable=True)[: self.most]
        self._worst = Worst(*(field[first] for field in joined))

    @property
    def worst(self) -> Worst | None:
        """The worst images; None if no image is misclassified."""
        return None if self._worst is None or not len(self._worst.labels) else self._worst

    @property
    def bins(self) -> list[Bin]:
        """Reliability in 15 bins."""
        return reliability(torch.cat(self._confidence), torch.cat(self._right))


def reliability(confidence: Tensor, right: Tensor, n_bins: int = 15) -> list[Bin]:
    """Returns how often predictions are right by their probability; the bins are those of the calibration error.

    Args:
        confidence: Probability of the predicted class, shape (N,).
        right: Whether the prediction is correct, shape (N,), boolean.
        n_bins: Number of bins B, at least 1.
    """
    places = ((confidence * n_bins).ceil().long() - 1).clamp(0, n_bins - 1)
    found = []
    for place in range(n_bins):
        inside = places == place
        count = int(inside.sum())
        mean = float(confidence[inside].mean()) if count else 0.0
        found.append(Bin(place / n_bins, (place + 1) / n_bins, count, int(right[inside].sum()), mean))
    return found
