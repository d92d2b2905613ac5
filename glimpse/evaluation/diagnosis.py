"""Diagnosis of a classifier's errors: whether an object was not found or misread, and how errors depend on class, ink and clutter.

Ink is a sum of intensities, a white pixel counting 1. Positions and distances are in pixels, x before y. Dimensions: N images of
H x W pixels in C channels, T glimpses, K classes.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glimpse.datasets.batches import PositionalDataset
from glimpse.evaluation.classifier import Answers
from glimpse.evaluation.statistics import wilson_interval

__all__ = ["NEAR", "Diagnosis", "ErrorCount", "Evidence", "GlimpseCount", "RangeCount", "SearchCounts", "clutter_on", "range_text"]

NEAR = 10.0
"""Distance in pixels from the digit's center up to which a window's center counts as on the digit."""

_INK_GROUPS = 5  # of equally many images
_CLUTTER_EDGES = (0.0, 5.0, 10.0, 20.0, math.inf)  # percent of the digit's ink; the first group has none


@dataclass(frozen=True)
class ErrorCount:
    """Number of errors in a group of images.

    An error is lost by search if the last window is not on the digit, and lost by reading if it is.

    Attributes:
        images: Number of images.
        errors: Number of misclassified images.
        by_search: Number of errors lost by search; None if windows or digits are not known.
        by_reading: Number of errors lost by reading; None if windows or digits are not known.
    """

    images: int
    errors: int
    by_search: int | None = None
    by_reading: int | None = None

    @property
    def error(self) -> float:
        """Error in percent; NaN without images."""
        return 100 * self.errors / self.images if self.images else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the error in percent: low, high; NaN without images."""
        if not self.images:
            return math.nan, math.nan
        low, high = wilson_interval(self.errors, self.images)
        return 100 * low, 100 * high

    def as_dict(self) -> dict[str, Any]:
        """Returns the counts and the error in percent by name, without those that are not known."""
        values = {"images": self.images, "errors": self.errors, "error": self.error if self.images else None}
        split = {"by_search": self.by_search, "by_reading": self.by_reading}
        return values | {name: value for name, value in split.items() if value is not None}


@dataclass(frozen=True)
class GlimpseCount:
    """Errors of the predictions after a glimpse.

    Attributes:
        on_digit: Number of images where the window of this glimpse is on the digit.
        count: Errors; lost by search if the window of this glimpse is not on the digit.
    """

    on_digit: int
    count: ErrorCount

    def as_dict(self) -> dict[str, Any]:
        """Returns the counts by name."""
        return {"on_digit": self.on_digit} | self.count.as_dict()


@dataclass(frozen=True)
class RangeCount:
    """Errors of the images in a range of a quantity.

    Attributes:
        low: Lower end of the range, excluded unless it is the smallest value of all or equal to `high`.
        high: Upper end, included; infinite for no end.
        count: Errors.
    """

    low: float
    high: float
    count: ErrorCount

    def as_dict(self) -> dict[str, Any]:
        """Returns the range and the counts by name; an infinite end is None."""
        return {"low": self.low, "high": None if math.isinf(self.high) else self.high} | self.count.as_dict()


@dataclass(frozen=True)
class SearchCounts:
    """Errors by whether the windows were on the digit.

    The first of several glimpses does not count, since it is placed before anything is seen.

    Attributes:
        on_digit: Errors of the images where the last window is on the digit.
        left: Errors of the images where an earlier window is on the digit, but not the last one.
        never: Errors of the images where no window is on the digit.
    """

    on_digit: ErrorCount
    left: ErrorCount
    never: ErrorCount

    def as_dict(self) -> dict[str, Any]:
        """Returns the counts by name."""
        return {name: getattr(self, name).as_dict() for name in ("on_digit", "left", "never")}


