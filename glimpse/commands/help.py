"""Help of the commands: options and commands under headings, complete summaries, and examples."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

from glimpse.commands.examples import EXAMPLES, HEADINGS

__all__ = ["DATA", "HELP_WIDTH", "MACHINE", "OUTPUT", "HelpCommand", "HelpGroup", "adding", "section"]

_UNBROKEN = str.maketrans("-", "\N{NON-BREAKING HYPHEN}")  # while lines are broken, so that no name is split at its hyphen
_BROKEN = str.maketrans("\N{NON-BREAKING HYPHEN}", "-")

F = TypeVar("F", bound=Callable[..., Any])

DATA, MACHINE, OUTPUT = "Data", "Device", "Output"
"""Headings of options that several commands have."""

HELP_WIDTH = 110
"""Width of the help in columns on a terminal that is wide enough; a narrower one is used as it is."""

_FEW = 6  # options that need no headings


def adding(options: Iterable[Callable[[Any], Any]]) -> Callable[[F], F]:
    """Returns a decorator that adds options so that the help lists them in this order."""

    def add(command: F) -> F:
        for option in reversed([*options]):
            command = option(command)
        return command

    return add


def section(heading: str, *options: Callable[[Any], Any]) -> Callable[[F], F]:
    """Returns a decorator that adds options in this order under a heading of the help.

    Options that are already under another heading stay there. Commands with few options have no headings.
    """

    def add(command: F) -> F:
        before = len(getattr(command, "__click_params__", []))
        command = adding(options)(command)
        for option in getattr(command, "__click_params__", [])[before:]:
            option.heading = getattr(option, "heading", heading)
        return command

    return add


class _Formatter(click.HelpFormatter):
    """Formatter that breaks lines between words only, not at hyphens."""

    def write_text(self, text: str) -> None:
        """Writes a paragraph."""
        super().write_text(text.translate(_UNBROKEN))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Writes names with their descriptions."""
        super().write_dl([(name, text.translate(_UNBROKEN)) for name, text in rows], col_max, col_spacing)

    def getvalue(self) -> str:
        """Returns what was written."""
        return super().getvalue().translate(_BROKEN)


class _Context(click.Context):
    """Context whose help is written by `_Formatter`."""

    formatter_class = _Formatter


class HelpCommand(click.Command):
    """A command whose help has its options under the headings of `section`, and examples."""

    context_class = _Context

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the options."""
        _write_options(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the examples."""
        _write_examples(ctx, formatter)


class HelpGroup(click.Group):
    """A group whose help has its commands under headings, each with the whole first sentence of its help, and examples."""

    context_class = _Context
    command_class = HelpCommand

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the commands, then the options."""
        self.format_commands(ctx, formatter)
        _write_options(self, ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the commands under their headings; one without a heading is under `Commands`."""
        rows: dict[str, list[tuple[str, str]]] = {}
        headings = {name: heading for heading, names in HEADINGS.items() for name in names} if ctx.parent is None else {}
        order = [*headings, *self.list_commands(ctx)]
        for name in sorted(self.list_commands(ctx), key=order.index):
            command = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                rows.setdefault(headings.get(name, "Commands"), []).append((name, _summary(command)))
        _write_lists(rows, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the examples."""
        _write_examples(ctx, formatter)


HelpGroup.group_class = HelpGroup


def _summary(command: click.Command) -> str:
    """Returns the first paragraph of a command's help."""
    return " ".join((command.short_help or command.help or "").strip().partition("\n\n")[0].split())


def _write_options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Writes the options of a command, under headings unless they are few."""
    rows: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
        if record is not None:
            names, text = record
            plain = re.sub(r"\b(INTEGER|FLOAT) RANGE\b", lambda found: found[1], names)  # the range follows the text
            rows.setdefault(getattr(parameter, "heading", "Options"), []).append((plain, text))
    if sum(map(len, rows.values())) <= _FEW:
        rows = {"Options": [row for each in rows.values() for row in each]}
    _write_lists(rows, formatter)


def _write_lists(rows: Mapping[str, list[tuple[str, str]]], formatter: click.HelpFormatter) -> None:
    """Writes names with their descriptions under headings."""
    for heading, lines in rows.items():
        with formatter.section(heading):
            formatter.write_dl(lines)


def _write_examples(ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Writes the examples of a command, one a line however long it is."""
    lines = EXAMPLES.get(" ".join(ctx.command_path.split()[1:]), ())
    if lines:
        with formatter.section("Examples"):
            for line in lines:
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")
