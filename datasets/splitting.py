"""Rows of images by class: splits for validation and testing, and training parts in which classes weigh the same.

Dimensions: N images, K classes.
"""

import numpy as np
from numpy.typing import NDArray

from glimpse.datasets.counter import STREAMS, permutation
from glimpse.datasets.limits import check_bytes

__all__ = ["balanced", "stratified"]


def stratified(labels: NDArray[np.int64], seed: int, n_held_out: int) -> list[NDArray[np.int64]]:
    """Returns the rows of a training part and of one or two held-out parts, each with a tenth of every class.

    A held-out part has a tenth of a class, rounded, but at least one image if the class has enough: a class with two images has
    none in the second held-out part, and a class with one image is in the training part. A function of (labels, seed).

    Args:
        labels: Class of each image, shape (N,), from 0.
        seed: Random seed, 0 to 2^64 - 1.
        n_held_out: Number of held-out parts, 1 or 2.

    Returns:
        Indices, in ascending order for the training part and in random order for the others. Together they are 0 to N - 1.

    >>> sorted_labels = np.repeat([0, 1], 20)
    >>> [sorted_labels[rows].tolist() for rows in stratified(sorted_labels, 0, 2)[1:]]
    [[1, 0, 0, 1], [0, 0, 1, 1]]
    """
    order = permutation(seed, STREAMS["stratified split"], 0, len(labels)).numpy()
    by_class = order[np.argsort(labels[order], kind="stable")]
    counts = np.bincount(labels)
    rank = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)  # of each row of `by_class` within its class
    part = np.zeros(len(labels), dtype=np.int64)  # 0 is the training part
    first = np.zeros_like(counts)
    for number in range(1, n_held_out + 1):
        share = np.where(counts > number, np.maximum(1, (counts + 5) // 10), 0)
        end = first + share
        part[by_class[(rank >= np.repeat(first, counts)) & (rank < np.repeat(end, counts))]] = number
        first = end
    held_out = [order[part[order] == number] for number in range(1, n_held_out + 1)]
    return [np.flatnonzero(part == 0), *held_out]


def balanced(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns rows of a training part in which every class has as many as the largest one; rows of smaller classes come again.

    On average a row comes as often as scikit-learn's `compute_class_weight("balanced")` weighs it, up to a factor common to all
    classes. Within a class each row comes equally often, or the first ones once more. Classes without a row stay so.

    Args:
        labels: Class of each image, shape (N,), from 0.

    Raises:
        TooLarge: If there are more rows than memory.

    >>> balanced(np.array([0, 0, 0, 1, 2])).tolist()
    [0, 1, 2, 3, 3, 3, 4, 4, 4]
    """
    by_class = np.argsort(labels, kind="stable")
    counts = np.bincount(labels)
    present, most = int((counts > 0).sum()), int(counts.max())
    check_bytes(present * most * labels.itemsize, f"{present:,} classes of {most:,} images each, repeated")
    rows = np.split(by_class, np.cumsum(counts)[:-1])
    return np.concatenate([np.resize(each, most) for each in rows if len(each)])
