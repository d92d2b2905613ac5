"""Models built from a config, and trained models of every kind, opened by name."""

from importlib import import_module
from pathlib import Path
from typing import cast

from glimpse.models.base import ImageClassifier, Model
from glimpse.models.draw import DRAW
from glimpse.models.weights import load_weights
from glimpse.settings.catalog import CLASSIFIERS, kind_of_class
from glimpse.settings.classifier import ClassifierKind, ClassifierSettings

__all__ = ["build_classifier", "open_classifier", "open_generator", "open_looking", "open_model"]


def build_classifier(config: ClassifierSettings) -> ImageClassifier:
    """Returns the classifier that a config describes, with fresh weights from torch's global generator."""
    return _network(CLASSIFIERS[config.kind])(config)


def open_model(source: str | Path) -> ImageClassifier | DRAW:
    """Returns the trained model of a run's folder, a weights file or `pretrained:NAME`, ready to evaluate.

    Raises:
        ValueError: If there is no such model.
        OSError: If the file cannot be read.
    """
    _, facts = load_weights(source)
    if facts["model"] == DRAW.__name__:
        return DRAW.from_pretrained(source)
    known = [*dict.fromkeys(kind.class_name for kind in CLASSIFIERS.values()), DRAW.__name__]
    if facts["model"] not in known:
        raise ValueError(f"{source} holds the weights of {facts['model']}; this version has {', '.join(known)}")
    return _network(kind_of_class(facts["model"])).from_pretrained(source)


def open_looking(source: str | Path) -> ImageClassifier | DRAW:
    """Returns a trained model that looks through windows as `open_model` does.

    Raises:
        ValueError: If there is no such model, or it sees the whole image at once.
    """
    model = open_model(source)
    if not model.shows_windows and model.config.looks is None:
        raise ValueError(f"{source} is a {type(model).__name__}, which sees the whole image at once: it has no windows to show")
    return model


def open_classifier(source: str | Path) -> ImageClassifier:
    """Returns a trained classifier as `open_model` does.

    Raises:
        ValueError: If there is no such model, or it is of another kind.
    """
    model = open_model(source)
    if isinstance(model, DRAW):
        raise ValueError(f"{source} holds a generator, which has no classes")
    return model


def open_generator(source: str | Path) -> DRAW:
    """Returns a trained generator as `open_model` does.

    Raises:
        ValueError: If there is no such model, or it is of another kind.
    """
    model: Model = open_model(source)
    if not isinstance(model, DRAW):
        raise ValueError(f"{source} holds a classifier, which draws no images")
    return model


def _network(kind: ClassifierKind) -> type[ImageClassifier]:
    """Returns the class of a kind's network, loaded now."""
    module, _, name = kind.network.partition(":")
    return cast(type[ImageClassifier], getattr(import_module(module), name))
