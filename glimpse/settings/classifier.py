"""Base class of classifiers' configs, and catalog entries."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from glimpse.settings.base import Config, Size
from glimpse.settings.training import TrainingConfig

__all__ = ["ClassifierKind", "ClassifierPreset", "ClassifierSettings", "Reading"]


class Reading(NamedTuple):
    """Amount of data that a model reads from one image.

    Attributes:
        values: Number of values.
        whole: Whether they are the whole image.
    """

    values: int
    whole: bool


@dataclass(frozen=True)
class ClassifierSettings(Config):
    """Base class of classifiers' configs.

    Kinds with windows, or that support a single image size, override the corresponding properties.

    Attributes:
        channels: Number of image channels C.
        classes: Number of classes.
    """

    channels: Size = 1
    classes: Size = 10

    @property
    def kind(self) -> str:
        """Name of the kind in the catalog, as in `glimpse train-classifier --model`."""
        raise NotImplementedError

    @property
    def title(self) -> str:
        """Short name for tables."""
        return self.kind

    @property
    def glimpses(self) -> int | None:
        """Number of glimpses T, a field of kinds with windows; None if the model sees the whole image at once."""
        return None

    @property
    def samples(self) -> int | None:
        """Number of sampled location sequences that a prediction averages over, 0 for none; None if the model never samples."""
        return None

    @property
    def image_size(self) -> tuple[int, int] | None:
        """Required height and width of the images; None if the model supports any size."""
        return None

    def reading(self, height: int, width: int) -> Reading:
        """Returns the amount of data that the model reads from an image of H x W pixels."""
        return Reading(self.channels * height * width, whole=True)


class ClassifierPreset(NamedTuple):
    """Preset of a classifier.

    Attributes:
        model: Settings of the model.
        training: Settings of the training.
        distort: Number of distorted copies of every training digit, besides the originals.
    """

    model: ClassifierSettings
    training: TrainingConfig
    distort: int = 0


@dataclass(frozen=True)
class ClassifierKind:
    """Catalog entry of a kind of classifier.

    Attributes:
        name: Name, as in `--model`.
        summary: Short description for help and tables.
        network: Import path of the class, as `module:Class`; imported when a model is first built or opened.
        presets: Presets by name, the default first; names are unique across all kinds.
    """

    name: str
    summary: str
    network: str
    presets: Mapping[str, ClassifierPreset]

    @property
    def config(self) -> type[ClassifierSettings]:
        """Class of the config."""
        return type(next(iter(self.presets.values())).model)

    @property
    def class_name(self) -> str:
        """Name of the network's class, as stored in weights files."""
        return self.network.partition(":")[2]
