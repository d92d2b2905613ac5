"""Fixtures of the data sets' tests: synthetic files in MNIST's format, and `.npz` files."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from glimpse.datasets.mnist import LAYOUTS

N_TRAIN, N_TEST, N_HELD = 30, 12, 5  # instead of 60,000, 10,000 and 10,000


@pytest.fixture
def small_mnist(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reduces the sets in MNIST's format to 30 training glyphs, the last 5 of them for validation, and 12 test glyphs."""
    for name, layout in LAYOUTS.items():
        monkeypatch.setitem(LAYOUTS, name, replace(layout, counts=(N_TRAIN, N_TEST), n_valid=N_HELD, md5={}))


@pytest.fixture
def lay_out() -> Callable[..., dict[str, NDArray[np.uint8]]]:
    """Returns a function that writes the files of a small set in torchvision's layout and returns the arrays by file name."""
    return _lay_out


def _lay_out(folder: Path, name: str, seed: int = 0) -> dict[str, NDArray[np.uint8]]:
    raw, draw = folder / LAYOUTS[name].folder / "raw", np.random.default_rng(seed)
    raw.mkdir(parents=True)
    arrays = {}
    for prefix, count in zip(LAYOUTS[name].prefixes, (N_TRAIN, N_TEST), strict=True):
        arrays[f"{prefix}-images-idx3-ubyte"] = draw.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        arrays[f"{prefix}-labels-idx1-ubyte"] = (np.arange(count) % 10).astype(np.uint8)
    for file, array in arrays.items():
        sizes = b"".join(int(size).to_bytes(4, "big") for size in array.shape)
        (raw / file).write_bytes(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes())
    return arrays


@pytest.fixture
def save_npz(tmp_path: Path) -> Callable[..., str]:
    """Returns a function that writes arrays into a `.npz` file and returns its path."""

    def save(**arrays: Any) -> str:
        np.savez(tmp_path / "own.npz", **arrays)
        return str(tmp_path / "own.npz")

    return save
