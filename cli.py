"""The command line: every command parses its options into a request, makes a call and shows the result.

Heavy packages are imported inside the commands, so that `--help` responds immediately. Results go to stdout, with `--json` as a
single line of JSON; notes, warnings and progress go to stderr. An expected error is one line on stderr with exit code 1.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import click

from glimpse import __version__
from glimpse.commands.command_options import (
    bench_options,
    comparison_file_options,
    evaluation_options,
    export_options,
    interpolation_options,
    report_options,
    sample_options,
    suite_options,
    trajectory_options,
)
from glimpse.commands.help import HELP_WIDTH
from glimpse.commands.options import (
    FILE,
    THREADS,
    Commands,
    NamedPath,
    chosen_images_options,
    clutter_options,
    data_dir_option,
    data_option,
    device_option,
    digits_option,
    drawing_options,
    drawing_seed_option,
    form_options,
    frames_option,
    image_options,
    json_option,
    model_argument,
    picture_options,
    schema_option,
    threads_option,
)
from glimpse.commands.sweep_group import sweep
from glimpse.commands.training_options import classifier_options, generator_options, run_options
from glimpse.commands.try_command import try_models
from glimpse.datasets.limits import NO_LIMITS
from glimpse.settings.catalog import setting_names
from glimpse.settings.clutter import ClutterRecipe
from glimpse.settings.draw import generator_setting_names
from glimpse.settings.requests import (
    BenchRequest,
    BuildRequest,
    ClassifierTrainingRequest,
    ComparisonOptions,
    EvaluationRequest,
    FormChoice,
    GeneratorTrainingRequest,
    InterpolateRequest,
    ModelExportRequest,
    PredictionRequest,
    ReconstructRequest,
    ReportRequest,
    SampleRequest,
    from_options,
)

__all__ = ["glimpse", "main"]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": HELP_WIDTH})
@click.version_option(__version__, prog_name="glimpse")
@click.option("--debug", is_flag=True, envvar="GLIMPSE_DEBUG", help="Show the traceback of an error.")
@click.option("--no-limits", is_flag=True, help=f"Read arrays and pictures of any size, as does {NO_LIMITS}=1.")
def glimpse(debug: bool, no_limits: bool) -> None:
    """Differentiable visual attention: train and evaluate models that choose where to look."""
    if no_limits:
        os.environ[NO_LIMITS] = "1"
    # Waiting threads should sleep: with spinning threads on a shared core, two were up to 30 times slower than one. OpenMP reads
    # the variable when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@glimpse.command("train-classifier")
@classifier_options(run_options("runs/PRESET-GLIMPSES"))
def train_classifier(**options: Any) -> None:
    """Train a classifier on cluttered digits or your images.

    The weights with the lowest validation error are kept.
    """
    from glimpse.commands.train_classifier import train_classifier

    request = from_options(ClassifierTrainingRequest, options, setting_names())
    click.get_current_context().exit(train_classifier(request))


@glimpse.command("train-generator")
@generator_options(run_options("runs/draw-PRESET"))
def train_generator(**options: Any) -> None:
    """Train DRAW, a generative model with attention.

    The weights with the lowest validation bound are kept.
    """
    from glimpse.commands.train_generator import train_generator

    request = from_options(GeneratorTrainingRequest, options, generator_setting_names())
    click.get_current_context().exit(train_generator(request))


glimpse.add_command(sweep)
glimpse.add_command(try_models)


@glimpse.command()
@model_argument
@sample_options
@frames_option
@drawing_seed_option
@drawing_options
def sample(as_json: bool, **options: Any) -> None:
    """Sample new images from a trained generator.

    MODEL is a run's folder or pretrained:NAME. The output is a sheet (png) that also shows the nearest training image of each
    sample and, for up to 32 samples, how it was drawn; an animation (gif); or arrays (npz).
    """
    from glimpse.commands.generate import sample

    sample(from_options(SampleRequest, options), as_json=as_json)


@glimpse.command()
@model_argument
@click.option("--count", type=click.IntRange(min=1), help="Maximum number of images. Default: 8, or all selected images.")
@chosen_images_options
@frames_option
@drawing_options
def reconstruct(as_json: bool, **options: Any) -> None:
    """Reconstruct images step by step with a generator.

    MODEL is a run's folder or pretrained:NAME. The output is a sheet (png) or an animation (gif).
    """
    from glimpse.commands.generate import reconstruct

    reconstruct(from_options(ReconstructRequest, options), as_json=as_json)


@glimpse.command()
@model_argument
@interpolation_options
@chosen_images_options
@drawing_seed_option
@drawing_options
def interpolate(as_json: bool, **options: Any) -> None:
    """Interpolate between two images with a generator.

    MODEL is a run's folder or pretrained:NAME. Select the images by --indices A,B, or by --image twice. With --latent, the command
    varies single latents of a sample instead. The output is a sheet (png) or an animation (gif).
    """
    from glimpse.commands.generate import interpolate

    interpolate(from_options(InterpolateRequest, options), as_json=as_json)


@glimpse.command()
@model_argument
@evaluation_options
@image_options
@json_option
def evaluate(as_json: bool, **options: Any) -> None:
    """Evaluate a trained classifier or generator.

    MODEL is a run's folder or pretrained:NAME. It is evaluated on the test set of its task or on your own images: a classifier by
    its error, a generator by its bound on the negative log-likelihood.
    """
    from glimpse.commands.evaluate import evaluate

    evaluate(from_options(EvaluationRequest, options), as_json=as_json)


@glimpse.command()
@model_argument
@report_options
@image_options
@json_option
def report(as_json: bool, **options: Any) -> None:
    """Write a report on a trained model as one HTML file.

    MODEL is a run's folder or pretrained:NAME.
    """
    from glimpse.commands.report import report

    report(from_options(ReportRequest, options), as_json=as_json)


@glimpse.command()
@bench_options
@device_option
@click.option("--threads", type=THREADS, help="Number of CPU threads. Default: the fastest in training, by measurement.")
@json_option
def bench(as_json: bool, **options: Any) -> None:
    """Measure the speed and memory of the package.

    The rates are shown next to those of the machine's own matrix product and copy.
    """
    from glimpse.commands.bench import bench

    bench(from_options(BenchRequest, options), as_json=as_json)


@glimpse.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@suite_options
@comparison_file_options
@data_option
@data_dir_option
@device_option
@threads_option
@json_option
def compare(runs: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Compare trained classifiers of one task.

    RUN is a run's folder or pretrained:NAME. Runs that differ only in their seed are combined into one row; published results of
    the task are listed for reference. Give runs or a suite. Runs on the same pictures brought to different sizes are one task; with
    --data, runs of any task with the same classes are compared on your images.
    """
    from glimpse.commands.compare import ComparisonFiles, compare

    files = ComparisonFiles(*(options.pop(name) for name in ("csv", "markdown", "figure")))
    click.get_current_context().exit(
        compare(from_options(ComparisonOptions, {**options, "sources": runs}).request, files, as_json=as_json)
    )


