"""The commands of `glimpse sweep`."""

from pathlib import Path
from typing import Any

import click

from glimpse.commands.help import HelpGroup
from glimpse.commands.options import FILE, json_option
from glimpse.commands.training_options import classifier_options, generator_options, study_option, sweep_options
from glimpse.settings.catalog import setting_names
from glimpse.settings.draw import generator_setting_names
from glimpse.settings.requests import ClassifierSweepRequest, GeneratorSweepRequest, from_options

__all__ = ["sweep"]


@click.group(cls=HelpGroup)
def sweep() -> None:
    """Search for the settings of a training.

    Every trial is an ordinary run, which every other command opens; its settings are chosen by what earlier trials reached. The
    same command continues a sweep that was stopped or killed.
    """


@sweep.command("classifier")
@classifier_options(sweep_options("classifier"))
def sweep_classifier(as_json: bool, **options: Any) -> None:
    """Search for settings of a classifier's training."""
    from glimpse.commands.sweep import sweep

    request = from_options(ClassifierSweepRequest, options, setting_names())
    click.get_current_context().exit(sweep(request, as_json=as_json))


@sweep.command("generator")
@generator_options(sweep_options("generator"))
def sweep_generator(as_json: bool, **options: Any) -> None:
    """Search for settings of a generator's training."""
    from glimpse.commands.sweep import sweep

    request = from_options(GeneratorSweepRequest, options, generator_setting_names())
    click.get_current_context().exit(sweep(request, as_json=as_json))


@sweep.command("show")
@click.argument("out", type=click.Path(exists=True, file_okay=False, path_type=Path))
@study_option
@click.option("--figure", type=FILE, help="Plot the study to this .png.")
@json_option
def show_sweep(out: Path, study: Path | None, figure: Path | None, as_json: bool) -> None:
    """Show the trials of the sweep in the folder OUT, finished or not."""
    from glimpse.commands.sweep import show_sweep

    show_sweep(out, study, figure, as_json=as_json)
