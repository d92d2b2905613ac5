"""A toy kind of classifier: settings, a network, and the entry for the catalog."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from glimpse.models.base import ImageClassifier
from glimpse.settings.base import Count
from glimpse.settings.classifier import ClassifierKind, ClassifierPreset, ClassifierSettings
from glimpse.settings.training import TrainingConfig


@dataclass(frozen=True)
class ToyConfig(ClassifierSettings):
    """Settings of a linear classifier of a coarse image.

    Attributes:
        side: Rows and columns of the coarse image.
        channels: Channels of the images.
        classes: Number of classes.
    """

    side: Count = 4
    channels: Count = 1
    classes: Count = 10

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
