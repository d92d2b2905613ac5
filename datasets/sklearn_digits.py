"""scikit-learn's 1,797 digits of 8 x 8 pixels, resampled to MNIST's format and split 1,197 / 300 / 300, without a download.

References:
    E. Alpaydin, C. Kaynak, "Optical recognition of handwritten digits", UCI repository, 1998.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from glimpse.datasets.batches import HOLD_OUT_SEED
from glimpse.datasets.catalog import Request
from glimpse.datasets.counter import STREAMS, permutation
from glimpse.datasets.digits import Digits, DigitSource, digit_source

__all__ = ["open_sklearn_digits"]

_HELD_OUT = 300  # glyphs each for validation and for test
_BOX = 20  # MNIST's digits fill a box of this side in the middle of their frame
_SIDE = 28


def open_sklearn_digits(request: Request) -> DigitSource:
    """Returns scikit-learn's digits, stratified by class."""
    from sklearn.datasets import load_digits

    bundle = load_digits()
    images, labels = _in_mnist_frame(bundle.images.astype(np.int64)), bundle.target.astype(np.int64)
    train, valid, test = (
        Digits(torch.from_numpy(images[rows]), torch.from_numpy(labels[rows]), request.name) for rows in _stratified(labels)
    )
    return digit_source(request.name, (train, valid, test))


def _in_mnist_frame(images: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Returns scikit-learn's digits (N, 8, 8), values 0 to 16, bilinearly enlarged to 20 x 20 and centered in 28 x 28.

    The center of target pixel i is at (4 i - 3) / 10 source pixels, so that all weights are tenths and integers suffice.
    """
    tenths = 4 * np.arange(_BOX) - 3
    low, share = tenths // 10, tenths % 10
    weights = np.zeros((_BOX, 8), dtype=np.int64)
    np.add.at(weights, (np.arange(_BOX), low.clip(0, 7)), 10 - share)
    np.add.at(weights, (np.arange(_BOX), (low + 1).clip(0, 7)), share)
    enlarged = np.einsum("iy,nyx,jx->nij", weights, images, weights)  # 0 to 1600
    margin = (_SIDE - _BOX) // 2
    return np.pad((enlarged * 255 + 800) // 1600, ((0, 0), (margin, margin), (margin, margin))).astype(np.uint8)


def _stratified(labels: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Returns the training, validation and test indices, with the number of each class within 1 of its proportion."""
    shuffled = permutation(HOLD_OUT_SEED, STREAMS["split"], 0, len(labels)).numpy()
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    steps = np.arange(len(labels) + 1) * (2 * _HELD_OUT) // len(labels)
    taken = np.diff(steps) == 1  # evenly spaced over the classes
    chosen = by_class[taken]
    return [np.sort(by_class[~taken]), np.sort(chosen[0::2]), np.sort(chosen[1::2])]
