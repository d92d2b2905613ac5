"""The command line, run in this process."""

import json
from typing import Any

from click.testing import CliRunner, Result

from glimpse.cli import glimpse


def invoked(*arguments: object) -> Result:
    """Returns the result of a command with these arguments."""
    return CliRunner().invoke(glimpse, [str(argument) for argument in arguments])


def succeeded(*arguments: object) -> Result:
    """Returns the result of a command that must succeed."""
    result = invoked(*arguments)
    assert result.exit_code == 0, result.output
    return result


def refused(*arguments: object, after: tuple[str, ...] = ()) -> str:
    """Returns the one line of the error of a command, without `Error: `.

    Args:
        arguments: Arguments of the command line.
        after: Beginnings of lines that may precede the error.
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
