"""What the commands share: one line for an error, and options with one meaning everywhere."""

import errno
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import click

from glimpse.datasets.catalog import AUTO_DIGITS, AUTO_SETS, DIGIT_SOURCES, GENERATIVE_SETS, described
from glimpse.settings.base import Range, bounds
from glimpse.settings.requests import flag

__all__ = [
    "Commands",
    "chosen_images_options",
    "clutter_options",
    "data_dir_option",
    "data_option",
    "device_option",
    "digits_option",
    "distort_option",
    "drawing_options",
    "frames_option",
    "generative_options",
    "given",
    "image_options",
    "json_option",
    "model_options",
    "split_option",
    "threads_option",
    "training_options",
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
    """Adds `--digits`; its value goes through `glimpse.datasets.opening.open_digit_source`."""
    text = f"{described(DIGIT_SOURCES, AUTO_DIGITS)} Default: those a trained model knows, else auto."
    return click.option("--digits", default=None, help=text)(command)


def distort_option(command: F) -> F:
    """Adds `--distort`; its value goes to `glimpse.datasets.distortion.with_distortions`."""
    text = "Distorted copies of every training digit, affine and elastic, besides the originals. Default: 0."
    return click.option("--distort", type=click.IntRange(min=0), default=None, help=text)(command)


def data_option(command: F) -> F:
    """Adds `--data`; its value goes through `glimpse.datasets.labeled_images.open_data`."""
    text = "A set that `dataset build` wrote, or a .npz of images and labels, in place of generated ones; for a generator any set."
    return click.option("--data", type=click.Path(path_type=Path), default=None, help=text)(command)


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


def training_options(presets: Iterable[str], default: str, folder: str) -> Callable[[F], F]:
    """Adds what every training takes beside its settings: from `--out` to `--checkpoint-every`.

    Args:
        presets: Names to choose from.
        default: The one that is taken if none is chosen.
        folder: How a run's folder is called that has no other name.
    """

    def add(command: F) -> F:
        for option in reversed(
            (
                click.option(
                    "--out", type=click.Path(file_okay=False, path_type=Path), help=f"The run's folder. Default: {folder}."
                ),
                click.option("--resume", is_flag=True, help="Continue the run in --out, or start it where there is nothing yet."),
                click.option(
                    "--preset", type=click.Choice(list(presets)), help=f"Named settings to start from.  [default: {default}]"
                ),
                click.option(
                    "--config",
                    type=click.Path(exists=True, path_type=Path),
                    help="Start from a run's settings.",
                ),
                click.option(
                    "--epochs",
                    type=click.FloatRange(min=0, min_open=True),
                    help="Budget in passes over the training images.",
                ),
                click.option(
                    "--checkpoint-every",
                    type=click.FloatRange(min=0),
                    default=60,
                    show_default=True,
                    help="Seconds between checkpoints.",
                ),
            )
        ):
            command = option(command)
        return command

    return add


def image_options(command: F) -> F:
    """Adds what says which images there are and where they are computed on: all options from `--canvas` to `--threads`."""
    for add in (threads_option, device_option, data_option, data_dir_option, digits_option, clutter_options):
        command = add(command)
    return command


def generative_options(command: F) -> F:
    """Adds what says which images a generator is for: `--data`, `--binarization`, `--crop` and `--size`."""
    pair = click.IntRange(min=1)
    for option in (
        click.option("--size", type=pair, nargs=2, default=None, help="Height and width to bring the pictures of a folder to."),
        click.option("--crop", type=pair, nargs=2, default=None, help="Height and width to cut out: anywhere in training."),
        click.option(
            "--binarization",
            type=click.Choice(["dynamic", "none"]),
            default=None,
            help="Draw black or white by the intensities, or leave them. Default: the set's own way.",
        ),
        click.option(
            "--data",
            default=None,
            help=f"{described(GENERATIVE_SETS, AUTO_SETS)} Default: the preset's.",
        ),
    ):
        command = option(command)
    return command


def frames_option(command: F) -> F:
    """Adds `--frames`."""
    kind = click.Path(file_okay=False, path_type=Path)
    return click.option("--frames", type=kind, default=None, help="Folder for one picture (png) a step.")(command)


def split_option(command: F) -> F:
    """Adds `--split`."""
    return click.option("--split", type=click.Choice(["test", "valid"]), default="test", show_default=True)(command)


def chosen_images_options(command: F) -> F:
    """Adds what says which images of a set are meant, or which of the person's own: `--split`, `--indices` and `--image`."""
    picture = click.Path(exists=True, dir_okay=False, path_type=Path)
    text = "A picture of your own, in place of a data set's images; may be given several times."
    for option in (
        click.option("--image", "pictures", multiple=True, type=picture, help=text),
        click.option("--indices", help="Positions of the images, such as 0,5,10-19. Default: the first, for data all."),
        split_option,
    ):
        command = option(command)
    return command


def drawing_options(command: F) -> F:
    """Adds what the commands share that draw with a generator: from `--out` to `--json`."""
    data = "The set it was trained on, by name or path, where it is not found by itself; or another one of the same size."
    for option in (
        json_option,
        threads_option,
        device_option,
        data_dir_option,
        click.option("--data", default=None, help=data),
        click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Key of what is random."),
        click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write, by its ending."),
    ):
        command = option(command)
    return command


def json_option(command: F) -> F:
    """Adds `--json`, the flag `as_json`: the result as one line with one object on stdout."""
    return click.option("--json", "as_json", is_flag=True, help="Print one line with one JSON object.")(command)


def model_options(presets: Mapping[str, Any], *, skip: tuple[str, ...] = ()) -> Callable[[F], F]:
    """Adds an option for every field of any of several configs; one that is not given is None.

    The help is what the first config's docstring says of the field, and its value in every preset that has it; its type and range
    are those of the field's annotation.

    Args:
        presets: The configs by name.
        skip: Fields without an option.
    """
    hints: dict[str, Any] = {}
    texts: dict[str, str] = {}
    for config in presets.values():
        own = get_type_hints(type(config), include_extras=True)
        hints |= {each.name: own[each.name] for each in fields(config) if each.name not in hints}
        texts = _field_texts(type(config)) | texts

    def add(command: F) -> F:
        for name in reversed(hints):
            if name not in skip:
                values = [f"{preset} {getattr(config, name)}" for preset, config in presets.items() if hasattr(config, name)]
                command = _config_option(name, hints[name], f"{texts[name]}  [preset {', '.join(values)}]")(command)
        return command

    return add


def _field_texts(kind: type[Any]) -> dict[str, str]:
    """Returns what a config's docstring says of its fields."""
    found = re.findall(r"^ {8}(\w+): ((?:.|\n {12})+)", kind.__doc__ or "", flags=re.MULTILINE)
    return {name: " ".join(text.replace("`", "").split()) for name, text in found}


def _config_option(name: str, hint: Any, text: str) -> Callable[[F], F]:
    """Returns what adds the option for a field of a config."""
    plain, allowed = bounds(hint)
    if plain is bool:
        return click.option(f"{flag(name)}/--no-{flag(name)[2:]}", name, default=None, help=text)
    kind: Any = plain
    if get_origin(plain) is Literal:
        kind = click.Choice(get_args(plain))
    elif plain is int and allowed != Range():
        kind = click.IntRange(
            None if allowed.low is None else int(allowed.low), None if allowed.high is None else int(allowed.high)
        )
    elif plain is float and allowed != Range():
        kind = click.FloatRange(allowed.low, allowed.high, min_open=allowed.open_low)
    return click.option(flag(name), name, type=kind, default=None, help=text)


def given(*kinds: type[Any], **also: Any) -> dict[str, Any]:
    """Returns what the present command was explicitly given of the fields of these configs, and of `also`, by name."""
    context = click.get_current_context()
    names = [field.name for kind in kinds for field in fields(kind)] + list(also)
    explicit = (click.core.ParameterSource.COMMANDLINE, click.core.ParameterSource.ENVIRONMENT)
    return {name: context.params[name] for name in names if context.get_parameter_source(name) in explicit}
