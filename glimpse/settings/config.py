"""Settings of what is built: one frozen dataclass a thing, nothing heavy imported, so that they can be listed at once."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

__all__ = [
    "OF_THE_DATA",
    "AnyClassifierConfig",
    "ClassifierConfig",
    "ConvConfig",
    "ConvNetConfig",
    "GeneratorConfig",
    "RAMConfig",
    "SpatialTransformerConfig",
    "TrainingConfig",
    "from_mapping",
]

Parametrization = Literal["paper", "pointing", "random"]
Encoder = Literal["none", "mlp"]
Supervision = Literal["last", "linear"]
FirstGlimpse = Literal["centered", "random"]
Reward = Literal["last", "every", "gain"]
Observation = Literal["bernoulli", "logistic"]
Precision = Literal["fp32", "bf16"]
Schedule = Literal["cosine", "constant"]

OF_THE_DATA = ("channels", "classes", "height", "width")
"""Settings of a model that follow from its data: no one chooses them."""

C = TypeVar("C")

_MOST_SCALES = 8


@dataclass(frozen=True)
class ClassifierConfig:
    """What a glimpse classifier is made of.

    Attributes:
        glimpses: Glimpses T before the last prediction.
        window: Side n of the window of n x n filters.
        scales: Windows at each glimpse, all around one center, each of twice the stride and sigma of the one before.
        hidden: Units of the LSTM.
        features: Units of the glimpse encoder; not used without one.
        encoder: `none` feeds the glimpse to the LSTM as it is; `mlp` puts a normalised two-layer network and the window's place
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

    glimpses: int = 8
    window: int = 12
    scales: int = 1
    hidden: int = 256
    features: int = 256
    encoder: Encoder = "mlp"
    parametrization: Parametrization = "pointing"
    supervision: Supervision = "linear"
    sigma: float = 0.5
    reach: float = 0.3
    channels: int = 1
    classes: int = 10

    def __post_init__(self) -> None:
        _check_finite(self)
        _check_range(self, ("glimpses", "window", "scales", "hidden", "features", "channels", "classes"), 1)
        _check_choice(self, encoder=Encoder, parametrization=Parametrization, supervision=Supervision)
        _check_scales(self.scales)
        if not 1e-4 <= self.sigma <= 1e4:
            raise ValueError(f"sigma must be in 1e-4 to 1e4, got {self.sigma}")
        if not self.reach > 0:
            raise ValueError(f"reach must be greater than 0, got {self.reach}")


