"""Output of `glimpse trajectories`."""

from collections.abc import Mapping
from typing import Any

import click

from glimpse.commands import console
from glimpse.commands.console import ConsoleListener
from glimpse.evaluation.own_pictures import FailedPictures
from glimpse.settings.requests import ExportRequest, LearningRequest, SummaryRequest, flag, from_options
from glimpse.trajectories.exporting import Export, export_request
from glimpse.trajectories.files import DATA_FORMATS
from glimpse.trajectories.summarizing import ModelSummary, learning_request, summary_request
from glimpse.trajectories.summary import FAR, StepSummary

__all__ = ["export", "show_learning", "summarize", "trajectories"]

_COLUMNS = ("step", "error %", "distance px", "quartiles", f"> {FAR:g} px %", "holds center %", "covers %", "stride px", "sigma px")


def trajectories(options: Mapping[str, Any], *, as_json: bool) -> None:
    """Exports trajectories, summarizes them, or animates how a run learned where to look, depending on the options.

    Args:
        options: Options of the command by name; None, False or empty if not given.
        as_json: Whether to print the result as a single line of JSON.

    Raises:
        click.UsageError: If options are incompatible, or no output is requested.
        ValueError: If there is no such model, it has no windows, or the images or an option do not fit it.
        OSError: If a file cannot be read or written.
    """
    _check_compatible(options)
    asked = {name: value for name, value in options.items() if value is not False and name not in ("learning", "summary")}
    if options["learning"] is not None:
        show_learning(from_options(LearningRequest, {**asked, "out": options["learning"]}), as_json=as_json)
    elif options["summary"]:
        summarize(from_options(SummaryRequest, asked), as_json=as_json)
    elif options["out"] is not None:
        export(from_options(ExportRequest, asked), as_json=as_json)
    else:
        raise click.UsageError("Choose an output: --out FILE, --summary or --learning FILE.gif.")


def _check_compatible(options: Mapping[str, Any]) -> None:
    """Raises click.UsageError if options are incompatible."""
    given = {name for name, value in options.items() if value is not None and value is not False}
    if options["only"] != "unsure" and "margin" in given:
        raise click.UsageError("--margin requires --only unsure.")
    incompatible = {
        "learning": {"out", "format", "pixels", "only", "margin", "summary"},
        "summary": {"format", "pixels"},
        "pictures": {"split"},
    }
    for name, others in incompatible.items():
        if options[name] and given & others:
            own = "--image" if name == "pictures" else flag(name)
            raise click.UsageError(f"{own} does not go with {', '.join(map(flag, sorted(given & others)))}.")


def export(request: ExportRequest, *, as_json: bool) -> None:
    """Writes trajectories to a file and reports its contents, with `as_json` as a single line of JSON.

    Raises:
        FailedPictures: If pictures cannot be used, after the file of the others is written and reported.
    """
    try:
        written = export_request(request, ConsoleListener())
    except FailedPictures as error:
        for result in error.results:
            _show_export(result, request, as_json=as_json)
        raise
    _show_export(written, request, as_json=as_json)


def _show_export(written: Export, request: ExportRequest, *, as_json: bool) -> None:
    """Reports a file of trajectories."""
    if as_json:
        console.print_json(written.as_dict())
        return
    out = written.out
    all_asked = request.looked.count is None and request.filter.only is None
    cut = f", the first of {written.available:,}" if all_asked and written.images < written.available else ""
    steps = "1 step" if written.steps == 1 else f"{written.steps} steps"
    console.note(f"{out} holds the trajectories of {_images(written.images)}{cut}, {steps} each.")
    if written.format in DATA_FORMATS:
        named = "" if out.suffix.lower() == f".{written.format}" else f", format={written.format!r}"
        console.note(f"Read it with: glimpse.trajectories.load({str(out)!r}{named})")


def summarize(request: SummaryRequest, *, as_json: bool) -> None:
    """Prints a summary of trajectories, with `as_json` as a single line of JSON, and plots it if the request names a file."""
    found = summary_request(request, ConsoleListener())
    if as_json:
        console.print_json(found.as_dict())
    else:
        _show(found)
    if found.out is not None:
        console.note(f"Wrote the figure {found.out}")


def show_learning(request: LearningRequest, *, as_json: bool) -> None:
    """Animates how a run learned where to look and reports the file, with `as_json` as a single line of JSON."""
    drawn = learning_request(request, ConsoleListener())
    if as_json:
        console.print_json(drawn.as_dict())
    else:
        console.note(f"{drawn.out} shows {_images(drawn.images)} at {drawn.frames} points of the training.")


def _images(count: int) -> str:
    """Returns a number of images with its unit."""
    return f"{count:,} image" if count == 1 else f"{count:,} images"


def _show(found: ModelSummary) -> None:
    """Prints a summary as a table, without columns that have no values."""
    steps = found.summary.steps
    kinds = {step.window for step in steps}
    rows = [(f"{step.window} {step.step}" if len(kinds) > 1 else step.step, *_cells(step)) for step in steps]
    shown = [i for i in range(len(_COLUMNS)) if any(row[i] is not None for row in rows)]
    cells = [tuple(row[i] for i in shown) for row in rows]
    title = f"{found.model} on {found.summary.images:,} images: {found.data}"
    console.print_rows([_COLUMNS[i] for i in shown], cells, title=title)


def _cells(step: StepSummary) -> tuple[str | None, ...]:
    """Returns the cells of a step in the order of the columns."""
    return (
        _number(step.error, 2),
        _number(step.distance),
        None if step.distance_quartiles is None else "-".join(f"{quartile:.1f}" for quartile in step.distance_quartiles),
        _number(step.far),
        _number(step.on_center),
        _number(step.covered),
        _number(step.stride, 2),
        _number(step.sigma, 2),
    )


def _number(value: float | None, digits: int = 1) -> str | None:
    """Returns a number with a fixed number of decimals; None for None."""
    return None if value is None else f"{value:.{digits}f}"
