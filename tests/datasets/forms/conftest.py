"""Fixtures of the tests of the forms: images whose pixels tell their number, labels, and an opener that compares with them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from glimpse.datasets.labeled_images import DataParts, open_data
from glimpse.settings.requests import FormChoice

DRAW = np.random.default_rng(0)
GRAY = DRAW.integers(0, 256, (40, 9, 9), dtype=np.uint8)
COLOR = DRAW.integers(0, 256, (40, 9, 7, 3), dtype=np.uint8)
LABELS = np.arange(40) % 4


@pytest.fixture
def opens_as() -> Callable[..., DataParts]:
    """Returns a function that opens a source, compares its parts with images and labels, and returns them."""
    return _opens_as


def _opens_as(source: Any, images: NDArray[Any] = GRAY, labels: NDArray[Any] = LABELS, form: str = "", **choice: Any) -> DataParts:
    """Compares all images of an unsplit source, or of one with a training and a test part that are the first 30 and last 10."""
    data = open_data(source, form=FormChoice(**choice))
    wanted = {"test": slice(None)} if data.is_whole else {"train": slice(30), "test": slice(30, None)}
    parts = {"test": data.evaluation[1]} if data.is_whole else data.parts
    for name, rows in wanted.items():
        part = parts[name]
        together = [part] if name == "test" or data.split is None else [data.parts["train"], data.parts["valid"]]
        order = np.argsort(np.concatenate([each.rows for each in together]))
        found = [each.batch(torch.arange(len(each))) for each in together]
        pixels = torch.cat([batch.images for batch in found])[order]
        expected = images[rows] if images.ndim == 4 else images[rows, :, :, None]
        assert pixels.shape == (len(expected), expected.shape[3], *expected.shape[1:3])
        assert np.abs(255 * pixels.numpy().transpose(0, 2, 3, 1) - expected).max() < 0.51
        names = [data.class_names[k] for k in torch.cat([batch.labels for batch in found])[order].tolist()]
        assert names == [str(label) for label in labels[rows]]
    assert form in ("", data.form)
    return data


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    """Returns a function that writes arrays into a `.npz` file and returns its path."""

    def save(**arrays: Any) -> Path:
        np.savez(tmp_path / "own.npz", **arrays)
        return tmp_path / "own.npz"

    return save
