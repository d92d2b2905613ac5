"""What `glimpse train-classifier` and its kin do between parsing and the exit code: one engine for every kind of model."""

import math
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import torch
from torch import nn

from glimpse import environment
from glimpse.commands import console
from glimpse.settings.catalog import OF_THE_DATA
from glimpse.training.engine import Record, Trainer
from glimpse.training.loop import RunFolder, StoppedError, read_config, train_in
from glimpse.training.record import budget, joined_processes, refuse_differences, task_facts

__all__ = ["Kind", "train"]


class Kind(Protocol):
    """What training takes that differs between kinds of models; a module of functions with these names is one."""

    COMMAND: str

    def default_folder(self, options: dict[str, Any], chosen: dict[str, Any]) -> Path:
        """Returns the folder of a run that names none."""
        ...

    def new_run(
        self, options: dict[str, Any], chosen: dict[str, Any], device: torch.device, threads: int
    ) -> tuple[dict[str, Any], Any]:
        """Returns the settings of a new run and its data."""
        ...

    def data_of(self, run: dict[str, Any], options: dict[str, Any], device: torch.device) -> Any:
        """Returns the data of a run that goes on."""
        ...

    def build(self, run: dict[str, Any], data: Any, device: torch.device) -> Trainer:
        """Returns a fresh trainer for a run's settings."""
        ...

    def draw(self, model: nn.Module, data: Any) -> Callable[[nn.Module], bytes] | None:
        """Returns what draws a model's doings as a PNG while it trains, None where there is nothing to draw."""
        ...

    def status(self, values: dict[str, float]) -> str:
        """Returns a few words on how training goes."""
        ...

    def last_words(self, folder: RunFolder, trainer: Trainer, run: dict[str, Any]) -> Iterator[str]:
        """Yields lines on how training went and what to do next."""
        ...


def train(kind: Kind, options: dict[str, Any], chosen: dict[str, Any], *, again: bool = True) -> int:
    """Trains as the options say and returns the exit code: 0, or 128 plus the number of the signal that stopped it.

    Args:
        kind: What is trained.
        options: All options by name.
        chosen: Those of the settings that were given explicitly.
        again: Whether to say, when a signal stops it, how to go on.
    """
    device = environment.choose_device(options["device"])
    folder = RunFolder(options["out"] or kind.default_folder(options, chosen))
    resumed = options["resume"] and folder.started
    if resumed:
        run = folder.config
        if run["command"] != kind.COMMAND:
            raise ValueError(f"{folder.path} was started by glimpse {run['command']}: continue it with that")
        refuse_differences(run, _asked(options, chosen, run))
        processes = int(os.environ.get("WORLD_SIZE", "1"))
        if processes != run["environment"].get("processes", 1):
            raise ValueError(f"the run was started with {run['environment']['processes']} processes, not {processes}: use as many")
        threads = environment.use_threads(options["threads"] or run["environment"]["threads"])
    else:
        if int(os.environ.get("RANK", "0")) == 0:
            folder.refuse_occupied()
        threads = environment.use_threads(options["threads"])
    with joined_processes(device) as rank:
        if resumed:
            data = kind.data_of(run, options, device)
        else:
            run, data = kind.new_run(options, chosen, device, threads)
        if run["training"]["deterministic"]:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.use_deterministic_algorithms(True)
        trainer = kind.build(run, data, device)
        if rank == 0 and not resumed:
            folder.start(run)  # last, so that a start that fails leaves no folder behind
        return _train(kind, folder, trainer, run, kind.draw(trainer.task.model, data), options["checkpoint_every"], again)


def _asked(options: dict[str, Any], chosen: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    """Returns all settings that the options ask of a run that goes on: those of `--config`, those chosen, and the budget."""
    asked: dict[str, Any] = {}
    if options["config_file"] is not None:
        base = read_config(options["config_file"])
        asked = base["training"] | {name: value for name, value in base["model"].items() if name not in OF_THE_DATA}
        asked |= base["data"].get("recipe", {})
    sizes = run["data"].get("sizes") or run["data"]["digits"]["sizes"]
    threads = {"threads": options["threads"]} if options["threads"] is not None else {}
    return asked | chosen | threads | budget(options, chosen, sizes["train"])


def _train(
    kind: Kind,
    folder: RunFolder,
    trainer: Trainer,
    run: dict[str, Any],
    draw: Callable[[nn.Module], bytes] | None,
    checkpoint_every: float,
    again: bool,
) -> int:
    """Trains with a progress bar and returns the exit code."""
    facts = {"model": type(trainer.task.model).__name__, "config": run["model"], "task": task_facts(run["data"])}
    total = trainer.config.steps * trainer.config.batch_size
    state = folder.load(trainer.device)
    start = folder.images_seen(state, total)
    if start >= total:
        if trainer.rank == 0:
            console.note(f"{folder.path} is finished: {total:,} images. Evaluate it with: glimpse evaluate {folder.path}")
        return 0
    with _SignalWatch() as asked:
        records = train_in(folder, trainer, facts, checkpoint_every=checkpoint_every, draw=draw, stop=asked)
        try:
            if trainer.rank == 0:
                console.note(f"{'Resuming' if start else 'Training'} in {folder.path} on {run['environment']['device']}")
                _show(records, kind.status, total, start)
                if not math.isfinite(trainer.best):
                    raise ValueError(
                        f"no validation gave a number, so {folder.path} holds no weights: lower --learning-rate or "
                        "--clip-norm, and look at metrics.csv there"
                    )
                for line in kind.last_words(folder, trainer, run):
                    console.note(line)
            else:
                deque(records, maxlen=0)
        except StoppedError as stopped:
            if trainer.rank == 0 and again:
                console.note(f"Stopped; continue with: glimpse {kind.COMMAND} --resume --out {folder.path}")
            return stopped.code
    return 0


def _show(records: Iterator[Record], status: Callable[[dict[str, float]], str], total: int, start: int) -> None:
    """Runs a training to its end with a progress bar and its latest numbers."""
    latest: dict[str, float] = {}
    with console.ProgressView("Training", total, start=start) as view:
        for record in records:
            latest |= record.values
            view.update(record.images, status(latest))
            if record.message:
                view.say(f"Warning: {record.message}")


class _SignalWatch:
    """Context in which SIGTERM and SIGINT are noted instead of killing; gives a function that returns 128 + signal, or None."""

    def __init__(self) -> None:
        self.code: int | None = None

    def __enter__(self) -> Callable[[], int | None]:
        self._before = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}
        return lambda: self.code

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.code = 128 + number
