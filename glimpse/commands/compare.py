"""What `glimpse compare` does between parsing and printing: compare trained models, or train a suite's models first.

A suite's folder also holds `evaluations`, what was measured of each model's weights, so that nothing is measured twice.
"""

import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from glimpse.commands import console
from glimpse.commands.measure import measured_comparison
from glimpse.commands.time_limit import OutOfTimeError, TimeLimit
from glimpse.commands.train_suite import PlannedRun, estimate, plan_suite, train_suite
from glimpse.comparison.figure import write_figure
from glimpse.comparison.files import pairs_path, write_csv, write_markdown
from glimpse.comparison.rows import Comparison
from glimpse.comparison.table import flat, legend, pair_table, pair_title, table
from glimpse.settings.record import refuse_record
from glimpse.settings.suites import SUITES
from glimpse.training.loop import StoppedError

__all__ = ["compare_models"]

_NARROW = {
    "95 % interval": "95 %\ninterval",
    "parameters": "para-\nmeters",
    "multiply-adds": "mult.-\nadds",
    "values read": "values\nread",
    "to published": "to\npublished",
}
_NAMES = 20  # characters at least for a model's name on a terminal
_ENDINGS = {"csv": ".csv", "markdown": ".md", "figure": ".png"}
_OF_A_SUITE = ("out", "models", "images", "seeds", "within", "precision", "compile")


def compare_models(sources: Sequence[str], options: Mapping[str, Any], *, as_json: bool) -> int:
    """Compares trained models, or trains a suite's models and compares them; prints the result and returns the exit code.

    Args:
        sources: Runs' folders, weights files or `pretrained:NAME`; none for a suite.
        options: All options by name.
        as_json: Whether to print one line with one JSON object.

    Raises:
        ValueError: If there is nothing to compare, or the models are not of one task, or an option does not fit.
        FileNotFoundError: If the digits are not at hand.
    """
    _check_files(options)
    if options["suite"] is not None:
        if sources:
            raise ValueError("name runs to compare or a --suite, not both")
        return _compare_suite(options, as_json=as_json)
    if not sources:
        raise ValueError(f"name runs to compare, or a --suite: {', '.join(SUITES)}")
    of_a_suite = [f"--{name}" for name in _OF_A_SUITE if options[name] is not None]
    if of_a_suite:
        raise ValueError(f"{', '.join(of_a_suite)} goes with a --suite, not with runs")
    _show(measured_comparison(sources, options), options, as_json=as_json)
    return 0


def _check_files(options: Mapping[str, Any]) -> None:
    """Checks, before anything takes time, that what is to be written can be, and is no other file than it should be.

    Raises:
        ValueError: If a file has another ending than its option's format, or is what a run recorded.
        OSError: If its folder cannot be made or written to.
    """
    for name, ending in _ENDINGS.items():
        path = options[name]
        if path is None:
            continue
        if path.suffix.lower() != ending:
            raise ValueError(f"--{name} writes a file that ends in {ending}, got {path}")
        refuse_record(path)
        with suppress(FileExistsError, NotADirectoryError):  # told below
            path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
            raise ValueError(f"--{name} cannot write {path}: name a file in a folder that you may write to")


def _compare_suite(options: Mapping[str, Any], *, as_json: bool) -> int:
    """Trains what a suite's folder lacks, then compares all its models; returns the exit code."""
    limit = TimeLimit(options["within"])
    folder = options["out"] or Path("runs") / f"compare-{options['suite']}"
    plan = plan_suite(folder, options)
    try:
        if not all(planned.finished for planned in plan):
            estimate(plan, options)
        trained = train_suite(plan, options, limit)
        if not trained:
            raise ValueError(f"no run in {folder} could be trained to its end")
        sources = [str(planned.folder.path) for planned in trained]
        comparison = measured_comparison(sources, options, folder / "evaluations", limit)
        left_out = [planned.name for planned in plan if planned not in trained]
        if left_out:
            diverged = {"left_out": f"{'; '.join(left_out)} (diverged)"}
            comparison = replace(comparison, facts={**comparison.facts, **diverged})
    except StoppedError as stopped:
        _say_how_far("Stopped", plan_suite(folder, options), options, as_json=as_json)
        return stopped.code
    except KeyboardInterrupt:
        _say_how_far("Stopped", plan_suite(folder, options), options, as_json=as_json)
        return 130
    except OutOfTimeError:
        how_far = _say_how_far("The time is over", plan_suite(folder, options), options, as_json=as_json)
        if as_json:
            console.print_json(how_far)
        return 0
    _show(comparison, options, as_json=as_json)
    return 0


def _say_how_far(why: str, plan: Sequence[PlannedRun], options: Mapping[str, Any], *, as_json: bool) -> dict[str, Any]:
    """Says how far a suite is and what goes on with it, and returns the same for a program."""
    done = sum(planned.finished for planned in plan)
    again = shlex.join(["glimpse", "compare", *_arguments(options), *(["--json"] if as_json else [])])
    measured = "" if done < len(plan) else ", but not all are measured"
    console.note(f"{why}: {done} of {len(plan)} runs are finished{measured}. Go on with: {again}")
    return {"suite": options["suite"], "finished": done, "runs": len(plan), "go_on": again}


def _arguments(options: Mapping[str, Any]) -> Iterator[str]:
    """Yields the arguments that a suite was asked for with."""
    names = ("suite", *_OF_A_SUITE, *_ENDINGS, "threads", "data_dir")
    for name in names:
        value, flag = options[name], name.replace("_", "-")
        if isinstance(value, bool):
            yield f"--{flag}" if value else f"--no-{flag}"
        elif value is not None and (name, value) != ("within", 0):  # which would never go on
            yield from (f"--{flag}", f"{value:g}" if isinstance(value, float) else str(value))
    if options["device"] != "auto":
        yield from ("--device", options["device"])


def _show(comparison: Comparison, options: Mapping[str, Any], *, as_json: bool) -> None:
    """Prints the comparison and writes the files that were asked for."""
    if as_json:
        pairs = [pair._asdict() for pair in comparison.pairs]
        rows = flat(comparison)
        console.print_json({"n": comparison.n, **comparison.facts, "suite": options["suite"], "rows": rows, "pairs": pairs})
    else:
        _print(comparison)
    _write_files(comparison, options)
    for name in _ENDINGS:
        if options[name] is not None:
            beside = f" and {pairs_path(options[name])}" if name == "csv" and comparison.pairs else ""
            console.note(f"Wrote {options[name]}{beside}")


def _write_files(comparison: Comparison, options: Mapping[str, Any]) -> None:
    """Writes the files that were asked for."""
    if options["csv"] is not None:
        write_csv(options["csv"], comparison)
    if options["markdown"] is not None:
        write_markdown(options["markdown"], comparison)
    if options["figure"] is not None:
        undrawn = write_figure(options["figure"], comparison)
        if undrawn:
            console.note(f"Not drawn, since what they read is not stated: {'; '.join(undrawn)}")


def _print(comparison: Comparison) -> None:
    """Prints what a person reads: the table, its legend and the tests between models."""
    facts = comparison.facts
    title = f"{facts['data']}: {comparison.n:,} {comparison.images}; measured on {facts['device']}, threads: {facts['threads']}"
    _print_table(*table(comparison), title)
    for line in legend(comparison):
        console.note(line)
    if "left_out" in facts:
        console.note(f"left out: {facts['left_out']}")
    if comparison.pairs:
        console.print_rows(*pair_table(comparison), title=pair_title(comparison))


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str) -> None:
    """Prints the table: on a terminal so narrow that it fits into 120 columns, the models' names alone being folded.

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
