"""The commands: parse, call, show.

Nothing heavy is imported before a command needs it, so that `--help` answers at once. Results go to stdout, with `--json` as one
line with one object; notes, warnings and progress go to stderr. A foreseen error is one line on stderr and exit code 1.
"""

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from glimpse import __version__
from glimpse.commands.options import (
    Commands,
    chosen_images_options,
    data_dir_option,
    device_option,
    digits_option,
    drawing_options,
    frames_option,
    generative_options,
    given,
    image_options,
    json_option,
    model_options,
    split_option,
    threads_option,
    training_options,
)
from glimpse.settings.benchmark import BenchRequest, What
from glimpse.settings.catalog import CLASSIFIERS, OF_THE_DATA, classifier_preset, classifier_presets, setting_names
from glimpse.settings.draw import GENERATOR_PRESETS, GeneratorConfig, generator_setting_names
from glimpse.settings.requests import (
    ClassifierTrainingRequest,
    EvaluationRequest,
    GeneratorTrainingRequest,
    Machine,
    from_options,
)
from glimpse.settings.suites import SUITES

if TYPE_CHECKING:
    from glimpse.datasets.batches import Split

__all__ = ["glimpse", "main"]

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="glimpse")
@click.option("--debug", is_flag=True, envvar="GLIMPSE_DEBUG", help="Show the traceback of an error.")
def glimpse(debug: bool) -> None:
    """Differentiable visual attention: train, evaluate and look at models that choose where to look."""
    # Threads that wait should sleep: spinning on a shared core, two were seen 30 times slower than one. Read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@glimpse.command("train-classifier")
@click.option(
    "--model",
    type=click.Choice(list(CLASSIFIERS)),
    help="; ".join(f"{kind.name}: {kind.summary}" for kind in CLASSIFIERS.values()) + f".  [default: {next(iter(CLASSIFIERS))}]",
)
@training_options(classifier_presets(), next(iter(classifier_presets())), "runs/PRESET-GLIMPSES")
@model_options({name: preset.model for name, preset in classifier_presets().items()}, skip=OF_THE_DATA)
@model_options({"tuned": classifier_preset("tuned").training})
@image_options
def train_classifier(**options: Any) -> None:
    """Train a classifier on cluttered digits, or on your own images, and keep the weights that validate best."""
    from glimpse.commands.train_classifier import train_classifier

    request = from_options(ClassifierTrainingRequest, options, setting_names())
    click.get_current_context().exit(train_classifier(request))


@glimpse.command("train-generator")
@training_options(GENERATOR_PRESETS, "mnist-small", "runs/draw-PRESET")
@model_options({"mnist-small": GENERATOR_PRESETS["mnist-small"].model}, skip=("channels", "height", "width"))
@model_options({"mnist-small": GENERATOR_PRESETS["mnist-small"].training})
@generative_options
@data_dir_option
@device_option
@threads_option
def train_generator(**options: Any) -> None:
    """Train DRAW, the generative model that reads and writes through windows, and keep the weights that validate best."""
    from glimpse.commands.train_generator import train_generator

    request = from_options(GeneratorTrainingRequest, options, generator_setting_names())
    click.get_current_context().exit(train_generator(request))


@glimpse.command()
@click.argument("model")
@click.option("--count", type=click.IntRange(min=1), default=16, show_default=True, help="Samples.")
@click.option(
    "--temperature", type=click.FloatRange(0, 100), default=1.0, show_default=True, help="Factor on the latents: less is tamer."
)
@click.option("--binary", is_flag=True, help="Draw every pixel black or white by its probability, not as the probability.")
@frames_option
@drawing_options
def sample(as_json: bool, **options: Any) -> None:
    """Draw new images with MODEL, the folder of a generator's run or pretrained:NAME.

    As a sheet (png) with each sample's nearest training image and how it was drawn, an animation (gif) or arrays (npz).
    """
    from glimpse.commands.generate import sample
    from glimpse.settings.requests import SampleRequest, from_options

    sample(from_options(SampleRequest, options), as_json=as_json)


