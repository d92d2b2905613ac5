"""Named settings to start from; the CLI's options override them one by one."""

from dataclasses import replace
from typing import NamedTuple

from glimpse.settings.config import (
    AnyClassifierConfig,
    ClassifierConfig,
    ConvConfig,
    ConvNetConfig,
    GeneratorConfig,
    RAMConfig,
    SpatialTransformerConfig,
    TrainingConfig,
)

__all__ = [
    "CLASSIFIER_MODELS",
    "CLASSIFIER_PRESETS",
    "GENERATOR_PRESETS",
    "LONGER_BUDGETS",
    "TRAINING_PRESETS",
    "GeneratorPreset",
]

CLASSIFIER_PRESETS: dict[str, AnyClassifierConfig] = {
    "tuned": ClassifierConfig(),
    "paper": ClassifierConfig(encoder="none", parametrization="paper", supervision="last", sigma=1.0),
    "random-glimpses": ClassifierConfig(parametrization="random"),
    "ram": RAMConfig(),
    "conv": ConvConfig(),
    "convnet": ConvNetConfig(),
    "spatial-transformer": SpatialTransformerConfig(),
}
"""`tuned` is what to use; `paper` is DRAW's parametrisation as the paper states it, for comparison; the others are baselines."""

TRAINING_PRESETS = {
    "tuned": TrainingConfig(),
    "paper": TrainingConfig(weight_decay=0.0),
    "random-glimpses": TrainingConfig(),
    "ram": TrainingConfig(images=2_500_000),
    "conv": TrainingConfig(images=10_000_000, learning_rate=3e-3),
    "convnet": TrainingConfig(learning_rate=4e-3),
    "spatial-transformer": TrainingConfig(learning_rate=1e-3),
}
"""How the classifiers of the same names are trained."""

CLASSIFIER_MODELS: dict[str, tuple[str, ...]] = {
    "glimpse": ("tuned", "paper"),
    "ram": ("ram",),
    "conv": ("conv",),
    "convnet": ("convnet",),
    "random-glimpses": ("random-glimpses",),
    "spatial-transformer": ("spatial-transformer",),
}
"""The presets of each model that can be trained, its default first."""

LONGER_BUDGETS: tuple[tuple[int, float], ...] = ((1_000_000, 3.34), (3_000_000, 2.50))
"""Validation error in percent that the preset `tuned` reached after so many images, measured with 8 glimpses on MNIST."""


class GeneratorPreset(NamedTuple):
    """A generator's settings.

    Attributes:
        model: What it is made of; the size and the channels come from the data.
        training: How it is trained.
        data: Name of the set it is trained on.
    """

    model: GeneratorConfig
    training: TrainingConfig
    data: str


_GENERATOR_TRAINING = TrainingConfig(
    images=20_000_000, learning_rate=2e-3, weight_decay=0.0, clip_norm=5.0, validate_every=500_000, log_every=50_000
)
_SMALL_TRAINING = replace(
    _GENERATOR_TRAINING, images=1_000_000, learning_rate=4e-3, averaging=64_000, validate_every=100_000, log_every=10_000
)

GENERATOR_PRESETS = {
    "mnist-small": GeneratorPreset(GeneratorConfig(), _SMALL_TRAINING, "auto"),
    "mnist": GeneratorPreset(
        GeneratorConfig(glimpses=64, hidden=256, latent=100, read=2, write=5), _GENERATOR_TRAINING, "binarized-mnist"
    ),
    "mnist-no-attention": GeneratorPreset(
        GeneratorConfig(glimpses=64, hidden=256, latent=100, attention=False), _GENERATOR_TRAINING, "binarized-mnist"
    ),
    "two-digit": GeneratorPreset(
        GeneratorConfig(glimpses=32, hidden=256, latent=50, read=8, write=8), _GENERATOR_TRAINING, "two-digit"
    ),
    "svhn": GeneratorPreset(GeneratorConfig(glimpses=32, hidden=800, latent=100, read=12, write=12), _GENERATOR_TRAINING, "svhn"),
    "svhn-32": GeneratorPreset(
        GeneratorConfig(glimpses=32, hidden=400, latent=100, read=8, write=8, observation="logistic"),
        _GENERATOR_TRAINING,
        "svhn-32",
    ),
    "cifar10": GeneratorPreset(
        GeneratorConfig(glimpses=64, hidden=400, latent=200, read=5, write=5, observation="logistic"),
        _GENERATOR_TRAINING,
        "cifar10",
    ),
}
"""`mnist-small` is what two CPU cores train in half an hour. `mnist`, `mnist-no-attention`, `svhn` and `cifar10` have the settings
of DRAW's Table 3; `two-digit` and `svhn-32` have no row there. SVHN's likelihood is the paper's, a Bernoulli on every intensity."""
