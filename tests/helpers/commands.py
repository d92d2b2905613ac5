"""The command line, run in this process."""

import json
from typing import Any

from click.testing import CliRunner, Result

from glimpse.cli import glimpse


def invoked(*arguments: object) -> Result:
    """Returns how a command with these arguments ended and what it said."""
    return CliRunner().invoke(glimpse, [str(argument) for argument in arguments])


def succeeded(*arguments: object) -> Result:
    """Returns what a command said that ended well."""
    result = invoked(*arguments)
    assert result.exit_code == 0, result.output
    return result


def refused(*arguments: object, after: tuple[str, ...] = ()) -> str:
    """Returns the one line of the error that a command ends with, without `Error: `.

    Args:
        arguments: Of the command line.
        after: Beginnings of lines that may stand before the error.
    """
    result = invoked(*arguments)
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    (line,) = [line for line in result.stderr.splitlines() if not (after and line.startswith(after))]
    assert line.startswith("Error: ")
    return line.removeprefix("Error: ")


def printed_json(*arguments: object) -> dict[str, Any]:
    """Returns the object that a command prints with `--json`, on one line."""
    result = succeeded(*arguments, "--json")
    assert result.stdout.count("\n") == 1
    found: dict[str, Any] = json.loads(result.stdout)
    return found
