"""Settings of the search classifier."""

from dataclasses import dataclass
from typing import Annotated

from glimpse.settings.base import Count, NonNegative, Positive, Range
from glimpse.settings.classifier import ClassifierKind, ClassifierPreset, ClassifierSettings, Reading
from glimpse.settings.glimpse_classifier import glimpse_title
from glimpse.settings.training import TrainingConfig

__all__ = ["SEARCH", "Dropout", "SearchConfig"]

Dropout = Annotated[float, Range(0, 0.95)]
"""Share of features that are dropped in training."""


@dataclass(frozen=True)
class SearchConfig(ClassifierSettings):
    """Settings of a search classifier.

    Attributes:
        glimpses: Glimpses T before the last prediction.
        window: Side n of the window of n x n filters, even.
        candidates: Most places that are looked at before one is chosen; at least one glimpse is left to read it.
        extent: Side in pixels of the square that a look and the canvas cover: an object and what is around it.
        hidden: Units of the LSTM.
        features: Units of the encoders of glimpses and of the canvas.
        filters: Filters of the first convolution on a look; later ones have two and four times as many.
        nudge: Most pixels that the state moves a read by, along each axis.
        dropout: Share of the canvas's features that are dropped in training.
    """

    glimpses: Count = 8
    window: Annotated[int, Range(2)] = 12
    candidates: Count = 3
    extent: Positive = 26.4
    hidden: Count = 128
    features: Count = 128
    filters: Count = 24
    nudge: NonNegative = 1.0
    dropout: Dropout = 0.3

    def check(self) -> None:
        """Raises ValueError if the window's side is odd."""
        if self.window % 2:
            raise ValueError(f"window must be even, got {self.window}")

    @property
    def kind(self) -> str:
        """Name of its kind."""
        return "search"

    @property
    def title(self) -> str:
        """A short name."""
        return glimpse_title(self.kind, self.glimpses, self.window, 1)

    @property
    def looks(self) -> int:
        """Glimpses T."""
        return self.glimpses

    @property
    def cell(self) -> float:
        """Side of a cell of the canvas in pixels: there are 2n cells along each axis.

        >>> round(SearchConfig().cell, 9)
        1.1
        """
        return self.extent / (2 * self.window)

    def reading(self, height: int, width: int) -> Reading:
        """Returns T n^2 numbers in each channel."""
        return Reading(self.glimpses * self.window**2 * self.channels, whole=False)


SEARCH = ClassifierKind(
    name="search",
    summary="looks at likely places, chooses one and reads it onto a canvas by interleaved windows",
    network="glimpse.models.search:SearchClassifier",
    presets={
        "search": ClassifierPreset(
            SearchConfig(),
            TrainingConfig(learning_rate=2e-3, weight_decay=1e-4, averaging=128_000, clip_norm=2.0),
        )
    },
)
"""The learning rate, the weight decay and the average are the best that were found. With `precision` bf16 a CPU that has AVX-512
BF16 trains a quarter faster."""