@glimpse.command()
@click.argument("model")
@click.option("--count", type=click.IntRange(min=1), default=None, help="At most so many images. Default: 8, or those you name.")
@chosen_images_options
@frames_option
@drawing_options
def reconstruct(as_json: bool, **options: Any) -> None:
    """Draw images again, step by step, with MODEL, the folder of a generator's run or pretrained:NAME: a sheet (png) or a gif."""
    from glimpse.commands.generate import reconstruct
    from glimpse.settings.requests import ReconstructRequest, from_options

    reconstruct(from_options(ReconstructRequest, options), as_json=as_json)


@glimpse.command()
@click.argument("model")
@click.option("--steps", type=click.IntRange(min=2), default=None, help="Images on the way. Default: 9 for png, 33 for gif.")
@click.option("--latent", is_flag=True, help="Change single latents of a sample instead, those that say most.")
@click.option("--count", type=click.IntRange(1, 32), default=None, help="With --latent: how many of them. Default: 8.")
@chosen_images_options
@drawing_options
def interpolate(as_json: bool, **options: Any) -> None:
    """Draw the way from one image to another (--indices A,B) with MODEL, a generator, or what single latents do (--latent).

    MODEL is a run's folder or pretrained:NAME, the file a sheet (png) or an animation (gif).
    """
    from glimpse.commands.generate import interpolate
    from glimpse.settings.requests import InterpolateRequest, from_options

    interpolate(from_options(InterpolateRequest, options), as_json=as_json)


@glimpse.command()
@click.argument("model")
@split_option
@click.option("--glimpses", type=click.IntRange(min=1), help="Other than trained, to see how robust the classifier is.")
@click.option("--test-samples", type=click.IntRange(min=0), help="Of ram: sequences of locations to average over, 0 for the mean.")
@click.option("--importance-samples", type=click.IntRange(min=1), help="Of a generator: a tighter bound with so many samples.")
@image_options
@json_option
def evaluate(model: str, as_json: bool, **options: Any) -> None:
    """Measure MODEL, a run's folder or pretrained:NAME, on the test set of its task or on your own images.

    A classifier by its error, a generator by its bound on the negative log-likelihood.
    """
    from glimpse.commands.evaluate import evaluate

    evaluate(from_options(EvaluationRequest, {"model": model, **options}), as_json=as_json)


@glimpse.command()
@click.option("--what", type=click.Choice(get_args(What)), default="all", show_default=True, help="The part that is measured.")
@click.option("--growth", is_flag=True, help="Measure how the classifier's and the generator's step grow with their settings.")
@click.option(
    "--seconds", type=click.FloatRange(min=0, min_open=True), default=2.0, show_default=True, help="Time for each measurement."
)
@device_option
@click.option(
    "--threads", type=click.IntRange(min=1), help="Threads on the CPU. Default: as many as train fastest, by measurement."
)
@json_option
def bench(as_json: bool, **options: Any) -> None:
    """Measure how fast the package is on this machine, next to what the machine itself reaches."""
    from glimpse.commands.bench import bench

    bench(from_options(BenchRequest, options), as_json=as_json)


