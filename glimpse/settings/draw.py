"""Settings of the generator, DRAW, and its presets."""

from dataclasses import dataclass, fields, replace
from typing import Literal, NamedTuple

from glimpse.settings.base import Config, Count, NonNegative, Whole
from glimpse.settings.training import TrainingConfig

__all__ = ["GENERATOR_PRESETS", "GeneratorConfig", "GeneratorPreset", "Observation", "Prior", "generator_setting_names"]

Observation = Literal["bernoulli", "logistic"]
Prior = Literal["standard", "learned"]


@dataclass(frozen=True)
class GeneratorConfig(Config):
    """Settings of a generator, DRAW.

    Attributes:
        glimpses: Steps T: how often the image is read and the canvas is written.
        hidden: Units of the encoder's LSTM and of the decoder's.
        latent: Latent numbers a step.
        attention: Whether it reads and writes through windows, or the whole image and canvas at once.
        read: Side n of the window of n x n filters that it reads through; not used without attention.
        write: Side n of the window of n x n filters that it writes through; not used without attention.
        observation: `bernoulli` takes pixels as black or white, a gray one as the probability of white; `logistic` takes them as
            one of 256 levels under a discretized logistic distribution.
        prior: `standard` is a standard normal at every step, as in the paper; `learned` is a Gaussian with independent dimensions
            whose mean and standard deviation depend on the decoder's last state.
        beta: Weight of the KL divergence in the training loss; 1 trains the bound.
        beta_warmup: Images over which that weight rises linearly from 0; with 0 it is there from the start.
        channels: Channels of the images.
        height: Rows of the images.
        width: Columns of the images.
    """

    glimpses: Count = 16
    hidden: Count = 256
    latent: Count = 32
    attention: bool = True
    read: Count = 5
    write: Count = 5
    observation: Observation = "bernoulli"
    prior: Prior = "standard"
    beta: NonNegative = 1.0
    beta_warmup: Whole = 0
    channels: Count = 1
    height: Count = 28
    width: Count = 28

    @property
    def pixels(self) -> int:
        """Numbers in an image, C * H * W."""
        return self.channels * self.height * self.width

    @property
    def looks(self) -> int:
        """Steps T."""
        return self.glimpses

    @property
    def samples(self) -> None:
        """It samples no locations."""
        return

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of its canvas."""
        return self.height, self.width

    def kl_weight(self, images: int) -> float:
        """Returns the weight of the KL divergence in the training loss after this number of images."""
        return self.beta * min(1.0, images / self.beta_warmup) if self.beta_warmup else self.beta


def generator_setting_names() -> tuple[str, ...]:
    """Returns the names of all settings that can be chosen for a generator and its training."""
    names = [each.name for config in (GeneratorConfig, TrainingConfig) for each in fields(config)]
    return tuple(name for name in names if name not in ("channels", "height", "width"))


class GeneratorPreset(NamedTuple):
    """A generator's settings.

    Attributes:
        model: Settings of the model; the size and the channels come from the data.
        training: How it is trained.
        data: Name of the set it is trained on.
    """

    model: GeneratorConfig
    training: TrainingConfig
    data: str


_TRAINING = TrainingConfig(
    images=20_000_000, learning_rate=2e-3, weight_decay=0.0, clip_norm=5.0, validate_every=500_000, log_every=50_000
)
_SMALL_TRAINING = replace(
    _TRAINING, images=1_000_000, learning_rate=4e-3, averaging=64_000, validate_every=100_000, log_every=10_000
)

GENERATOR_PRESETS = {
    "mnist-small": GeneratorPreset(GeneratorConfig(), _SMALL_TRAINING, "auto"),
    "mnist": GeneratorPreset(GeneratorConfig(glimpses=64, hidden=256, latent=100, read=2, write=5), _TRAINING, "binarized-mnist"),
    "mnist-no-attention": GeneratorPreset(
        GeneratorConfig(glimpses=64, hidden=256, latent=100, attention=False), _TRAINING, "binarized-mnist"
    ),
    "two-digit": GeneratorPreset(GeneratorConfig(glimpses=32, hidden=256, latent=50, read=8, write=8), _TRAINING, "two-digit"),
    "svhn": GeneratorPreset(GeneratorConfig(glimpses=32, hidden=800, latent=100, read=12, write=12), _TRAINING, "svhn"),
    "svhn-32": GeneratorPreset(
        GeneratorConfig(glimpses=32, hidden=400, latent=100, read=8, write=8, observation="logistic"), _TRAINING, "svhn-32"
    ),
    "cifar10": GeneratorPreset(
        GeneratorConfig(glimpses=64, hidden=400, latent=200, read=5, write=5, observation="logistic"), _TRAINING, "cifar10"
    ),
}
"""`mnist-small` is what two CPU cores train in half an hour. `mnist`, `mnist-no-attention`, `svhn` and `cifar10` have the settings
of DRAW's Table 3; `two-digit` and `svhn-32` have no row there. SVHN's likelihood is the paper's, a Bernoulli on every intensity."""
