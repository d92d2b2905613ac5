"""Your own labeled images, or a built set, as parts to train and evaluate on.

Dimensions: N images of H x W pixels in C channels, K classes. Positions are pixels counted from 0, x before y.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glimpse.datasets.batches import Batch, EpochOrders, PositionalDataset, last_tenth, unit_range
from glimpse.datasets.counter import STREAMS
from glimpse.datasets.forms.catalog import recognized
from glimpse.datasets.forms.found import Found, ImageRows, PartName
from glimpse.datasets.forms.given import Given
from glimpse.datasets.labels import class_names
from glimpse.datasets.picture_rows import PictureRows
from glimpse.datasets.split_rule import SplitRule
from glimpse.datasets.splitting import balanced, stratified
from glimpse.listener import Listener
from glimpse.settings.requests import FormChoice, chosen

__all__ = ["DataParts", "FirstImages", "ImageSet", "PartMaker", "first_images", "open_data"]

_UNSPLIT: tuple[PartName, ...] = ("all", "train")  # the only part of a set that is not split


class ImageSet(PositionalDataset):
    """Images in an array or in a file, from which one batch at a time is read.

    Args:
        images: Shape (N, H, W) or (N, H, W, C), uint8, or float in 0 to 1.
        labels: Class of each image, shape (N,), integers from 0.
        centers: Center (x, y) of each digit's frame in pixels, shape (N, 2); None if unknown.
        rows: Indices of the images that belong to the set, shape (M,); all of them, in their order, if None.
        device: Device of the batches.
        shuffle_seed: Seed of the random order of every epoch, 0 to 2^64 - 1; the order of the rows if None.

    Raises:
        ValueError: If there are no images, or the numbers of images and labels differ.
    """

    def __init__(
        self,
        images: ImageRows,
        labels: NDArray[Any],
        centers: NDArray[Any] | None = None,
        *,
        rows: NDArray[np.int64] | None = None,
        device: torch.device | str = "cpu",
        shuffle_seed: int | None = None,
    ) -> None:
        if not 0 < len(images) == len(labels):
            raise ValueError(f"expected as many labels as images and at least one, got {len(images)} images, {len(labels)} labels")
        self.images = images
        self.rows = np.arange(len(images)) if rows is None else rows
        self.labels = torch.from_numpy(np.array(labels, dtype=np.int64)[self.rows])
        unknown = np.full((len(labels), 2), np.nan)
        self.centers = torch.from_numpy(np.array(unknown if centers is None else centers, dtype=np.float32)[self.rows])
        self.device = torch.device(device)
        self._orders = None if shuffle_seed is None else EpochOrders(shuffle_seed, STREAMS["order of own images"], len(self.rows))

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of every image."""
        height, width, *channels = self.images.shape[1:]
        return channels[0] if channels else 1, height, width

    def counts(self, n_classes: int) -> NDArray[np.int64]:
        """Returns the number of images of each class, shape (K,)."""
        return np.bincount(self.labels.numpy(), minlength=n_classes)

    def balanced(self) -> "ImageSet":
        """Returns the set with images of smaller classes repeated, so that in each epoch all classes have as many images."""
        chosen, copied = balanced(self.labels.numpy()), copy.copy(self)
        copied.rows, copied.labels, copied.centers = self.rows[chosen], self.labels[chosen], self.centers[chosen]
        if self._orders is not None:
            copied._orders = EpochOrders(self._orders.seed, self._orders.stream, len(chosen))
        return copied

    def read_all(self, listener: Listener) -> None:
        """Decodes all images of the set if they are pictures, so that broken ones are known before a training starts.

        Raises:
            ValueError: If pictures cannot be decoded; the message names the first of them.
        """
        if isinstance(self.images, PictureRows):
            self.images.read_all(self.rows, listener)

    def batch(self, positions: Tensor) -> Batch:
        """Returns the images at these positions, shape (B,), on the device of the set."""
        positions = positions.cpu()
        index = positions % len(self)
        if self._orders is not None:
            index = self._orders.at(positions // len(self), index)
        stored = np.ascontiguousarray(self.images[self.rows[index.numpy()]])
        chosen = torch.from_numpy(stored if stored.ndim == 4 else stored[..., None]).to(self.device)  # (B, H, W, C)
        images = unit_range(chosen) if chosen.dtype == torch.uint8 else chosen.float()
        return Batch(images.movedim(3, 1).contiguous(), self.labels[index].to(self.device), self.centers[index].to(self.device))


@dataclass(frozen=True)
class DataParts:
    """Labeled images as parts to train and evaluate on.

    Attributes:
        name: Folder or file that the images come from, or the form of an object of Python.
        path: The folder or file; None for an object of Python.
        sha256: Digest of the images and labels: of the file, of the built set's manifest, or of the names and contents of pictures.
        class_names: Name of each of the K classes: its label, as a string.
        train: Training images, shuffled if a seed was given; None if there are none.
        valid: Validation images; None if there are none.
        test: Test images; None if there are none.
        whole: All images of a set without a test part, which `train`, `valid` and `test` were cut from; None if it has one.
        split: Rule by which images were held out; None if all parts are those of the file.
        frame: Height and width of the digits' frame around each center, in pixels; None if unknown.
        form: How the images were recognized, in a few words.
        choice: The choices that the images depend on.
    """

    name: str
    path: str | None
    sha256: str
    class_names: tuple[str, ...]
    train: ImageSet | None
    valid: ImageSet | None
    test: ImageSet | None
    whole: ImageSet | None = None
    split: SplitRule | None = None
    frame: tuple[int, int] | None = None
    form: str = ""
    choice: FormChoice = field(default_factory=FormChoice)

    @property
    def n_classes(self) -> int:
        """Number K of classes, labels 0 to K - 1."""
        return len(self.class_names)

    @property
    def is_whole(self) -> bool:
        """Whether the set has no test part, so that all parts are cut from the same images."""
        return self.whole is not None

    @property
    def evaluation(self) -> tuple[str, ImageSet]:
        """Name and images of the part to measure another model on: all images of an unsplit set, else test, valid or train."""
        for name, part in (("test", self.whole), ("test", self.test), ("valid", self.valid), ("train", self.train)):
            if part is not None:
                return name, part
        raise ValueError(f"{self.name} holds no images")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of every image."""
        return self.evaluation[1].shape

    @property
    def parts(self) -> dict[str, ImageSet]:
        """The training, validation and test images that there are, by name."""
        named = {"train": self.train, "valid": self.valid, "test": self.test}
        return {name: part for name, part in named.items() if part is not None}

    def record(self) -> dict[str, object]:
        """Returns the set's identity, for a run's `config.json`."""
        sizes = {name: len(part) for name, part in self.parts.items()}
        identity = {"path": self.path, "sha256": self.sha256, "n_classes": self.n_classes, "class_names": list(self.class_names)}
        split = {"split": None, "seed": None} if self.split is None else self.split.record()
        read = {name: list(value) if name == "size" else value for name, value in chosen(self.choice).items()}
        return identity | {"form": self.form, "shape": list(self.shape), "sizes": sizes} | split | read


@dataclass(frozen=True)
class PartMaker:
    """How opened images become parts.

    Attributes:
        split: Rule that divides images without parts.
        class_names: Classes of a trained model, to which labels are mapped by name; None for the classes of the images themselves.
        device: Device of the batches.
        shuffle_seed: Seed of the order of the training part; not shuffled if None.
    """

    split: SplitRule = field(default_factory=SplitRule)
    class_names: Sequence[str] | None = None
    device: torch.device | str = "cpu"
    shuffle_seed: int | None = None


def open_data(
    source: Any,
    *,
    form: FormChoice | None = None,
    device: torch.device | str = "cpu",
    shuffle_seed: int | None = None,
    split: SplitRule | None = None,
    class_names: Sequence[str] | None = None,
    listener: Listener | None = None,
) -> DataParts:
    """Returns labeled images in any of the forms in `glimpse.datasets.forms`, as parts to train and evaluate on.

    Images that are not split are split 80 / 10 / 10 by class. If there is a test part but no validation part, a tenth of each class
    of the training part is held out for it.

    Args:
        source: Path of a folder or a file, or an object of Python.
        form: How it is read where its form leaves it open.
        device: Device of the batches.
        shuffle_seed: Seed of the order of the training part; not shuffled if None.
        split: Rule that divides images without parts; by class, with a fixed seed, if None.
        class_names: Classes of a trained model, to which labels are mapped by name; if None, the classes are the distinct labels.
        listener: Hears what was left out or assumed, and progress.

    Raises:
        FileNotFoundError: If there is nothing at the path.
        ValueError: If the form is not recognized or leaves a question open, the images cannot be read, or a label is none of the
            given classes.
    """
    rule, listener = split or SplitRule(), listener or Listener()
    given = Given(source, form or FormChoice(), as_stored=rule.kind == "legacy", listener=listener)
    found = recognized(given)
    for note in found.notes:
        listener.note(f"{found.name}: {note}")
    return _data_parts(found, PartMaker(rule, class_names, device, shuffle_seed))


class FirstImages(NamedTuple):
    """First images of a set.

    Attributes:
        images: The images, with their labels as indices of the names.
        names: Their distinct labels, as strings.
        frame: Height and width of the digits' frame around each center, in pixels; None if unknown.
    """

    images: ImageSet
    names: tuple[str, ...]
    frame: tuple[int, int] | None


def first_images(source: Any, count: int, form: FormChoice | None = None) -> FirstImages:
    """Returns the first images of the part that `DataParts.evaluation` names, without reading the others where the form allows it.

    Args:
        source: Path of a folder or a file, or an object of Python.
        count: Largest number of images.
        form: How it is read where its form leaves it open.

    Raises:
        FileNotFoundError: If there is nothing at the path.
        ValueError: If the form is not recognized or leaves a question open, or the images cannot be read.
    """
    found = recognized(Given(source, form or FormChoice(), most=count))
    order: tuple[PartName, ...] = ("test", "all", "valid", "train")
    images, labels, centers = next(found.parts[name] for name in order if name in found.parts)
    first = np.arange(min(count, len(labels)))
    return FirstImages(ImageSet(images, labels.codes, centers, rows=first), labels.names, found.frame)


def _data_parts(found: Found, maker: PartMaker) -> DataParts:
    stored = found.parts
    names = tuple(maker.class_names or found.class_names or class_names(part.labels for part in stored.values()))
    classes = {name: part.labels.classes(names, found.name) for name, part in stored.items()}
    unsplit: PartName | None = next((name for name in _UNSPLIT if {*stored} == {name}), None)
    source: PartName | None = unsplit or ("train" if "train" in stored and "valid" not in stored else None)

    def part(name: PartName, rows: NDArray[np.int64] | None = None, shuffle_seed: int | None = None) -> ImageSet | None:
        if name not in stored or (rows is not None and not len(rows)):
            return None
        images, centers = stored[name].images, stored[name].centers
        return ImageSet(images, classes[name], centers, rows=rows, device=maker.device, shuffle_seed=shuffle_seed)

    if source is None:
        train, valid, test = part("train", shuffle_seed=maker.shuffle_seed), part("valid"), part("test")
    else:
        rows = _divided(classes[source], maker.split, 1 if unsplit is None else 2)
        train, valid = part(source, rows[0], maker.shuffle_seed), part(source, rows[1])
        test = part("test") if unsplit is None else part(source, rows[2])
    whole = None if unsplit is None else part(unsplit)
    split = None if source is None else maker.split
    identity = (found.name, found.path, found.sha256, names)
    return DataParts(*identity, train, valid, test, whole, split, found.frame, found.form, found.choice)


def _divided(labels: NDArray[np.int64], split: SplitRule, n_held_out: int) -> list[NDArray[np.int64]]:
    """Returns the rows of the training, the validation and the test part, the last one empty if it is not held out."""
    none = np.arange(0)
    if split.kind == "stratified":
        return [*stratified(labels, split.seed, n_held_out), none][:3]
    rows = np.arange(len(labels))
    if len(rows) == 1:
        return [none, none, none]
    return [*(rows[kept] for kept in last_tenth(len(rows))), none]
