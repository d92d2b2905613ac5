"""Options that several commands share, and errors shown as one line."""

import errno
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import click

from glimpse.commands.help import DATA, MACHINE, OUTPUT, HelpGroup, section
from glimpse.commands.printable import printable
from glimpse.datasets.catalog import AUTO_DIGITS, AUTO_SETS, DIGIT_SOURCES, GENERATIVE_SETS, described
from glimpse.environment import THREAD_LIMIT
from glimpse.listener import error_line
from glimpse.settings.base import bounds
from glimpse.settings.catalog import classifier_presets
from glimpse.settings.clutter import ClutterRecipe
from glimpse.settings.requests import ClassWeights, Fit, flag

__all__ = [
    "FILE",
    "FOLDER",
    "POSITIVE",
    "THREADS",
    "Commands",
    "NamedPath",
    "chosen_images_options",
    "class_weights_option",
    "clutter_options",
    "data_dir_option",
    "device_option",
    "digits_option",
    "distort_option",
    "drawing_options",
    "drawing_seed_option",
    "form_options",
    "frames_option",
    "generative_options",
    "glimpses_option",
    "image_options",
    "json_option",
    "model_argument",
    "picture_options",
    "schema_option",
    "split_option",
    "split_seed_option",
    "threads_option",
]

F = TypeVar("F", bound=Callable[..., Any])


class NamedPath(click.Path):
    """Path that is not empty, as one from an unset variable of the shell is, which would mean the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns the path; fails if it is empty."""
        if value == "":
            self.fail("the path is empty; the current folder is .", param, ctx)
        return super().convert(value, param, ctx)


FILE = NamedPath(dir_okay=False, path_type=Path)
"""Type of an option that names a file to write."""

FOLDER = NamedPath(file_okay=False, path_type=Path)
"""Type of an option that names a folder to write."""

THREADS = click.IntRange(1, THREAD_LIMIT)
"""Type of an option that is a number of CPU threads."""

_EXTRAS = {"optuna": "sweep"}
"""Optional packages, and the extra that installs each."""

POSITIVE = click.IntRange(min=1)
"""Type of an option that is an integer of at least 1."""


class Commands(HelpGroup):
    """A group of commands that shows expected errors as one line.

    The library raises `ValueError` and `OSError` for errors that it expects; `--debug` or GLIMPSE_DEBUG=1 shows their traceback.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command. Expected errors are raised as click's exceptions; an interruption exits with code 130."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            error.message = printable(error.message)  # type: ignore[misc]
            raise
        except (ValueError, OSError) as error:
            if ctx.find_root().params.get("debug") or getattr(error, "errno", None) == errno.EPIPE:
                raise
            raise click.ClickException(printable(error_line(error))) from error
        except (MemoryError, RuntimeError) as error:
            if ctx.find_root().params.get("debug") or not _is_out_of_memory(error):
                raise
            text = f"out of memory: reduce the size of the images, the batch or the model ({error_line(error)})"
            raise click.ClickException(printable(text)) from error
        except ModuleNotFoundError as error:
            if error.name not in _EXTRAS or ctx.find_root().params.get("debug"):
                raise
            text = f"this command needs {error.name}: pip install 'glimpse-attention[{_EXTRAS[error.name]}]'"
            raise click.ClickException(text) from error
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(130)


def model_argument(command: F) -> F:
    """Adds the argument `MODEL`: a run's folder, a weights file or `pretrained:NAME`."""
    return click.argument("model")(command)


def threads_option(command: F) -> F:
    """Adds `--threads`; its value is passed to `glimpse.environment.use_threads`."""
    return section(
        MACHINE, click.option("--threads", type=THREADS, help="Number of CPU threads. Default: the number of idle cores.")
    )(command)


def device_option(command: F) -> F:
    """Adds `--device`; its value is passed to `glimpse.environment.choose_device`."""
    text = "auto (CUDA if available, else the CPU), cpu, cuda, cuda:N or mps."
    return section(MACHINE, click.option("--device", default="auto", show_default=True, help=text))(command)


