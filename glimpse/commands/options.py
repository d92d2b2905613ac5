"""Options that several commands share, and errors shown as one line."""

import errno
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import click

from glimpse.datasets.catalog import AUTO_DIGITS, AUTO_SETS, DIGIT_SOURCES, GENERATIVE_SETS, described
from glimpse.settings.base import Range, bounds
from glimpse.settings.clutter import ClutterRecipe
from glimpse.settings.requests import flag
from glimpse.settings.suites import SUITES

__all__ = [
    "FILE",
    "Commands",
    "chosen_images_options",
    "clutter_options",
    "data_dir_option",
    "device_option",
    "digits_option",
    "distort_option",
    "drawing_options",
    "frames_option",
    "generative_options",
    "image_options",
    "json_option",
    "model_argument",
    "model_options",
    "schema_option",
    "split_option",
    "suite_options",
    "threads_option",
    "training_options",
]

F = TypeVar("F", bound=Callable[..., Any])

FILE = click.Path(dir_okay=False, path_type=Path)
"""Type of an option that names a file to write."""

_FOLDER = click.Path(file_okay=False, path_type=Path)
_POSITIVE = click.IntRange(min=1)


class Commands(click.Group):
    """A group of commands that shows expected errors as one line.

    The library raises `ValueError` and `OSError` for errors that it expects; `--debug` or GLIMPSE_DEBUG=1 shows their traceback.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command. Expected errors are raised as click's exceptions; an interruption exits with code 130."""
        try:
            return super().invoke(ctx)
        except (ValueError, OSError) as error:
            if ctx.find_root().params.get("debug") or getattr(error, "errno", None) == errno.EPIPE:
                raise
            raise click.ClickException(_one_line(error)) from error
        except (MemoryError, RuntimeError) as error:
            if ctx.find_root().params.get("debug") or not _is_out_of_memory(error):
                raise
            text = f"out of memory: reduce the size of the images, the batch or the model ({_one_line(error)})"
            raise click.ClickException(text) from error
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(130)


def model_argument(command: F) -> F:
    """Adds the argument `MODEL`: a run's folder, a weights file or `pretrained:NAME`."""
    return click.argument("model")(command)


def threads_option(command: F) -> F:
    """Adds `--threads`; its value is passed to `glimpse.environment.use_threads`."""
    return click.option("--threads", type=_POSITIVE, help="Number of CPU threads. Default: the number of idle cores.")(command)


def device_option(command: F) -> F:
    """Adds `--device`; its value is passed to `glimpse.environment.choose_device`."""
    text = "auto (CUDA if available, else the CPU), cpu, cuda, cuda:N or mps."
    return click.option("--device", default="auto", show_default=True, help=text)(command)


def data_dir_option(command: F) -> F:
    """Adds `--data-dir`."""
    text = "Folder searched first for MNIST and other downloads, before GLIMPSE_DATA and the user's cache; it is never written to."
    return click.option("--data-dir", type=click.Path(exists=True, file_okay=False, path_type=Path), help=text)(command)


def digits_option(command: F) -> F:
    """Adds `--digits`; its value is passed to `glimpse.datasets.opening.open_digit_source`."""
    text = f"{described(DIGIT_SOURCES, AUTO_DIGITS)} Default: auto, or the digits that the model given was trained on."
    return click.option("--digits", help=text)(command)


def distort_option(command: F) -> F:
    """Adds `--distort`; its value is passed to `glimpse.datasets.distortion.with_distortions`."""
    text = (
        "Number of copies of every training digit with random affine and elastic distortions, added to the originals. Default: 0."
    )
    return click.option("--distort", type=click.IntRange(min=0), default=None, help=text)(command)


def data_option(command: F) -> F:
    """Adds `--data`; its value is passed to `glimpse.datasets.labeled_images.open_data`."""
    text = (
        "A set written by `dataset build`, or a .npz of images and labels, in place of generated images; for a generator, any set."
    )
    return click.option("--data", type=click.Path(path_type=Path), help=text)(command)


