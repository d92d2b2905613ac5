"""The fixed binarization of MNIST used to compare density models: 50,000 / 10,000 / 10,000 images of 28 x 28 bits.

Each pixel was sampled once, with its intensity as the probability. The rows of the test file are grouped by class.

References:
    R. Salakhutdinov, I. Murray, "On the Quantitative Analysis of Deep Belief Networks", ICML 2008.
    H. Larochelle, I. Murray, "The Neural Autoregressive Distribution Estimator", AISTATS 2011 (the files).
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from glimpse.datasets.array_files import read_array
from glimpse.datasets.batches import Split
from glimpse.datasets.catalog import Request
from glimpse.datasets.folders import NotAtHand, missing
from glimpse.datasets.limits import check_bytes
from glimpse.datasets.pixel_sets import Images, Opened, digest
from glimpse.digest import sha256_of_bytes

__all__ = ["KNOWN", "find_binarized_mnist", "open_binarized_mnist"]

_FOLDER = "binarized_mnist"
_N_PIXELS = 784

KNOWN: dict[Split, tuple[int, str]] = {
    "train": (50_000, "727146c35424b019f3e350e1e69faa05644a0abaf787e3f4e1a9632220a13906"),
    "valid": (10_000, "a256ac44ae26be720fad8616a05ed6ecfd1619930d9a208379bb2a4405df5b6d"),
    "test": (10_000, "9fcd8da6f0fdf09b2ba30fe63a0bb784042a0de82563172530229b983e294ff2"),
}
"""Number of rows of each split and the SHA-256 of their packed bits."""


def find_binarized_mnist(places: list[Path]) -> Path | None:
    """Returns the first folder with a file for each split, None if there is none.

    Args:
        places: Folders to search, each with its subfolder `binarized_mnist`.
    """
    folders = (folder for place in places for folder in (place / _FOLDER, place))
    return next((folder for folder in folders if all(_file(folder, split) for split in KNOWN)), None)


def open_binarized_mnist(request: Request) -> Opened:
    """Returns the set from `binarized_mnist_{train,valid,test}`, each the original `.amat` text or a `.npy` of packed bits.

    Raises:
        NotAtHand: If the files are in none of the folders searched.
        ValueError: If a file is damaged or does not hold the known bits.
    """
    folder = find_binarized_mnist(request.places)
    if folder is None:
        raise NotAtHand(
            missing("binarized-mnist", request.places),
            "it cannot be downloaded: put binarized_mnist_train, _valid and _test, the original .amat or .npy of packed bits, into"
            f" a folder {_FOLDER} in one of these; or use dynamic-mnist",
        )
    train, valid, test = (_images(folder, split) for split in KNOWN)
    return Opened(train, valid, test, str(folder), digest(train, valid, test))


def _file(folder: Path, split: Split) -> Path | None:
    files = (folder / f"binarized_mnist_{split}{ending}" for ending in (".npy", ".amat"))
    return next((file for file in files if file.is_file()), None)


def _images(folder: Path, split: Split) -> Images:
    file = _file(folder, split)
    if file is None:
        raise FileNotFoundError(f"{folder} has no {split} part of binarized MNIST")
    packed = _packed_array(file) if file.suffix == ".npy" else _packed_text(file)
    rows, known = KNOWN[split]
    if packed.shape != (rows, _N_PIXELS // 8):
        raise ValueError(f"{file} holds {len(packed)} rows, the {split} part of binarized MNIST has {rows}; get the file again")
    found = sha256_of_bytes(np.ascontiguousarray(packed).data)
    if found != known:
        mean = np.unpackbits(packed).mean()
        raise ValueError(
            f"{file} is not the known {split} part of binarized MNIST: mean {mean:.6f}, SHA-256 of its bits {found[:16]}...,"
            f" expected {known[:16]}...; get the file again"
        )
    bits = np.unpackbits(packed, axis=1) * np.uint8(255)
    return Images.unlabeled(torch.from_numpy(bits.reshape(rows, 1, 28, 28)))


def _packed_array(file: Path) -> NDArray[np.uint8]:
    packed: NDArray[np.uint8] = read_array(file, "; get the file again")
    if packed.dtype != np.uint8 or packed.shape[1:] != (_N_PIXELS // 8,):
        raise ValueError(f"{file} must hold bits packed along the rows, uint8 of shape (N, {_N_PIXELS // 8})")
    return packed


def _packed_text(file: Path) -> NDArray[np.uint8]:
    """Returns the packed bits of a text of zeros and ones, one row per line, with any white space between them."""
    check_bytes(file.stat().st_size, str(file))
    text = np.frombuffer(file.read_bytes(), dtype=np.uint8)
    is_digit = text > ord(" ")
    digits = text[is_digit] - np.uint8(ord("0"))
    if len(digits) % _N_PIXELS or (digits > 1).any():
        raise ValueError(f"{file} must hold rows of {_N_PIXELS} zeros and ones; get the file again")
    return np.packbits(digits.reshape(-1, _N_PIXELS), axis=1)