@dataclass(frozen=True)
class Diagnosis:
    """Errors of a classifier by their cause.

    Attributes:
        total: All errors.
        by_class: Errors by true class, K groups.
        search: Errors by whether the windows were on the digit; None if windows or digits are not known.
        by_glimpse: Errors after each of the T glimpses; None if windows or digits are not known.
        by_ink: Errors by the ink of the digit, in groups of equally many images; None if the digits without clutter are not known.
        by_clutter: Errors by the ink that clutter adds within the digit's bounding box, in percent of the digit's own; None if the
            digits without clutter are not known.
    """

    total: ErrorCount
    by_class: tuple[ErrorCount, ...]
    search: SearchCounts | None = None
    by_glimpse: tuple[GlimpseCount, ...] | None = None
    by_ink: tuple[RangeCount, ...] | None = None
    by_clutter: tuple[RangeCount, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Returns the diagnosis in JSON's types; a part that is not known is None."""

        def rows(counts: Sequence[ErrorCount | GlimpseCount | RangeCount] | None) -> list[dict[str, Any]] | None:
            return None if counts is None else [count.as_dict() for count in counts]

        return {
            "near_pixels": NEAR,
            "total": self.total.as_dict(),
            "search": None if self.search is None else self.search.as_dict(),
            "by_glimpse": rows(self.by_glimpse),
            "by_class": rows(self.by_class),
            "by_ink": rows(self.by_ink),
            "by_clutter": rows(self.by_clutter),
        }


class Evidence:
    """What a diagnosis is based on, collected batch by batch: an observer of `glimpse.evaluation.classifier.measure_classifier`.

    Args:
        data: The images.
        classes: Number of classes K.
    """

    def __init__(self, data: PositionalDataset, classes: int) -> None:
        self.classes, self._clean = classes, data.uncluttered
        self._kept: dict[str, list[NDArray[Any]]] = {}

    def add(self, found: Answers) -> None:
        """Adds the answers for a batch."""
        labels, centers, window = found.batch.labels, found.batch.centers, found.window
        facts = {"labels": labels, "wrong": found.logits.argmax(dim=2) != labels[:, None]}  # (B,), (B, T)
        if window is not None and centers.isfinite().all():
            facts["near"] = torch.hypot(window.center_x - centers[:, :1], window.center_y - centers[:, 1:]) <= NEAR  # (B, T)
        if self._clean is not None:
            clean = self._clean.batch(found.positions).images.double()
            facts["ink"] = clean.sum(dim=(1, 2, 3))
            facts["clutter"] = 100 * clutter_on(clean, found.batch.images.double()) / facts["ink"].clamp(min=1e-12)
        for name, values in facts.items():
            self._kept.setdefault(name, []).append(values.cpu().numpy())

    def diagnosis(self) -> Diagnosis:
        """Returns the diagnosis of all images added."""
        facts = {name: np.concatenate(values) for name, values in self._kept.items()}
        wrong, near = facts["wrong"], facts.get("near")
        if near is not None and len(near) < len(wrong):  # the centers of some batches are not known
            near = None
        last = None if near is None else near[:, -1]

        def count(group: NDArray[np.bool_]) -> ErrorCount:
            return _count(wrong[:, -1], last, group)

        ink, clutter = (facts.get(name) for name in ("ink", "clutter"))
        return Diagnosis(
            total=count(np.ones(len(wrong), dtype=bool)),
            by_class=tuple(count(facts["labels"] == label) for label in range(self.classes)),
            search=None if near is None else SearchCounts(*map(count, _search_groups(near))),
            by_glimpse=None if near is None else tuple(_by_glimpse(wrong, near)),
            by_ink=None if ink is None else _ranges(_ink_groups(ink), count),
            by_clutter=None if clutter is None else _ranges(_clutter_groups(clutter), count),
        )


def range_text(group: RangeCount) -> str:
    """Returns the ends of a range as text.

    >>> none = ErrorCount(0, 0)
    >>> range_text(RangeCount(0, 0, none)), range_text(RangeCount(20, math.inf, none)), range_text(RangeCount(20.03, 71.9, none))
    ('none', 'over 20', '20 to 71.9')
    """
    if group.low == group.high == 0:
        return "none"
    return f"over {group.low:.3g}" if math.isinf(group.high) else f"{group.low:.3g} to {group.high:.3g}"


def clutter_on(clean: Tensor, images: Tensor) -> Tensor:
    """Returns the ink that clutter adds within the bounding box of each digit's ink, shape (N,).

    Args:
        clean: Images without clutter, shape (N, C, H, W); one without ink has no bounding box, and the result is 0.
        images: The same images with clutter.
    """
    lit = (clean > 0).any(dim=1)  # (N, H, W)
    rows, columns = lit.any(dim=2), lit.any(dim=1)
    box = _between(rows)[:, :, None] & _between(columns)[:, None]
    return ((images - clean).sum(dim=1) * box).sum(dim=(1, 2))


def _between(lit: Tensor) -> Tensor:
    """Returns which entries of each row are between its first and its last true one, both included, shape (N, L)."""
    return (lit.cumsum(dim=1) > 0) & (lit.flip(1).cumsum(dim=1).flip(1) > 0)


def _count(wrong: NDArray[np.bool_], near: NDArray[np.bool_] | None, group: NDArray[np.bool_]) -> ErrorCount:
    """Returns the errors of a group of images, a mask (N,), from which images are wrong and which windows are on the digit."""
    images, errors = int(group.sum()), int((wrong & group).sum())
    if near is None:
        return ErrorCount(images, errors)
    by_reading = int((wrong & near & group).sum())
    return ErrorCount(images, errors, errors - by_reading, by_reading)


def _ranges(
    groups: Iterable[tuple[float, float, NDArray[np.bool_]]], count: Callable[[NDArray[np.bool_]], ErrorCount]
) -> tuple[RangeCount, ...]:
    """Returns the errors of groups of images, each given by the ends of its range and a mask (N,)."""
    return tuple(RangeCount(low, high, count(group)) for low, high, group in groups)


def _search_groups(near: NDArray[np.bool_]) -> Iterator[NDArray[np.bool_]]:
    """Yields which images are on the digit at last, were on it only before, and never were, shape (N,) each."""
    last: NDArray[np.bool_] = near[:, -1]
    ever = np.any(near[:, min(1, near.shape[1] - 1) :], axis=1)
    yield last
    yield np.logical_and(ever, ~last)
    yield np.logical_not(ever)


def _by_glimpse(wrong: NDArray[np.bool_], near: NDArray[np.bool_]) -> Iterator[GlimpseCount]:
    """Yields the errors after each glimpse."""
    everything = np.ones(len(wrong), dtype=bool)
    for t in range(wrong.shape[1]):
        yield GlimpseCount(int(near[:, t].sum()), _count(wrong[:, t], near[:, t], everything))


def _ink_groups(ink: NDArray[np.float64]) -> Iterator[tuple[float, float, NDArray[np.bool_]]]:
    """Yields the ends and the images of groups of equally many images by ink."""
    edges = np.quantile(ink, np.linspace(0, 1, _INK_GROUPS + 1))
    group = np.searchsorted(edges[1:-1], ink)  # the upper end of a group is included
    for i in range(_INK_GROUPS):
        yield float(edges[i]), float(edges[i + 1]), group == i


def _clutter_groups(clutter: NDArray[np.float64]) -> Iterator[tuple[float, float, NDArray[np.bool_]]]:
    """Yields the ends and the images of groups by clutter."""
    yield 0.0, 0.0, clutter <= 0
    for low, high in itertools.pairwise(_CLUTTER_EDGES):
        yield low, high, (clutter > low) & (clutter <= high)
