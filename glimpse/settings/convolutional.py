"""Settings of the convolutional baselines."""

from dataclasses import dataclass

from glimpse.settings.base import Size
from glimpse.settings.classifier import ClassifierKind, ClassifierPreset, ClassifierSettings
from glimpse.settings.training import TrainingConfig

__all__ = ["CONV", "CONVNET", "ConvConfig", "ConvNetConfig"]


@dataclass(frozen=True)
class ConvConfig(ClassifierSettings):
    """Settings of the two-layer convolutional baseline.

    Attributes:
        filters: Number of convolution filters.
        kernel: Side of the filters in pixels.
        step: Stride of the convolution in pixels.
        hidden: Number of hidden units after the convolution.
        height: Height H of the images in pixels.
        width: Width W of the images in pixels.
    """

    filters: Size = 8
    kernel: Size = 10
    step: Size = 5
    hidden: Size = 256
    height: Size = 100
    width: Size = 100

    def check(self) -> None:
        """Raises ValueError if the filters are larger than the images."""
        if self.kernel > min(self.height, self.width):
            raise ValueError(f"kernel must fit into images of {self.height} x {self.width}, got {self.kernel}")

    @property
    def kind(self) -> str:
        """Name of the kind."""
        return "conv"

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width required by the fully connected layer."""
        return self.height, self.width


@dataclass(frozen=True)
class ConvNetConfig(ClassifierSettings):
    """Settings of the batch-normalized convolutional network over the whole image.

    Attributes:
        filters: Number of filters in the first layer; later stages have more.
    """

    filters: Size = 16

    @property
    def kind(self) -> str:
        """Name of the kind."""
        return "convnet"


CONV = ClassifierKind(
    name="conv",
    summary="two-layer convolutional baseline of the papers, over the whole image",
    network="glimpse.models.convolutional:TwoLayerConv",
    presets={"conv": ClassifierPreset(ConvConfig(), TrainingConfig(images=10_000_000, learning_rate=3e-3))},
)

CONVNET = ClassifierKind(
    name="convnet",
    summary="batch-normalized convolutional network over the whole image",
    network="glimpse.models.convolutional:ConvNet",
    presets={"convnet": ClassifierPreset(ConvNetConfig(), TrainingConfig(learning_rate=4e-3))},
)
