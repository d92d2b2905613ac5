"""Toy kinds of classifiers: settings, a network, and the entry for the catalog. One sees the whole image, one looks."""

from dataclasses import dataclass
from typing import Annotated, Any

import torch.nn.functional as F
from torch import Tensor, nn

from glimpse.attention.track import Track
from glimpse.attention.window import Window, read
from glimpse.models.base import ImageClassifier
from glimpse.settings.base import Count, Range
from glimpse.settings.classifier import ClassifierKind, ClassifierPreset, ClassifierSettings, Reading
from glimpse.settings.training import TrainingConfig


@dataclass(frozen=True)
class ToyConfig(ClassifierSettings):
    """Settings of a linear classifier of a coarse image.

    Attributes:
        side: Rows and columns of the coarse image.
    """

    side: Count = 4

    @property
    def kind(self) -> str:
        """Name of the kind."""
        return "toy"


class Toy(ImageClassifier):
    """A linear classifier of a coarse image.

    Args:
        config: Settings of the network.
    """

    config_class = ToyConfig

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.config, self.side = config, config.side
        self.linear = nn.Linear(config.channels * config.side**2, config.classes)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Returns logits, shape (B, 1, K)."""
        return (self.linear(F.adaptive_avg_pool2d(images, self.side).flatten(1))[:, None],)


TOY = ClassifierKind(
    name="toy",
    summary="a linear classifier of a coarse image",
    network=f"{__name__}:Toy",
    presets={"toy": ClassifierPreset(ToyConfig(), TrainingConfig(images=320, batch_size=32, validate_every=160, log_every=160))},
)


@dataclass(frozen=True)
class StareConfig(ToyConfig):
    """Settings of a linear classifier of one window in the middle of the image.

    Attributes:
        side: Filters along each axis.
        glimpses: Number of glimpses.
    """

    glimpses: Annotated[int, Range(1, 1)] = 1

    @property
    def kind(self) -> str:
        """Name of the kind."""
        return "stare"

    def reading(self, height: int, width: int) -> Reading:
        """Returns the numbers of the window."""
        return Reading(self.channels * self.side**2, whole=False)


class Stare(Toy):
    """A linear classifier of one window in the middle of the image.

    Args:
        config: Settings of the network.
    """

    config_class = StareConfig

    @property
    def shows_windows(self) -> bool:
        """It looks through a window."""
        return True

    def forward(self, images: Tensor, glimpses: int | None = None) -> tuple[Tensor, Window]:  # type: ignore[override]
        """Returns logits, shape (B, 1, K), and the window, fields of shape (B, 1)."""
        one = images.new_ones(len(images))
        window = Window((images.shape[3] - 1) / 2 * one, (images.shape[2] - 1) / 2 * one, 3 * one, 1.5 * one, one)
        seen = read(images, window, self.side)
        return self.linear(seen.flatten(1))[:, None], Window.stacked([window])

    def look(self, images: Tensor, glimpses: int | None = None, *, patches: bool = False, **_: Any) -> tuple[Tensor, tuple[Track]]:
        """Returns the logits and the window as a track."""
        logits, window = self(images)
        seen = read(images, window.at(0), self.side)[:, None] if patches else None
        return logits, (Track("glimpse", 0, self.side, window, seen),)


STARE = ClassifierKind(
    name="stare",
    summary="a linear classifier of one window in the middle",
    network=f"{__name__}:Stare",
    presets={
        "stare": ClassifierPreset(StareConfig(), TrainingConfig(images=320, batch_size=32, validate_every=160, log_every=160))
    },
)
