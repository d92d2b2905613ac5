"""Options of trainings and of sweeps over their settings."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from glimpse.commands.config_options import preset_options
from glimpse.commands.help import OUTPUT, adding, section
from glimpse.commands.options import (
    FILE,
    FOLDER,
    POSITIVE,
    class_weights_option,
    data_dir_option,
    device_option,
    distort_option,
    generative_options,
    image_options,
    json_option,
    split_seed_option,
    threads_option,
)
from glimpse.settings.catalog import CLASSIFIERS, classifier_presets
from glimpse.settings.draw import GENERATOR_PRESETS
from glimpse.settings.variation import ModelKind, Variation, parse_variation, read_variations

__all__ = ["classifier_options", "generator_options", "run_options", "study_option", "sweep_options"]

F = TypeVar("F", bound=Callable[..., Any])
Option = Callable[[Any], Any]


def classifier_options(own: Iterable[Option]) -> Callable[[F], F]:
    """Adds the options of a classifier's training: from `--model` to `--threads`.

    Args:
        own: Options of the command besides these: `run_options` or `sweep_options`.
    """
    kinds = "; ".join(f"{kind.name}: {kind.summary}" for kind in CLASSIFIERS.values())
    text = f"Kind of classifier. {kinds}.  [default: {next(iter(CLASSIFIERS))}]"
    presets = classifier_presets()
    model = click.option("--model", type=click.Choice(list(CLASSIFIERS)), help=text)
    settings = preset_options(presets)
    training = section("Training", model, *own, *_start_options(presets, next(iter(presets))))
    return adding((training, settings, distort_option, split_seed_option, class_weights_option, image_options))


def generator_options(own: Iterable[Option]) -> Callable[[F], F]:
    """Adds the options of a generator's training: from `--preset` to `--threads`.

    Args:
        own: Options of the command besides these: `run_options` or `sweep_options`.
    """
    start = _start_options(GENERATOR_PRESETS, "mnist-small")
    settings = preset_options(GENERATOR_PRESETS, brief=True)
    training = section("Training", *own, *start)
    return adding((training, settings, generative_options, data_dir_option, device_option, threads_option))


def run_options(folder: str) -> tuple[Option, ...]:
    """Returns the options of the folder of a run: `--out` and `--resume`.

    Args:
        folder: Default folder, for the help.
    """
    return (
        click.option("--out", type=FOLDER, help=f"The run's folder. Default: {folder}."),
        click.option("--resume", is_flag=True, help="Continue the run in --out, or start it if there is none yet."),
    )


def _start_options(presets: Iterable[str], default: str) -> tuple[Option, ...]:
    """Returns the options of a training besides its folder and its settings: from `--preset` to `--checkpoint-every`."""
    names = [*presets]
    return (
        click.option(
            "--preset",
            type=click.Choice(names),
            metavar="NAME",
            help=f"Preset to start from: {', '.join(names)}.  [default: {default}]",
        ),
        click.option(
            "--config",
            type=click.Path(exists=True, path_type=Path),
            help="Folder or config.json of a run whose settings to start from.",
        ),
        click.option(
            "--init",
            metavar="MODEL",
            help="Trained model whose weights to start from: a run, a weights file or pretrained:NAME. Default: random weights.",
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


def sweep_options(kind: ModelKind) -> tuple[Option, ...]:
    """Returns the options of a sweep: from `--vary` to `--json`.

    Args:
        kind: Kind of model whose settings are varied.
    """

    def parsed(context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> tuple[Variation, ...]:
        try:
            parts = [[parse_variation(text, kind)] if "=" in text else read_variations(Path(text), kind) for text in texts]
        except (ValueError, OSError) as error:
            raise click.BadParameter(str(error)) from error
        return tuple(variation for part in parts for variation in part)

    folder = Path("runs") / f"sweep-{kind}"
    options = (
        click.option(
            "--vary",
            multiple=True,
            required=True,
            metavar="NAME=VALUES",
            callback=parsed,
            help="Setting to vary, by its option's name: NAME=LOW:HIGH, NAME=LOW:HIGH:log, NAME=LOW:HIGH:STEP or NAME=A,B,C; or a"
            " .toml or .json file of such values by name. May be repeated.",
        ),
        click.option("--out", type=FOLDER, default=folder, show_default=True, help="Folder for the runs and the study."),
        click.option(
            "--trials", type=POSITIVE, default=20, show_default=True, help="Number of runs, those of earlier calls included."
        ),
        study_option,
        click.option("--workers", type=POSITIVE, default=1, show_default=True, help="Number of runs at a time, a process each."),
        click.option(
            "--prune/--no-prune",
            default=True,
            show_default=True,
            help="Whether to stop runs whose validation is worse than the median of the others at the same time.",
        ),
        click.option(
            "--sampler-seed",
            type=click.IntRange(min=0),
            default=0,
            show_default=True,
            help="Random seed of the choice of settings.",
        ),
        section(OUTPUT, click.option("--figure", type=FILE, help="Plot the study to this .png.")),
        json_option,
    )
    return (section("Sweep", *options),)


def study_option(command: F) -> F:
    """Adds `--study`."""
    return click.option("--study", type=FILE, help="File of the study, an SQLite database. Default: study.db in --out.")(command)
