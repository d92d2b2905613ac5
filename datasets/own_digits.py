"""Your own glyphs in a `.npz` file as a digit source, in the parts of the file or split 80 / 10 / 10 at random."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from glimpse.datasets.batches import last_tenth
from glimpse.datasets.catalog import Request
from glimpse.datasets.counter import STREAMS, permutation
from glimpse.datasets.digits import Digits, DigitSource, digit_source
from glimpse.datasets.npz import Labeled, read_labeled

__all__ = ["open_own_digits"]


def open_own_digits(request: Request) -> DigitSource:
    """Returns the glyphs in the file at the request's path.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not a readable `.npz` of gray glyphs, has fewer than 10 glyphs, or lacks a part.
    """
    path = Path() if request.path is None else request.path
    parts = read_labeled(path)
    if "test" in parts and "train" not in parts:
        raise ValueError(f"{path}: digits need a training part, X_train and y_train")
    if "valid" in parts and "test" not in parts:
        raise ValueError(f"{path}: digits with a validation part need a test part too, X_test and y_test")
    if "test" in parts:
        seed = None
        training = (parts["train"], parts["valid"]) if "valid" in parts else _without_last_tenth(parts["train"])
        arrays = [*training, parts["test"]]
    else:
        seed = request.seed
        arrays = _tenths(path, parts.get("all") or parts["train"], seed)
    train, valid, test = (
        Digits(torch.from_numpy(_gray(path, images)), torch.from_numpy(labels), request.name) for images, labels in arrays
    )
    return digit_source(request.name, (train, valid, test), path=str(path.resolve()), seed=seed)


def _without_last_tenth(data: Labeled) -> tuple[Labeled, Labeled]:
    kept, held_out = last_tenth(len(data.labels))
    return data.at(kept), data.at(held_out)


def _tenths(path: Path, data: Labeled, seed: int) -> list[Labeled]:
    """Returns a random 80 / 10 / 10 split."""
    count = len(data.labels)
    if count < 10:
        raise ValueError(f"{path}: at least 10 glyphs are needed for a split of 80/10/10, got {count}")
    order = permutation(seed, STREAMS["split"], 0, count).numpy()
    cuts = (count - 2 * (count // 10), count - count // 10)
    return [data.at(np.sort(chosen)) for chosen in np.split(order, cuts)]


def _gray(path: Path, images: NDArray[Any]) -> NDArray[np.uint8]:
    """Returns gray images (N, H, W, 1) as uint8 of shape (N, H, W)."""
    if images.shape[3] != 1:
        raise ValueError(f"{path}: digits must be gray, got {images.shape[3]} channels")
    gray = images[..., 0] if images.dtype == np.uint8 else np.rint(images[..., 0] * 255).astype(np.uint8)
    return np.ascontiguousarray(gray)