def clutter_options(recipe: ClutterRecipe | None = None) -> Callable[[F], F]:
    """Adds the parameters of the clutter recipe.

    Args:
        recipe: The defaults; if None, an option that is not given is None.
    """
    defaults = {} if recipe is None else asdict(recipe)

    def add(command: F) -> F:
        for name, least, text in (
            ("border", 0, "Width in pixels of the margin that the digit does not enter."),
            ("piece_size", 1, "Side of a distractor in pixels."),
            ("pieces", 0, "Number of distractors per image."),
            ("canvas", 1, "Side of the images in pixels."),
        ):
            kind, default = click.IntRange(min=least), defaults.get(name)
            command = click.option(flag(name), type=kind, default=default, show_default=recipe is not None, help=text)(command)
        return command

    return add


def training_options(presets: Iterable[str], default: str, folder: str) -> Callable[[F], F]:
    """Adds the options of a training besides its settings: from `--out` to `--checkpoint-every`.

    Args:
        presets: Names of the presets.
        default: Name of the default preset.
        folder: Default folder of the run, for the help.
    """
    options = (
        click.option("--out", type=_FOLDER, help=f"The run's folder. Default: {folder}."),
        click.option("--resume", is_flag=True, help="Continue the run in --out, or start it if there is none yet."),
        click.option("--preset", type=click.Choice(list(presets)), help=f"Preset to start from.  [default: {default}]"),
        click.option(
            "--config",
            type=click.Path(exists=True, path_type=Path),
            help="Folder or config.json of a run whose settings to start from.",
        ),
        click.option("--epochs", type=click.FloatRange(min=0, min_open=True), help="Budget in passes over the training images."),
        click.option(
            "--checkpoint-every",
            type=click.FloatRange(min=0),
            default=60,
            show_default=True,
            help="Seconds between checkpoints.",
        ),
    )
    return _adding(options)


def suite_options(command: F) -> F:
    """Adds the options of a suite of models: from `--suite` to `--compile`."""
    options = (
        click.option(
            "--suite",
            type=click.Choice(list(SUITES)),
            help="Train the models of this suite, resuming interrupted runs, and compare them.",
        ),
        click.option("--out", type=_FOLDER, help="The suite's folder. Default: runs/compare-SUITE."),
        click.option("--models", help="Models of the suite, separated by commas, such as glimpse-8,ram-8. Default: all."),
        click.option("--images", type=_POSITIVE, help="Budget of every model in images. Default: that of the suite."),
        click.option("--seeds", type=_POSITIVE, help="Train every model from the seeds 0 to N - 1. Default: those of the suite."),
        click.option(
            "--within",
            type=click.FloatRange(min=0),
            metavar="MINUTES",
            help="Stop after this time; the same command continues. 0 only estimates the time.",
        ),
        click.option(
            "--precision", type=click.Choice(["fp32", "bf16"]), help="Precision of the trainings. Default: as in the presets."
        ),
        click.option("--compile/--no-compile", default=None, help="Whether to compile the models. Default: as in the presets."),
    )
    return _adding(options)(command)


def image_options(command: F) -> F:
    """Adds the options that choose labeled images, device and threads: from `--canvas` to `--threads`."""
    for add in (threads_option, device_option, data_option, data_dir_option, digits_option, clutter_options()):
        command = add(command)
    return command


def generative_options(command: F) -> F:
    """Adds the options that choose the images of a generator: `--data`, `--binarization`, `--crop` and `--size`."""
    options = (
        click.option("--data", help=f"{described(GENERATIVE_SETS, AUTO_SETS)} Default: that of the preset."),
        click.option(
            "--binarization",
            type=click.Choice(["dynamic", "none"]),
            help="Sample black or white pixels by their intensities (dynamic), or keep the intensities (none)."
            " Default: that of the set.",
        ),
        click.option("--crop", type=_POSITIVE, nargs=2, help="Height and width of the crops, at random positions in training."),
        click.option("--size", type=_POSITIVE, nargs=2, help="Height and width that the images of a folder are resized to."),
    )
    return _adding(options)(command)


def frames_option(command: F) -> F:
    """Adds `--frames`."""
    return click.option("--frames", type=_FOLDER, help="Folder for one image (png) per step.")(command)


def schema_option(command: F) -> F:
    """Adds `--schema`, which prints the columns of trajectories and exits."""

    def show(context: click.Context, parameter: click.Parameter, asked: bool) -> None:
        if asked and not context.resilient_parsing:
            from glimpse.commands.listing import list_columns

            list_columns()
            context.exit()

    text = "Show the columns of the data and exit."
    return click.option("--schema", is_flag=True, is_eager=True, expose_value=False, callback=show, help=text)(command)


