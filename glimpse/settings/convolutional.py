"""Settings of the convolutional baselines."""

from dataclasses import dataclass

from glimpse.settings.base import Count
from glimpse.settings.classifier import ClassifierKind, ClassifierPreset, ClassifierSettings
from glimpse.settings.training import TrainingConfig

__all__ = ["CONV", "CONVNET", "ConvConfig", "ConvNetConfig"]


@dataclass(frozen=True)
class ConvConfig(ClassifierSettings):
    """Settings of the two-layer convolutional baseline.

    Attributes:
        filters: Filters of the convolution.
        kernel: Side of its filters in pixels.
        step: Pixels from one place of a filter to the next.
        hidden: Units of the layer after the convolution.
        channels: Channels of the images.
        classes: Number of classes.
        height: Rows of the images.
        width: Columns of the images.
    """

    filters: Count = 8
    kernel: Count = 10
    step: Count = 5
    hidden: Count = 256
    channels: Count = 1
    classes: Count = 10
    height: Count = 100
    width: Count = 100

    def check(self) -> None:
        """Raises ValueError if the filters do not fit into the images."""
        if self.kernel > min(self.height, self.width):
            raise ValueError(f"kernel must fit into images of {self.height} x {self.width}, got {self.kernel}")

    @property
    def kind(self) -> str:
        """Name of its kind."""
        return "conv"

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width that its fully connected layer ties it to."""
        return self.height, self.width


@dataclass(frozen=True)
class ConvNetConfig(ClassifierSettings):
    """Settings of a batch-normalized convnet over the whole image.

    Attributes:
        filters: Filters of the first layer; each of the later stages has more.
        channels: Channels of the images.
        classes: Number of classes.
    """

    filters: Count = 16
    channels: Count = 1
    classes: Count = 10

    @property
    def kind(self) -> str:
        """Name of its kind."""
        return "convnet"


CONV = ClassifierKind(
    name="conv",
    summary="the two-layer convolutional baseline of the papers; sees the whole image",
    network="glimpse.models.convolutional:TwoLayerConv",
    presets={"conv": ClassifierPreset(ConvConfig(), TrainingConfig(images=10_000_000, learning_rate=3e-3))},
)

CONVNET = ClassifierKind(
    name="convnet",
    summary="batch-normalized convnet; sees the whole image",
    network="glimpse.models.convolutional:ConvNet",
    presets={"convnet": ClassifierPreset(ConvNetConfig(), TrainingConfig(learning_rate=4e-3))},
)
