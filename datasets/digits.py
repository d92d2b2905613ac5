"""Digits with labels, split into training, validation and test, from any source in the catalog.

Dimensions: N glyphs of H x W pixels, 28 x 28 in all sources but your own files.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from glimpse.datasets.catalog import AUTO, AUTO_DIGITS, DIGIT_SOURCES, Request, choices, looked_up, opens_again
from glimpse.datasets.folders import first_at_hand
from glimpse.digest import sha256_of_images

__all__ = ["SPLIT_STREAM", "DigitSource", "Digits", "digit_source", "open_digits"]

SPLIT_STREAM = 64
"""Stream of the counter-based generator for splits; 0 to 2 and 16 to 18 belong to the clutter."""


@dataclass(frozen=True)
class Digits:
    """Glyphs of one split.

    Attributes:
        images: Shape (N, H, W), uint8, white on black.
        labels: Shape (N,), int64, from 0.
        source: Name of the source they come from.
    """

    images: Tensor
    labels: Tensor
    source: str

    def to(self, device: torch.device | str) -> "Digits":
        """Returns the same glyphs on a device."""
        return Digits(self.images.to(device), self.labels.to(device), self.source)


@dataclass(frozen=True)
class DigitSource:
    """Glyphs of all three splits, and where they come from.

    Attributes:
        name: Name of the source in the catalog; `file` for your own.
        path: Folder or file they were found in; None if they are not in a file.
        reason: Why `auto` had to take this source and not the first one, else None.
        n_classes: Number of classes, labels 0 to n_classes - 1.
        seed: Seed of the random split of a file without splits, else None.
        sha256: Digest over the bytes of all glyphs and labels.
        train: Glyphs to learn from.
        valid: Glyphs to choose a model on.
        test: Glyphs to measure the error on.
    """

    name: str
    path: str | None
    reason: str | None
    n_classes: int
    seed: int | None
    sha256: str
    train: Digits
    valid: Digits
    test: Digits

    @property
    def digits(self) -> str:
        """What opens the same source again with `open_digits`: its name, or the path of the file."""
        return opens_again(DIGIT_SOURCES, self.name, self.path)

    def record(self) -> dict[str, object]:
        """Returns the source's identity, for a run's `config.json`."""
        sizes = {"train": len(self.train.labels), "valid": len(self.valid.labels), "test": len(self.test.labels)}
        identity = {key: getattr(self, key) for key in ("name", "digits", "path", "reason", "n_classes", "seed", "sha256")}
        return identity | {"sizes": sizes}


def digit_source(
    name: str, parts: tuple[Digits, Digits, Digits], *, path: str | None = None, seed: int | None = None
) -> DigitSource:
    """Returns a source with its digest and its number of classes.

    Args:
        name: Name of the source in the catalog.
        parts: Training, validation and test glyphs.
        path: Folder or file they were found in, if any.
        seed: Seed of a random split, if any.
    """
    sha256 = sha256_of_images(*((part.images.numpy(), part.labels.numpy()) for part in parts))
    n_classes = 1 + max(int(part.labels.max()) for part in parts)
    return DigitSource(name, path, None, n_classes, seed, sha256, *parts)


def open_digits(
    source: str = AUTO,
    *,
    data_dir: Path | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    download: bool = True,
) -> DigitSource:
    """Returns the glyphs of a source, split into training, validation and test.

    Sources are looked for in `data_dir`, in the folder that the environment's `GLIMPSE_DATA` names, then in the user's cache, the
    only place that anything is downloaded to.

    Args:
        source: A name in `DIGIT_SOURCES`, the path of a `.npz` file, or `auto`: MNIST where it is found or can be fetched, else
            scikit-learn's digits with `reason` filled in.
        data_dir: Folder to look in first; never written to.
        seed: Seed of the 80/10/10 split of a file that has no splits of its own.
        progress: Called while a download runs, with the bytes that are there of the present file and with its size, 0 if unknown.
        download: Whether to download what is not there.

    Raises:
        FileNotFoundError: If the source is not there and cannot be fetched.
        ValueError: If the source has no such name, or its files are not what they should be.
    """
    if data_dir is not None and not data_dir.is_dir():
        raise FileNotFoundError(f"no folder {data_dir} to look for digits in")

    def opened(request: Request) -> DigitSource:
        full = replace(request, data_dir=data_dir, seed=seed, progress=progress, download=download)
        return DIGIT_SOURCES[request.name].open(full)

    if source == AUTO:
        digits, reason = first_at_hand(AUTO_DIGITS, lambda name: opened(Request(name)))
        return replace(digits, reason=reason)
    request = looked_up(DIGIT_SOURCES, source)
    if request is None:
        raise ValueError(f"no digits called {source!r}: choose {', '.join(choices(DIGIT_SOURCES))} or a .npz file")
    return opened(request)
