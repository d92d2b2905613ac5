"""Your own glyphs in any form of `glimpse.datasets.forms` as a digit source, in their own parts or split 80 / 10 / 10."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glimpse.datasets.batches import last_tenth
from glimpse.datasets.catalog import Request
from glimpse.datasets.counter import STREAMS, permutation
from glimpse.datasets.digits import Digits, DigitSource, digit_source
from glimpse.datasets.forms.catalog import recognized
from glimpse.datasets.forms.found import ImageRows
from glimpse.datasets.forms.given import Given
from glimpse.datasets.labels import class_names
from glimpse.datasets.split_rule import SplitRule
from glimpse.datasets.splitting import stratified

__all__ = ["open_own_digits"]


def open_own_digits(request: Request) -> DigitSource:
    """Returns the glyphs at the request's path.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If its form is not recognized, the glyphs are not gray or fewer than 10, or a part is missing.
    """
    path = Path() if request.path is None else request.path
    found = recognized(Given(path, as_stored=request.split.kind == "legacy"))
    parts = found.parts
    names = request.class_names or class_names(data.labels for data in parts.values())
    if "test" in parts and "train" not in parts:
        raise ValueError(f"{path}: digits need a training part, X_train and y_train")
    if "valid" in parts and "test" not in parts:
        raise ValueError(f"{path}: digits with a validation part need a test part too, X_test and y_test")
    glyphs = {
        part: Digits(_gray(path, data.images), torch.from_numpy(data.labels.classes(names, str(path))), request.name)
        for part, data in parts.items()
    }
    rule: SplitRule | None = request.split
    if "valid" in parts:
        train, valid, test, rule = glyphs["train"], glyphs["valid"], glyphs["test"], None
    elif "test" in parts:
        (train, valid), test = _divided(path, glyphs["train"], request.split, 1), glyphs["test"]
    else:
        train, valid, test = _divided(path, glyphs.get("all") or glyphs["train"], request.split, 2)
    return digit_source(request.name, (train, valid, test), path=str(path.resolve()), split=rule, class_names=names)


def _divided(path: Path, glyphs: Digits, rule: SplitRule, n_held_out: int) -> list[Digits]:
    """Returns a training part and one or two held-out parts.

    Raises:
        ValueError: If there are too few glyphs for them.
    """
    count = len(glyphs.labels)
    if n_held_out == 2 and count < 10:
        raise ValueError(f"{path}: at least 10 glyphs are needed for a split of 80/10/10, got {count}")
    if rule.kind == "stratified":
        parts = stratified(glyphs.labels.numpy(), rule.seed, n_held_out)
    elif n_held_out == 1:
        parts = [np.arange(count)[rows] for rows in last_tenth(count)]
    else:
        order, cuts = permutation(rule.seed, STREAMS["split"], 0, count).numpy(), (count - 2 * (count // 10), count - count // 10)
        parts = [np.sort(rows) for rows in np.split(order, cuts)]
    if not all(map(len, parts)):
        raise ValueError(
            f"{path}: too few glyphs of each class to hold some out: at least {n_held_out + 1} of one class are needed"
        )
    return [glyphs.at(torch.from_numpy(rows)) for rows in parts]


def _gray(path: Path, images: ImageRows) -> Tensor:
    """Returns gray images (N, H, W) or (N, H, W, 1) as uint8 of shape (N, H, W)."""
    if images.ndim == 4 and images.shape[3] != 1:
        raise ValueError(f"{path}: digits must be gray, got {images.shape[3]} channels")
    pixels: NDArray[Any] = images[np.arange(len(images))].reshape(images.shape[:3])
    gray = pixels if pixels.dtype == np.uint8 else np.rint(pixels * 255).astype(np.uint8)
    return torch.from_numpy(np.ascontiguousarray(gray))
