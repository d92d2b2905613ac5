"""Names that tell the models of a comparison apart."""

from collections.abc import Mapping, Sequence
from typing import Any

from glimpse.settings.classifier import ClassifierSettings

__all__ = ["distinct_names"]


def distinct_names(
    configs: Sequence[ClassifierSettings], settings: Sequence[Mapping[str, Any]], sources: Sequence[str]
) -> list[str]:
    """Returns a name for every model, unlike the others'.

    Models whose titles are the same are told apart by up to three settings that differ, else by their sources.

    Args:
        configs: Settings of each model.
        settings: All settings of each model and its training, by name.
        sources: Runs' folders, weights files or `pretrained:NAME`.
    """
    names = [config.title for config in configs]
    for name in {name for name in names if names.count(name) > 1}:
        alike = [i for i in range(len(names)) if names[i] == name]
        keys = [key for key in settings[alike[0]] if len({repr(settings[i].get(key)) for i in alike}) > 1]
        for i in alike:
            known = [f"{key}={settings[i][key]}" for key in keys if key in settings[i]]
            names[i] = ", ".join([name, *known]) if len(known) <= 3 else name
    return [name if names.count(name) == 1 else f"{name}, {source}" for name, source in zip(names, sources, strict=True)]
