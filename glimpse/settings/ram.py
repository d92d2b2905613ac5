"""Settings of the recurrent attention model, RAM."""

from dataclasses import dataclass
from typing import Literal

from glimpse.settings.base import Count, Positive, Whole
from glimpse.settings.classifier import ClassifierKind, ClassifierPreset, ClassifierSettings, Reading
from glimpse.settings.glimpse_classifier import Scales, Supervision, glimpse_title
from glimpse.settings.training import TrainingConfig

__all__ = ["RAM", "FirstGlimpse", "RAMConfig", "Reward"]

FirstGlimpse = Literal["centered", "random"]
Reward = Literal["last", "every", "gain"]


@dataclass(frozen=True)
class RAMConfig(ClassifierSettings):
    """Settings of a recurrent attention model.

    Attributes:
        glimpses: Glimpses T before the last prediction.
        window: Side n of the patches of n x n numbers.
        scales: Patches at each glimpse, all around one center, each over twice the side of the one before.
        hidden: Units of the LSTM.
        features: Units of the glimpse network.
        policy_std: Standard deviation of the location policy, where half the image's side is 1.
        policy_std_start: The same at the start of training.
        policy_anneal: Images over which it falls from the one to the other, by a constant factor an image; 0 keeps `policy_std`.
        monte_carlo: Sequences of locations sampled for every image in training; the loss averages over them.
        test_samples: Sequences of locations sampled for every image at test time, whose class probabilities are averaged; 0 follows
            the policy's mean instead.
        first_glimpse: Whether the first glimpse is in the middle or anywhere.
        reward: What a location is rewarded for: a right `last` prediction, the share of right ones among `every` one that follows,
            or the `gain` in nats from the prediction before its glimpse to the one after it.
        supervision: What the cross-entropy averages: the prediction after the `last` glimpse, or all of them with `linear` weights.
        channels: Channels of the images.
        classes: Number of classes.
    """

    glimpses: Count = 8
    window: Count = 12
    scales: Scales = 4
    hidden: Count = 256
    features: Count = 256
    policy_std: Positive = 0.08
    policy_std_start: Positive = 0.3
    policy_anneal: Whole = 800_000
    monte_carlo: Count = 1
    test_samples: Whole = 0
    first_glimpse: FirstGlimpse = "random"
    reward: Reward = "gain"
    supervision: Supervision = "linear"
    channels: Count = 1
    classes: Count = 10

    @property
    def kind(self) -> str:
        """Name of its kind."""
        return "ram"

    @property
    def title(self) -> str:
        """A short name."""
        return glimpse_title(self.kind, self.glimpses, self.window, self.scales)

    @property
    def looks(self) -> int:
        """Glimpses T."""
        return self.glimpses

    @property
    def samples(self) -> int:
        """Sequences of locations that an answer averages over."""
        return self.test_samples

    def reading(self, height: int, width: int) -> Reading:
        """Returns T n^2 numbers at each scale and channel, once for every sequence of locations sampled at test time."""
        return Reading(max(1, self.test_samples) * self.glimpses * self.window**2 * self.scales * self.channels, whole=False)

    def std_at(self, images: int) -> float:
        """Returns the standard deviation of the policy in training after this number of images."""
        if images >= self.policy_anneal:
            return self.policy_std
        return float(self.policy_std_start * (self.policy_std / self.policy_std_start) ** (images / self.policy_anneal))


RAM = ClassifierKind(
    name="ram",
    summary="samples patches at four scales and learns where by reinforcement",
    network="glimpse.models.ram:RAM",
    presets={"ram": ClassifierPreset(RAMConfig(), TrainingConfig(images=2_500_000))},
)
