"""An example of a classifier of your own: one coarse look at the whole image, and one at the window that the first look chose.

Dimensions: B images, C channels, H rows, W columns, K classes, windows of n x n filters.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from glimpse import Window, read
from glimpse.attention.track import Track
from glimpse.models.base import ImageClassifier
from glimpse.settings.base import Count, Range
from glimpse.settings.classifier import ClassifierKind, ClassifierPreset, ClassifierSettings, Reading
from glimpse.settings.training import TrainingConfig


# [settings]
@dataclass(frozen=True)
class TwoLooksConfig(ClassifierSettings):
    """Settings of the classifier of two looks.

    Attributes:
        window: Filters along each axis of both windows.
        hidden: Number of hidden units.
        glimpses: Number of glimpses, always two.
    """

    window: Count = 12
    hidden: Count = 128
    glimpses: Annotated[int, Range(2, 2)] = 2

    @property
    def kind(self) -> str:
        """Name of the kind."""
        return "two-looks"

    def reading(self, height: int, width: int) -> Reading:
        """Returns the numbers read from one image."""
        return Reading(2 * self.channels * self.window**2, whole=False)


# [network]
class TwoLooks(ImageClassifier):
    """Classifies after a look at the whole image, and again after a look through the window that the first look chose.

    Args:
        config: Settings; the defaults if None.
    """

    config_class = TwoLooksConfig
    config: TwoLooksConfig

    def __init__(self, config: TwoLooksConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or TwoLooksConfig()
        values = config.channels * config.window**2
        self.first = nn.Sequential(nn.Linear(values, config.hidden), nn.ReLU())
        self.place = nn.Linear(config.hidden, 5)
        self.second = nn.Sequential(nn.Linear(values, config.hidden), nn.ReLU())
        self.classify = nn.Linear(config.hidden, config.classes)
        nn.init.normal_(self.place.weight, std=0.01)  # the second window begins near the center,
        self.place.bias.data = torch.tensor([0.0, 0.0, 1.0, -1.0, 0.0])  # with a third of the coarse one's stride

    def forward(self, images: Tensor, glimpses: int | None = None) -> tuple[Tensor, Window]:
        """Returns the logits after both looks, shape (B, 2, K), and their windows, fields of shape (B, 2)."""
        n, (height, width) = self.config.window, images.shape[2:]
        whole = Window.from_raw(
            images.new_tensor([[0.0, 0.0, 2.0, 0.0, 0.0]]).expand(len(images), 5), n=n, height=height, width=width
        )
        state = self.first(read(images, whole, n).flatten(1))
        chosen = Window.from_raw(self.place(state), n=n, height=height, width=width)
        after = state + self.second(read(images, chosen, n).flatten(1))
        return self.classify(torch.stack([state, after], dim=1)), Window.stacked([whole, chosen])

    # [looking]
    @property
    def shows_windows(self) -> bool:
        """It looks through windows."""
        return True

    def look(self, images: Tensor, glimpses: int | None = None, *, patches: bool = False, **_: Any) -> tuple[Tensor, tuple[Track]]:
        """Returns the logits and the windows as a track, with the glimpses if patches are requested."""
        logits, windows = self(images)
        n = self.config.window
        seen = torch.stack([read(images, windows.at(step), n) for step in range(2)], dim=1) if patches else None
        return logits, (Track("glimpse", 0, n, windows, seen),)


# [kind]
TWO_LOOKS = ClassifierKind(
    name="two-looks",
    summary="one look at the whole image, one at a window it chose",
    network=f"{__name__}:TwoLooks",
    presets={"two-looks": ClassifierPreset(TwoLooksConfig(), TrainingConfig(learning_rate=2e-3))},
)
# [end]