@glimpse.command()
@model_argument
@click.argument("pictures", nargs=-1, required=True, type=NamedPath(exists=True, path_type=Path))
@picture_options
@device_option
@threads_option
@json_option
def predict(as_json: bool, **options: Any) -> None:
    """Classify your own pictures.

    MODEL is a run's folder or pretrained:NAME, PICTURES are image files, or folders of them. The models that come with the package
    are trained on light digits of 28 pixels on dark images of 100 x 100 pixels; a warning names the options that help if a picture
    is unlike the images that its model was trained on.
    """
    from glimpse.commands.predict import predict

    predict(from_options(PredictionRequest, options), as_json=as_json)


@glimpse.command()
@model_argument
@schema_option
@trajectory_options
@image_options
@json_option
def trajectories(as_json: bool, **options: Any) -> None:
    """Export where a model looks and what it predicts.

    MODEL is a run's folder or pretrained:NAME. The output has one row per glimpse, or is a picture, an animation or a web page.
    """
    from glimpse.commands.trajectories import trajectories

    trajectories(options, as_json=as_json)


@glimpse.command()
@model_argument
@export_options
@threads_option
@json_option
def export(as_json: bool, **options: Any) -> None:
    """Export a model to ONNX or torch.export.

    MODEL is a run's folder, a weights file or pretrained:NAME. The file takes any number of images at once. It is read back, by
    onnxruntime or torch, and compared with the model.
    """
    from glimpse.commands.export import export

    export(from_options(ModelExportRequest, options), as_json=as_json)


