"""The catalog of classifiers.

To add a kind, write a file of settings and a file in `models`, and add one entry here.
"""

from dataclasses import fields

from glimpse.settings.classifier import ClassifierKind, ClassifierPreset
from glimpse.settings.convolutional import CONV, CONVNET
from glimpse.settings.glimpse_classifier import GLIMPSE, RANDOM_GLIMPSES
from glimpse.settings.ram import RAM
from glimpse.settings.search import SEARCH
from glimpse.settings.spatial_transformer import SPATIAL_TRANSFORMER
from glimpse.settings.training import TrainingConfig

__all__ = [
    "CLASSIFIERS",
    "LONGER_BUDGETS",
    "OF_THE_DATA",
    "classifier_preset",
    "classifier_presets",
    "kind_of_class",
    "kind_of_preset",
    "kinds_with",
    "setting_names",
]

CLASSIFIERS: dict[str, ClassifierKind] = {
    kind.name: kind for kind in (SEARCH, GLIMPSE, RANDOM_GLIMPSES, RAM, CONV, CONVNET, SPATIAL_TRANSFORMER)
}
"""All kinds of classifiers by name, the default first."""

OF_THE_DATA = ("channels", "classes", "height", "width")
"""Settings of a model that are determined by its data."""

LONGER_BUDGETS: tuple[tuple[int, float], ...] = ((3_000_000, 0.86),)
"""Pairs (number of training images, validation error in percent), measured with the preset `search`, 8 glimpses and `--distort 12`
on MNIST."""


def classifier_presets() -> dict[str, ClassifierPreset]:
    """Returns the presets of all kinds by name, the default first."""
    return {name: preset for kind in CLASSIFIERS.values() for name, preset in kind.presets.items()}


def classifier_preset(name: str) -> ClassifierPreset:
    """Returns a preset by name.

    Raises:
        ValueError: If there is no preset of that name.
    """
    return kind_of_preset(name).presets[name]


def kind_of_preset(name: str) -> ClassifierKind:
    """Returns the kind that a preset belongs to.

    Raises:
        ValueError: If there is no preset of that name.
    """
    for kind in CLASSIFIERS.values():
        if name in kind.presets:
            return kind
    raise ValueError(f"there is no preset {name!r}; there are {', '.join(classifier_presets())}")


def kind_of_class(name: str) -> ClassifierKind:
    """Returns the first kind whose network has this class name.

    Raises:
        ValueError: If there is no such kind.
    """
    for kind in CLASSIFIERS.values():
        if kind.class_name == name:
            return kind
    raise ValueError(f"there is no classifier of class {name!r}; there are {', '.join(_class_names())}")


def setting_names() -> tuple[str, ...]:
    """Returns the names of all settings of classifiers and their training, except those determined by the data."""
    configs = (*(kind.config for kind in CLASSIFIERS.values()), TrainingConfig)
    return tuple(dict.fromkeys(each.name for config in configs for each in fields(config) if each.name not in OF_THE_DATA))


def kinds_with(setting: str) -> list[ClassifierKind]:
    """Returns the kinds whose config has a field of this name."""
    return [kind for kind in CLASSIFIERS.values() if setting in {field.name for field in fields(kind.config)}]


def _class_names() -> list[str]:
    return list(dict.fromkeys(kind.class_name for kind in CLASSIFIERS.values()))
