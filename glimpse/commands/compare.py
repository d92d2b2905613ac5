"""What `glimpse compare` shows: a suite's estimate and trainings, the comparison as a table, and the files it is written to."""

import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from glimpse.commands import console
from glimpse.commands.console import ConsoleListener
from glimpse.commands.train import SignalWatch, show_records
from glimpse.commands.train_classifier import CLASSIFIER_WORDS
from glimpse.comparison.calls import SuiteWatch, compare_models, compare_suite
from glimpse.comparison.estimate import RunEstimate, SuiteEstimate
from glimpse.comparison.figure import write_figure
from glimpse.comparison.files import pairs_path, write_csv, write_markdown
from glimpse.comparison.rows import Comparison
from glimpse.comparison.suite import Stop, plan_suite
from glimpse.comparison.table import legend, pair_table, pair_title, table
from glimpse.comparison.time_limit import OutOfTimeError
from glimpse.settings.record import refuse_record
from glimpse.settings.requests import CompareRequest, SuiteRequest, chosen, flag
from glimpse.training.loop import StoppedError
from glimpse.training.session import Training

__all__ = ["ComparisonFiles", "compare", "print_table"]

_NARROW = {
    "95 % interval": "95 %\ninterval",
    "parameters": "para-\nmeters",
    "multiply-adds": "mult.-\nadds",
    "values read": "values\nread",
    "to published": "to\npublished",
}
_NAMES = 20  # characters at least for a model's name on a terminal
_ENDINGS = {"csv": ".csv", "markdown": ".md", "figure": ".png"}


@dataclass(frozen=True)
class ComparisonFiles:
    """Files that a comparison is written to, None for those that are not wanted.

    Attributes:
        csv: Every row's numbers; the tests between models go to NAME-pairs.csv.
        markdown: The table, its legend and the tests between models.
        figure: Error against values read, a .png.
    """

    csv: Path | None = None
    markdown: Path | None = None
    figure: Path | None = None


def compare(request: CompareRequest | SuiteRequest, files: ComparisonFiles, *, as_json: bool) -> int:
    """Compares trained models, or trains a suite's models and compares them; prints the result and returns the exit code.

    Args:
        request: Which models, or which suite.
        files: Where to write it, too.
        as_json: Whether to print one line with one JSON object.

    Raises:
        ValueError: If the models are not of one task, or what is asked does not fit.
        FileNotFoundError: If the digits are not at hand.
    """
    _check_files(files)
    if isinstance(request, CompareRequest):
        _show(compare_models(request, ConsoleListener()), files, as_json=as_json)
        return 0
    watch = SuiteWatch(ConsoleListener(), _run, _show_estimate)
    try:
        comparison = compare_suite(request, watch)
    except OutOfTimeError:
        how_far = _say_how_far("The time is over", request, files, as_json=as_json)
        if as_json:
            console.print_json(how_far)
        return 0
    except (StoppedError, KeyboardInterrupt) as stopped:
        _say_how_far("Stopped", request, files, as_json=as_json)
        return stopped.code if isinstance(stopped, StoppedError) else 130
    _show(comparison, files, as_json=as_json)
    return 0


def _check_files(files: ComparisonFiles) -> None:
    """Checks, before anything takes time, that what is to be written can be, and is no other file than it should be.

    Raises:
        ValueError: If a file has another ending than its option's format, or is what a run recorded.
        OSError: If its folder cannot be made or written to.
    """
    for name, path in chosen(files).items():
        if path.suffix.lower() != _ENDINGS[name]:
            raise ValueError(f"--{name} writes a file that ends in {_ENDINGS[name]}, got {path}")
        refuse_record(path)
        with suppress(FileExistsError, NotADirectoryError):  # told below
            path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
            raise ValueError(f"--{name} cannot write {path}: name a file in a folder that you may write to")


def _run(training: Training, stop: Stop) -> None:
    """Runs a training of a suite with a progress bar; a signal stops it, or the clock."""
    with SignalWatch() as asked:
        show_records(training, training.records(stop=lambda: asked() or stop()), CLASSIFIER_WORDS)


def _show_estimate(estimate: SuiteEstimate) -> None:
    """Says for every run that is not finished how long it will take, and how long all of them."""
    for run in estimate.runs:
        console.note(_estimate_line(run, compiled=estimate.compiled))
    count = f"{len(estimate.runs)} {'run' if len(estimate.runs) == 1 else 'runs'}"
    compiled = ", compiling not counted" if estimate.compiled else ""
    time = f"{estimate.images:,} images, about {console.duration(estimate.seconds)}"
    console.note(f"Estimated time of {count}: {time} on {estimate.device}, threads: {estimate.threads}{compiled}")