@glimpse.command()
@json_option
@data_dir_option
def doctor(as_json: bool, data_dir: Path | None) -> None:
    """Show the facts that a bug report needs.

    Lists the versions, device, threads, data found, free memory and free disk space.
    """
    from glimpse.commands.doctor import doctor

    doctor(data_dir, as_json=as_json)


@glimpse.command()
@json_option
def presets(as_json: bool) -> None:
    """List the presets and their settings."""
    from glimpse.commands.listing import list_presets

    list_presets(as_json=as_json)


@glimpse.command()
@json_option
def pretrained(as_json: bool) -> None:
    """List the pretrained models."""
    from glimpse.commands.listing import list_pretrained

    list_pretrained(as_json=as_json)


@glimpse.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for a shell.

    For bash, add eval "$(glimpse completion bash)" to ~/.bashrc.

    For zsh, add eval "$(glimpse completion zsh)" to ~/.zshrc.

    For fish, run glimpse completion fish > ~/.config/fish/completions/glimpse.fish
    """
    from glimpse.commands.completion import print_completion

    print_completion(glimpse, shell)


@glimpse.group()
def dataset() -> None:
    """Build, verify and preview sets of cluttered digits."""


@dataset.command()
@click.argument("out", type=NamedPath(path_type=Path))
@click.option(
    "--split", type=click.Choice(["train", "valid", "test"]), default="test", show_default=True, help="Split of the digits."
)
@click.option("--count", type=click.IntRange(min=1), help="Number of images. Default: one per digit of the split.")
@click.option(
    "--seed", type=click.IntRange(0, 2**64 - 1), help="Random seed. Default: the recipe's fixed seed; 0 for the training split."
)
@clutter_options(ClutterRecipe())
@digits_option
@data_dir_option
@threads_option
def build(**options: Any) -> None:
    """Render a data set of cluttered digits.

    The folder OUT will hold images, labels, centers and a manifest. The same command resumes an interrupted build.
    """
    from glimpse.commands.dataset import build

    build(from_options(BuildRequest, options))


@dataset.command()
@click.argument("path", type=NamedPath(exists=True, file_okay=False, path_type=Path))
@click.option("--digits", metavar="FILE", help="The .npz file of the digits, if the set was built from one.")
@data_dir_option
@json_option
def verify(path: Path, digits: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Verify a built set.

    Checks the shapes and digests, and re-renders a thousand images if the digits are found.
    """
    from glimpse.commands.dataset import verify

    verify(path, digits, data_dir, as_json=as_json)


@dataset.command()
@click.argument("path", type=NamedPath(exists=True, path_type=Path))
@click.option("--out", type=FILE, default=Path("preview.png"), show_default=True, help="Image file to write.")
@click.option("--count", type=click.IntRange(min=1), default=60, show_default=True, help="Maximum number of images.")
@click.option("--columns", type=click.IntRange(min=1), default=10, show_default=True, help="Number of images per row.")
@click.option("--boxes", is_flag=True, help="Outline the digits, if their positions are known.")
@form_options
def preview(
    path: Path, size: tuple[int, int] | None, fit: Any, images_key: str | None, labels_key: str | None, **options: Any
) -> None:
    """Draw the first images of a set with their labels.

    PATH is a built set or your own images in any form that --data takes.
    """
    from glimpse.commands.dataset import preview

    preview(path, FormChoice(size, fit, images_key, labels_key), **options)


def main() -> None:
    """Runs the command line under the name `glimpse`. SIGTERM raises SystemExit, so that context managers clean up."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    glimpse(prog_name="glimpse")


if __name__ == "__main__":
    main()
