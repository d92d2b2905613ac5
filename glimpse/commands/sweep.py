"""Output of `glimpse sweep`: progress, the table of the trials, and what to do next."""

from collections.abc import Iterator
from pathlib import Path

from glimpse.commands import console
from glimpse.commands.console import ConsoleListener
from glimpse.settings.record import check_output
from glimpse.settings.requests import SweepRequest
from glimpse.settings.variation import setting_text
from glimpse.sweeping.calls import run_sweep
from glimpse.sweeping.figure import sweep_figure
from glimpse.sweeping.results import SweepResult, SweepTrial, read_sweep
from glimpse.sweeping.trials import SweepWatch
from glimpse.training.engine import Record
from glimpse.training.loop import StoppedError
from glimpse.training.session import Training

__all__ = ["show_sweep", "sweep"]

_METRICS = {"error": "error %", "bound": "bound, nats"}


def sweep(request: SweepRequest, *, as_json: bool) -> int:
    """Runs a sweep, prints its trials and returns the exit code: 0, or 128 plus the number of the signal that stopped it.

    Raises:
        ValueError: If options do not fit together, or the folder holds another sweep.
        OSError: If the data are not found, or a file cannot be read or written.
    """
    try:
        found = run_sweep(request, SweepWatch(ConsoleListener(), _show_training))
    except StoppedError as stopped:
        console.note("Stopped; the same command continues")
        return stopped.code
    _show(found, as_json=as_json)
    if request.sweep.figure is not None:
        console.note(f"Wrote {request.sweep.figure}")
    return 0


def show_sweep(out: Path, study: Path | None, figure: Path | None, *, as_json: bool) -> None:
    """Prints the trials of a sweep as far as they are, and draws them.

    Args:
        out: The sweep's folder.
        study: File of the study; None for `study.db` in the folder.
        figure: File of a figure; None for no figure.
        as_json: Whether to print a single line of JSON.

    Raises:
        ValueError: If there is no study, or a file has the wrong extension.
        OSError: If a file cannot be read or written.
    """
    if figure is not None:
        check_output("--figure", figure, ".png")
    found = read_sweep(out, study)
    _show(found, as_json=as_json)
    if figure is not None:
        sweep_figure(found, figure)
        console.note(f"Wrote {figure}")


def _show_training(training: Training, records: Iterator[Record]) -> None:
    """Runs a training with a progress bar."""
    column = f"valid_{training.trainer.task.validation_metrics[0]}"
    with console.ProgressView(training.folder.path.name, training.total, start=training.start) as view:
        for record in records:
            value = record.values.get(column)
            view.update(record.images, "" if value is None else f"validation {value:.2f}")
            if record.message:
                view.say(f"Warning: {record.message}")


def _show(found: SweepResult, *, as_json: bool) -> None:
    """Prints a sweep."""
    if as_json:
        console.print_json(found.as_dict())
        return
    names = list(dict.fromkeys(name for trial in found.trials for name in trial.settings))
    ordered = sorted(found.trials, key=lambda trial: (trial.best is None, trial.best or 0.0))
    console.print_rows(("run", "status", _METRICS[found.metric], "images", *names), [_cells(trial, names) for trial in ordered])
    if found.importance:
        rows = [(name, f"{share:.2f}") for name, share in found.importance.items()]
        console.print_rows(("setting", "importance"), rows)
    best = found.best
    if best is not None:
        folder = found.out / best.run
        console.note(f"Best: {best.run}. Evaluate it on the test set: glimpse evaluate {folder}")
        console.note(f"Train it for longer: glimpse train-{found.kind} --config {folder} --images N --out FOLDER")
    if any(trial.status == "stopped" for trial in found.trials):
        console.note("Stopped trials are continued by the command that started the sweep")


def _cells(trial: SweepTrial, names: list[str]) -> tuple[object, ...]:
    """Returns the cells of a trial."""
    settings = (trial.settings.get(name) for name in names)
    best = None if trial.best is None else f"{trial.best:.2f}"
    return (
        trial.run,
        trial.status,
        best,
        f"{trial.images:,}",
        *(None if value is None else setting_text(value, 4) for value in settings),
    )