@glimpse.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option(
    "--suite",
    type=click.Choice(list(SUITES)),
    help="Train this suite's models where they are not trained yet, go on with those that were interrupted, and compare them.",
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="The suite's folder. Default: runs/compare-SUITE.")
@click.option("--models", help="Of the suite, such as glimpse-8,ram-8. Default: all.")
@click.option("--images", type=click.IntRange(min=1), help="Budget of every model of the suite. Default: the suite's own.")
@click.option("--seeds", type=click.IntRange(min=1), help="Train every model from the seeds 0 to N - 1. Default: the suite's own.")
@click.option(
    "--within", type=click.FloatRange(min=0), metavar="MINUTES", help="Stop after so long, to go on at the next call; 0 estimates."
)
@click.option("--precision", type=click.Choice(["fp32", "bf16"]), help="Of the suite's trainings. Default: the presets'.")
@click.option("--compile/--no-compile", default=None, help="Whether the suite's models are compiled. Default: the presets'.")
@click.option(
    "--csv", type=_FILE, help="Write every row's numbers to this file, and the tests between models to NAME-pairs.csv beside it."
)
@click.option("--markdown", type=_FILE, help="Write the table, its legend and the tests between models to this file.")
@click.option("--figure", type=_FILE, help="Draw error against values read into this .png.")
@data_dir_option
@device_option
@threads_option
@json_option
def compare(runs: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Compare trained classifiers of one task with one another and with published numbers.

    RUN is a run's folder or pretrained:NAME; runs that differ in their seed alone are one row. Or name a suite.
    """
    from glimpse.commands.compare import ComparisonFiles, compare
    from glimpse.comparison.calls import comparison_request

    files = ComparisonFiles(*(options.pop(name) for name in ("csv", "markdown", "figure")))
    click.get_current_context().exit(compare(comparison_request(runs, options), files, as_json=as_json))


@glimpse.command()
@click.argument("model")
@click.argument("pictures", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--invert", is_flag=True, help="For dark digits on a light ground: the model knows light ones on a dark ground.")
@device_option
@threads_option
@json_option
def predict(model: str, pictures: tuple[Path, ...], invert: bool, device: str, threads: int | None, as_json: bool) -> None:
    """Say what MODEL, a run's folder or pretrained:NAME, sees in each of your PICTURES."""
    from glimpse.commands.evaluate import predict

    predict(model, pictures, Machine(device, threads), invert=invert, as_json=as_json)


def _print_schema(context: click.Context, parameter: click.Parameter, asked: bool) -> None:
    """Prints what the columns of trajectories mean and ends."""
    if not asked or context.resilient_parsing:
        return
    from glimpse.commands import console
    from glimpse.trajectories.table import COLUMNS, VERSION

    rows = [(column.name, column.unit, column.meaning + (" (may be absent)" if column.may_miss else "")) for column in COLUMNS]
    console.print_rows((f"column, version {VERSION}", "unit", "meaning"), rows)
    context.exit()


@glimpse.command()
@click.argument("model")
@click.option(
    "--schema", is_flag=True, is_eager=True, expose_value=False, callback=_print_schema, help="Say what the columns mean."
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write; with --summary its figure, a .png.")
@click.option(
    "--format",
    type=click.Choice(["jsonl", "csv", "parquet", "npz", "png", "gif", "html"]),
    help="Data (jsonl, csv, parquet, npz), a sheet (png), an animation (gif) or a page (html). Default: the ending of --out.",
)
@chosen_images_options
@click.option("--count", type=click.IntRange(min=1), help="Images at most. Default: 8 for png, 9 for gif, 300 for html, else all.")
@click.option("--only", type=click.Choice(["wrong", "right", "unsure"]), help="Only images of this kind, by the last prediction.")
@click.option(
    "--margin",
    type=click.FloatRange(0, 1),
    default=0.2,
    show_default=True,
    help="Unsure: the two best classes differ by less than this probability.",
)
@click.option("--invert", is_flag=True, help="For dark digits on a light ground in --image.")
@click.option("--pixels", is_flag=True, help="Write what was seen through every window, too.")
@click.option("--glimpses", type=click.IntRange(min=1), help="Other than trained.")
@click.option(
    "--summary", is_flag=True, help="What all trajectories have in common: distance from the digit, width, error by step."
)
@click.option(
    "--learning",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A .gif of the same images with the weights that the run MODEL kept along its way.",
)
@image_options
@json_option
def trajectories(model: str, as_json: bool, **options: Any) -> None:
    """Write where MODEL, a run's folder or pretrained:NAME, looked, and what it believed after each glimpse."""
    from glimpse.commands import trajectories as command
    from glimpse.settings.trajectories import ExportRequest, LearningRequest, SummaryRequest

    explicit = given(out=0, format=0, pixels=0, only=0, margin=0, summary=0, split=0)
    refused = {"learning": [*explicit.keys() - {"split"}], "summary": [*explicit.keys() & {"format", "pixels"}]}
    refused |= {"pictures": [*explicit.keys() & {"split"}]}
    if options["only"] != "unsure" and "margin" in explicit:
        raise click.UsageError("--margin is for --only unsure.")
    for name, others in refused.items():
        if options[name] and others:
            own = "image" if name == "pictures" else name
            raise click.UsageError(f"--{own} does not go with {', '.join('--' + other for other in sorted(others))}.")
    learned, summary = options.pop("learning"), options.pop("summary")
    if learned is not None:
        asked = {name: value for name, value in options.items() if name not in ("format", "pixels", "only", "margin")}
        command.show_learning(from_options(LearningRequest, {**asked, "model": model, "out": learned}), as_json=as_json)
    elif summary:
        asked = {name: value for name, value in options.items() if name not in ("format", "pixels")}
        command.summarize(from_options(SummaryRequest, {**asked, "model": model}), as_json=as_json)
    elif options["out"] is not None:
        command.export(from_options(ExportRequest, {**options, "model": model}), as_json=as_json)
    else:
        raise click.UsageError("Say what to make: --out FILE, --summary or --learning FILE.gif.")


@glimpse.command()
@json_option
@data_dir_option
def doctor(as_json: bool, data_dir: Path | None) -> None:
    """Show versions, device, threads, data found, free memory and disk: what a bug report needs."""
    from glimpse.commands import console
    from glimpse.commands.doctor import flatten, report

    facts = report(data_dir)
    if as_json:
        console.print_json(facts)
    else:
        console.print_rows(("what", "value"), flatten(facts))


@glimpse.command()
@json_option
def presets(as_json: bool) -> None:
    """List the presets: named settings to start from."""
    from dataclasses import asdict

    from glimpse.commands import console

    def own(config: GeneratorConfig) -> dict[str, Any]:
        """Returns what does not come from the data."""
        return {name: value for name, value in asdict(config).items() if name not in ("channels", "height", "width")}

    classifiers = classifier_presets()
    settings = {
        "classifier": {name: asdict(preset.model) for name, preset in classifiers.items()},
        "training": {name: asdict(preset.training) for name, preset in classifiers.items()},
        "generator": {name: {"data": preset.data} | own(preset.model) for name, preset in GENERATOR_PRESETS.items()},
        "generator_training": {name: asdict(preset.training) for name, preset in GENERATOR_PRESETS.items()},
    }
    if as_json:
        console.print_json(settings)
        return
    for kind, configs in settings.items():
        names = dict.fromkeys(name for config in configs.values() for name in config)
        console.print_rows((kind, *configs), [(name, *(config.get(name, "-") for config in configs.values())) for name in names])


@glimpse.command()
@json_option
def pretrained(as_json: bool) -> None:
    """List the trained models that come with the package."""
    from glimpse.commands import console
    from glimpse.pretrained import PREFIX, available

    models = available()
    if as_json:
        console.print_json(models)
        return
    if not models:
        console.note("This version ships no trained models.")
        return
    columns = ("name", "glimpses", "parameters", "trained on", "on its test set")
    rows = []
    for name, facts in models.items():
        error, bound = facts.get("test_error_percent"), facts.get("bound_nats")
        result = f"{error:.2f} % error" if error is not None else f"<= {bound:.2f} nats" if bound is not None else None
        rows.append((PREFIX + name, facts.get("glimpses"), facts.get("parameters"), facts.get("task"), result))
    console.print_rows(columns, rows)


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


@glimpse.group()
def dataset() -> None:
    """Build, verify and look at sets of cluttered digits."""


@dataset.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--split", type=click.Choice(["train", "valid", "test"]), default="test", show_default=True, help="Which digits.")
@click.option("--count", type=click.IntRange(min=1), default=None, help="Images. Default: one for each digit of the split.")
@click.option(
    "--seed", type=click.IntRange(0, 2**64 - 1), default=None, help="Default: the recipe's own; 0 for the training split."
)
@click.option("--canvas", type=click.IntRange(min=1), default=100, show_default=True, help="Side of the images in pixels.")
@click.option("--pieces", type=click.IntRange(min=0), default=8, show_default=True, help="Distractors in an image.")
@click.option("--piece-size", type=click.IntRange(min=1), default=8, show_default=True, help="Their side in pixels.")
@click.option(
    "--border", type=click.IntRange(min=0), default=0, show_default=True, help="Pixels at the edges kept free of the digit."
)
@digits_option
@data_dir_option
@threads_option
def build(
    out: Path,
    split: "Split",
    count: int | None,
    seed: int | None,
    digits: str | None,
    data_dir: Path | None,
    threads: int | None,
    **recipe: int,
) -> None:
    """Render a set into the folder OUT: images, labels, centers and a manifest.

    A build that was killed goes on where it was when the same command is run again.
    """
    from glimpse import environment
    from glimpse.commands import console
    from glimpse.datasets.build import build as build_set
    from glimpse.datasets.clutter import ClutterRecipe
    from glimpse.datasets.opening import open_digit_source

    environment.use_threads(threads)
    source = open_digit_source(digits or "auto", data_dir, seed or 0, console.ConsoleListener())
    seed = 0 if seed is None and split == "train" else seed
    steps = build_set(out, source, split=split, count=count, seed=seed, recipe=ClutterRecipe(**recipe))
    first = next(steps)
    with console.ProgressView("Rendering", first.total, start=first.done) as view:
        for step in steps:
            view.update(step.done)
    console.note(f"{out} holds {first.total:,} images. See them with: glimpse dataset preview {out}")


@dataset.command()
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--digits", default=None, help="The FILE.npz it was built from, where it was one: to render images again.")
@data_dir_option
@json_option
def verify(path: Path, digits: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Check a built set: shapes, digests and, with its digits at hand, a thousand images rendered again."""
    from dataclasses import asdict

    from glimpse.commands import console
    from glimpse.datasets.build import source_at_hand
    from glimpse.datasets.build import verify as verify_set

    verdict = verify_set(path, source_at_hand(path, digits, data_dir))
    if as_json:
        console.print_json(asdict(verdict))
        return
    again = f"{verdict.rendered_again:,} rendered again and found the same" if verdict.rendered_again else "its digits not at hand"
    click.echo(f"{path} is in order: {verdict.count:,} images, {again}.")


@dataset.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), default=Path("preview.png"), show_default=True)
@click.option("--count", type=click.IntRange(min=1), default=60, show_default=True, help="Images to show.")
@click.option("--columns", type=click.IntRange(min=1), default=10, show_default=True, help="Images in a row.")
@click.option("--boxes", is_flag=True, help="Draw the digits' frames where they are known.")
def preview(path: Path, out: Path, count: int, columns: int, boxes: bool) -> None:
    """Draw the first images of a built set or a FILE.npz, each under its label."""
    from glimpse.datasets.labeled_images import open_data
    from glimpse.datasets.preview import write_preview

    data = open_data(path)
    shown = write_preview(out, data.evaluation[1], count, columns=columns, frame=data.frame if boxes else None)
    click.echo(f"{out} shows {shown} images.")


def main() -> None:
    """Runs the command line, under one name however it was started; SIGTERM ends it as an exception does, so that all is tidied."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    glimpse(prog_name="glimpse")


if __name__ == "__main__":
    main()
