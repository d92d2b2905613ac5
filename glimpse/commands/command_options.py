"""Options of the commands that take a trained model or a suite of models."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from glimpse.commands.help import OUTPUT, section
from glimpse.commands.options import FILE, FOLDER, POSITIVE, chosen_images_options, glimpses_option, split_option
from glimpse.settings.requests import GeneratorPart, ProgramFormat, TrajectoryFilter, What
from glimpse.settings.suites import SUITES

__all__ = [
    "bench_options",
    "comparison_file_options",
    "evaluation_options",
    "export_options",
    "interpolation_options",
    "report_options",
    "sample_options",
    "suite_options",
    "trajectory_options",
]

F = TypeVar("F", bound=Callable[..., Any])


def bench_options(command: F) -> F:
    """Adds the options of a benchmark besides the machine: from `--what` to `--seconds`."""
    options = (
        click.option("--what", type=click.Choice(get_args(What)), default="all", show_default=True, help="Part to measure."),
        click.option(
            "--growth",
            is_flag=True,
            help="Also measure how the classifier's and the generator's training step grow with their settings.",
        ),
        click.option(
            "--seconds",
            type=click.FloatRange(min=0, min_open=True),
            default=2.0,
            show_default=True,
            help="Time per case, on average, in seconds.",
        ),
    )
    return section("Benchmark", *options)(command)


def evaluation_options(command: F) -> F:
    """Adds the options of an evaluation besides its images: from `--split` to `--csv`."""
    options = (
        split_option,
        glimpses_option,
        click.option(
            "--test-samples",
            type=click.IntRange(min=0),
            help="For ram: number of location sequences to average over; 0 follows the policy's mean.",
        ),
        click.option(
            "--importance-samples",
            type=POSITIVE,
            help="For a generator: number of importance samples of a tighter bound.",
        ),
        click.option(
            "--diagnose",
            is_flag=True,
            help="For a classifier: count its errors by cause (the object was not found, or misread), glimpse, class, ink and"
            " clutter.",
        ),
        section(
            OUTPUT,
            click.option("--figure", type=FILE, help="Plot that diagnosis to this .png."),
            click.option("--csv", type=FILE, help="For a classifier: write the whole confusion matrix to this .csv."),
        ),
    )
    return section("Evaluation", *options)(command)


def export_options(command: F) -> F:
    """Adds the options of an export besides the model: from `--out` to `--size`."""
    part = "Part of a generator: latents to images, or images to their reconstructions.  [default: draw]"
    options = (
        click.option("--out", type=FILE, required=True, help="File to write, a .onnx or .pt2."),
        click.option(
            "--format", type=click.Choice(get_args(ProgramFormat)), help="Format of the file. Default: by the extension of --out."
        ),
        click.option("--part", type=click.Choice(get_args(GeneratorPart)), help=part),
        glimpses_option,
        click.option(
            "--size",
            type=POSITIVE,
            nargs=2,
            metavar="HEIGHT WIDTH",
            help="Height and width of the images in pixels. Default: those of the training images.",
        ),
    )
    return section("Export", *options)(command)


def report_options(command: F) -> F:
    """Adds the options of a report besides its images: from `--out` to `--count`."""
    options = (
        click.option("--out", type=FILE, default=Path("report.html"), show_default=True, help="File to write, an .html."),
        split_option,
        click.option(
            "--worst",
            type=click.IntRange(1, 400),
            default=24,
            show_default=True,
            help="For a classifier: number of misclassified images shown.",
        ),
        click.option(
            "--count", type=click.IntRange(1, 400), default=64, show_default=True, help="For a generator: number of samples."
        ),
    )
    return section("Report", *options)(command)


def sample_options(command: F) -> F:
    """Adds the options of samples: from `--count` to `--binary`."""
    options = (
        click.option("--count", type=POSITIVE, default=16, show_default=True, help="Number of samples."),
        click.option(
            "--temperature",
            type=click.FloatRange(0, 100),
            default=1.0,
            show_default=True,
            help="Standard deviation of the latents; less than 1 gives more typical samples.",
        ),
        click.option("--binary", is_flag=True, help="Sample black or white pixels instead of showing their probabilities."),
    )
    return section("Samples", *options)(command)


def interpolation_options(command: F) -> F:
    """Adds the options of an interpolation: from `--steps` to `--count`."""
    options = (
        click.option(
            "--steps",
            type=click.IntRange(min=2),
            help="Number of images from one end to the other. Default: 9 for png, 33 for gif.",
        ),
        click.option(
            "--latent", is_flag=True, help="Vary single latents of a sample instead, those with the largest KL divergence."
        ),
        click.option("--count", type=click.IntRange(1, 32), help="With --latent, the number of latents. Default: 8."),
    )
    return section("Interpolation", *options)(command)


def suite_options(command: F) -> F:
    """Adds the options of a suite of models: from `--suite` to `--compile`."""
    options = (
        click.option(
            "--suite",
            type=click.Choice(list(SUITES)),
            help="Train the models of this suite, resuming interrupted runs, and compare them.",
        ),
        click.option("--out", type=FOLDER, help="The suite's folder. Default: runs/compare-SUITE."),
        click.option("--models", help="Models of the suite, separated by commas, such as glimpse-8,ram-8. Default: all."),
        click.option("--images", type=POSITIVE, help="Budget of every model in images. Default: that of the suite."),
        click.option("--seeds", type=POSITIVE, help="Train every model from the seeds 0 to N - 1. Default: those of the suite."),
        click.option(
            "--within",
            type=click.FloatRange(min=0),
            metavar="MINUTES",
            help="Stop after this time; the same command continues. 0 only estimates the time.",
        ),
        click.option(
            "--precision",
            type=click.Choice(["fp32", "bf16", "auto"]),
            help="Precision of the trainings. Default: as in the presets.",
        ),
        click.option("--compile/--no-compile", default=None, help="Whether to compile the models. Default: as in the presets."),
    )
    return section("Suite", *options)(command)


def comparison_file_options(command: F) -> F:
    """Adds the files that a comparison is written to: `--csv`, `--markdown` and `--figure`."""
    options = (
        click.option(
            "--csv",
            type=FILE,
            help="Write all results to this file, and the tests between pairs of models to NAME-pairs.csv next to it.",
        ),
        click.option(
            "--markdown", type=FILE, help="Write the table, its legend and the tests between pairs of models to this file."
        ),
        click.option("--figure", type=FILE, help="Plot error against values read to this .png."),
    )
    return section(OUTPUT, *options)(command)


def trajectory_options(command: F) -> F:
    """Adds the options of trajectories besides the images of their set: from `--out` to `--learning`."""
    options = (
        click.option("--out", type=FILE, help="File to write; with --summary, the file of its figure, a .png."),
        click.option(
            "--format",
            type=click.Choice(["jsonl", "csv", "parquet", "npz", "png", "gif", "html"]),
            help="Data (jsonl, csv, parquet, npz), a sheet (png), an animation (gif) or a page (html)."
            " Default: the extension of --out.",
        ),
        chosen_images_options,
        section(
            "Images",
            click.option(
                "--count",
                type=POSITIVE,
                help="Maximum number of images. Default: 8 for png, 9 for gif, 300 for html, otherwise all.",
            ),
            click.option(
                "--only",
                type=click.Choice(["wrong", "right", "unsure"]),
                help="Keep only images whose last prediction is wrong, right or unsure.",
            ),
            click.option(
                "--margin",
                type=click.FloatRange(0, 1),
                help="A prediction is unsure if its two highest probabilities differ by less than this."
                f"  [default: {TrajectoryFilter().margin}]",
            ),
        ),
        click.option("--pixels", is_flag=True, help="Also write the patches read through the windows."),
        glimpses_option,
        click.option(
            "--summary", is_flag=True, help="Summarize all trajectories: distance from the digit, width and error by step."
        ),
        click.option(
            "--learning",
            type=FILE,
            help="Write a .gif that animates the same images with the weights saved during training. MODEL must be a run's folder.",
        ),
    )
    return section(OUTPUT, *options)(command)
