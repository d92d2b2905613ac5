"""Construction of models from configs, and loading of trained models of every kind."""

from importlib import import_module
from pathlib import Path
from typing import cast

from glimpse.models.base import ImageClassifier, Model
from glimpse.models.draw import DRAW
from glimpse.models.weights import read_facts
from glimpse.settings.base import short
from glimpse.settings.catalog import CLASSIFIERS, kind_of_class
from glimpse.settings.classifier import ClassifierKind, ClassifierSettings

__all__ = ["build_classifier", "open_classifier", "open_generator", "open_looking", "open_model"]


def build_classifier(config: ClassifierSettings) -> ImageClassifier:
    """Returns a classifier with the settings of a config, initialized from torch's global generator."""
    return _network(CLASSIFIERS[config.kind])(config)


def open_model(source: str | Path) -> ImageClassifier | DRAW:
    """Returns the trained model from a run's folder, a weights file or `pretrained:NAME`, in evaluation mode.

    Raises:
        ValueError: If there is no such model.
        OSError: If the file cannot be read.
    """
    facts = read_facts(source)
    if facts["model"] == DRAW.__name__:
        return DRAW.from_pretrained(source)
    known = [*dict.fromkeys(kind.class_name for kind in CLASSIFIERS.values()), DRAW.__name__]
    if facts["model"] not in known:
        raise ValueError(f"{source} holds the weights of {short(facts['model'])}; this version has {', '.join(known)}")
    return _network(kind_of_class(facts["model"])).from_pretrained(source)


def open_looking(source: str | Path) -> ImageClassifier | DRAW:
    """Returns a trained model with glimpses, opened like `open_model`.

    A generator without attention is accepted: only its `look` raises ValueError.

    Raises:
        ValueError: If there is no such model, or it sees the whole image at once.
        OSError: If the file cannot be read.
    """
    model = open_model(source)
    if not model.shows_windows and model.config.glimpses is None:
        raise ValueError(f"{source} is a {type(model).__name__}, which sees the whole image at once: it has no windows to show")
    return model


def open_classifier(source: str | Path) -> ImageClassifier:
    """Returns a trained classifier, opened like `open_model`.

    Raises:
        ValueError: If there is no such model, or it is a generator.
        OSError: If the file cannot be read.
    """
    model = open_model(source)
    if isinstance(model, DRAW):
        raise ValueError(f"{source} holds a generator, which has no classes")
    return model


def open_generator(source: str | Path) -> DRAW:
    """Returns a trained generator, opened like `open_model`.

    Raises:
        ValueError: If there is no such model, or it is a classifier.
        OSError: If the file cannot be read.
    """
    model: Model = open_model(source)
    if not isinstance(model, DRAW):
        raise ValueError(f"{source} holds a classifier, which draws no images")
    return model


def _network(kind: ClassifierKind) -> type[ImageClassifier]:
    """Returns the class of a kind's network, importing its module."""
    module, _, name = kind.network.partition(":")
    return cast(type[ImageClassifier], getattr(import_module(module), name))
