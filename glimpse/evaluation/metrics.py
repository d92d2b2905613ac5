"""Metrics of a classifier: error with its interval, error after each glimpse, calibration error, confusion matrix and log loss.

Dimensions: N images, T glimpses, K classes. Errors are in percent, losses in nats, probabilities and calibration errors in 0 to 1.
"""

import dataclasses
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from glimpse.evaluation.statistics import wilson_interval

__all__ = [
    "ClassificationResult",
    "calibration_error",
    "confusion",
    "error_by_glimpse",
    "log_loss",
    "summarize",
]


@dataclasses.dataclass(frozen=True)
class ClassificationResult:
    """Metrics of a classifier on a set of images.

    Attributes:
        n: Number of images N.
        errors: Number of images misclassified after the last glimpse.
        error: Error in percent.
        interval: 95 % Wilson interval of the error in percent: low, high.
        error_by_glimpse: Error after each of the T glimpses in percent; the last one is `error`.
        calibration_error: Expected calibration error after the last glimpse, in 0 to 1.
        nll: Mean negative log-likelihood of the labels after the last glimpse in nats.
        confusion: Number of images by true class (rows) and predicted class (columns), K x K.
    """

    n: int
    errors: int
    error: float
    interval: tuple[float, float]
    error_by_glimpse: list[float]
    calibration_error: float
    nll: float
    confusion: list[list[int]]

    def as_dict(self) -> dict[str, Any]:
        """Returns the fields by name, in JSON's types."""
        return {**dataclasses.asdict(self), "interval": list(self.interval)}


def summarize(logits: Tensor, labels: Tensor, n_classes: int) -> ClassificationResult:
    """Returns the metrics of a classifier from its logits after each glimpse.

    Args:
        logits: Shape (N, T, K), finite.
        labels: True classes, integers from 0 to K - 1, shape (N,).
        n_classes: Number of classes K.

    Raises:
        ValueError: If the shapes do not match, there is no image, a label is out of range, or a logit is not finite.
    """
    _check(logits, labels, "logits", ("N", "T", "K"))
    if logits.shape[2] != n_classes:
        raise ValueError(f"logits have {logits.shape[2]} classes, expected {n_classes}")
    if not logits.isfinite().all():
        raise ValueError(f"{int((~logits.isfinite()).sum())} of {logits.numel()} logits are not finite")
    n, last = len(labels), logits[:, -1]
    errors = int((last.argmax(dim=1) != labels).sum())
    low, high = wilson_interval(errors, n)
    return ClassificationResult(
        n=n,
        errors=errors,
        error=100 * errors / n,
        interval=(100 * low, 100 * high),
        error_by_glimpse=error_by_glimpse(logits, labels),
        calibration_error=calibration_error(last.double().softmax(dim=1), labels),
        nll=log_loss(last, labels),
        confusion=confusion(last.argmax(dim=1), labels, n_classes),
    )


def error_by_glimpse(logits: Tensor, labels: Tensor) -> list[float]:
    """Returns the error after each glimpse in percent.

    Args:
        logits: Shape (N, T, K).
        labels: True classes, integers from 0 to K - 1, shape (N,).

    Returns:
        T errors, the first one after one glimpse.

    Raises:
        ValueError: If the shapes do not match, there is no image, or a label is out of range.
    """
    _check(logits, labels, "logits", ("N", "T", "K"))
    wrong = logits.argmax(dim=2) != labels[:, None]  # (N, T)
    return [100 * int(count) / len(labels) for count in wrong.sum(dim=0)]


