"""Digit sources: glyphs with labels, from MNIST and its kin, scikit-learn, or a person's own file.

Dimensions: N glyphs of H x W pixels (28 x 28 for all but a person's own).

References:
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition", 1998 (MNIST).
    H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST", 2017, arXiv:1708.07747.
    G. Cohen, S. Afshar, J. Tapson, A. van Schaik, "EMNIST: an extension of MNIST to handwritten letters", 2017, arXiv:1702.05373.
    E. Alpaydin, C. Kaynak, "Optical recognition of handwritten digits", UCI repository, 1998 (scikit-learn's digits).
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glimpse.datasets import fetch
from glimpse.datasets.arrays import Labelled, held_out, read_npz
from glimpse.datasets.counter import permutation

__all__ = ["DigitSource", "Digits", "SourceName", "open_digits", "search_places"]

SourceName = Literal["mnist", "fashion-mnist", "emnist-digits", "sklearn", "file"]
_DOWNLOADED = ("mnist", "fashion-mnist", "emnist-digits")
_SPLIT_STREAM = 64  # of the counter-based generator; 0 to 2 and 16 to 18 belong to the clutter
_HELD_OUT = 10_000  # the last training glyphs of MNIST and its kin, for validation
_MNIST_BOX = 20  # MNIST's digits fill a box of this side in the middle of their frame
_MNIST_SIDE = 28


@dataclass(frozen=True)
class Digits:
    """Glyphs of one split.

    Attributes:
        images: Shape (N, H, W), uint8, white on black.
        labels: Shape (N,), int64, from 0.
        source: Where they come from, as the run records it.
    """

    images: Tensor
    labels: Tensor
    source: str

    def to(self, device: torch.device | str) -> "Digits":
        """Returns the same glyphs on a device."""
        return Digits(self.images.to(device), self.labels.to(device), self.source)


@dataclass(frozen=True)
class DigitSource:
    """Glyphs of all three splits, and where they come from.

    Attributes:
        name: Which source.
        path: Folder or file they were found in; None for scikit-learn's.
        reason: Why `auto` had to take scikit-learn's digits, else None.
        n_classes: Number of classes, labels 0 to n_classes - 1.
        seed: Seed of the random split of a person's own unsplit file, else None.
        sha256: Digest over the bytes of all glyphs and labels.
        train: Glyphs to learn from.
        valid: Glyphs to choose a model on.
        test: Glyphs to measure the error on.
    """

    name: SourceName
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
        """What opens the same source again with `open_digits`: its name, or the path of the file."""
        return self.path if self.name == "file" and self.path else self.name

    def record(self) -> dict[str, object]:
        """Returns the source's identity, for a run's `config.json`."""
        sizes = {"train": len(self.train.labels), "valid": len(self.valid.labels), "test": len(self.test.labels)}
        identity = {key: getattr(self, key) for key in ("name", "digits", "path", "reason", "n_classes", "seed", "sha256")}
        return identity | {"sizes": sizes}


def open_digits(
    source: str = "auto",
    *,
    data_dir: Path | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    download: bool = True,
) -> DigitSource:
    """Returns the glyphs of a source, split into training, validation and test.

    MNIST and its kin are looked for as torchvision lays them out, in `data_dir`, in the folder that the environment's
    `GLIMPSE_DATA` names, then in the user's cache, the only place that anything is downloaded to. Validation is their last 10,000
    training glyphs. scikit-learn's 1,797 digits are resampled into MNIST's frame and split 1,197 / 300 / 300.

    Args:
        source: `mnist`, `fashion-mnist`, `emnist-digits`, `sklearn`, the path of a `.npz` file, or `auto`: MNIST where it is found
            or can be fetched, else scikit-learn's digits with `reason` filled in.
        data_dir: Folder to look in first; never written to.
        seed: Seed of the 80/10/10 split of a file that has no splits of its own.
        progress: Called while a download runs, with the bytes that are there of the present file and with its size, 0 if unknown.
        download: Whether to download what is not there.

    Raises:
        FileNotFoundError: If the source is not there and cannot be fetched.
        ValueError: If the source has no such name, or its files are not what they should be.
    """
    if data_dir is not None and not data_dir.is_dir():
        raise FileNotFoundError(f"no folder {data_dir} to look for digits in")
    if source == "auto":
        found = _locate("mnist", data_dir, progress, download)
        return _sklearn(reason=found) if isinstance(found, str) else _from_folder("mnist", found)
    if source in _DOWNLOADED:
        found = _locate(source, data_dir, progress, download)
        if isinstance(found, str):
            raise FileNotFoundError(f"{found}; name a folder that has it with --data-dir, or use --digits sklearn")
        return _from_folder(source, found)
    if source == "sklearn":
        return _sklearn()
    if source.endswith(".npz"):
        return _file(Path(source), seed)
    choices = ", ".join(["auto", *get_args(SourceName)[:-1]])
    raise ValueError(f"no digits called {source!r}: choose {choices} or a .npz file")


def search_places(data_dir: Path | None = None) -> list[Path]:
    """Returns the folders that digits are looked for in, first to last."""
    given = [data_dir] if data_dir is not None else []
    from_environment = [Path(os.environ["GLIMPSE_DATA"])] if os.environ.get("GLIMPSE_DATA") else []
    return [*given, *from_environment, fetch.cache_folder()]


def _locate(name: str, data_dir: Path | None, progress: Callable[[int, int], None] | None, download: bool) -> Path | str:
    """Returns the folder that has a source, downloaded if need be, or in words why there is none."""
    places = search_places(data_dir)
    for folder in places:
        if fetch.is_complete(name, folder):
            return folder
    missing = f"{name} is not in {', '.join(str(place) for place in places)}"
    if not download:
        return missing
    try:
        fetch.download(name, progress)
    except OSError as error:
        return f"{missing} and cannot be downloaded ({error})"
    return fetch.cache_folder()


def _from_folder(name: str, folder: Path) -> DigitSource:
    images, labels = fetch.load(name, folder, train=True)
    tests = fetch.load(name, folder, train=False)
    held = len(labels) - _HELD_OUT
    parts = ((images[:held], labels[:held]), (images[held:], labels[held:]), tests)
    return _source(cast(SourceName, name), *(Digits(*part, name) for part in parts), path=str(folder))


def _sklearn(reason: str | None = None) -> DigitSource:
    from sklearn.datasets import load_digits

    bundle = load_digits()
    images, labels = _in_mnist_frame(bundle.images.astype(np.int64)), bundle.target.astype(np.int64)
    parts = (_digits(images[chosen], labels[chosen], "sklearn") for chosen in _stratified(labels, held=300))
    return _source("sklearn", *parts, reason=reason)


def _in_mnist_frame(images: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Returns scikit-learn's digits (N, 8, 8), values 0 to 16, bilinearly enlarged to 20 x 20 and centered in 28 x 28.

    In integers: the center of target pixel i lies at (4 i - 3) / 10 of a source pixel, so that all weights are tenths.
    """
    tenths = 4 * np.arange(_MNIST_BOX) - 3
    low, share = tenths // 10, tenths % 10
    weights = np.zeros((_MNIST_BOX, 8), dtype=np.int64)
    np.add.at(weights, (np.arange(_MNIST_BOX), low.clip(0, 7)), 10 - share)
    np.add.at(weights, (np.arange(_MNIST_BOX), (low + 1).clip(0, 7)), share)
    enlarged = np.einsum("iy,nyx,jx->nij", weights, images, weights)  # 0 to 1600
    margin = (_MNIST_SIDE - _MNIST_BOX) // 2
    return np.pad((enlarged * 255 + 800) // 1600, ((0, 0), (margin, margin), (margin, margin))).astype(np.uint8)


def _stratified(labels: NDArray[np.int64], held: int) -> list[NDArray[np.int64]]:
    """Returns the training, validation and test indices, `held` each for the last two, every class in its proportion within one."""
    shuffled = permutation(0, _SPLIT_STREAM, 0, len(labels)).numpy()
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    steps = np.arange(len(labels) + 1) * (2 * held) // len(labels)
    taken = np.diff(steps) == 1  # evenly spaced over the classes
    chosen = by_class[taken]
    return [np.sort(by_class[~taken]), np.sort(chosen[0::2]), np.sort(chosen[1::2])]


def _file(path: Path, seed: int) -> DigitSource:
    parts = read_npz(path)
    if "test" in parts and "train" not in parts:
        raise ValueError(f"{path}: digits need a training part, X_train and y_train")
    if "valid" in parts and "test" not in parts:
        raise ValueError(f"{path}: digits with a validation part need a test part too, X_test and y_test")
    split_seed = None if "test" in parts else seed
    if "test" in parts:
        kept = (parts["train"], parts["valid"]) if "valid" in parts else _last_tenth(parts["train"])
        arrays = [*kept, parts["test"]]
    else:
        arrays = _tenths(path, parts.get("all") or parts["train"], seed)
    digits = (_digits(_grey(path, images), labels, "file") for images, labels in arrays)
    return _source("file", *digits, path=str(path.resolve()), seed=split_seed)


def _last_tenth(data: Labelled) -> tuple[Labelled, Labelled]:
    kept = len(data.labels) - held_out(len(data.labels))
    return Labelled(data.images[:kept], data.labels[:kept]), Labelled(data.images[kept:], data.labels[kept:])


def _tenths(path: Path, data: Labelled, seed: int) -> list[Labelled]:
    """Returns a random 80 / 10 / 10 split."""
    count = len(data.labels)
    if count < 10:
        raise ValueError(f"{path}: at least 10 glyphs are needed for a split of 80/10/10, got {count}")
    order = permutation(seed, _SPLIT_STREAM, 0, count).numpy()
    cuts = (count - 2 * (count // 10), count - count // 10)
    return [Labelled(data.images[chosen], data.labels[chosen]) for chosen in map(np.sort, np.split(order, cuts))]


def _grey(path: Path, images: NDArray[Any]) -> NDArray[np.uint8]:
    """Returns (N, H, W) in uint8 for grey images (N, H, W, 1)."""
    if images.shape[3] != 1:
        raise ValueError(f"{path}: digits must be grey, got {images.shape[3]} channels")
    grey: NDArray[np.uint8] = images[..., 0] if images.dtype == np.uint8 else np.rint(images[..., 0] * 255).astype(np.uint8)
    return grey


def _digits(images: NDArray[np.uint8], labels: NDArray[np.int64], source: str) -> Digits:
    return Digits(torch.from_numpy(np.ascontiguousarray(images)), torch.from_numpy(labels), source)


def _source(
    name: SourceName,
    train: Digits,
    valid: Digits,
    test: Digits,
    *,
    path: str | None = None,
    reason: str | None = None,
    seed: int | None = None,
) -> DigitSource:
    digest = hashlib.sha256()
    for part in (train, valid, test):
        digest.update(repr(tuple(part.images.shape)).encode())
        digest.update(part.images.contiguous().numpy().data)
        digest.update(part.labels.numpy().astype("<i8").data)
    n_classes = 1 + max(int(part.labels.max()) for part in (train, valid, test))
    return DigitSource(name, path, reason, n_classes, seed, digest.hexdigest(), train, valid, test)