def data_dir_option(command: F) -> F:
    """Adds `--data-dir`."""
    text = "Folder searched first for MNIST and other downloads, before GLIMPSE_DATA and the user's cache; it is never written to."
    return section(DATA, click.option("--data-dir", type=NamedPath(exists=True, file_okay=False, path_type=Path), help=text))(
        command
    )


def digits_option(command: F) -> F:
    """Adds `--digits`; its value is passed to `glimpse.datasets.opening.open_digit_source`."""
    text = f"{described(DIGIT_SOURCES, AUTO_DIGITS)} Default: auto, or the digits that the model given was trained on."
    return section(DATA, click.option("--digits", help=text))(command)


def distort_option(command: F) -> F:
    """Adds `--distort`; its value is passed to `glimpse.datasets.distortion.with_distortions`."""
    copies = ", ".join(f"{preset.distort} with preset {name}" for name, preset in classifier_presets().items() if preset.distort)
    text = "Number of copies of every training digit with random affine and elastic distortions, added to the originals."
    text += f" Default: {copies}, else 0."
    return section(DATA, click.option("--distort", type=click.IntRange(min=0), default=None, help=text))(command)


def split_seed_option(command: F) -> F:
    """Adds `--split-seed`; its value is the seed of a `glimpse.datasets.split_rule.SplitRule`."""
    text = (
        "Seed of the split of images without parts: a tenth of each class for validation, another for testing. Independent of"
        " --seed, so that runs with other seeds hold out the same images. Default: 0."
    )
    return section(DATA, click.option("--split-seed", type=click.IntRange(0, 2**64 - 1), default=None, help=text))(command)


def class_weights_option(command: F) -> F:
    """Adds `--class-weights`; its value is passed to `glimpse.datasets.classification.file_data`."""
    text = (
        "balanced repeats training images of the smaller classes of --data until all classes have as many in each epoch."
        " Default: the images as they are."
    )
    return section(DATA, click.option("--class-weights", type=click.Choice(get_args(ClassWeights)), default=None, help=text))(
        command
    )


def data_option(command: F) -> F:
    """Adds `--data`; its value is passed to `glimpse.datasets.labeled_images.open_data`."""
    text = (
        "Your own images in place of generated ones: a folder of class folders, a CSV of files and labels or of pixels, .npz, .npy,"
        " HDF5, .mat, IDX, a .zip or .tar.gz (.bz2, .xz) of these, or a set written by `dataset build`; for a generator, any set."
    )
    return section(DATA, click.option("--data", type=NamedPath(path_type=Path), help=text))(command)


def form_options(command: F) -> F:
    """Adds the options for `--data` that its form leaves open: `--size`, `--fit`, `--images-key` and `--labels-key`."""
    fits = ", ".join(("pad (scale to fit, then black), the default", "resize (stretch)", "crop (scale to cover)"))
    options = (
        click.option("--size", type=Size(), help="Height and width that pictures of --data are brought to, as H,W or one side."),
        click.option("--fit", type=click.Choice(get_args(Fit)), help=f"How pictures are brought to --size: {fits}."),
        click.option("--images-key", help="Name of the array or column of --data that holds the images."),
        click.option("--labels-key", help="Name of the array or column of --data that holds the labels."),
    )
    return section(DATA, *options)(command)


