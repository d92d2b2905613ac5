"""What `glimpse trajectories` shows."""

from collections.abc import Mapping
from typing import Any

import click

from glimpse.commands import console
from glimpse.commands.console import ConsoleListener
from glimpse.settings.requests import ExportRequest, LearningRequest, SummaryRequest, flag, from_options
from glimpse.trajectories.exporting import export_request
from glimpse.trajectories.files import DATA_FORMATS
from glimpse.trajectories.summarizing import ModelSummary, learning_request, summary_request
from glimpse.trajectories.summary import FAR, StepSummary

__all__ = ["export", "show_learning", "summarize", "trajectories"]

_COLUMNS = ("step", "error %", "distance px", "quartiles", f"> {FAR:g} px %", "holds center %", "covers %", "stride px", "sigma px")


def trajectories(options: dict[str, Any], explicit: frozenset[str], *, as_json: bool) -> None:
    """Makes what the options of the command ask for: a file of trajectories, their summary, or a film of a training.

    Args:
        options: Of the command, by name.
        explicit: Names of those that were given.
        as_json: Whether to print one line with one JSON object.

    Raises:
        click.UsageError: If options do not go together, or nothing is asked for.
    """
    _refuse_contradictions(options, explicit)
    learned, summary = options.pop("learning"), options.pop("summary")
    if learned is not None:
        show_learning(
            from_options(LearningRequest, _without(options, "format", "pixels", "only", "margin") | {"out": learned}),
            as_json=as_json,
        )
    elif summary:
        summarize(from_options(SummaryRequest, _without(options, "format", "pixels")), as_json=as_json)
    elif options["out"] is not None:
        export(from_options(ExportRequest, options), as_json=as_json)
    else:
        raise click.UsageError("Say what to make: --out FILE, --summary or --learning FILE.gif.")


def _refuse_contradictions(options: Mapping[str, Any], explicit: frozenset[str]) -> None:
    """Raises click.UsageError if options were given that do not go together."""
    of_exports = explicit & {"out", "format", "pixels", "only", "margin", "summary", "split"}
    if options["only"] != "unsure" and "margin" in explicit:
        raise click.UsageError("--margin is for --only unsure.")
    refused = {
        "learning": of_exports - {"split"},
        "summary": of_exports & {"format", "pixels"},
        "pictures": of_exports & {"split"},
    }
    for name, others in refused.items():
        if options[name] and others:
            own = "image" if name == "pictures" else name
            raise click.UsageError(f"--{own} does not go with {', '.join(map(flag, sorted(others)))}.")


def _without(options: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in names}


def export(request: ExportRequest, *, as_json: bool) -> None:
    """Writes trajectories to a file and says what it holds, with `as_json` as one line of JSON."""
    written = export_request(request, ConsoleListener())
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
    """Prints what all trajectories have in common, with `as_json` as one line of JSON, and draws it where a file is named."""
    found = summary_request(request, ConsoleListener())
    if as_json:
        console.print_json(found.as_dict())
    else:
        _show(found)
    if found.out is not None:
        console.note(f"{found.out} shows it.")


def show_learning(request: LearningRequest, *, as_json: bool) -> None:
    """Draws how a run learned where to look, and says where, with `as_json` as one line of JSON."""
    drawn = learning_request(request, ConsoleListener())
    if as_json:
        console.print_json(drawn.as_dict())
    else:
        console.note(f"{drawn.out} shows {_images(drawn.images)} at {drawn.frames} moments of the training.")


def _images(count: int) -> str:
    """Returns a number of images in words."""
    return f"{count:,} image" if count == 1 else f"{count:,} images"


def _show(found: ModelSummary) -> None:
    """Prints a summary as a table, without the columns of what is unknown."""
    steps = found.summary.steps
    kinds = {step.window for step in steps}
    rows = [(f"{step.window} {step.step}" if len(kinds) > 1 else step.step, *_cells(step)) for step in steps]
    shown = [i for i in range(len(_COLUMNS)) if any(row[i] != "-" for row in rows)]
    cells = [tuple(row[i] for i in shown) for row in rows]
    title = f"{found.model} on {found.summary.images:,} images: {found.data}"
    console.print_rows([_COLUMNS[i] for i in shown], cells, title=title)


def _cells(step: StepSummary) -> tuple[str, ...]:
    """Returns the numbers of a step as text, in the order of the columns."""
    return (
        _number(step.error, 2),
        _number(step.distance),
        "-" if step.distance_quartiles is None else " to ".join(map(_number, step.distance_quartiles)),
        _number(step.far),
        _number(step.on_center),
        _number(step.covered),
        _number(step.stride, 2),
        _number(step.sigma, 2),
    )


def _number(value: float | None, digits: int = 1) -> str:
    """Returns a number with some decimals, `-` for None."""
    return "-" if value is None else f"{value:.{digits}f}"
