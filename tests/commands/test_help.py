"""The help of every command: whole summaries, options under headings, and examples that the command takes."""

import re
import shlex
from collections.abc import Callable, Iterator
from typing import Any

import click
import pytest
from click.testing import CliRunner

from glimpse.cli import glimpse
from glimpse.commands.examples import EXAMPLES, HEADINGS
from glimpse.commands.help import HelpCommand, section


def commands(group: click.Group = glimpse, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, group
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


ALL = dict(commands())


def shown(path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, columns: int = 80) -> str:
    monkeypatch.setenv("COLUMNS", str(columns))
    context = click.Context(glimpse, info_name="glimpse", **glimpse.context_settings)
    for i, name in enumerate(path, start=1):
        context = click.Context(ALL[path[:i]], info_name=name, parent=context)
    return f"{context.get_help()}\n"


@pytest.mark.parametrize("path", [path for path, command in ALL.items() if isinstance(command, click.Group)])
def test_every_command_is_listed_with_the_whole_first_sentence_of_its_help(
    path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = " ".join(shown(path, monkeypatch).split())
    group = ALL[path]
    assert isinstance(group, click.Group)
    for name, command in group.commands.items():
        assert command.help
        sentence = " ".join(command.help.partition("\n\n")[0].split())
        assert sentence.endswith(".")
        assert text.count(f" {name} {sentence} ") == 1


@pytest.mark.parametrize("path", ALL)
def test_every_option_is_listed_once_and_nothing_is_cut(path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(path, monkeypatch)
    assert "..." not in text.partition("\n")[2]
    for option in ALL[path].params:
        if isinstance(option, click.Option):
            assert len(re.findall(rf"^  (?:-h, )?{re.escape(option.opts[-1])}(?![\w-])", text, re.MULTILINE)) == 1
    examples = text.partition("\nExamples:\n")[2]
    assert [line.strip() for line in examples.splitlines()] == [*EXAMPLES[" ".join(path)]]


def test_the_help_is_wider_on_a_wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    widths = {columns: max(map(len, shown(("evaluate",), monkeypatch, columns).splitlines())) for columns in (80, 120, 200)}
    assert widths[80] <= 80 < widths[120] == widths[200] < 120


def test_every_example_is_of_its_command_and_every_command_has_a_heading() -> None:
    assert EXAMPLES.keys() == {" ".join(path) for path in ALL}
    listed = [name for names in HEADINGS.values() for name in names]
    assert len(listed) == len({*listed})
    assert {*glimpse.commands} <= {*listed}
    for path, lines in EXAMPLES.items():
        for line in lines:
            start, *words = shlex.split(line)
            command: click.Command = glimpse
            context = click.Context(command, info_name=start)
            while isinstance(command, click.Group):
                command, words = command.commands[words[0]], words[1:]
                context = click.Context(command, info_name=context.info_name, parent=context)
            assert line.startswith(f"glimpse {path}")
            values, _, _ = command.make_parser(context).parse_args(words)
            for parameter in command.params:
                if not isinstance(parameter.type, click.Path) and {*parameter.opts} & {*words}:
                    parameter.type_cast_value(context, values[parameter.name])


def test_options_are_under_the_heading_of_their_innermost_section_unless_they_are_few() -> None:
    inner = section("Inner", *(click.option(f"--{letter}") for letter in "abc"))
    outer = section("Outer", click.option("--first"), inner, click.option("--last"))

    def made(decorator: Callable[[Any], Any]) -> str:
        command = click.command("own", cls=HelpCommand)(decorator(lambda **options: None))
        return CliRunner().invoke(click.Group("top", [command]), ["own", "--help"]).stdout

    many = made(lambda command: click.option("--free")(outer(command)))
    few = made(inner)
    parts = {part.splitlines()[0]: re.findall(r"^ +(?:-h, )?(--\w+)", part, re.MULTILINE) for part in many.split("\n\n")[1:]}

    assert parts == {
        "Options:": ["--free", "--help"],
        "Outer:": ["--first", "--last"],
        "Inner:": ["--a", "--b", "--c"],
    }
    assert re.findall(r"^\w+:$", few, re.MULTILINE) == ["Options:"]
