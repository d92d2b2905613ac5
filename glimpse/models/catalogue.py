"""Trained models of every kind, opened by name."""

from pathlib import Path

from glimpse.models.convolutional import ConvNet, TwoLayerConv
from glimpse.models.draw import DRAW
from glimpse.models.glimpse_classifier import GlimpseClassifier
from glimpse.models.ram import RAM
from glimpse.models.spatial_transformer import SpatialTransformer
from glimpse.models.weights import load_weights
from glimpse.settings.config import (
    AnyClassifierConfig,
    ClassifierConfig,
    ConvConfig,
    ConvNetConfig,
    RAMConfig,
    SpatialTransformerConfig,
)

__all__ = [
    "CLASSIFIERS",
    "Classifier",
    "Looking",
    "build_classifier",
    "open_classifier",
    "open_generator",
    "open_looking",
    "open_model",
]

Classifier = GlimpseClassifier | RAM | TwoLayerConv | ConvNet | SpatialTransformer
"""A classifier of any kind. Called with images, it returns a tuple whose first entry is logits of shape (B, T, classes)."""

Looking = GlimpseClassifier | RAM
"""A classifier that looks through windows; its `look` says where."""

CLASSIFIERS: dict[type[AnyClassifierConfig], type[Classifier]] = {
    ClassifierConfig: GlimpseClassifier,
    RAMConfig: RAM,
    ConvConfig: TwoLayerConv,
    ConvNetConfig: ConvNet,
    SpatialTransformerConfig: SpatialTransformer,
}
"""The class that each kind of config makes."""


def build_classifier(config: AnyClassifierConfig) -> Classifier:
    """Returns the classifier that a config describes, with fresh weights from torch's global generator."""
    return CLASSIFIERS[type(config)](config)  # type: ignore[arg-type]


def open_model(source: str | Path) -> Classifier | DRAW:
    """Returns the trained model of a run's folder, a weights file or `pretrained:NAME`, ready to evaluate.

    Raises:
        ValueError: If there is no such model.
        OSError: If the file cannot be read.
    """
    _, facts = load_weights(source)
    kinds: dict[str, type[Classifier] | type[DRAW]] = {kind.__name__: kind for kind in (*CLASSIFIERS.values(), DRAW)}
    if facts["model"] not in kinds:
        raise ValueError(f"{source} holds the weights of {facts['model']}; this version knows {', '.join(kinds)}")
    return kinds[facts["model"]].from_pretrained(source)


def open_looking(source: str | Path) -> Looking | DRAW:
    """Returns a trained model that looks through windows as `open_model` does.

    Raises:
        ValueError: If there is no such model, or it sees the whole image at once.
    """
    model = open_model(source)
    if isinstance(model, (GlimpseClassifier, RAM, DRAW)):
        return model
    raise ValueError(f"{source} is a {type(model).__name__}, which sees the whole image at once: it has no windows to show")


def open_classifier(source: str | Path) -> Classifier:
    """Returns a trained classifier as `open_model` does.

    Raises:
        ValueError: If there is no such model, or it is of another kind.
    """
    model = open_model(source)
    if isinstance(model, DRAW):
        raise ValueError(f"{source} holds a generator, which knows no classes")
    return model


def open_generator(source: str | Path) -> DRAW:
    """Returns a trained generator as `open_model` does.

    Raises:
        ValueError: If there is no such model, or it is of another kind.
    """
    model = open_model(source)
    if not isinstance(model, DRAW):
        raise ValueError(f"{source} holds a classifier, which draws no images")
    return model
