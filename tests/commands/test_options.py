"""Options made from configs: their help, and a config that does not describe a field."""

from dataclasses import dataclass

import click
import pytest

from glimpse.commands.config_options import model_options
from glimpse.settings.base import Config, Count


@dataclass(frozen=True)
class Described(Config):
    """Settings.

    Attributes:
        sides: Sides of the polygon.
    """

    sides: Count = 3


@dataclass(frozen=True)
class Undescribed(Config):
    """Settings."""

    sides: Count = 3


def test_brief_help_names_only_presets_with_another_value() -> None:
    presets = {"first": Described(), "same": Described(), "other": Described(sides=5)}

    @click.command()
    @model_options(presets, brief=True)
    def command(sides: int | None) -> None: ...

    (option,) = (each for each in command.params if isinstance(each, click.Option))
    assert option.help == "Sides of the polygon.  [preset first 3, other 5]"
    assert isinstance(option.type, click.IntRange)


def test_a_field_that_its_docstring_does_not_describe_is_named() -> None:
    with pytest.raises(ValueError, match="docstring of one of Undescribed does not describe its field 'sides'"):
        model_options({"first": Undescribed()})
