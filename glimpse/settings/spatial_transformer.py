"""Settings of the spatial transformer classifier."""

from dataclasses import dataclass

from glimpse.settings.base import Size
from glimpse.settings.classifier import ClassifierKind, ClassifierPreset, ClassifierSettings
from glimpse.settings.training import TrainingConfig

__all__ = ["SPATIAL_TRANSFORMER", "SpatialTransformerConfig"]


@dataclass(frozen=True)
class SpatialTransformerConfig(ClassifierSettings):
    """Settings of a spatial transformer followed by a classifier; the localization network sees the whole image.

    Attributes:
        window: Side n of the n x n window that the transformer reads.
        filters: Number of filters in the first layer of the localization network; later layers have more.
        features: Number of hidden units of the classifier on the window.
    """

    window: Size = 12
    filters: Size = 16
    features: Size = 256

    @property
    def kind(self) -> str:
        """Name of the kind."""
        return "spatial-transformer"


SPATIAL_TRANSFORMER = ClassifierKind(
    name="spatial-transformer",
    summary="one affine window, placed by a network over the whole image",
    network="glimpse.models.spatial_transformer:SpatialTransformer",
    presets={"spatial-transformer": ClassifierPreset(SpatialTransformerConfig(), TrainingConfig(learning_rate=1e-3))},
)
