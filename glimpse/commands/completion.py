"""Output of `glimpse completion`."""

import click
from click.shell_completion import get_completion_class

__all__ = ["print_completion"]


def print_completion(commands: click.Group, shell: str) -> None:
    """Prints the script that completes the commands in a shell.

    Args:
        commands: The command line.
        shell: `bash`, `zsh` or `fish`.

    Raises:
        ValueError: If click has no completion for the shell.
    """
    script = get_completion_class(shell)
    if script is None:
        raise ValueError(f"no completion for the shell {shell!r}")
    click.echo(script(commands, {}, "glimpse", "_GLIMPSE_COMPLETE").source())
