"""What a classifier is called in a comparison: its kind, a short name, and names that tell several models apart."""

from collections.abc import Mapping, Sequence
from typing import Any

from glimpse.settings.classifier import ClassifierSettings
from glimpse.settings.convolutional import ConvConfig, ConvNetConfig
from glimpse.settings.glimpse_classifier import ClassifierConfig
from glimpse.settings.ram import RAMConfig

__all__ = ["distinct_names", "kind_of", "name_of"]


def kind_of(config: ClassifierSettings) -> str:
    """Returns the kind of classifier that a config is of, as `glimpse train-classifier` calls it."""
    if isinstance(config, ClassifierConfig):
        return "random-glimpses" if config.parametrization == "random" else "glimpse"
    if isinstance(config, RAMConfig):
        return "ram"
    if isinstance(config, ConvConfig):
        return "conv"
    return "convnet" if isinstance(config, ConvNetConfig) else "spatial-transformer"


def name_of(config: ClassifierSettings) -> str:
    """Returns a short name: the kind, and how it looks, glimpses of n x n numbers at so many scales.

    >>> name_of(ClassifierConfig(scales=4))
    'glimpse 8 of 12x12x4'
    """
    kind = kind_of(config)
    if isinstance(config, ClassifierConfig | RAMConfig):
        scales = f"x{config.scales}" if config.scales > 1 else ""
        paper = " (paper)" if isinstance(config, ClassifierConfig) and config.parametrization == "paper" else ""
        return f"{kind}{paper} {config.glimpses} of {config.window}x{config.window}{scales}"
    return kind


def distinct_names(
    configs: Sequence[ClassifierSettings], settings: Sequence[Mapping[str, Any]], sources: Sequence[str]
) -> list[str]:
    """Returns a name for every model, unlike the others'.

    Models whose short names are the same are told apart by up to three settings that differ, else by where they lie.

    Args:
        configs: What each model is made of.
        settings: Everything that each model and its training was set to, by name.
        sources: Where each model lies.
    """
    names = [name_of(config) for config in configs]
    for name in {name for name in names if names.count(name) > 1}:
        alike = [i for i in range(len(names)) if names[i] == name]
        keys = [key for key in settings[alike[0]] if len({repr(settings[i].get(key)) for i in alike}) > 1]
        for i in alike:
            known = [f"{key}={settings[i][key]}" for key in keys if key in settings[i]]
            names[i] = ", ".join([name, *known]) if len(known) <= 3 else name
    return [name if names.count(name) == 1 else f"{name}, {source}" for name, source in zip(names, sources, strict=True)]
