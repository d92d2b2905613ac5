"""Options for the fields of configs, with the help from their docstrings."""

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import click

from glimpse.commands.help import adding, section
from glimpse.settings.base import Range, bounds
from glimpse.settings.catalog import OF_THE_DATA
from glimpse.settings.requests import flag

__all__ = ["model_options", "preset_options"]

F = TypeVar("F", bound=Callable[..., Any])


def preset_options(presets: Mapping[str, Any], *, brief: bool = False) -> Callable[[F], F]:
    """Adds an option for every setting of the presets, those of the model first; an option that is not given is None.

    Args:
        presets: Presets by name, each with the configs `model` and `training`.
        brief: Whether the help of the model's settings leaves out the presets with the value of the first one.
    """
    model = model_options({name: preset.model for name, preset in presets.items()}, skip=OF_THE_DATA, brief=brief)
    training = model_options({name: preset.training for name, preset in presets.items()}, brief=True)
    return adding((section("Settings of the model", model), section("Settings of the training", training)))


def model_options(presets: Mapping[str, Any], *, skip: tuple[str, ...] = (), brief: bool = False) -> Callable[[F], F]:
    """Adds an option for every field of several configs; an option that is not given is None.

    The help is the field's description in the docstring of the first config that has it, with its value in every preset. Type and
    range are those of the field's annotation.

    Args:
        presets: The configs by name of their presets.
        skip: Fields without an option.
        brief: Whether to leave out the presets with the value of the first one.

    Raises:
        ValueError: If a config's docstring does not describe one of its fields.
    """
    hints: dict[str, Any] = {}
    texts: dict[str, str] = {}
    for config in presets.values():
        own = get_type_hints(type(config), include_extras=True)
        hints |= {each.name: own[each.name] for each in fields(config) if each.name not in hints}
        texts = _field_texts(type(config)) | texts

    undescribed = [name for name in hints if name not in texts and name not in skip]
    if undescribed:
        kinds = ", ".join({type(config).__name__: None for config in presets.values()})
        raise ValueError(f"the docstring of one of {kinds} does not describe its field {undescribed[0]!r} under Attributes")

    def add(command: F) -> F:
        for name in reversed(hints):
            if name not in skip:
                values = {preset: getattr(config, name) for preset, config in presets.items() if name in vars(config)}
                command = _config_option(name, hints[name], f"{texts[name]}  [preset {_in_presets(values, brief=brief)}]")(command)
        return command

    return add


def _in_presets(values: Mapping[str, Any], *, brief: bool) -> str:
    """Returns the values of a setting in presets, for help.

    >>> _in_presets({"tuned": 1, "paper": 1, "ram": 2}, brief=True)
    'tuned 1, ram 2'
    """
    first = next(iter(values))
    shown = {preset: value for preset, value in values.items() if not brief or preset == first or value != values[first]}
    return ", ".join(f"{preset} {value}" for preset, value in shown.items())


def _field_texts(kind: type[Any]) -> dict[str, str]:
    """Returns the descriptions of a config's fields in its docstring, by name."""
    found = re.findall(r"^ {8}(\w+): ((?:.|\n {12})+)", kind.__doc__ or "", flags=re.MULTILINE)
    return {name: " ".join(text.replace("`", "").split()) for name, text in found}


def _config_option(name: str, hint: Any, text: str) -> Callable[[F], F]:
    """Returns a decorator that adds the option for a field of a config."""
    plain, allowed = bounds(hint)
    if plain is bool:
        return click.option(f"{flag(name)}/--no-{flag(name)[2:]}", name, default=None, help=text)
    kind: Any = plain
    if get_origin(plain) is Literal:
        kind = click.Choice(get_args(plain))
    elif plain is int and allowed != Range():
        kind = click.IntRange(
            None if allowed.low is None else int(allowed.low), None if allowed.high is None else int(allowed.high)
        )
    elif plain is float and allowed != Range():
        kind = click.FloatRange(allowed.low, allowed.high, min_open=allowed.open_low)
    return click.option(flag(name), name, type=kind, default=None, help=text)
