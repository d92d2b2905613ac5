"""Settings of the recurrent attention model, RAM."""

from dataclasses import dataclass
from typing import Annotated, Literal

from glimpse.settings.base import Positive, Range, Size, Steps, Whole
from glimpse.settings.classifier import ClassifierKind, ClassifierPreset, ClassifierSettings, Reading
from glimpse.settings.glimpse_classifier import Scales, Supervision, glimpse_title
from glimpse.settings.training import TrainingConfig

__all__ = ["RAM", "FirstGlimpse", "RAMConfig", "Reward"]

FirstGlimpse = Literal["centered", "random"]
Reward = Literal["last", "every", "gain"]


@dataclass(frozen=True)
class RAMConfig(ClassifierSettings):
    """Settings of the recurrent attention model, RAM.

    Attributes:
        glimpses: Number of glimpses T.
        window: Side n of the n x n patches.
        scales: Number of concentric patches per glimpse, each covering twice the side of the previous one.
        hidden: Number of hidden units of the LSTM.
        features: Number of units of the glimpse network.
        policy_std: Final standard deviation of the location policy, in units of half the image's side.
        policy_std_start: Standard deviation of the location policy at the start of training, in the same units.
        policy_anneal: Number of images over which the standard deviation decays exponentially from its initial to its final
            value; 0 uses the final value throughout.
        monte_carlo: Number of location sequences sampled per image in training; the loss averages over them.
        test_samples: Number of location sequences sampled per image at test time; their class probabilities are averaged; 0
            follows the policy's mean.
        first_glimpse: Location of the first glimpse: the center of the image, or uniformly random.
        reward: Reward of a location: `last` is 1 if the last prediction is correct, `every` the fraction of correct predictions
            from its glimpse on, `gain` the increase in log-likelihood of the true class, in nats, due to its glimpse.
        supervision: Predictions in the cross-entropy: `last` uses the one after the last glimpse, `linear` all of them with
            linearly increasing weights.
    """

    glimpses: Steps = 8
    window: Size = 12
    scales: Scales = 4
    hidden: Size = 256
    features: Size = 256
    policy_std: Positive = 0.08
    policy_std_start: Positive = 0.3
    policy_anneal: Whole = 800_000
    monte_carlo: Steps = 1
    test_samples: Annotated[int, Range(0, 10_000)] = 0
    first_glimpse: FirstGlimpse = "random"
    reward: Reward = "gain"
    supervision: Supervision = "linear"

    @property
    def kind(self) -> str:
        """Name of the kind."""
        return "ram"

    @property
    def title(self) -> str:
        """Short name for tables."""
        return glimpse_title(self.kind, self.glimpses, self.window, self.scales)

    @property
    def samples(self) -> int:
        """Number of sampled location sequences that a prediction averages over."""
        return self.test_samples

    def reading(self, height: int, width: int) -> Reading:
        """Returns T n^2 values per scale and channel, for each location sequence sampled at test time."""
        return Reading(max(1, self.test_samples) * self.glimpses * self.window**2 * self.scales * self.channels, whole=False)

    def std_at(self, images: int) -> float:
        """Returns the standard deviation of the policy after this number of training images, in units of half the image's side."""
        if images >= self.policy_anneal:
            return self.policy_std
        return float(self.policy_std_start * (self.policy_std / self.policy_std_start) ** (images / self.policy_anneal))


RAM = ClassifierKind(
    name="ram",
    summary="recurrent, with sampled patches at four scales, located by reinforcement learning",
    network="glimpse.models.ram:RAM",
    presets={"ram": ClassifierPreset(RAMConfig(), TrainingConfig(images=2_500_000))},
)
