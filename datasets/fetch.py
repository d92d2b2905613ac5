"""MNIST and its kin, laid out as torchvision does: finding, reading and, into the user's cache alone, downloading them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

__all__ = ["cache_folder", "download", "is_complete", "load"]

_EXPECTED = {"mnist": (60_000, 10_000), "fashion-mnist": (60_000, 10_000), "emnist-digits": (240_000, 40_000)}


def cache_folder() -> Path:
    """Returns the user's cache for digits; it need not exist."""
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("glimpse"))


def is_complete(name: str, folder: Path) -> bool:
    """Returns whether a folder holds all files of a source; nothing is read."""
    family, prefixes = _layout(name)
    raw = folder / family / "raw"
    return all((raw / f"{prefix}-{kind}-ubyte").is_file() for prefix in prefixes for kind in ("images-idx3", "labels-idx1"))


def load(name: str, folder: Path, *, train: bool) -> tuple[Tensor, Tensor]:
    """Returns the official training or test glyphs (N, 28, 28), uint8 and upright, and their labels (N,), int64.

    Raises:
        ValueError: If the files are damaged.
    """
    dataset, options = _torchvision(name)
    expected = _EXPECTED[name][0 if train else 1]
    try:
        opened = dataset(folder, train=train, download=False, **options)
    except (RuntimeError, ValueError, AssertionError, OSError, EOFError, IndexError) as error:
        raise ValueError(f"{name} in {folder} is damaged ({error}); remove its files, or name another --data-dir") from error
    images, labels = opened.data, opened.targets.long()
    if images.shape != (expected, 28, 28) or labels.shape != (expected,):
        raise ValueError(f"the files of {name} in {folder} hold {tuple(images.shape)} images, {expected} of 28 x 28 expected")
    return (images.mT.contiguous() if name == "emnist-digits" else images), labels


def download(name: str, progress: Callable[[int, int], None] | None = None) -> None:
    """Downloads a source into the user's cache.

    Raises:
        OSError: If it cannot be reached or does not arrive whole in time.
    """
    raise OSError("no download yet")


def _layout(name: str) -> tuple[str, tuple[str, str]]:
    """Returns the folder's name and the prefixes of the training and the test files."""
    if name == "emnist-digits":
        return "EMNIST", ("emnist-digits-train", "emnist-digits-test")
    return ("MNIST" if name == "mnist" else "FashionMNIST"), ("train", "t10k")


def _torchvision(name: str) -> tuple[Any, dict[str, str]]:
    """Returns torchvision's class for a source and the further arguments it needs."""
    from torchvision import datasets

    if name == "emnist-digits":
        return datasets.EMNIST, {"split": "digits"}
    return (datasets.MNIST if name == "mnist" else datasets.FashionMNIST), {}
