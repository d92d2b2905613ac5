"""Files of weights of small untrained models."""

from pathlib import Path
from typing import Any

import torch

from glimpse.models.base import ImageClassifier
from glimpse.models.catalog import build_classifier
from glimpse.models.draw import DRAW
from glimpse.models.weights import save_weights
from glimpse.settings.classifier import ClassifierSettings
from glimpse.settings.convolutional import ConvConfig, ConvNetConfig
from glimpse.settings.draw import GeneratorConfig
from glimpse.settings.glimpse_classifier import ClassifierConfig
from glimpse.settings.spatial_transformer import SpatialTransformerConfig

SMALL = ClassifierConfig(glimpses=3, window=4, hidden=6, features=5)
RECIPE = {"canvas": 40, "pieces": 2, "piece_size": 8, "border": 0}
ON_SKLEARN = {"kind": "cluttered", "digits": "sklearn", "recipe": RECIPE}
OF_DIGITS = {"kind": "generative", "name": "digits", "sha256": "", "binarization": "dynamic", "crop": None, "size": None}
OF_WHOLE_IMAGES: tuple[ClassifierSettings, ...] = (
    ConvConfig(filters=2, kernel=4, hidden=6, height=40, width=40),
    ConvNetConfig(filters=2),
    SpatialTransformerConfig(window=4, filters=2, features=5),
)
"""Configs of the classifiers that see the whole image, for the images of RECIPE."""


def untrained(config: ClassifierSettings = SMALL) -> ImageClassifier:
    """Returns a seeded classifier, ready to evaluate."""
    torch.manual_seed(0)
    return build_classifier(config).eval()


def written(file: Path, model: ImageClassifier | DRAW, task: dict[str, Any]) -> Path:
    """Writes a model's weights with the task they were trained on, and returns the file."""
    save_weights(file, model.state_dict(), {"model": type(model).__name__, "config": vars(model.config), "task": task})
    return file


def written_on_sklearn(folder: Path, config: ClassifierSettings = SMALL) -> Path:
    """Writes the weights of an untrained classifier of scikit-learn's digits to a folder, and returns the file."""
    return written(folder / "model.safetensors", untrained(config), ON_SKLEARN)


def written_generator(file: Path, task: dict[str, Any] | None = None, **changes: Any) -> Path:
    """Writes the weights of a small untrained generator of scikit-learn's digits, and returns the file.

    Args:
        file: File to write.
        task: Changes to the default task, scikit-learn's digits, dynamically binarized.
        changes: Changes to the model's config.
    """
    torch.manual_seed(0)
    config = GeneratorConfig(**({"glimpses": 2, "hidden": 6, "latent": 3, "read": 3, "write": 3} | changes))
    return written(file, DRAW(config), OF_DIGITS | (task or {}))