@dataclass(frozen=True)
class RAMConfig:
    """What a recurrent attention model, RAM, is made of.

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

    glimpses: int = 8
    window: int = 12
    scales: int = 4
    hidden: int = 256
    features: int = 256
    policy_std: float = 0.08
    policy_std_start: float = 0.3
    policy_anneal: int = 800_000
    monte_carlo: int = 1
    test_samples: int = 0
    first_glimpse: FirstGlimpse = "random"
    reward: Reward = "gain"
    supervision: Supervision = "linear"
    channels: int = 1
    classes: int = 10

    def __post_init__(self) -> None:
        _check_finite(self)
        _check_range(self, ("glimpses", "window", "scales", "hidden", "features", "monte_carlo", "channels", "classes"), 1)
        _check_range(self, ("test_samples", "policy_anneal"), 0)
        _check_choice(self, first_glimpse=FirstGlimpse, reward=Reward, supervision=Supervision)
        _check_scales(self.scales)
        for name in ("policy_std", "policy_std_start"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be greater than 0, got {getattr(self, name)}")

    def std_at(self, images: int) -> float:
        """Returns the standard deviation of the policy in training after so many images."""
        if images >= self.policy_anneal:
            return self.policy_std
        return float(self.policy_std_start * (self.policy_std / self.policy_std_start) ** (images / self.policy_anneal))


@dataclass(frozen=True)
class ConvConfig:
    """What the two-layer convolutional baseline is made of.

    Attributes:
        filters: Filters of the convolution.
        kernel: Side of its filters in pixels.
        step: Pixels from one place of a filter to the next.
        hidden: Units of the layer after the convolution.
        channels: Channels of the images.
        classes: Number of classes.
        height: Rows of the images.
        width: Columns of the images.
    """

    filters: int = 8
    kernel: int = 10
    step: int = 5
    hidden: int = 256
    channels: int = 1
    classes: int = 10
    height: int = 100
    width: int = 100

    def __post_init__(self) -> None:
        _check_range(self, ("filters", "kernel", "step", "hidden", "channels", "classes", "height", "width"), 1)
        if self.kernel > min(self.height, self.width):
            raise ValueError(f"kernel must fit into images of {self.height} x {self.width}, got {self.kernel}")


@dataclass(frozen=True)
class ConvNetConfig:
    """What a batch-normalised convnet over the whole image is made of.

    Attributes:
        filters: Filters of the first layer; each of the later stages has more.
        channels: Channels of the images.
        classes: Number of classes.
    """

    filters: int = 16
    channels: int = 1
    classes: int = 10

    def __post_init__(self) -> None:
        _check_range(self, ("filters", "channels", "classes"), 1)


@dataclass(frozen=True)
class SpatialTransformerConfig:
    """What a classifier behind a spatial transformer is made of.

    Attributes:
        window: Side n of the window of n x n numbers that the transformer reads.
        filters: Filters of the localisation network's first layer; later ones have more.
        features: Units of the network that sees the window.
        channels: Channels of the images.
        classes: Number of classes.
    """

    window: int = 12
    filters: int = 16
    features: int = 256
    channels: int = 1
    classes: int = 10

    def __post_init__(self) -> None:
        _check_range(self, ("window", "filters", "features", "channels", "classes"), 1)


AnyClassifierConfig = ClassifierConfig | RAMConfig | ConvConfig | ConvNetConfig | SpatialTransformerConfig
"""What says how a classifier of any kind is made."""


@dataclass(frozen=True)
class GeneratorConfig:
    """What a generator, DRAW, is made of.

    Attributes:
        glimpses: Steps T: the canvas is read and written so often.
        hidden: Units of the encoder's LSTM and of the decoder's.
        latent: Latent numbers a step.
        attention: Whether it reads and writes through windows, or the whole image and canvas at once.
        read: Side n of the window of n x n filters that it reads through; not used without attention.
        write: Side n of the window of n x n filters that it writes through; not used without attention.
        observation: `bernoulli` takes pixels as black or white, a grey one as the probability of white; `logistic` takes them as
            one of 256 levels under a discretised logistic distribution.
        beta: Weight of the KL divergence in the training loss; 1 trains the bound.
        beta_warmup: Images over which that weight rises linearly from 0; with 0 it is there from the start.
        channels: Channels of the images.
        height: Rows of the images.
        width: Columns of the images.
    """

    glimpses: int = 16
    hidden: int = 256
    latent: int = 32
    attention: bool = True
    read: int = 5
    write: int = 5
    observation: Observation = "bernoulli"
    beta: float = 1.0
    beta_warmup: int = 0
    channels: int = 1
    height: int = 28
    width: int = 28

    def __post_init__(self) -> None:
        _check_finite(self)
        _check_range(self, ("glimpses", "hidden", "latent", "read", "write", "channels", "height", "width"), 1)
        _check_range(self, ("beta", "beta_warmup"), 0)
        _check_choice(self, observation=Observation)

    @property
    def pixels(self) -> int:
        """Numbers in an image, C * H * W."""
        return self.channels * self.height * self.width

    def kl_weight(self, images: int) -> float:
        """Returns the weight of the KL divergence in the training loss after so many images."""
        return self.beta * min(1.0, images / self.beta_warmup) if self.beta_warmup else self.beta


@dataclass(frozen=True)
class TrainingConfig:
    """How anything is trained; images are the unit of time, whatever the batch size.

    Attributes:
        images: Budget: how many images are seen, repeats counted; the last batch is whole.
        batch_size: Images a step, over all processes together.
        learning_rate: Peak of the schedule, for AdamW.
        weight_decay: Decoupled, on matrices only.
        warmup: Images over which the learning rate rises from 0; a fifth of the budget at most.
        schedule: `cosine` falls to a hundredth of the peak at the end of the budget; `constant` stays.
        clip_norm: Global norm that gradients are clipped to.
        averaging: Images over which the weights are averaged, exponentially; 0 averages nothing.
        validate_every: Images between validations.
        log_every: Images between rows of training metrics.
        precision: `bf16` runs the networks under autocast; coordinates and filters stay in float32.
        compile: Whether the model goes through torch.compile.
        cuda_graph: Whether forward and backward are captured as CUDA graphs: the GPU then waits for no Python between the steps.
        deterministic: Whether only deterministic kernels are used.
        seed: Key of the initial weights, the clutter and all noise, below 2^32.
    """

    images: int = 1_000_000
    batch_size: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    warmup: int = 40_000
    schedule: Schedule = "cosine"
    clip_norm: float = 1.0
    averaging: int = 256_000
    validate_every: int = 100_000
    log_every: int = 10_000
    precision: Precision = "fp32"
    compile: bool = False
    cuda_graph: bool = False
    deterministic: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        _check_finite(self)
        _check_range(self, ("images", "batch_size", "validate_every", "log_every"), 1)
        _check_range(self, ("warmup", "averaging", "weight_decay", "seed"), 0)
        _check_choice(self, schedule=Schedule, precision=Precision)
        if self.seed >= 2**32:
            raise ValueError(f"seed must be below 2^32, got {self.seed}")
        for name in ("learning_rate", "clip_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be greater than 0, got {getattr(self, name)}")

    @property
    def steps(self) -> int:
        """Optimiser steps in the whole budget."""
        return -(-self.images // self.batch_size)


def from_mapping(kind: type[C], values: Mapping[str, Any]) -> C:
    """Returns a config from a mapping, as read from JSON.

    Raises:
        ValueError: If a name is not one of the config's, or a value is not of its type.
    """
    hints = get_type_hints(kind)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise ValueError(f"{kind.__name__} knows no {', '.join(unknown)}; it knows {', '.join(sorted(hints))}")
    for name, value in values.items():
        hint = str if get_origin(hints[name]) is Literal else hints[name]
        if not isinstance(value, (int, float) if hint is float else hint) or (isinstance(value, bool) and hint is not bool):
            raise ValueError(f"{kind.__name__}'s {name} must be of type {hint.__name__}, got {value!r}")
    return kind(**values)


def _check_range(config: object, names: tuple[str, ...], least: float) -> None:
    """Raises ValueError if one of the numbers is below the least it may be."""
    for name in names:
        if not getattr(config, name) >= least:
            raise ValueError(f"{name} must be at least {least}, got {getattr(config, name)}")


def _check_scales(scales: int) -> None:
    """Raises ValueError if there are so many scales that the coarsest sees nothing but its own margin."""
    if scales > _MOST_SCALES:
        raise ValueError(f"scales must be at most {_MOST_SCALES}, each being twice as coarse as the one before; got {scales}")


def _check_finite(config: object) -> None:
    """Raises ValueError if one of the numbers is none or has no end."""
    for name, value in vars(config).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name} must be a finite number, got {value}")


def _check_choice(config: object, **choices: Any) -> None:
    """Raises ValueError if an attribute is none of its literal's values."""
    for name, literal in choices.items():
        if getattr(config, name) not in get_args(literal):
            raise ValueError(f"{name} must be one of {', '.join(get_args(literal))}, got {getattr(config, name)!r}")