def calibration_error(probabilities: Tensor, labels: Tensor, n_bins: int = 15) -> float:
    r"""Returns the expected calibration error of the predicted classes, in 0 to 1.

    .. math:: \sum_b \tfrac{n_b}{N} \, |\text{accuracy}_b - \text{confidence}_b|

    Predictions are grouped by their probability into bins of equal width, open at the lower end and closed at the upper end, as in
    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural Networks", 2017, arXiv:1706.04599, eq. 3.

    Args:
        probabilities: Shape (N, K), each row summing to 1.
        labels: True classes, integers from 0 to K - 1, shape (N,).
        n_bins: Number of bins, at least 1.

    Returns:
        A number in 0 to 1; 0 for a perfectly calibrated classifier.

    Raises:
        ValueError: If the shapes do not match, there is no image, a label is out of range, a row does not sum to 1, or n_bins is
            less than 1.
    """
    _check(probabilities, labels, "probabilities", ("N", "K"))
    if n_bins < 1:
        raise ValueError(f"n_bins must be at least 1, got {n_bins}")
    off = (probabilities.double().sum(dim=1) - 1).abs().max().item()
    if not off <= 1e-2:  # rows of 16-bit floats do not sum to 1 exactly; NaN is refused too
        raise ValueError(f"each row of probabilities must sum to 1, one is off by {off:.3g}")
    confidence, predicted = probabilities.double().max(dim=1)
    gap = (predicted == labels).double() - confidence  # (N,)
    bins = ((confidence * n_bins).ceil().long() - 1).clamp(0, n_bins - 1)
    sums = torch.zeros(n_bins, dtype=gap.dtype, device=gap.device).index_add(0, bins, gap)
    return float(sums.abs().sum() / len(labels))


def log_loss(logits: Tensor, labels: Tensor) -> float:
    """Returns the mean negative log-likelihood of the labels in nats, computed in float64.

    Args:
        logits: Shape (N, K).
        labels: True classes, integers from 0 to K - 1, shape (N,).

    Raises:
        ValueError: If the shapes do not match, there is no image, or a label is out of range.
    """
    _check(logits, labels, "logits", ("N", "K"))
    return float(F.cross_entropy(logits.double(), labels.long()))


def confusion(predictions: Tensor, labels: Tensor, n_classes: int) -> list[list[int]]:
    """Returns the confusion matrix: numbers of images by true class (rows) and predicted class (columns), K x K.

    Args:
        predictions: Predicted classes, integers from 0 to K - 1, shape (N,).
        labels: True classes, integers from 0 to K - 1, shape (N,).
        n_classes: Number of classes K.

    Raises:
        ValueError: If the shapes differ, there is no image, or a class is out of range.
    """
    from sklearn.metrics import confusion_matrix

    if predictions.ndim != 1 or predictions.shape != labels.shape or not len(labels):
        shapes = f"{tuple(predictions.shape)} and {tuple(labels.shape)}"
        raise ValueError(f"predictions and labels must share one shape (N,), N at least 1, got {shapes}")
    _check_classes(predictions, "predictions", n_classes)
    _check_classes(labels, "labels", n_classes)
    counts: list[list[int]] = confusion_matrix(labels.cpu(), predictions.cpu(), labels=range(n_classes)).tolist()
    return counts


def _check(scores: Tensor, labels: Tensor, name: str, axes: tuple[str, ...]) -> None:
    """Raises ValueError unless the scores have these axes, none of them empty, and the labels match them."""
    if scores.ndim != len(axes) or not scores.numel():
        raise ValueError(f"{name} must have shape ({', '.join(axes)}), no axis empty, got {tuple(scores.shape)}")
    if labels.shape != scores.shape[:1]:
        raise ValueError(f"labels must have shape ({scores.shape[0]},) like {name}, got {tuple(labels.shape)}")
    _check_classes(labels, "labels", scores.shape[-1])


def _check_classes(classes: Tensor, name: str, n_classes: int) -> None:
    """Raises ValueError unless every entry is an integer from 0 to n_classes - 1."""
    if classes.is_floating_point() or classes.is_complex():
        raise ValueError(f"{name} must be integers, got {classes.dtype}")
    low, high = int(classes.min()), int(classes.max())
    if low < 0 or high >= n_classes:
        raise ValueError(f"{name} must be from 0 to {n_classes - 1}, got {low} to {high}")
