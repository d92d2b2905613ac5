"""Settings of the glimpse classifier, with learned or random windows."""

from dataclasses import dataclass
from typing import Annotated, Literal

from glimpse.settings.base import Positive, Range, Size, Steps
from glimpse.settings.classifier import ClassifierKind, ClassifierPreset, ClassifierSettings, Reading
from glimpse.settings.training import TrainingConfig

__all__ = ["GLIMPSE", "RANDOM_GLIMPSES", "ClassifierConfig", "Encoder", "Parametrization", "Scales", "Supervision", "glimpse_title"]

Parametrization = Literal["paper", "pointing", "random"]
Encoder = Literal["none", "mlp"]
Supervision = Literal["last", "linear"]
Scales = Annotated[int, Range(1, 8)]
"""Number of scales. Each is twice as coarse as the previous one; beyond 8, the coarsest would see almost only padding."""


@dataclass(frozen=True)
class ClassifierConfig(ClassifierSettings):
    """Settings of the glimpse classifier.

    Attributes:
        glimpses: Number of glimpses T.
        window: Side n of the n x n window.
        scales: Number of concentric windows per glimpse, each with twice the stride and sigma of the previous one.
        hidden: Number of hidden units.
        features: Number of units of the glimpse encoder; unused without an encoder.
        encoder: `none` feeds the raw glimpse to the LSTM; `mlp` feeds it the output of a normalized two-layer network of the
            glimpse and the position of the window.
        parametrization: `paper` decodes the window from five numbers by eqs. 21-24 of DRAW; `pointing` moves the window to a
            position within the last glimpse, couples sigma to the stride and bounds every logarithm; `random` is `pointing` with
            uniformly random centers after the first glimpse.
        supervision: Predictions in the training loss: `last` uses the one after the last glimpse, `linear` all of them with
            linearly increasing weights.
        sigma: Initial standard deviation of the filters, in pixels under `paper`, otherwise in strides.
        reach: Distance, in half widths of the last window, by which a step of 1 moves the next window away from the position that
            is pointed to.
    """

    glimpses: Steps = 8
    window: Size = 12
    scales: Scales = 1
    hidden: Size = 256
    features: Size = 256
    encoder: Encoder = "mlp"
    parametrization: Parametrization = "pointing"
    supervision: Supervision = "linear"
    sigma: Annotated[float, Range(1e-4, 1e4)] = 0.5
    reach: Positive = 0.3

    @property
    def kind(self) -> str:
        """Name of the kind: `random-glimpses` if the windows are random, else `glimpse`."""
        return "random-glimpses" if self.parametrization == "random" else "glimpse"

    @property
    def title(self) -> str:
        """Short name for tables.

        >>> ClassifierConfig(scales=4).title
        'glimpse 8 of 12x12x4'
        """
        paper = " (paper)" if self.parametrization == "paper" else ""
        return glimpse_title(self.kind + paper, self.glimpses, self.window, self.scales)

    def reading(self, height: int, width: int) -> Reading:
        """Returns T n^2 values per scale and channel.

        >>> ClassifierConfig(glimpses=8, window=12, scales=4).reading(100, 100)
        Reading(values=4608, whole=False)
        """
        return Reading(self.glimpses * self.window**2 * self.scales * self.channels, whole=False)


def glimpse_title(kind: str, glimpses: int, window: int, scales: int) -> str:
    """Returns a short name for tables: the kind, the number of glimpses, and the side and number of the windows.

    >>> glimpse_title("ram", 8, 12, 4)
    'ram 8 of 12x12x4'
    """
    return f"{kind} {glimpses} of {window}x{window}" + (f"x{scales}" if scales > 1 else "")


GLIMPSE = ClassifierKind(
    name="glimpse",
    summary="recurrent, with windows of Gaussian filters learned by gradient descent",
    network="glimpse.models.glimpse_classifier:GlimpseClassifier",
    presets={
        "tuned": ClassifierPreset(ClassifierConfig(), TrainingConfig()),
        "paper": ClassifierPreset(
            ClassifierConfig(encoder="none", parametrization="paper", supervision="last", sigma=1.0),
            TrainingConfig(weight_decay=0.0),
        ),
    },
)
"""The glimpse classifier. `tuned` is recommended of the two; `paper` is the parametrization of the DRAW paper, for comparison."""

RANDOM_GLIMPSES = ClassifierKind(
    name="random-glimpses",
    summary="the glimpse classifier with random windows",
    network=GLIMPSE.network,
    presets={"random-glimpses": ClassifierPreset(ClassifierConfig(parametrization="random"), TrainingConfig())},
)
"""The baseline that shows the benefit of learned windows."""
