"""Trained models of every kind, opened by name."""

from pathlib import Path

from glimpse.classifier import GlimpseClassifier
from glimpse.generator import DRAW
from glimpse.weights import load_weights

__all__ = ["open_classifier", "open_generator", "open_model"]


def open_model(source: str | Path) -> GlimpseClassifier | DRAW:
    """Returns the trained model of a run's folder, a weights file or `pretrained:NAME`, ready to evaluate.

    Raises:
        ValueError: If there is no such model.
        OSError: If the file cannot be read.
    """
    _, facts = load_weights(source)
    return DRAW.from_pretrained(source) if facts["model"] == DRAW.__name__ else GlimpseClassifier.from_pretrained(source)


def open_classifier(source: str | Path) -> GlimpseClassifier:
    """Returns a trained classifier as `open_model` does.

    Raises:
        ValueError: If there is no such model, or it is of another kind.
    """
    model = open_model(source)
    if not isinstance(model, GlimpseClassifier):
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
