"""What a classifier learns from: generated clutter around digits, or your own images."""

from dataclasses import asdict, dataclass
from typing import Any

import torch

from glimpse.datasets.batches import PositionalDataset
from glimpse.datasets.clutter import ClutteredMNIST, ClutterRecipe
from glimpse.datasets.digits import DigitSource
from glimpse.datasets.labeled_images import DataParts

__all__ = ["ClassifierData", "cluttered_data", "file_data"]


@dataclass(frozen=True)
class ClassifierData:
    """What a classifier learns from.

    Attributes:
        train: Training images.
        valid: Validation images.
        channels: Channels of every image.
        classes: Number of classes.
        record: Identity of the data, for `config.json`.
    """

    train: PositionalDataset
    valid: PositionalDataset
    channels: int
    classes: int
    record: dict[str, Any]

    @property
    def shape(self) -> dict[str, int]:
        """What a model's config says of the images: channels, classes, height and width of the first one."""
        height, width = self.valid.batch(torch.zeros(1, dtype=torch.int64)).images.shape[2:]
        return {"channels": self.channels, "classes": self.classes, "height": height, "width": width}


def cluttered_data(source: DigitSource, recipe: ClutterRecipe, *, seed: int, device: torch.device) -> ClassifierData:
    """Returns fresh clutter around a source's training digits, and the pinned clutter around its validation digits."""
    return ClassifierData(
        train=ClutteredMNIST(source.train.to(device), "train", recipe, seed=seed),
        valid=ClutteredMNIST(source.valid.to(device), "valid", recipe),
        channels=1,
        classes=source.n_classes,
        record={"kind": "cluttered", "digits": source.record(), "recipe": asdict(recipe)},
    )


def file_data(parts: DataParts) -> ClassifierData:
    """Returns the parts of a file or a built set to train and validate on.

    Raises:
        ValueError: If there is nothing to train on.
    """
    if parts.train is None or parts.valid is None:
        raise ValueError(f"{parts.path} holds no training images: name them X_train and y_train, or images and labels")
    return ClassifierData(parts.train, parts.valid, parts.shape[0], parts.n_classes, {"kind": "file"} | parts.record())