class Size(click.ParamType[tuple[int, int]]):
    """Height and width in pixels, such as `96,128`; one number stands for both."""

    name = "H,W"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Returns the height and the width."""
        if isinstance(value, tuple):
            return value
        sides = re.split(r"[,x]", str(value).replace(" ", ""))
        if not 1 <= len(sides) <= 2 or not all(side.isascii() and side.isdecimal() and 0 < int(side) < 100_000 for side in sides):
            self.fail(f"{value!r} is no height and width in pixels, such as 96,128", param, ctx)
        return int(sides[0]), int(sides[-1])


def clutter_options(recipe: ClutterRecipe | None = None) -> Callable[[F], F]:
    """Adds the parameters of the clutter recipe.

    Args:
        recipe: The defaults; if None, an option that is not given is None.
    """
    defaults = {} if recipe is None else asdict(recipe)
    hints = get_type_hints(ClutterRecipe, include_extras=True)

    def add(command: F) -> F:
        for name, text in (
            ("border", "Width in pixels of the margin that the digit does not enter."),
            ("piece_size", "Side of a distractor in pixels."),
            ("pieces", "Number of distractors per image."),
            ("canvas", "Side of the images in pixels."),
        ):
            _, allowed = bounds(hints[name])
            kind, default = click.IntRange(int(allowed.low or 0), int(allowed.high or 0)), defaults.get(name)
            option = click.option(flag(name), type=kind, default=default, show_default=recipe is not None, help=text)
            command = section(DATA, option)(command)
        return command

    return add


def image_options(command: F) -> F:
    """Adds the options that choose labeled images, device and threads: from `--canvas` to `--threads`."""
    for add in (threads_option, device_option, form_options, data_option, data_dir_option, digits_option, clutter_options()):
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
        click.option(
            "--crop",
            type=POSITIVE,
            nargs=2,
            metavar="HEIGHT WIDTH",
            help="Height and width of the crops, at random positions in training.",
        ),
        click.option(
            "--size",
            type=POSITIVE,
            nargs=2,
            metavar="HEIGHT WIDTH",
            help="Height and width that the images of a folder are resized to.",
        ),
    )
    return section(DATA, *options)(command)


def frames_option(command: F) -> F:
    """Adds `--frames`."""
    return section(OUTPUT, click.option("--frames", type=FOLDER, help="Folder for one image (png) per step."))(command)


def schema_option(command: F) -> F:
    """Adds `--schema`, which prints the columns of trajectories and exits."""

    def show(context: click.Context, parameter: click.Parameter, asked: bool) -> None:
        if asked and not context.resilient_parsing:
            from glimpse.commands.listing import list_columns

            list_columns()
            context.exit()

    text = "Show the columns of the data and exit."
    return click.option("--schema", is_flag=True, is_eager=True, expose_value=False, callback=show, help=text)(command)


def glimpses_option(command: F) -> F:
    """Adds `--glimpses`."""
    return click.option("--glimpses", type=POSITIVE, help="Number of glimpses. Default: as in training.")(command)


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
            type=NamedPath(exists=True, path_type=Path),
            help="Your own image file, or a folder of them, in place of images of a set; may be repeated.",
        ),
    )
    return section("Images", *options)(picture_options(command))


def picture_options(command: F) -> F:
    """Adds the changes of your own image files: `--stretch`, `--invert`, `--resize` and `--pad`."""
    pixels = click.IntRange(1, 16_384)
    options = (
        click.option("--stretch", is_flag=True, help="Scale the intensities of your own image files to the whole range."),
        click.option(
            "--invert", is_flag=True, help="Swap dark and light in your own image files, for dark digits on a light ground."
        ),
        click.option(
            "--resize", type=pixels, metavar="PIXELS", help="Scale the longer side of your own image files to this length."
        ),
        click.option("--pad", is_flag=True, help="Center your own image files on a canvas as large as the training images."),
    )
    return section("Images", *options)(command)


def drawing_options(command: F) -> F:
    """Adds the options of commands that draw with a generator: from `--out` to `--json`."""
    data = "Name or path of a set of the same image size. Default: the set that the model was trained on."
    options = (
        click.option("--out", type=FILE, required=True, help="File to write; its extension gives the format."),
        section(DATA, click.option("--data", help=data)),
        data_dir_option,
        device_option,
        threads_option,
        json_option,
    )
    return section(OUTPUT, *options)(command)


def drawing_seed_option(command: F) -> F:
    """Adds `--seed` of the latents that a generator samples."""
    seed = click.IntRange(0, 2**63 - 1)
    return click.option("--seed", type=seed, default=0, show_default=True, help="Random seed.")(command)


def json_option(command: F) -> F:
    """Adds `--json`, the flag `as_json`."""
    return section(OUTPUT, click.option("--json", "as_json", is_flag=True, help="Print the result as a single line of JSON."))(
        command
    )


def _is_out_of_memory(error: BaseException) -> bool:
    """Returns whether an error of Python or torch reports that more memory was requested than there is, or than can be counted."""
    texts = ("allocate memory", "size calculation overflowed", "multiplication overflow")
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or any(text in str(error) for text in texts)
