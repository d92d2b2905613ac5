"""What the commands share: one line for an error, options with one meaning everywhere, digits opened with a word to the person."""

import errno
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import click

if TYPE_CHECKING:
    from glimpse.datasets.digits import DigitSource

__all__ = [
    "Commands",
    "clutter_options",
    "config_options",
    "data_dir_option",
    "data_option",
    "device_option",
    "digits_option",
    "given",
    "image_options",
    "json_option",
    "open_digit_source",
    "threads_option",
]

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
        except (MemoryError, RuntimeError) as error:
            if ctx.find_root().params.get("debug") or not out_of_memory(error):
                raise
            text = f"out of memory: make the images, the batch or the model smaller ({one_line(error)})"
            raise click.ClickException(text) from error
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(130)


def out_of_memory(error: BaseException) -> bool:
    """Returns whether an error of Python's or torch's says that memory ran out, on the CPU or on a GPU."""
    return isinstance(error, MemoryError) or "allocate memory" in str(error) or type(error).__name__ == "OutOfMemoryError"


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


def digits_option(command: F) -> F:
    """Adds `--digits`; its value goes through `open_digit_source`."""
    text = (
        "auto (MNIST if found or fetchable, else scikit-learn's), mnist, fashion-mnist, emnist-digits, sklearn or a FILE.npz. "
        "Default: those a trained model knows, else auto."
    )
    return click.option("--digits", default="auto", help=text)(command)


def data_option(command: F) -> F:
    """Adds `--data`; its value goes through `glimpse.datasets.files.open_data`."""
    text = "A set that `dataset build` wrote, or a .npz of images and labels, in place of generated ones."
    return click.option("--data", type=click.Path(exists=True, path_type=Path), default=None, help=text)(command)


def clutter_options(command: F) -> F:
    """Adds the constants of the clutter's recipe; one that is not given is None."""
    for name, least, text in (
        ("border", 0, "Pixels at the edges kept free of the digit."),
        ("piece-size", 1, "Side of a distractor in pixels."),
        ("pieces", 0, "Distractors in an image."),
        ("canvas", 1, "Side of the images in pixels."),
    ):
        command = click.option(f"--{name}", type=click.IntRange(min=least), default=None, help=text)(command)
    return command


def image_options(command: F) -> F:
    """Adds what says which images there are and where they are computed on: all options from `--canvas` to `--threads`."""
    for add in (threads_option, device_option, data_option, data_dir_option, digits_option, clutter_options):
        command = add(command)
    return command


def open_digit_source(digits: str, data_dir: Path | None, seed: int = 0) -> "DigitSource":
    """Returns the glyphs asked for; says loudly where `auto` had to take scikit-learn's."""
    from glimpse import console
    from glimpse.datasets.digits import open_digits

    last = -1

    def show(done: int, total: int) -> None:
        nonlocal last
        tenth = 10 * done // total if total > 1_000_000 else last
        if tenth != last:
            last = tenth
            console.note(f"Downloading: {done / 1e6:.1f} of {total / 1e6:.1f} MB")

    source = open_digits(digits, data_dir=data_dir, seed=seed, progress=show)
    if source.reason is not None:
        console.warn(f"these are scikit-learn's digits, NOT MNIST, and their errors compare with no paper's: {source.reason}")
    return source


def json_option(command: F) -> F:
    """Adds `--json`, the flag `as_json`: the result as one line with one object on stdout."""
    return click.option("--json", "as_json", is_flag=True, help="Print one line with one JSON object.")(command)


def config_options(kind: type[Any], *, skip: tuple[str, ...] = ()) -> Callable[[F], F]:
    """Adds an option for every field of a config's dataclass, named like it; one that is not given is None.

    The help is what the class's docstring says of the field.
    """
    hints = get_type_hints(kind)
    texts = dict(re.findall(r"^ {8}(\w+): ((?:.|\n {12})+)", kind.__doc__ or "", flags=re.MULTILINE))

    def add(command: F) -> F:
        for field in reversed(fields(kind)):
            if field.name in skip:
                continue
            flag, hint = f"--{field.name.replace('_', '-')}", hints[field.name]
            names = f"{flag}/--no-{flag[2:]}" if hint is bool else flag
            choice = click.Choice(get_args(hint)) if get_origin(hint) is Literal else hint
            text = " ".join(texts[field.name].replace("`", "").split()) + f"  [preset tuned: {field.default}]"
            command = click.option(names, field.name, type=choice, default=None, help=text)(command)
        return command

    return add


def given(*kinds: type[Any], **also: Any) -> dict[str, Any]:
    """Returns what the present command was explicitly given of the fields of these configs, and of `also`, by name."""
    context = click.get_current_context()
    names = [field.name for kind in kinds for field in fields(kind)] + list(also)
    explicit = (click.core.ParameterSource.COMMANDLINE, click.core.ParameterSource.ENVIRONMENT)
    return {name: context.params[name] for name in names if context.get_parameter_source(name) in explicit}
