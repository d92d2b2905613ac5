"""Ranges of settings for a search: their notation, and their check against the settings of models and trainings."""

import difflib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from glimpse.settings.base import Range, Whole, bounds
from glimpse.settings.catalog import CLASSIFIERS, OF_THE_DATA
from glimpse.settings.draw import GeneratorConfig
from glimpse.settings.training import TrainingConfig

__all__ = ["ModelKind", "Variation", "parse_variation", "read_variations", "setting_text"]

ModelKind = Literal["classifier", "generator"]
"""Kind of model that a training command trains."""

_TRUTH = {"true": True, "yes": True, "false": False, "no": False}
_NOTATION = "write NAME=LOW:HIGH, NAME=LOW:HIGH:log, NAME=LOW:HIGH:STEP or NAME=A,B,C"


@dataclass(frozen=True)
class Variation:
    """Values that a search may give to a setting: a range, or a list of choices.

    Attributes:
        name: Name of the setting.
        low: Lower end of the range, included; None for choices.
        high: Upper end of the range, included; None for choices.
        log: Whether values are sampled uniformly in their logarithm.
        step: Distance between the values of a range; None for 1 between integers, and for any number in between otherwise.
        choices: The values, in place of a range.
    """

    name: str
    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    step: int | float | None = None
    choices: tuple[int | float | str | bool, ...] = ()

    def __str__(self) -> str:
        if self.choices:
            return f"{self.name}={','.join(map(setting_text, self.choices))}"
        ends = [setting_text(end) for end in (self.low, self.high, self.step) if end is not None]
        return f"{self.name}={':'.join(ends + ['log'] * self.log)}"


def setting_text(value: object, digits: int = 12) -> str:
    """Returns the value of a setting as text, a float with at most this number of digits.

    >>> setting_text(0.00123456789, 4), setting_text(2.0), setting_text(True)
    ('0.001235', '2', 'True')
    """
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def parse_variation(text: str, kind: ModelKind) -> Variation:
    """Returns the variation of a setting from its notation.

    Args:
        text: `NAME=LOW:HIGH`, `NAME=LOW:HIGH:log`, `NAME=LOW:HIGH:STEP` or `NAME=A,B,C`.
        kind: Kind of model whose settings are varied.

    Raises:
        ValueError: If the text is not of that form, there is no such setting, or a value has the wrong type or is out of range.

    >>> parse_variation("learning_rate=1e-4:1e-2:log", "classifier")
    Variation(name='learning_rate', low=0.0001, high=0.01, log=True, step=None, choices=())
    >>> str(parse_variation("window=8,10,12", "classifier"))
    'window=8,10,12'
    """
    name, equals, values = text.partition("=")
    name = name.strip().removeprefix("--").replace("-", "_")
    if not equals or not values.strip():
        raise ValueError(f"{text!r} gives no values: {_NOTATION}")
    hints = _hints(kind)
    if name not in hints:
        alike = difflib.get_close_matches(name, hints, n=3)
        hint = f"did you mean {' or '.join(alike)}?" if alike else f"see glimpse train-{kind} --help"
        raise ValueError(f"there is no setting {name!r} to vary: {hint}")
    hint, parts = hints[name], [part.strip() for part in values.split(":")]
    if len(parts) == 1:
        choices = tuple(_value(part.strip(), name, hint) for part in values.split(","))
        if len({*choices}) < 2:
            raise ValueError(f"{text!r} leaves nothing to vary: {_NOTATION}")
        return Variation(name, choices=choices)
    return _range(name, hint, parts, text)


def read_variations(path: Path, kind: ModelKind) -> list[Variation]:
    """Returns the variations in a file: a TOML or JSON table of `NAME = "LOW:HIGH:log"` or `NAME = [A, B, C]`.

    Args:
        path: File ending in `.toml` or `.json`.
        kind: Kind of model whose settings are varied.

    Raises:
        ValueError: If the file is neither, or one of its entries is not a variation.
        OSError: If it cannot be read.
    """
    content = path.read_bytes()
    try:
        found = json.loads(content) if path.suffix.lower() == ".json" else tomllib.loads(content.decode())
    except ValueError as error:  # the errors of both parsers, and of the decoding
        raise ValueError(f"{path} cannot be read ({error})") from error
    if not isinstance(found, Mapping) or not found:
        raise ValueError(f'{path} must hold a table of settings, such as learning_rate = "1e-4:1e-2:log"')
    return [parse_variation(f"{name}={_text(values)}", kind) for name, values in found.items()]


def _text(values: Any) -> str:
    """Returns the notation of an entry of a file."""
    return ",".join(map(str, values)) if isinstance(values, list) else str(values)


def _hints(kind: ModelKind) -> dict[str, Any]:
    """Returns the annotations of the settings of a kind of model and of its training that can be varied, by name."""
    configs = [each.config for each in CLASSIFIERS.values()] if kind == "classifier" else [GeneratorConfig]
    hints: dict[str, Any] = {}
    for config in (*configs, TrainingConfig):
        annotated = get_type_hints(config, include_extras=True)
        hints |= {each.name: annotated[each.name] for each in fields(config) if each.name not in hints}
    data = {"distort": Whole} if kind == "classifier" else {}
    return {name: hint for name, hint in hints.items() if name not in OF_THE_DATA} | data


def _range(name: str, hint: Any, parts: list[str], text: str) -> Variation:
    """Returns a variation within a range from the parts of its notation."""
    plain, allowed = bounds(hint)
    if plain not in (int, float):
        raise ValueError(f"{name} is no number: give its values as {name}=A,B")
    if len(parts) > 3:
        raise ValueError(f"{text!r} has too many parts: {_NOTATION}")
    low, high = (_number(part, name, plain, allowed) for part in parts[:2])
    if not low < high:
        raise ValueError(f"{text!r} is empty: its lower end must be below its upper end")
    if parts[2:] == ["log"]:
        if low <= 0:
            raise ValueError(f"{text!r} has no logarithm at {low}: start above 0")
        return Variation(name, low, high, log=True)
    step = None
    if len(parts) == 3:
        step = _number(parts[2], name, plain)
        if not 0 < step <= high - low:
            raise ValueError(f"{text!r} needs a step greater than 0 and at most {high - low}, or log")
    return Variation(name, low, high, step=step)


def _value(text: str, name: str, hint: Any) -> int | float | str | bool:
    """Returns a value of a setting from its text, checked against the setting's annotation."""
    plain, allowed = bounds(hint)
    if plain is bool:
        if text.lower() not in _TRUTH:
            raise ValueError(f"{name} must be true or false, got {text!r}")
        return _TRUTH[text.lower()]
    if get_origin(plain) is Literal:
        if text not in get_args(plain):
            raise ValueError(f"{name} must be one of {', '.join(get_args(plain))}, got {text!r}")
        return text
    return _number(text, name, plain, allowed)


def _number(text: str, name: str, plain: Any, allowed: Range | None = None) -> int | float:
    """Returns a number from its text, checked against the bounds of a setting."""
    try:
        value: int | float = plain(text)
    except ValueError:
        raise ValueError(f"{name} must be {'an integer' if plain is int else 'a number'}, got {text!r}") from None
    (allowed or Range()).check(name, value)
    return value
