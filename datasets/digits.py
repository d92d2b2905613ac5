"""Labeled digits from any source in the catalog, split into training, validation and test.

Dimensions: N glyphs of H x W pixels, 28 x 28 in all sources except your own files.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from glimpse.datasets.catalog import AUTO, AUTO_DIGITS, DIGIT_SOURCES, Request, choices, looked_up, opens_again
from glimpse.datasets.fetch import Progress
from glimpse.datasets.folders import first_at_hand
from glimpse.datasets.labels import numbers
from glimpse.datasets.split_rule import SplitKind, SplitRule
from glimpse.digest import sha256_of_images

__all__ = ["DigitSource", "Digits", "digit_source", "open_digits"]


@dataclass(frozen=True)
class Digits:
    """Glyphs of one split.

    Attributes:
        images: Shape (N, H, W), uint8, light on dark.
        labels: Shape (N,), int64, from 0.
        source: Name of their source in the catalog.
    """

    images: Tensor
    labels: Tensor
    source: str

    def at(self, rows: Tensor) -> "Digits":
        """Returns the glyphs in these rows, indices of shape (B,)."""
        return Digits(self.images[rows], self.labels[rows], self.source)

    def to(self, device: torch.device | str) -> "Digits":
        """Returns the glyphs on a device."""
        return Digits(self.images.to(device), self.labels.to(device), self.source)


@dataclass(frozen=True)
class DigitSource:
    """Glyphs of all three splits with their origin.

    Attributes:
        name: Name of the source in the catalog; `file` for your own file.
        path: Folder or file of the glyphs; None if they are not in a file.
        reason: Why `auto` did not take its first source; None if it did or was not used.
        class_names: Name of each of the K classes.
        seed: Seed of the split of a file without all parts, else None.
        sha256: Digest of the shapes, pixels and labels of all glyphs.
        train: Training glyphs.
        valid: Validation glyphs.
        test: Test glyphs.
        split: How glimpse divided a file without all parts, else None.
        note: What to know about the files, a sentence; None for nothing.
    """

    name: str
    path: str | None
    reason: str | None
    class_names: tuple[str, ...]
    seed: int | None
    sha256: str
    train: Digits
    valid: Digits
    test: Digits
    split: SplitKind | None = None
    note: str | None = None

    @property
    def n_classes(self) -> int:
        """Number K of classes, labels 0 to K - 1."""
        return len(self.class_names)

    @property
    def digits(self) -> str:
        """Argument of `open_digits` that opens the same source: its name, or the path of the file."""
        return opens_again(DIGIT_SOURCES, self.name, self.path)

    def record(self) -> dict[str, object]:
        """Returns the source's identity, for a run's `config.json`."""
        sizes = {"train": len(self.train.labels), "valid": len(self.valid.labels), "test": len(self.test.labels)}
        keys = ("name", "digits", "path", "reason", "n_classes", "split", "seed", "sha256")
        return {key: getattr(self, key) for key in keys} | {"class_names": list(self.class_names), "sizes": sizes}


def digit_source(
    name: str,
    parts: tuple[Digits, Digits, Digits],
    *,
    path: str | None = None,
    split: SplitRule | None = None,
    class_names: Sequence[str] | None = None,
) -> DigitSource:
    """Returns a source, with its digest computed from the glyphs.

    Args:
        name: Name of the source in the catalog.
        parts: Training, validation and test glyphs.
        path: Folder or file of the glyphs; None if they are not in a file.
        split: Rule by which glyphs were held out; None if all parts are the source's own.
        class_names: Name of each class; the numbers from 0 to the highest label if None.
    """
    sha256 = sha256_of_images(*((part.images.numpy(), part.labels.numpy()) for part in parts))
    names = numbers(1 + max(int(part.labels.max()) for part in parts)) if class_names is None else tuple(class_names)
    kind, seed = (None, None) if split is None else split
    return DigitSource(name, path, None, names, seed, sha256, *parts, split=kind)


def open_digits(
    source: str = AUTO,
    *,
    data_dir: Path | None = None,
    seed: int = 0,
    split: SplitKind = "stratified",
    class_names: Sequence[str] | None = None,
    progress: Progress | None = None,
    download: bool = True,
) -> DigitSource:
    """Returns the glyphs of a source, split into training, validation and test.

    The folders searched are `data_dir`, the folder in the environment variable `GLIMPSE_DATA` and the user's cache. Downloads go to
    the user's cache.

    Args:
        source: A name in `DIGIT_SOURCES`; the path of your own in any form of `glimpse.datasets.forms`; or `auto`: MNIST if it is
            found or can be downloaded, else scikit-learn's digits, with `reason` set.
        data_dir: Folder to search first; never written to.
        seed: Seed of the split of a file without parts, 80/10/10.
        split: How such a file is divided.
        class_names: Classes of a trained model, to which the labels of a file are mapped by name; None for the file's own classes.
        progress: Called during a download with the bytes received of the current file and its size, 0 if unknown.
        download: Whether to download a source that is not found.

    Raises:
        FileNotFoundError: If the source is not found and cannot be downloaded, or `data_dir` is not a folder.
        ValueError: If there is no source of this name, or its files are damaged.
    """

    def opened(request: Request) -> DigitSource:
        rule = SplitRule(split, seed)
        full = replace(request, data_dir=data_dir, split=rule, class_names=class_names, progress=progress, download=download)
        return DIGIT_SOURCES[request.name].open(full)

    if source == AUTO:
        digits, reason = first_at_hand(AUTO_DIGITS, lambda name: opened(Request(name)))
        return replace(digits, reason=reason)
    request = looked_up(DIGIT_SOURCES, source)
    if request is None:
        raise ValueError(f"no digits called {source!r}: choose {', '.join(choices(DIGIT_SOURCES))} or the path of your own")
    return opened(request)
