"""Settings of the classifier behind a spatial transformer."""

from dataclasses import dataclass

from glimpse.settings.base import Count
from glimpse.settings.classifier import ClassifierKind, ClassifierPreset, ClassifierSettings
from glimpse.settings.training import TrainingConfig

__all__ = ["SPATIAL_TRANSFORMER", "SpatialTransformerConfig"]


@dataclass(frozen=True)
class SpatialTransformerConfig(ClassifierSettings):
    """Settings of a classifier behind a spatial transformer, whose localization network sees the whole image.

    Attributes:
        window: Side n of the window of n x n numbers that the transformer reads.
        filters: Filters of the localization network's first layer; later ones have more.
        features: Units of the network that sees the window.
        channels: Channels of the images.
        classes: Number of classes.
    """

    window: Count = 12
    filters: Count = 16
    features: Count = 256
    channels: Count = 1
    classes: Count = 10

    @property
    def kind(self) -> str:
        """Name of its kind."""
        return "spatial-transformer"


SPATIAL_TRANSFORMER = ClassifierKind(
    name="spatial-transformer",
    summary="one affine window placed by a network that sees the whole image",
    network="glimpse.models.spatial_transformer:SpatialTransformer",
    presets={"spatial-transformer": ClassifierPreset(SpatialTransformerConfig(), TrainingConfig(learning_rate=1e-3))},
)
