"""Parts of a confusion matrix that are worth reading: the classes with the highest error, and the pairs confused most often.

Dimensions: K classes, rows by true class and columns by predicted class.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from glimpse.atomic import write_atomically

__all__ = ["ClassErrors", "ConfusedPair", "confused_pairs", "errors_by_class", "write_confusion"]


class ClassErrors(NamedTuple):
    """Errors of the images of one class.

    Attributes:
        label: Class.
        images: Number of its images.
        errors: Number of its images that are misclassified.
        predicted: Other class that is predicted most often for its images, the first of several; None without errors.
    """

    label: int
    images: int
    errors: int
    predicted: int | None

    @property
    def error(self) -> float | None:
        """Error in percent; None without images."""
        return 100 * self.errors / self.images if self.images else None


class ConfusedPair(NamedTuple):
    """Images of one class that are predicted as another.

    Attributes:
        label: True class.
        predicted: Predicted class.
        images: Number of images.
        share: Their share of the images of the true class in percent.
    """

    label: int
    predicted: int
    images: int
    share: float


def errors_by_class(confusion: Sequence[Sequence[int]]) -> list[ClassErrors]:
    """Returns the errors of every class, the class with the highest error in percent first; classes without images last.

    >>> [(each.label, each.errors, each.predicted) for each in errors_by_class([[8, 2, 0], [0, 4, 0], [3, 0, 3]])]
    [(2, 3, 0), (0, 2, 1), (1, 0, None)]
    """
    found = []
    for label, row in enumerate(confusion):
        others = [(count, -predicted) for predicted, count in enumerate(row) if predicted != label and count]
        found.append(ClassErrors(label, sum(row), sum(count for count, _ in others), -max(others)[1] if others else None))
    return sorted(found, key=lambda each: (each.images == 0, -(each.error or 0.0), -each.errors, each.label))


def confused_pairs(confusion: Sequence[Sequence[int]]) -> list[ConfusedPair]:
    """Returns the pairs of classes that are confused at all, most often first.

    >>> [pair[:3] for pair in confused_pairs([[8, 2, 0], [0, 4, 0], [3, 0, 3]])]
    [(2, 0, 3), (0, 1, 2)]
    """
    pairs = [
        ConfusedPair(label, predicted, count, 100 * count / sum(row))
        for label, row in enumerate(confusion)
        for predicted, count in enumerate(row)
        if predicted != label and count
    ]
    return sorted(pairs, key=lambda pair: (-pair.images, -pair.share, pair.label, pair.predicted))


def write_confusion(path: Path, confusion: Sequence[Sequence[int]], class_names: Sequence[str]) -> None:
    """Writes a confusion matrix as CSV: a row for each true class, a column for each predicted class, both with their names.

    Args:
        path: File to write; its folder is created.
        confusion: Number of images by true and predicted class, K x K.
        class_names: K names.

    Raises:
        OSError: If the file cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["true", *class_names])
    writer.writerows([name, *row] for name, row in zip(class_names, confusion, strict=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.getvalue().encode())
