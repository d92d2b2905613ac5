"""Your own labeled images, or a built set, as parts to train and evaluate on.

Dimensions: N images of H x W pixels in C channels. Positions are pixels counted from 0, x before y.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glimpse.datasets.batches import Batch, EpochOrders, PositionalDataset, last_tenth, unit_range
from glimpse.datasets.build import MANIFEST, read_set
from glimpse.datasets.counter import STREAMS
from glimpse.datasets.npz import Part, read_labeled
from glimpse.digest import sha256_of_file

__all__ = ["DataParts", "ImageSet", "open_data"]


class ImageSet(PositionalDataset):
    """Images in an array or a memory-mapped file, read one batch at a time.

    Args:
        images: Shape (N, H, W) or (N, H, W, C), uint8, or float in 0 to 1.
        labels: Shape (N,), integers from 0.
        centers: Center (x, y) of each digit's frame in pixels, shape (N, 2); None if unknown.
        device: Device of the batches.
        shuffle_seed: Seed of the random order of every epoch, 0 to 2^64 - 1; the order of the array if None.

    Raises:
        ValueError: If there are no images, or the numbers of images and labels differ.
    """

    def __init__(
        self,
        images: NDArray[Any],
        labels: NDArray[Any],
        centers: NDArray[Any] | None = None,
        *,
        device: torch.device | str = "cpu",
        shuffle_seed: int | None = None,
    ) -> None:
        if not 0 < len(images) == len(labels):
            raise ValueError(f"expected as many labels as images and at least one, got {len(images)} images, {len(labels)} labels")
        self.images = images if images.ndim == 4 else images[..., None]  # (N, H, W, C)
        self.labels = torch.from_numpy(np.array(labels, dtype=np.int64))
        unknown = np.full((len(labels), 2), np.nan)
        self.centers = torch.from_numpy(np.array(unknown if centers is None else centers, dtype=np.float32))
        self.device = torch.device(device)
        self._orders = None if shuffle_seed is None else EpochOrders(shuffle_seed, STREAMS["order of own images"], len(labels))

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of every image."""
        height, width, channels = self.images.shape[1:]
        return channels, height, width

    def batch(self, positions: Tensor) -> Batch:
        """Returns the images at these positions, shape (B,), on the device of the set."""
        positions = positions.cpu()
        index = positions % len(self)
        if self._orders is not None:
            index = self._orders.at(positions // len(self), index)
        chosen = torch.from_numpy(np.ascontiguousarray(self.images[index.numpy()])).to(self.device)  # (B, H, W, C)
        images = unit_range(chosen) if chosen.dtype == torch.uint8 else chosen.float()
        return Batch(images.movedim(3, 1).contiguous(), self.labels[index].to(self.device), self.centers[index].to(self.device))


@dataclass(frozen=True)
class DataParts:
    """The parts of a built set or of a file.

    Attributes:
        path: Folder or file that the images come from.
        sha256: Digest of the file, or of the built set's manifest, which holds the digests of its arrays.
        n_classes: Number of classes, labels 0 to n_classes - 1.
        train: Training images, shuffled if a seed was given; None if there are none.
        valid: Validation images; None if there are none.
        test: Test images; None if there are none.
        is_whole: Whether the set is not split: then `test` is all of it, and `train` and `valid` are cut from the same images.
        frame: Height and width of the digits' frame around each center, in pixels; None if unknown.
    """

    path: str
    sha256: str
    n_classes: int
    train: ImageSet | None
    valid: ImageSet | None
    test: ImageSet | None
    is_whole: bool
    frame: tuple[int, int] | None = None

    @property
    def evaluation(self) -> tuple[str, ImageSet]:
        """Name and images of the part to measure an error on: test, else validation, else training."""
        for name, part in (("test", self.test), ("valid", self.valid), ("train", self.train)):
            if part is not None:
                return name, part
        raise ValueError(f"{self.path} holds no images")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of every image."""
        return self.evaluation[1].shape

    def record(self) -> dict[str, object]:
        """Returns the set's identity, for a run's `config.json`."""
        sizes = {name: len(part) for name in ("train", "valid", "test") if (part := getattr(self, name)) is not None}
        return {"path": self.path, "sha256": self.sha256, "n_classes": self.n_classes, "shape": list(self.shape), "sizes": sizes}


def open_data(path: Path, *, device: torch.device | str = "cpu", shuffle_seed: int | None = None) -> DataParts:
    """Returns the parts of a built set's folder or of a `.npz` file.

    If there is no validation part, the last tenth of the training part is held out for it. A set that is not split is the test
    part as a whole, and is also cut into a training and a validation part. See `read_labeled` for the arrays of a file.

    Args:
        path: Folder written by `glimpse dataset build`, or a `.npz` file.
        device: Device of the batches.
        shuffle_seed: Seed of the order of the training part; not shuffled if None.

    Raises:
        FileNotFoundError: If there is nothing at the path.
        ValueError: If it is neither a built set nor a `.npz` file, or an array has a wrong shape, type or range.
    """
    path = path.resolve()
    if path.is_dir():
        return _open_set(path, device, shuffle_seed)
    parts: dict[Part, _Arrays] = {part: (data.images, data.labels, None) for part, data in read_labeled(path).items()}
    return _data_parts(path, sha256_of_file(path), parts, device, shuffle_seed)


_Arrays = tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]


def _open_set(path: Path, device: torch.device | str, shuffle_seed: int | None) -> DataParts:
    built = read_set(path)
    whole: dict[Part, _Arrays] = {"all": (built.images, built.labels, built.centers)}
    return _data_parts(path, sha256_of_file(path / MANIFEST), whole, device, shuffle_seed, built.frame)


def _data_parts(
    path: Path,
    digest: str,
    parts: dict[Part, _Arrays],
    device: torch.device | str,
    shuffle_seed: int | None,
    frame: tuple[int, int] | None = None,
) -> DataParts:
    n_classes = 1 + max(int(labels.max()) for _, labels, _ in parts.values())
    train, valid = _train_and_valid(parts)
    test = parts.get("test") or parts.get("all")
    return DataParts(
        path=str(path),
        sha256=digest,
        n_classes=n_classes,
        train=train and ImageSet(*train, device=device, shuffle_seed=shuffle_seed),
        valid=valid and ImageSet(*valid, device=device),
        test=test and ImageSet(*test, device=device),
        is_whole="all" in parts,
        frame=frame,
    )


def _train_and_valid(parts: dict[Part, _Arrays]) -> tuple[_Arrays | None, _Arrays | None]:
    train = parts.get("train") or parts.get("all")
    if train is None or "valid" in parts:
        return train, parts.get("valid")
    if len(train[1]) == 1 and "all" in parts:
        return None, None
    kept, held_out = last_tenth(len(train[1]))
    return _cut(train, kept), _cut(train, held_out)


def _cut(arrays: _Arrays, rows: slice) -> _Arrays:
    images, labels, centers = arrays
    return images[rows], labels[rows], None if centers is None else centers[rows]
