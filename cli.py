"""The commands: parse, call, show.

Nothing heavy is imported before a command needs it, so that `--help` answers at once. Results go to stdout, with `--json` as one
line with one object; notes, warnings and progress go to stderr. A foreseen error is one line on stderr and exit code 1.
"""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from glimpse import __version__

__all__ = ["Commands", "glimpse", "main"]

F = TypeVar("F", bound=Callable[..., Any])


class Commands(click.Group):
    """A group of commands whose foreseen errors reach a person as one line.

    `ValueError` and `OSError` are what the library raises for what it foresees; `--debug` or GLIMPSE_DEBUG=1 show their traceback.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command; its foreseen errors become click's, an interruption exit code 130."""
        try:
            return super().invoke(ctx)
        except (ValueError, OSError) as error:
            if ctx.find_root().params.get("debug") or getattr(error, "errno", None) == errno.EPIPE:
                raise
            raise click.ClickException(one_line(error)) from error
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(130)


def one_line(error: BaseException) -> str:
    """Returns an error's message on one line; an error of the system names its file first.

    >>> one_line(FileNotFoundError(2, "No such file or directory", "digits.npz"))
    'digits.npz: No such file or directory'
    """
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def threads_option(command: F) -> F:
    """Adds `--threads`; its value goes through `glimpse.environment.use_threads`."""
    text = "Threads on the CPU. Default: as many cores as nothing else uses now."
    return click.option("--threads", type=click.IntRange(min=1), default=None, help=text)(command)


def device_option(command: F) -> F:
    """Adds `--device`; its value goes through `glimpse.environment.choose_device`."""
    text = "auto (CUDA if there is one, else the CPU), cpu, cuda, cuda:N or mps."
    return click.option("--device", default="auto", show_default=True, help=text)(command)


def data_dir_option(command: F) -> F:
    """Adds `--data-dir`."""
    text = "Folder to look for MNIST and its kin in first, before GLIMPSE_DATA and the user's cache; never written to."
    kind = click.Path(exists=True, file_okay=False, path_type=Path)
    return click.option("--data-dir", type=kind, default=None, help=text)(command)


def json_option(command: F) -> F:
    """Adds `--json`, the flag `as_json`: the result as one line with one object on stdout."""
    return click.option("--json", "as_json", is_flag=True, help="Print one line with one JSON object.")(command)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="glimpse")
@click.option("--debug", is_flag=True, envvar="GLIMPSE_DEBUG", help="Show the traceback of an error.")
def glimpse(debug: bool) -> None:
    """Differentiable visual attention: train, evaluate and look at models that choose where to look."""
    # Threads that wait should sleep: spinning on a shared core, two were seen 30 times slower than one. Read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@glimpse.command()
@json_option
@data_dir_option
def doctor(as_json: bool, data_dir: Path | None) -> None:
    """Show versions, device, threads, data found, free memory and disk: what a bug report needs."""
    from glimpse import console, environment

    facts = environment.report(data_dir)
    if as_json:
        console.print_json(facts)
    else:
        console.print_rows(("what", "value"), environment.flatten(facts))


@glimpse.command()
@json_option
def presets(as_json: bool) -> None:
    """List the presets: named settings to start from."""
    from dataclasses import asdict

    from glimpse import console
    from glimpse.presets import CLASSIFIER_PRESETS

    settings = {name: asdict(config) for name, config in CLASSIFIER_PRESETS.items()}
    if as_json:
        console.print_json({"classifier": settings})
        return
    names = list(settings)
    fields = dict.fromkeys(field for config in settings.values() for field in config)
    rows = [(field, *(settings[name].get(field) for name in names)) for field in fields]
    console.print_rows(("classifier", *names), rows)


@glimpse.command()
@json_option
def pretrained(as_json: bool) -> None:
    """List the trained models that come with the package."""
    from glimpse import console
    from glimpse.pretrained import PREFIX, available

    models = available()
    if as_json:
        console.print_json(models)
        return
    if not models:
        console.note("This version ships no trained models.")
        return
    fields = list(dict.fromkeys(field for facts in models.values() for field in facts))
    console.print_rows(("name", *fields), [(PREFIX + name, *map(facts.get, fields)) for name, facts in models.items()])


@glimpse.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for a shell.

    For bash: eval "$(glimpse completion bash)" in ~/.bashrc; the same with zsh in ~/.zshrc;
    for fish: glimpse completion fish > ~/.config/fish/completions/glimpse.fish
    """
    from click.shell_completion import get_completion_class

    script = get_completion_class(shell)
    if script is None:
        raise ValueError(f"no completion for the shell {shell!r}")
    click.echo(script(glimpse, {}, "glimpse", "_GLIMPSE_COMPLETE").source())


def main() -> None:
    """Runs the command line, under one name however it was started."""
    glimpse(prog_name="glimpse")


if __name__ == "__main__":
    main()