def split_option(command: F) -> F:
    """Adds `--split`."""
    return click.option("--split", type=click.Choice(["test", "valid"]), help="Part of the data.  [default: test]")(command)


def chosen_images_options(command: F) -> F:
    """Adds the options that select images of a set, or your own image files: `--split`, `--indices` and `--image`."""
    options = (
        split_option,
        click.option("--indices", help="Positions of the images, such as 0,5,10-19. Default: the first ones, up to --count."),
        click.option(
            "--image",
            "pictures",
            multiple=True,
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="Your own image file, in place of images of a set; may be repeated.",
        ),
    )
    return _adding(options)(command)


def drawing_options(command: F) -> F:
    """Adds the options of commands that draw with a generator: from `--out` to `--json`."""
    data = "Name or path of a set of the same image size. Default: the set that the model was trained on."
    options = (
        click.option("--out", type=FILE, required=True, help="File to write; its extension gives the format."),
        click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Random seed."),
        click.option("--data", help=data),
        data_dir_option,
        device_option,
        threads_option,
        json_option,
    )
    return _adding(options)(command)


def json_option(command: F) -> F:
    """Adds `--json`, the flag `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as a single line of JSON.")(command)


def model_options(presets: Mapping[str, Any], *, skip: tuple[str, ...] = (), brief: bool = False) -> Callable[[F], F]:
    """Adds an option for every field of several configs; an option that is not given is None.

    The help is the field's description in the docstring of the first config that has it, with its value in every preset. Type and
    range are those of the field's annotation.

    Args:
        presets: The configs by name of their presets.
        skip: Fields without an option.
        brief: Whether to leave out the presets with the value of the first one.

    Raises:
        ValueError: If a config's docstring does not describe one of its fields.
    """
    hints: dict[str, Any] = {}
    texts: dict[str, str] = {}
    for config in presets.values():
        own = get_type_hints(type(config), include_extras=True)
        hints |= {each.name: own[each.name] for each in fields(config) if each.name not in hints}
        texts = _field_texts(type(config)) | texts

    undescribed = [name for name in hints if name not in texts and name not in skip]
    if undescribed:
        kinds = ", ".join({type(config).__name__: None for config in presets.values()})
        raise ValueError(f"the docstring of one of {kinds} does not describe its field {undescribed[0]!r} under Attributes")

    def add(command: F) -> F:
        for name in reversed(hints):
            if name not in skip:
                values = {preset: getattr(config, name) for preset, config in presets.items() if hasattr(config, name)}
                command = _config_option(name, hints[name], f"{texts[name]}  [preset {_in_presets(values, brief=brief)}]")(command)
        return command

    return add


def _in_presets(values: Mapping[str, Any], *, brief: bool) -> str:
    """Returns the values of a setting in presets, for help.

    >>> _in_presets({"tuned": 1, "paper": 1, "ram": 2}, brief=True)
    'tuned 1, ram 2'
    """
    first = next(iter(values))
    shown = {preset: value for preset, value in values.items() if not brief or preset == first or value != values[first]}
    return ", ".join(f"{preset} {value}" for preset, value in shown.items())


def _field_texts(kind: type[Any]) -> dict[str, str]:
    """Returns the descriptions of a config's fields in its docstring, by name."""
    found = re.findall(r"^ {8}(\w+): ((?:.|\n {12})+)", kind.__doc__ or "", flags=re.MULTILINE)
    return {name: " ".join(text.replace("`", "").split()) for name, text in found}


def _config_option(name: str, hint: Any, text: str) -> Callable[[F], F]:
    """Returns a decorator that adds the option for a field of a config."""
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


def _adding(options: Iterable[Callable[[Any], Any]]) -> Callable[[F], F]:
    """Returns a decorator that adds options so that the help lists them in this order."""

    def add(command: F) -> F:
        for option in reversed([*options]):
            command = option(command)
        return command

    return add


def _is_out_of_memory(error: BaseException) -> bool:
    """Returns whether an error of Python or torch reports that the memory of the CPU or a GPU is exhausted."""
    return isinstance(error, MemoryError) or "allocate memory" in str(error) or type(error).__name__ == "OutOfMemoryError"


def _one_line(error: BaseException) -> str:
    """Returns an error's message on one line; an operating system error names its file first.

    >>> _one_line(FileNotFoundError(2, "No such file or directory", "digits.npz"))
    'digits.npz: No such file or directory'
    """
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__
