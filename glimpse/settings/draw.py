"""Settings and presets of the generator, DRAW."""

from dataclasses import dataclass, fields, replace
from typing import Annotated, Literal, NamedTuple

from glimpse.settings.base import Config, NonNegative, Range, Size, Steps, Whole
from glimpse.settings.training import TrainingConfig

__all__ = ["GENERATOR_PRESETS", "GeneratorConfig", "GeneratorPreset", "Observation", "Prior", "generator_setting_names"]

Observation = Literal["bernoulli", "logistic"]
"""Distribution of the pixels given the canvas."""

Prior = Literal["standard", "learned"]
"""Distribution of the latents before the image is seen."""


@dataclass(frozen=True)
class GeneratorConfig(Config):
    """Settings of a generator, DRAW.

    Attributes:
        glimpses: Number of steps T, each of which reads the image and writes to the canvas.
        hidden: Number of hidden units of the encoder's and of the decoder's LSTM.
        latent: Number of latent variables per step.
        attention: Whether the model reads and writes through windows; otherwise it uses the whole image and canvas at every step.
        read: Side n of the read window of n x n filters; unused without attention.
        write: Side n of the write window of n x n filters; unused without attention.
        observation: Distribution of the pixels. `bernoulli`: black or white, where a gray value is the probability of white;
            `logistic`: 256 levels under a discretized logistic distribution.
        prior: Distribution of the latents without an image. `standard`: a standard normal at every step, as in the paper;
            `learned`: a Gaussian with independent dimensions whose mean and standard deviation depend on the decoder's last state.
        layer_norm: Whether the outputs of both LSTMs are layer-normalized.
        canvas_input: Whether the pixels of the canvas are a further input of the decoder's LSTM.
        encoder_dropout: Fraction of the values of a glimpse that are dropped in training before the encoder gets them.
        decoder_dropout: Fraction of the decoder's outputs that are dropped in training before the patch is computed from them.
        beta: Weight of the KL divergence in the training loss; 1 trains the bound.
        beta_warmup: Number of images over which that weight increases linearly from 0; 0 uses the full weight from the start.
        channels: Number of image channels C.
        height: Height H of the images in pixels.
        width: Width W of the images in pixels.
    """

    glimpses: Steps = 16
    hidden: Size = 256
    latent: Size = 32
    attention: bool = True
    read: Size = 5
    write: Size = 5
    observation: Observation = "bernoulli"
    prior: Prior = "standard"
    layer_norm: bool = False
    canvas_input: bool = False
    encoder_dropout: Annotated[float, Range(0, 0.95)] = 0.0
    decoder_dropout: Annotated[float, Range(0, 0.95)] = 0.0
    beta: NonNegative = 1.0
    beta_warmup: Whole = 0
    channels: Size = 1
    height: Size = 28
    width: Size = 28

    @property
    def pixels(self) -> int:
        """Number of values in an image, C * H * W."""
        return self.channels * self.height * self.width

    @property
    def samples(self) -> None:
        """Always None: DRAW does not sample locations."""
        return

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the canvas."""
        return self.height, self.width

    def kl_weight(self, images: int) -> float:
        """Returns the weight of the KL divergence in the training loss after this number of images."""
        return self.beta * min(1.0, images / self.beta_warmup) if self.beta_warmup else self.beta


def generator_setting_names() -> tuple[str, ...]:
    """Returns the names of all settings of a generator and its training, except those determined by the data."""
    names = [each.name for config in (GeneratorConfig, TrainingConfig) for each in fields(config)]
    return tuple(name for name in names if name not in ("channels", "height", "width"))


class GeneratorPreset(NamedTuple):
    """Preset of a generator.

    Attributes:
        model: Settings of the model; image size and channels are determined by the data.
        training: Settings of the training.
        data: Name of the training set.
    """

    model: GeneratorConfig
    training: TrainingConfig
    data: str


_TRAINING = TrainingConfig(
    images=20_000_000, learning_rate=2e-3, weight_decay=0.0, clip_norm=5.0, validate_every=500_000, log_every=50_000
)
_SMALL_TRAINING = replace(
    _TRAINING,
    images=1_200_000,
    optimizer="muon",
    learning_rate=8e-3,
    weight_decay=1e-2,
    warmup=20_000,
    averaging=64_000,
    validate_every=100_000,
    log_every=10_000,
)
_LONG_TRAINING = replace(
    _SMALL_TRAINING,
    images=4_000_000,
    batch_size=256,
    learning_rate=1e-2,
    weight_decay=1e-1,
    warmup=40_000,
    averaging=128_000,
    validate_every=400_000,
    log_every=50_000,
)
_WIDE = GeneratorConfig(glimpses=32, read=12, write=12, prior="learned")

GENERATOR_PRESETS = {
    "mnist-small": GeneratorPreset(_WIDE, _SMALL_TRAINING, "auto"),
    "mnist-long": GeneratorPreset(_WIDE, _LONG_TRAINING, "binarized-mnist"),
    "mnist": GeneratorPreset(GeneratorConfig(glimpses=64, hidden=256, latent=100, read=2, write=5), _TRAINING, "binarized-mnist"),
    "mnist-no-attention": GeneratorPreset(
        GeneratorConfig(glimpses=64, hidden=256, latent=100, attention=False), _TRAINING, "binarized-mnist"
    ),
    "two-digit": GeneratorPreset(replace(_WIDE, latent=50), replace(_LONG_TRAINING, images=1_200_000), "two-digit"),
    "svhn": GeneratorPreset(GeneratorConfig(glimpses=32, hidden=800, latent=100, read=12, write=12), _TRAINING, "svhn"),
    "svhn-32": GeneratorPreset(
        replace(_WIDE, hidden=400, latent=100, observation="logistic"), replace(_LONG_TRAINING, images=20_000_000), "svhn-32"
    ),
    "cifar10": GeneratorPreset(
        GeneratorConfig(glimpses=64, hidden=400, latent=200, read=5, write=5, observation="logistic"), _TRAINING, "cifar10"
    ),
}
"""Presets of the generator by name, the default first.

`mnist-small` trains in 40 minutes on one CPU core in bfloat16, `mnist-long`, the same model, in less than seven minutes on an
NVIDIA H200. These, `two-digit` and `svhn-32` have larger windows than the models of the DRAW paper, and a learned prior. `mnist`,
`mnist-no-attention`, `svhn` and `cifar10` use the settings of its Table 3. As in the paper, the likelihood of SVHN is a Bernoulli
distribution of every intensity.
"""
