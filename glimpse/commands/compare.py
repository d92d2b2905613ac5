"""Output of `glimpse compare`: time estimates and trainings of a suite, the table and the files of a comparison."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glimpse.commands import console
from glimpse.commands.console import ConsoleListener
from glimpse.commands.train import show_records
from glimpse.commands.train_classifier import CLASSIFIER_WORDS
from glimpse.comparison.calls import SuiteWatch, compare_suite
from glimpse.comparison.estimate import RunEstimate, SuiteEstimate
from glimpse.comparison.figure import write_figure
from glimpse.comparison.files import pairs_path, write_csv, write_markdown
from glimpse.comparison.measure import measured_comparison
from glimpse.comparison.rows import Comparison
from glimpse.comparison.suite import Stop, plan_suite
from glimpse.comparison.table import headline, legend, pair_table, pair_title, published_table, table
from glimpse.comparison.time_limit import OutOfTimeError
from glimpse.settings.record import check_output
from glimpse.settings.requests import CompareRequest, SuiteRequest, chosen, flag
from glimpse.training.loop import StoppedError
from glimpse.training.session import Training
from glimpse.training.signals import SignalWatch

__all__ = ["ComparisonFiles", "compare"]

_ENDINGS = {"csv": ".csv", "markdown": ".md", "figure": ".png"}


@dataclass(frozen=True)
class ComparisonFiles:
    """Files to write a comparison to; None for no file.

    Attributes:
        csv: All results; the tests between pairs of models are written to NAME-pairs.csv.
        markdown: The table, its legend and the tests between pairs of models.
        figure: Plot of error against values read, a .png.
    """

    csv: Path | None = None
    markdown: Path | None = None
    figure: Path | None = None


def compare(request: CompareRequest | SuiteRequest, files: ComparisonFiles, *, as_json: bool) -> int:
    """Compares trained models, or trains and compares the models of a suite; prints the result and returns the exit code.

    Args:
        request: The models, or the suite.
        files: Files that the comparison is also written to.
        as_json: Whether to print the result as a single line of JSON.

    Raises:
        ValueError: If the models have different tasks, or options do not fit together.
        FileNotFoundError: If the digits are not found.
    """
    _check_files(files)
    if isinstance(request, CompareRequest):
        _show(measured_comparison(request, ConsoleListener()), files, as_json=as_json)
        return 0
    watch = SuiteWatch(ConsoleListener(), _run, _show_estimate)
    try:
        comparison = compare_suite(request, watch)
    except OutOfTimeError:
        state = _report_state("Time limit reached", request, files, as_json=as_json)
        if as_json:
            console.print_json(state)
        return 0
    except (StoppedError, KeyboardInterrupt) as stopped:
        _report_state("Stopped", request, files, as_json=as_json)
        return stopped.code if isinstance(stopped, StoppedError) else 130
    _show(comparison, files, as_json=as_json)
    return 0


def _check_files(files: ComparisonFiles) -> None:
    """Checks, before any computation, that the files can be written and have the right extensions. Creates their folders.

    Raises:
        ValueError: If a file has the wrong extension, holds the metrics of a run, or cannot be written.
        OSError: If its folder cannot be created.
    """
    for name, path in chosen(files).items():
        check_output(flag(name), path, _ENDINGS[name])


def _run(training: Training, stop: Stop) -> None:
    """Runs a training of a suite with a progress bar until it ends, a signal arrives or `stop` returns an exit code."""
    with SignalWatch() as asked:
        show_records(training, training.records(stop=lambda: asked() or stop()), CLASSIFIER_WORDS)


def _show_estimate(estimate: SuiteEstimate) -> None:
    """Reports the estimated time of every unfinished run and of all of them together."""
    for run in estimate.runs:
        console.note(_estimate_line(run, compiled=estimate.compiled))
    count = f"{len(estimate.runs)} {'run' if len(estimate.runs) == 1 else 'runs'}"
    compiled = ", not counting compilation" if estimate.compiled else ""
    time = f"{estimate.images:,} images, about {console.duration(estimate.seconds)}"
    console.note(f"Estimated time of {count}: {time} on {estimate.device}, threads: {estimate.threads}{compiled}")


def _estimate_line(run: RunEstimate, *, compiled: bool) -> str:
    """Returns the estimated time of the rest of a run and the speed that it is based on."""
    measured = "measured now, not compiled" if compiled else "measured now"
    rate = f"{1 / run.speed.seconds_per_image:,.0f}/s with validation, {measured if run.speed.measured else 'as recorded'}"
    return f"{run.name}: {run.left:,} of {run.total:,} images left, {rate}: {console.duration(run.seconds)}"


def _report_state(reason: str, request: SuiteRequest, files: ComparisonFiles, *, as_json: bool) -> dict[str, Any]:
    """Reports how many runs of a suite are finished and the command that continues, and returns both for `--json`."""
    plan = plan_suite(request)
    done = sum(planned.finished for planned in plan)
    again = shlex.join(["glimpse", "compare", *_arguments(request, files), *(["--json"] if as_json else [])])
    measured = "" if done < len(plan) else ", but not all are evaluated"
    console.note(f"{reason}: {done} of {len(plan)} runs are finished{measured}. Continue with: {again}")
    return {"suite": request.suite, "finished": done, "runs": len(plan), "go_on": again}


def _arguments(request: SuiteRequest, files: ComparisonFiles) -> Iterator[str]:
    """Yields the command-line arguments of a request for a suite."""
    asked, machine = chosen(request), chosen(request.machine)
    del asked["machine"]
    last = {"threads": machine.get("threads"), "data_dir": asked.pop("data_dir", None)}
    if machine["device"] != "auto":
        last["device"] = machine["device"]
    if asked.get("within") == 0:  # which would only estimate again
        del asked["within"]
    for name, value in {**asked, **chosen(files), **last}.items():
        if isinstance(value, bool):
            yield flag(name) if value else f"--no-{flag(name)[2:]}"
        elif value is not None:
            texts = {float: "{:g}".format, tuple: ",".join}
            yield from (flag(name), texts.get(type(value), str)(value))


def _show(comparison: Comparison, files: ComparisonFiles, *, as_json: bool) -> None:
    """Prints the comparison and writes its files."""
    if as_json:
        console.print_json(comparison.as_dict())
    else:
        _print(comparison)
    _write_files(comparison, files)
    for name, path in chosen(files).items():
        tests = f" and {pairs_path(path)}" if name == "csv" and comparison.pairs else ""
        console.note(f"Wrote {path}{tests}")


def _write_files(comparison: Comparison, files: ComparisonFiles) -> None:
    """Writes the files of a comparison."""
    if files.csv is not None:
        write_csv(files.csv, comparison)
    if files.markdown is not None:
        write_markdown(files.markdown, comparison)
    if files.figure is not None:
        undrawn = write_figure(files.figure, comparison)
        if undrawn:
            console.note(f"Not plotted, because the values read are unknown: {'; '.join(undrawn)}")


def _print(comparison: Comparison) -> None:
    """Prints published results, tests between pairs, the table with its legend, and the lowest error last."""
    on = comparison.conditions
    if comparison.published_only:
        console.print_rows(*published_table(comparison), title="Published results on this task, of other models")
    if comparison.pairs:
        console.print_rows(*pair_table(comparison), title=pair_title(comparison), names=2)
    title = f"{on.data}: {comparison.n:,} {comparison.part_name}; measured on {on.device}, threads: {on.threads}"
    console.print_rows(*table(comparison), title=title)
    for line in legend(comparison):
        console.note(line)
    if on.left_out is not None:
        console.note(f"left out: {on.left_out}")
    console.print_line(headline(comparison))
