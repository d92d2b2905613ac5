"""Training and validation data of a classifier: cluttered digits or your own images."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import torch

from glimpse.datasets.batches import PositionalDataset
from glimpse.datasets.clutter import ClutteredMNIST
from glimpse.datasets.digits import DigitSource
from glimpse.datasets.distortion import with_distortions
from glimpse.datasets.labeled_images import DataParts
from glimpse.datasets.pictures import Ground, facts_of
from glimpse.listener import Listener
from glimpse.settings.clutter import ClutterRecipe
from glimpse.settings.requests import ClassWeights

__all__ = ["ClassifierData", "cluttered_data", "file_data"]

_LOOKED_AT = 100  # images that tell the ground of all


@dataclass(frozen=True)
class ClassifierData:
    """Training and validation data of a classifier.

    Attributes:
        train: Training images.
        valid: Validation images.
        channels: Number of channels.
        class_names: Name of each class.
        record: Identity of the data, for a run's `config.json`.
    """

    train: PositionalDataset
    valid: PositionalDataset
    channels: int
    class_names: tuple[str, ...]
    record: dict[str, Any]

    @property
    def shape(self) -> dict[str, int]:
        """Fields of a model's config that the images determine: `channels`, `classes`, `height` and `width` of the first image."""
        height, width = self.valid.batch(torch.zeros(1, dtype=torch.int64)).images.shape[2:]
        return {"channels": self.channels, "classes": len(self.class_names), "height": height, "width": width}


def cluttered_data(
    source: DigitSource,
    recipe: ClutterRecipe,
    *,
    seed: int,
    device: torch.device,
    distort: int = 0,
    listener: Listener | None = None,
) -> ClassifierData:
    """Returns new clutter around the training digits of a source, and fixed clutter around its validation digits.

    Args:
        source: Source of the digits.
        recipe: Constants of the clutter.
        seed: Random seed of the training clutter and the distortions, 0 to 2^64 - 1.
        device: Device of the images.
        distort: Number of distorted copies of every training digit, besides the originals.
        listener: Receives a note on the time of the distortions.

    Raises:
        ValueError: If the digits do not fit the recipe, or there is a negative number of copies.
    """
    if distort < 0:
        raise ValueError(f"distort must be at least 0, got {distort}")
    valid = ClutteredMNIST(source.valid.to(device), "valid", recipe)  # refuses an impossible recipe before the distortions
    digits = with_distortions(source.train, distort, seed=seed, listener=listener)  # on the CPU: the same on every device
    record = {"kind": "cluttered", "digits": source.record(), "recipe": asdict(recipe), "distort": distort}
    return ClassifierData(
        train=ClutteredMNIST(digits.to(device), "train", recipe, seed=seed),
        valid=valid,
        channels=1,
        class_names=source.class_names,
        record=record,
    )


def file_data(parts: DataParts, class_weights: ClassWeights | None = None) -> ClassifierData:
    """Returns the training and validation parts of your own images.

    Args:
        parts: The images.
        class_weights: `balanced` to repeat training images of smaller classes until all classes have as many in each epoch.

    Raises:
        ValueError: If there are no training images.
    """
    if parts.train is None or parts.valid is None:
        raise ValueError(f"{parts.name} holds no training images: name them X_train and y_train, or images and labels")
    record, train = {"kind": "file"} | parts.record() | {"ground": _ground(parts.train)}, parts.train
    if class_weights == "balanced":
        train = train.balanced()
        record |= {
            "class_weights": class_weights,
            "sizes": {name: len(part) for name, part in (parts.parts | {"train": train}).items()},
        }
    return ClassifierData(train, parts.valid, parts.shape[0], parts.class_names, record)


def _ground(images: PositionalDataset) -> Ground | None:
    """Returns the ground of nine tenths of the images or more; None if there is no such ground."""
    count = min(len(images), _LOOKED_AT)
    positions = torch.arange(count) * len(images) // count
    found = Counter(facts_of(images.batch(position[None]).images[0]).ground for position in positions)
    ground, number = found.most_common(1)[0]
    return ground if number >= 0.9 * count else None
