"""Reports how many images each class of a set has, and whether they suffice to train and validate on.

Dimensions: K classes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glimpse.datasets.digits import DigitSource
from glimpse.datasets.labeled_images import DataParts
from glimpse.datasets.labels import listed
from glimpse.datasets.split_rule import SplitRule
from glimpse.listener import Listener

__all__ = ["IMBALANCE", "check_classes", "check_digits", "described_classes"]

IMBALANCE = 5
"""Ratio of the largest to the smallest class from which a warning is given."""

_EACH = 12  # classes whose numbers of images are listed one by one
_USES = {"train": "to train on", "valid": "for validation", "test": "for testing"}


def check_classes(parts: DataParts, listener: Listener) -> None:
    """Tells a listener which classes a set has and how it is divided, and checks that a classifier can be trained on it.

    Args:
        parts: The set.
        listener: Receives the numbers of images, and warnings of classes that a part lacks or that are much smaller than others.

    Raises:
        ValueError: If there is only one class, or a class has a single image.
    """
    counts = {name: part.counts(parts.n_classes) for name, part in parts.parts.items()}
    found = _Classes(parts.name, parts.class_names, counts, parts.shape, parts.split, is_whole=parts.is_whole)
    _check(found, listener, advice="; --class-weights balanced makes all classes count alike")


def check_digits(source: DigitSource, listener: Listener) -> None:
    """Does for your own digits what `check_classes` does for a set; digits from the catalog are passed over.

    Args:
        source: The digits.
        listener: Receives the numbers of glyphs, and warnings.

    Raises:
        ValueError: If there is only one class, or a class has a single glyph.
    """
    if source.name != "file":
        return
    parts = {"train": source.train, "valid": source.valid, "test": source.test}
    counts = {name: np.bincount(part.labels.cpu().numpy(), minlength=source.n_classes) for name, part in parts.items()}
    height, width = source.train.images.shape[1:]
    split = None if source.split is None else SplitRule(source.split, source.seed or 0)
    found = _Classes(source.digits, source.class_names, counts, (1, height, width), split)
    _check(found, listener)


@dataclass(frozen=True)
class _Classes:
    """Classes of a set: its name, the names of the classes, the images of each by part, the shape of an image, and the split."""

    name: str
    class_names: tuple[str, ...]
    counts: Mapping[str, NDArray[np.int64]]
    shape: tuple[int, int, int]
    split: SplitRule | None
    is_whole: bool | None = None


def _check(found: _Classes, listener: Listener, advice: str = "") -> None:
    total = np.sum([*found.counts.values()], axis=0)
    _refuse(found, total)
    channels, height, width = found.shape
    color = {1: "gray", 3: "color"}.get(channels, f"{channels} channels")
    classes = described_classes(found.class_names, total)
    listener.note(f"{found.name}: {total.sum():,} images of {height} x {width} pixels in {color}, {classes}.")
    listener.note(_described_parts(found))
    for warning in _warnings(found, advice):
        listener.warn(warning)


def described_classes(names: Sequence[str], counts: NDArray[np.int64]) -> str:
    """Returns the number of classes and of the images of each.

    >>> described_classes(["cat", "dog"], np.array([600, 1_200]))
    '2 classes: cat (600), dog (1,200)'
    >>> described_classes([str(k) for k in range(20)], np.arange(20) + 30)
    '20 classes of 30 (0) to 49 (19) images'
    """
    if len(names) <= _EACH:
        return f"{len(names)} classes: " + ", ".join(f"{name} ({count:,})" for name, count in zip(names, counts, strict=True))
    low, high = int(counts.argmin()), int(counts.argmax())
    if counts[low] == counts[high]:
        return f"{len(names)} classes of {counts[low]:,} images each"
    return f"{len(names)} classes of {counts[low]:,} ({names[low]}) to {counts[high]:,} ({names[high]}) images"


def _refuse(found: _Classes, total: NDArray[np.int64]) -> None:
    names = found.class_names
    if len(names) < 2:
        raise ValueError(f"{found.name}: all images have the label {listed(names)}; at least two classes are needed to train on")
    rare = [name for name, count in zip(names, total, strict=True) if count < 2]
    if not rare:
        return
    what = f"class {rare[0]} has" if len(rare) == 1 else f"{len(rare):,} of {len(names):,} classes ({listed(rare)}) have"
    raise ValueError(
        f"{found.name}: {what} only one image, of {total.sum():,} images in {described_classes(names, total)}; every class needs at"
        " least two, one to train on and one to validate on: correct or remove such labels"
    )


def _described_parts(found: _Classes) -> str:
    sizes = ", ".join(f"{count.sum():,} {_USES[name]}" for name, count in found.counts.items())
    if found.split is None:
        return f"Its own parts: {sizes}."
    uses = {True: " for validation and another for testing", False: " for validation", None: ""}[found.is_whole]
    return f"Held out a tenth of each class{uses} (--split-seed {found.split.seed}): {sizes}."


def _warnings(found: _Classes, advice: str) -> Iterator[str]:
    names = np.array(found.class_names)
    for part, each in found.counts.items():
        absent = names[each == 0].tolist()
        if absent:
            yield f"{found.name}: no images {_USES[part]} of {len(absent)} of {len(names)} classes: {listed(absent)}"
    train = found.counts["train"]
    low, high = int(np.where(train > 0, train, train.max()).argmin()), int(train.argmax())
    if train[high] >= IMBALANCE * train[low]:
        share = 100 * (1 - train[high] / train.sum())
        yield (
            f"{found.name}: class {names[high]} has {train[high] / train[low]:.0f} times as many training images as {names[low]}; "
            f"a model that always answers {names[high]} has an error of {share:.1f} %{advice}"
        )
