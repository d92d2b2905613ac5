"""Labeled digits from any source in the catalog, split into training, validation and test.

Dimensions: N glyphs of H x W pixels, 28 x 28 in all sources except your own files.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from glimpse.datasets.catalog import AUTO, AUTO_DIGITS, DIGIT_SOURCES, Request, choices, looked_up, opens_again
from glimpse.datasets.fetch import Progress
from glimpse.datasets.folders import first_at_hand
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
        n_classes: Number of classes, labels 0 to n_classes - 1.
        seed: Seed of the random split of a file without splits, else None.
        sha256: Digest of the shapes, pixels and labels of all glyphs.
        train: Training glyphs.
        valid: Validation glyphs.
        test: Test glyphs.
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
        """Argument of `open_digits` that opens the same source: its name, or the path of the file."""
        return opens_again(DIGIT_SOURCES, self.name, self.path)

    def record(self) -> dict[str, object]:
        """Returns the source's identity, for a run's `config.json`."""
        sizes = {"train": len(self.train.labels), "valid": len(self.valid.labels), "test": len(self.test.labels)}
        identity = {key: getattr(self, key) for key in ("name", "digits", "path", "reason", "n_classes", "seed", "sha256")}
        return identity | {"sizes": sizes}


def digit_source(
    name: str, parts: tuple[Digits, Digits, Digits], *, path: str | None = None, seed: int | None = None
) -> DigitSource:
    """Returns a source, with its digest and number of classes computed from the glyphs.

    Args:
        name: Name of the source in the catalog.
        parts: Training, validation and test glyphs.
        path: Folder or file of the glyphs; None if they are not in a file.
        seed: Seed of the random split; None if there is none.
    """
    sha256 = sha256_of_images(*((part.images.numpy(), part.labels.numpy()) for part in parts))
    n_classes = 1 + max(int(part.labels.max()) for part in parts)
    return DigitSource(name, path, None, n_classes, seed, sha256, *parts)


def open_digits(
    source: str = AUTO,
    *,
    data_dir: Path | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    download: bool = True,
) -> DigitSource:
    """Returns the glyphs of a source, split into training, validation and test.

    The folders searched are `data_dir`, the folder in the environment variable `GLIMPSE_DATA` and the user's cache. Downloads go to
    the user's cache.

    Args:
        source: A name in `DIGIT_SOURCES`, the path of a `.npz` file, or `auto`: MNIST if it is found or can be downloaded, else
            scikit-learn's digits, with `reason` set.
        data_dir: Folder to search first; never written to.
        seed: Seed of the random 80/10/10 split of a file without splits.
        progress: Called during a download with the bytes received of the current file and its size, 0 if unknown.
        download: Whether to download a source that is not found.

    Raises:
        FileNotFoundError: If the source is not found and cannot be downloaded, or `data_dir` is not a folder.
        ValueError: If there is no source of this name, or its files are damaged.
    """

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
