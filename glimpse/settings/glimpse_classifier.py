"""Settings of the glimpse classifier, and of the same with windows at random."""

from dataclasses import dataclass
from typing import Annotated, Literal

from glimpse.settings.base import Count, Positive, Range
from glimpse.settings.classifier import ClassifierKind, ClassifierPreset, ClassifierSettings, Reading
from glimpse.settings.training import TrainingConfig

__all__ = ["GLIMPSE", "RANDOM_GLIMPSES", "ClassifierConfig", "Encoder", "Parametrization", "Scales", "Supervision", "glimpse_title"]

Parametrization = Literal["paper", "pointing", "random"]
Encoder = Literal["none", "mlp"]
Supervision = Literal["last", "linear"]
Scales = Annotated[int, Range(1, 8)]
"""Each scale is twice as coarse as the one before: of more than 8 the coarsest sees nothing but its own margin."""


@dataclass(frozen=True)
class ClassifierConfig(ClassifierSettings):
    """Settings of a glimpse classifier.

    Attributes:
        glimpses: Glimpses T before the last prediction.
        window: Side n of the window of n x n filters.
        scales: Windows at each glimpse, all around one center, each of twice the stride and sigma of the one before.
        hidden: Units of the LSTM.
        features: Units of the glimpse encoder; not used without one.
        encoder: `none` feeds the glimpse to the LSTM as it is; `mlp` puts a normalized two-layer network and the window's place
            before it.
        parametrization: `paper` decodes five raw numbers by DRAW's eqs. 21-24; `pointing` moves the window to what the last glimpse
            showed, ties sigma to the stride and bounds every logarithm; `random` does the same but for the centers of all
            glimpses after the first, which are anywhere in the image.
        supervision: What the training loss averages: the prediction after the `last` glimpse, or all of them with `linear` weights.
        sigma: Standard deviation of the filters at the start, in pixels under `paper`, in strides under `pointing`.
        reach: Half widths of the last window that a raw step of 1 moves the next one by, beyond what is pointed at.
        channels: Channels of the images.
        classes: Number of classes.
    """

    glimpses: Count = 8
    window: Count = 12
    scales: Scales = 1
    hidden: Count = 256
    features: Count = 256
    encoder: Encoder = "mlp"
    parametrization: Parametrization = "pointing"
    supervision: Supervision = "linear"
    sigma: Annotated[float, Range(1e-4, 1e4)] = 0.5
    reach: Positive = 0.3
    channels: Count = 1
    classes: Count = 10

    @property
    def kind(self) -> str:
        """Name of its kind: windows at random are another kind than windows that are placed."""
        return "random-glimpses" if self.parametrization == "random" else "glimpse"

    @property
    def title(self) -> str:
        """A short name.

        >>> ClassifierConfig(scales=4).title
        'glimpse 8 of 12x12x4'
        """
        paper = " (paper)" if self.parametrization == "paper" else ""
        return glimpse_title(self.kind + paper, self.glimpses, self.window, self.scales)

    @property
    def looks(self) -> int:
        """Glimpses T."""
        return self.glimpses

    def reading(self, height: int, width: int) -> Reading:
        """Returns T n^2 numbers at each scale and channel.

        >>> ClassifierConfig(glimpses=8, window=12, scales=4).reading(100, 100)
        Reading(values=4608, whole=False)
        """
        return Reading(self.glimpses * self.window**2 * self.scales * self.channels, whole=False)


def glimpse_title(kind: str, glimpses: int, window: int, scales: int) -> str:
    """Returns a kind and how it looks: glimpses of n x n numbers at so many scales."""
    return f"{kind} {glimpses} of {window}x{window}" + (f"x{scales}" if scales > 1 else "")


GLIMPSE = ClassifierKind(
    name="glimpse",
    summary="recurrent, windows of Gaussian filters placed by gradient descent",
    network="glimpse.models.glimpse_classifier:GlimpseClassifier",
    presets={
        "tuned": ClassifierPreset(ClassifierConfig(), TrainingConfig()),
        "paper": ClassifierPreset(
            ClassifierConfig(encoder="none", parametrization="paper", supervision="last", sigma=1.0),
            TrainingConfig(weight_decay=0.0),
        ),
    },
)
"""`tuned` is what to use; `paper` is DRAW's parametrization as the paper states it, for comparison."""

RANDOM_GLIMPSES = ClassifierKind(
    name="random-glimpses",
    summary="glimpse with windows anywhere",
    network=GLIMPSE.network,
    presets={"random-glimpses": ClassifierPreset(ClassifierConfig(parametrization="random"), TrainingConfig())},
)
"""What looking at the right place is worth."""