def _estimate_line(run: RunEstimate, *, compiled: bool) -> str:
    """Returns how long the rest of a run takes, and how that is known."""
    measured = "measured now, not compiled" if compiled else "measured now"
    rate = f"{1 / run.speed.seconds_per_image:,.0f}/s with validation, {measured if run.speed.measured else 'as recorded'}"
    return f"{run.name}: {run.left:,} of {run.total:,} images left, {rate}: {console.duration(run.seconds)}"


def _say_how_far(why: str, request: SuiteRequest, files: ComparisonFiles, *, as_json: bool) -> dict[str, Any]:
    """Says how far a suite is and what goes on with it, and returns the same for a program."""
    plan = plan_suite(request)
    done = sum(planned.finished for planned in plan)
    again = shlex.join(["glimpse", "compare", *_arguments(request, files), *(["--json"] if as_json else [])])
    measured = "" if done < len(plan) else ", but not all are measured"
    console.note(f"{why}: {done} of {len(plan)} runs are finished{measured}. Go on with: {again}")
    return {"suite": request.suite, "finished": done, "runs": len(plan), "go_on": again}


def _arguments(request: SuiteRequest, files: ComparisonFiles) -> Iterator[str]:
    """Yields the arguments that a suite was asked for with."""
    asked, machine = chosen(request), chosen(request.machine)
    del asked["machine"]
    last = {"threads": machine.get("threads"), "data_dir": asked.pop("data_dir", None)}
    if machine["device"] != "auto":
        last["device"] = machine["device"]
    if asked.get("within") == 0:  # which would never go on
        del asked["within"]
    for name, value in {**asked, **chosen(files), **last}.items():
        if isinstance(value, bool):
            yield flag(name) if value else f"--no-{flag(name)[2:]}"
        elif value is not None:
            texts = {float: "{:g}".format, tuple: ",".join}
            yield from (flag(name), texts.get(type(value), str)(value))


def _show(comparison: Comparison, files: ComparisonFiles, *, as_json: bool) -> None:
    """Prints the comparison and writes the files that were asked for."""
    if as_json:
        console.print_json(comparison.as_dict())
    else:
        _print(comparison)
    _write_files(comparison, files)
    for name, path in chosen(files).items():
        tests = f" and {pairs_path(path)}" if name == "csv" and comparison.pairs else ""
        console.note(f"Wrote {path}{tests}")


def _write_files(comparison: Comparison, files: ComparisonFiles) -> None:
    """Writes the files that were asked for."""
    if files.csv is not None:
        write_csv(files.csv, comparison)
    if files.markdown is not None:
        write_markdown(files.markdown, comparison)
    if files.figure is not None:
        undrawn = write_figure(files.figure, comparison)
        if undrawn:
            console.note(f"Not drawn, since what they read is not stated: {'; '.join(undrawn)}")


def _print(comparison: Comparison) -> None:
    """Prints the table, its legend and the tests between models."""
    on = comparison.conditions
    title = f"{on.data}: {comparison.n:,} {comparison.images}; measured on {on.device}, threads: {on.threads}"
    print_table(*table(comparison), title)
    for line in legend(comparison):
        console.note(line)
    if on.left_out is not None:
        console.note(f"left out: {on.left_out}")
    if comparison.pairs:
        console.print_rows(*pair_table(comparison), title=pair_title(comparison))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str) -> None:
    """Prints the table: on a terminal so narrow that it fits into 120 columns, only the models' names being folded.

    On a narrower one its lines run on in the next: a number that was cut would read as another.
    """
    headings = [_NARROW.get(column, column) for column in columns]
    cells = [["-" if value is None else str(value) for value in row] for row in rows]
    needed = _NAMES + sum(
        1 + max(map(len, [*heading.split("\n"), *(row[i] for row in cells)])) for i, heading in enumerate(headings) if i > 0
    )
    if not sys.stdout.isatty():
        console.print_rows(columns, rows, title=title)
        return
    narrow = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    narrow.add_column(headings[0], overflow="fold", min_width=_NAMES)
    for heading in headings[1:]:
        narrow.add_column(heading, no_wrap=True, justify="right")
    for row in cells:
        narrow.add_row(*map(Text, row))
    Console(width=max(needed + 2, Console().width)).print(narrow)
