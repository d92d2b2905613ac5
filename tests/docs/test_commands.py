"""The commands in the documentation: every command and option that is written there exists."""

import re
import shlex
from pathlib import Path

import click
import pytest

from glimpse.cli import glimpse

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])


def commands_in(page: Path) -> list[list[str]]:
    """Returns the words after `glimpse` of every command in the blocks of a page, without comments."""
    blocks = re.findall(r"^```(?:console|bash)\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    found = (re.search(r"(?:^|[ /])glimpse ((?!\w+\.)[-a-z].*)$", line) for line in lines if "git clone" not in line)
    return [shlex.split(match[1], comments=True) for match in found if match]


def unknown_in(words: list[str]) -> list[str]:
    """Returns the options of a command line that its command does not have, or the command if there is none."""
    command: click.Command = glimpse
    words = words[: next((at for at, word in enumerate(words) if word in ("|", "&&", ">")), len(words))]
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        within = command.get_command(click.Context(command), words[0])
        if within is None:
            return words[:1]
        command, words = within, words[1:]
    names = {name for option in command.get_params(click.Context(command)) for name in (*option.opts, *option.secondary_opts)}
    return [word for word in words if word.startswith("--") and word.partition("=")[0] not in names]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_of_a_page_exists(page: Path) -> None:
    assert {" ".join(words): unknown for words in commands_in(page) if (unknown := unknown_in(words))} == {}


def test_an_option_that_does_not_exist_is_found() -> None:
    assert unknown_in(shlex.split("train-classifier --glimpses 8 --glimpse=4 --out x")) == ["--glimpse=4"]
    assert unknown_in(["trian"]) == ["trian"]
