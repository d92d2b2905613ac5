"""What every classifier's config says, whatever its kind, and the entry of a kind in the catalog."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from glimpse.settings.base import Config, Count
from glimpse.settings.training import TrainingConfig

__all__ = ["ClassifierKind", "ClassifierPreset", "ClassifierSettings", "Reading"]


class Reading(NamedTuple):
    """What a model takes in of an image.

    Attributes:
        values: Numbers.
        whole: Whether that is the whole canvas.
    """

    values: int
    whole: bool


@dataclass(frozen=True)
class ClassifierSettings(Config):
    """Base of every classifier's config. A kind that looks through windows, or is tied to one size, overrides what it says.

    Attributes:
        channels: Channels of the images.
        classes: Number of classes.
    """

    channels: Count = 1
    classes: Count = 10

    @property
    def kind(self) -> str:
        """Name of its kind in the catalog, as `glimpse train-classifier --model` takes it."""
        raise NotImplementedError

    @property
    def title(self) -> str:
        """A short name for tables: the kind, and how it looks."""
        return self.kind

    @property
    def looks(self) -> int | None:
        """Glimpses T that it takes; None if it sees the whole image at once."""
        return None

    @property
    def samples(self) -> int | None:
        """Sequences of sampled locations that an answer averages over, 0 for none; None if it never samples."""
        return None

    @property
    def image_size(self) -> tuple[int, int] | None:
        """Height and width that it is tied to; None if it takes any size."""
        return None

    def reading(self, height: int, width: int) -> Reading:
        """Returns what it takes in of an image of H x W pixels."""
        return Reading(self.channels * height * width, whole=True)


class ClassifierPreset(NamedTuple):
    """Named settings of a classifier and of its training."""

    model: ClassifierSettings
    training: TrainingConfig


@dataclass(frozen=True)
class ClassifierKind:
    """A kind of classifier: its entry in the catalog.

    Attributes:
        name: As `--model` takes it.
        summary: What it is, in a few words, for help and tables.
        network: Where its class is, as `module:Class`; loaded when it is first built or opened.
        presets: Its settings by name, the default first; names are unique over all kinds.
    """

    name: str
    summary: str
    network: str
    presets: Mapping[str, ClassifierPreset]

    @property
    def config(self) -> type[ClassifierSettings]:
        """Class of its config."""
        return type(next(iter(self.presets.values())).model)

    @property
    def class_name(self) -> str:
        """Name of its network's class, which weights files hold."""
        return self.network.partition(":")[2]
