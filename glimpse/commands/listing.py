"""Output of the commands that list presets, pretrained models and the columns of trajectories."""

from dataclasses import asdict
from itertools import chain
from typing import Any

from glimpse.commands import console
from glimpse.pretrained import PREFIX, available
from glimpse.settings.catalog import OF_THE_DATA, classifier_presets
from glimpse.settings.draw import GENERATOR_PRESETS, GeneratorConfig

__all__ = ["list_columns", "list_presets", "list_pretrained"]


def list_presets(*, as_json: bool) -> None:
    """Prints the settings of all presets: one table per kind of settings, one column per preset."""
    classifiers = classifier_presets()
    settings: dict[str, dict[str, dict[str, Any]]] = {
        "classifier": {name: asdict(preset.model) for name, preset in classifiers.items()},
        "training": {name: asdict(preset.training) for name, preset in classifiers.items()},
        "generator": {name: {"data": preset.data} | _chosen(preset.model) for name, preset in GENERATOR_PRESETS.items()},
        "generator_training": {name: asdict(preset.training) for name, preset in GENERATOR_PRESETS.items()},
    }
    if as_json:
        console.print_json(settings)
        return
    for kind, configs in settings.items():
        names = sorted(dict.fromkeys(chain(*configs.values())), key=OF_THE_DATA.__contains__)  # those determined by the data last
        console.print_rows((kind, *configs), [(name, *(config.get(name) for config in configs.values())) for name in names])


def list_pretrained(*, as_json: bool) -> None:
    """Prints the pretrained models of the package."""
    models = available()
    if as_json:
        console.print_json(models)
        return
    if not models:
        console.note("This version has no pretrained models.")
        return
    rows = []
    for name, facts in models.items():
        error, bound = facts.get("test_error_percent"), facts.get("bound_nats")
        result = f"{error:.2f} % error" if error is not None else f"<= {bound:.2f} nats" if bound is not None else None
        parameters = facts.get("parameters")
        size = None if parameters is None else f"{parameters:,}"
        rows.append((PREFIX + name, result, facts.get("task"), facts.get("glimpses"), size))
    console.print_rows(("name", "test result", "trained on", "glimpses", "parameters"), rows)


def list_columns() -> None:
    """Prints name, unit and meaning of the columns of trajectories."""
    from glimpse.trajectories.table import COLUMNS, VERSION  # imports numpy, which the other lists do not need

    rows = [(column.name, column.unit, column.meaning + (" (may be absent)" if column.may_miss else "")) for column in COLUMNS]
    console.print_rows((f"column, version {VERSION}", "unit", "meaning"), rows)


def _chosen(config: GeneratorConfig) -> dict[str, Any]:
    """Returns the settings that are not determined by the data."""
    return {name: value for name, value in asdict(config).items() if name not in OF_THE_DATA}
