"""Sweeps as Python calls, and several workers at a time."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from glimpse import environment
from glimpse.listener import Listener
from glimpse.settings.catalog import setting_names
from glimpse.settings.draw import generator_setting_names
from glimpse.settings.record import check_output
from glimpse.settings.requests import ClassifierSweepRequest, GeneratorSweepRequest, Machine, SweepRequest, from_options
from glimpse.settings.variation import ModelKind, Variation, parse_variation
from glimpse.sweeping.results import SweepResult, read_sweep
from glimpse.sweeping.trials import SweepWatch, run_trials
from glimpse.training.loop import StoppedError
from glimpse.training.signals import interruptions

__all__ = ["run_sweep", "sweep_classifier", "sweep_generator"]

_POLL = 0.5  # seconds between two looks at the workers


def sweep_classifier(
    vary: Sequence[str | Variation], out: str | Path, *, listener: Listener | None = None, **options: Any
) -> SweepResult:
    """Searches for settings of a classifier's training: trains trials whose settings are chosen by what earlier ones reached.

    Every trial is an ordinary run in a folder of its own, which every other command opens. The same call continues a sweep that was
    stopped or killed: its trials resume from their checkpoints.

    Args:
        vary: Settings with their values, such as `learning_rate=1e-4:1e-2:log`, `dropout=0:0.5` or `window=8,10,12`.
        out: The sweep's folder.
        listener: Hears of trials, notes and warnings.
        options: `trials`, `study`, `workers`, `prune`, `sampler_seed`, `figure`, and options of `train_classifier` that all trials
            share.

    Returns:
        The trials, the best of them and the importance of each setting.

    Raises:
        TypeError: If there is no such option.
        ValueError: If options contradict each other, or the folder holds another sweep.
        FileNotFoundError: If the data are not available.
        StoppedError: If a signal stopped the sweep; its state is saved, and the same call continues it.
    """
    asked = {"vary": _variations(vary, "classifier"), "out": Path(out), **options}
    return run_sweep(from_options(ClassifierSweepRequest, asked, setting_names()), SweepWatch(listener or Listener()))


def sweep_generator(
    vary: Sequence[str | Variation], out: str | Path, *, listener: Listener | None = None, **options: Any
) -> SweepResult:
    """Searches for settings of a generator's training.

    Arguments, result and errors are those of `sweep_classifier`, with the options of `train_generator`.
    """
    asked = {"vary": _variations(vary, "generator"), "out": Path(out), **options}
    return run_sweep(from_options(GeneratorSweepRequest, asked, generator_setting_names()), SweepWatch(listener or Listener()))


def run_sweep(request: SweepRequest, watch: SweepWatch | None = None) -> SweepResult:
    """Runs a sweep to its number of trials, in this process or in several others.

    Args:
        request: The sweep.
        watch: Observes it; trainings in other processes are not shown.

    Raises:
        ValueError: If settings contradict each other, the study is one of another request, or no training can be started.
        FileNotFoundError: If the data are not available.
        StoppedError: If a signal stopped the sweep.
    """
    watch, sweep = watch or SweepWatch(), request.sweep
    _check(request)
    if sweep.workers == 1:
        run_trials(request, watch)
    else:
        _run_workers(request, watch.listener)
    found = read_sweep(sweep.out, sweep.study)
    if sweep.figure is not None:
        from glimpse.sweeping.figure import sweep_figure  # matplotlib is not needed before

        sweep_figure(found, sweep.figure)
    return found


def _variations(vary: Iterable[str | Variation], kind: ModelKind) -> tuple[Variation, ...]:
    """Returns variations from their notation."""
    return tuple(parse_variation(each, kind) if isinstance(each, str) else each for each in vary)


def _check(request: SweepRequest) -> None:
    """Raises ValueError if a setting is both varied and fixed, or the sweep cannot run here."""
    fixed = {*request.training.settings} | ({"images"} if request.training.run.epochs is not None else set())
    if isinstance(request, ClassifierSweepRequest) and request.training.images.distort is not None:
        fixed |= {"distort"}
    both = [variation.name for variation in request.sweep.vary if variation.name in fixed]
    if both:
        raise ValueError(f"{both[0]} is both varied and fixed: leave one of them out")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ValueError("a sweep does not run under torchrun: use --workers")
    if request.sweep.figure is not None:
        check_output("--figure", request.sweep.figure, ".png")


def _run_workers(request: SweepRequest, listener: Listener) -> None:
    """Runs the trials in several processes, and reports every trial that ends."""
    context, workers = multiprocessing.get_context("spawn"), []
    share = _share(request)
    for _ in range(request.sweep.workers):
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(share, sender, os.getpid()))
        process.start()
        sender.close()
        workers.append((process, receiver))
    errors: list[str] = []
    with interruptions() as asked:
        while any(process.is_alive() for process, _ in workers):
            for _, receiver in workers:
                _hear(receiver, listener, errors)
            if asked() is not None:
                for process, _ in workers:
                    process.terminate()  # SIGTERM: its training is saved
                break
            time.sleep(_POLL)
    for process, receiver in workers:
        process.join()
        _hear(receiver, listener, errors)
    code = asked()
    if code is not None:
        raise StoppedError(code)
    if errors:
        raise ValueError(errors[0])
    crashed = [process.exitcode for process, _ in workers if process.exitcode]
    if crashed:
        raise ValueError(f"{len(crashed)} of {len(workers)} workers ended with exit code {crashed[0]}: the same call continues")


def _hear(receiver: Connection, listener: Listener, errors: list[str]) -> None:
    """Passes on what a worker reports."""
    try:
        while receiver.poll():
            kind, text = receiver.recv()
            {"note": listener.note, "warning": listener.warn, "error": errors.append}[kind](text)
    except EOFError:
        return


def _share(request: SweepRequest) -> SweepRequest:
    """Returns a request that can be sent to a worker, with its share of the threads."""
    training, workers = request.training, request.sweep.workers
    threads = training.machine.threads or max(1, environment.usable_cores() // workers)
    machine = Machine(training.machine.device, threads)
    if isinstance(request, ClassifierSweepRequest):
        return replace(request, training=replace(request.training, settings=dict(training.settings), machine=machine))
    return replace(request, training=replace(request.training, settings=dict(training.settings), machine=machine))


class _Reporter(Listener):
    """Sends notes and warnings to the process that started the workers.

    Args:
        sender: Connection to it.
    """

    def __init__(self, sender: Connection) -> None:
        self.sender = sender

    def note(self, message: str) -> None:
        """Sends a note."""
        self._send("note", message)

    def warn(self, message: str) -> None:
        """Sends a warning."""
        self._send("warning", message)

    def _send(self, kind: str, message: str) -> None:
        with suppress(OSError):  # the other process has ended
            self.sender.send((kind, message))


def _work(request: SweepRequest, sender: Connection, parent: int) -> None:
    """Runs trials in a process of its own until none is left, a signal arrives or the parent process ends."""
    stop = lambda: 128 + signal.SIGTERM if os.getppid() != parent else None  # noqa: E731
    try:
        run_trials(request, SweepWatch(_Reporter(sender), stop=stop))
    except StoppedError as stopped:
        raise SystemExit(stopped.code) from None
    except (ValueError, OSError) as error:
        sender.send(("error", str(error)))
        raise SystemExit(1) from None
