"""Example digits of the playground, from which its clutter is cut as well."""

from pathlib import Path

import torch

from glimpse.datasets.digits import Digits
from glimpse.datasets.opening import open_digit_source
from glimpse.listener import Listener

__all__ = ["example_digits"]

_EACH = 5  # of every class
_MOST = 60


def example_digits(source: str | None, data_dir: Path | None, listener: Listener) -> Digits:
    """Returns the first five test digits of every class, at most 60 in all, the classes in turn.

    Args:
        source: Source of the digits; `auto` if None.
        data_dir: Folder to search first.
        listener: Receives a warning if MNIST is not found.

    Raises:
        ValueError: If there is no such source.
        OSError: If it cannot be read.
    """
    test = open_digit_source(source or "auto", data_dir, listener=listener).test
    labels = sorted(set(test.labels.tolist()))
    by_class = [torch.nonzero(test.labels == label).flatten()[:_EACH].tolist() for label in labels]
    rows = [found[turn] for turn in range(_EACH) for found in by_class if turn < len(found)]
    return test.at(torch.tensor(rows[:_MOST], dtype=torch.int64))
