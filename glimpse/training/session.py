"""Starting, resuming and running a training, in one process or several."""

import contextlib
import math
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch

from glimpse import environment
from glimpse.settings.base import from_mapping
from glimpse.settings.training import TrainingConfig
from glimpse.training.engine import Record, Trainer
from glimpse.training.folder import RunFolder
from glimpse.training.lock import locked
from glimpse.training.loop import StoppedError, latest_state, train_in
from glimpse.training.plan import Picture, TrainingPlan
from glimpse.training.processes import joined_processes
from glimpse.training.record import image_facts, task_facts
from glimpse.training.resuming import extension_note, processes_note, record_to_resume
from glimpse.training.signals import interruptions
from glimpse.training.speed import bfloat16_slowdown, choose_steps
from glimpse.training.threads import choose_threads

__all__ = ["Training", "TrainingResult", "opened_training", "run_training"]

D = TypeVar("D")


@dataclass(frozen=True)
class TrainingResult:
    """Summary of a training.

    Attributes:
        folder: Folder with settings, weights, metrics and checkpoints.
        images: Number of images seen.
        metric: Validation metric that selects the best weights: `error` in percent, or `bound` in nats.
        best: Lowest value of the metric; NaN for a finished run without checkpoints.
        finished: Whether the budget is spent, or the training stopped early.
    """

    folder: Path
    images: int
    metric: str
    best: float
    finished: bool

    def as_dict(self) -> dict[str, Any]:
        """Returns the fields by name, in JSON's types."""
        return asdict(self) | {"folder": str(self.folder)}


class Training:
    """A training that is ready to run.

    Args:
        folder: Folder of the run, which is started.
        record: Content of its config.json.
        trainer: New trainer; `records` restores the latest checkpoint.
        picture: Draws the model's windows during training; None for no pictures.

    Attributes:
        start: Number of images seen at the latest checkpoint.
        total: Number of images at the end of the budget.
        finished: Whether the training had ended before it was opened.
    """

    def __init__(self, folder: RunFolder, record: dict[str, Any], trainer: Trainer, picture: Picture | None) -> None:
        self.folder, self.record, self.trainer, self._picture = folder, record, trainer, picture
        self.total = trainer.config.total_images
        state = latest_state(folder, trainer)
        counters: dict[str, Any] = {} if state is None else state["trainer"]["counters"]
        self.start = folder.images_seen(state, self.total)
        self.finished = self.start >= self.total or trainer.config.stops_early(counters.get("stale", 0))  # older versions have none
        self._best = float(counters.get("best", math.inf))
        folder.check_weights(self._best)

    def records(self, checkpoint_every: float = 60.0, stop: Callable[[], int | None] = lambda: None) -> Iterator[Record]:
        """Trains to the end of the budget and writes all files of the run; yields the trainer's records.

        Args:
            checkpoint_every: Seconds between checkpoints.
            stop: Called after every step; a returned exit code stops the training.

        Raises:
            StoppedError: If `stop` returned an exit code; the state is saved before.
            TrainingDivergedError: If many consecutive steps had no finite loss or gradient.
            ValueError: If no validation was finite, so that there are no weights.
        """
        task = self.trainer.task
        facts = {"model": type(task.model).__name__, "config": self.record["model"], "task": task_facts(self.record["data"])}
        facts |= image_facts(self.record["data"])
        yield from train_in(self.folder, self.trainer, facts, checkpoint_every=checkpoint_every, draw=self._picture, stop=stop)
        if self.trainer.rank == 0 and not math.isfinite(self.trainer.best):
            raise ValueError(
                f"no validation was finite, so {self.folder.path} holds no weights: lower --learning-rate or --clip-norm, "
                "and look at metrics.csv there"
            )

    def result(self) -> TrainingResult:
        """Returns the summary of the training."""
        metric, trainer = self.trainer.task.validation_metrics[0], self.trainer
        if self.finished and trainer.step == 0:  # finished before, and not run again
            best = self._best if math.isfinite(self._best) else math.nan
            return TrainingResult(self.folder.path, self.start, metric, best, finished=True)
        return TrainingResult(self.folder.path, trainer.images, metric, trainer.best, trainer.finished)


@contextlib.contextmanager
def opened_training(plan: TrainingPlan[D]) -> Iterator[Training]:
    """Context with a training that is ready to run: a new run, whose folder is started, or a resumed one.

    Under torchrun, the context has a process group.

    Args:
        plan: Plan of the training.

    Raises:
        ValueError: If settings contradict each other or those of the resumed run, or the folder holds something else.
        FileNotFoundError: If the data are not available.
    """
    device = environment.choose_device(plan.machine.device)
    folder = RunFolder(plan.run.out or plan.default_folder())
    record = record_to_resume(plan, folder)
    if record is None and int(os.environ.get("RANK", "0")) == 0:
        folder.refuse_occupied()
    before = plan.machine.threads if record is None else plan.machine.threads or record["environment"]["threads"]
    threads = environment.use_threads(before)
    with joined_processes(device) as rank, contextlib.ExitStack() as held:
        resumed = record is not None
        if record is not None:
            if rank == 0:
                held.enter_context(locked(folder.path))
            data = plan.data_of(record, device)
        else:
            record, data = plan.new_run(device, threads)
            _choose_threads(plan, record, data, device)
            _choose_steps(plan, record, data, device)
        if record["training"].get("deterministic", False):
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.use_deterministic_algorithms(True)
        trainer = plan.build(record, data, device)
        if rank == 0 and resumed:
            _continue(plan, folder, record, trainer.world)
        elif rank == 0:
            held.enter_context(_started(plan, folder, record))  # last, so that a failed start leaves no folder
        yield Training(folder, record, trainer, plan.picture(trainer.task.model, data))


def _continue(plan: TrainingPlan[D], folder: RunFolder, record: dict[str, Any], processes: int) -> None:
    """Records a larger budget of a resumed run, and tells the listener of it and of another number of processes."""
    before = folder.config
    note = processes_note(record, processes)
    if note is not None:
        plan.listener.note(note)
    if record["training"] != before["training"]:
        folder.write_config(record)
        plan.listener.note(extension_note(before, record))


@contextlib.contextmanager
def _started(plan: TrainingPlan[D], folder: RunFolder, record: dict[str, Any]) -> Iterator[None]:
    """Context with the folder of a new run, started and locked."""
    folder.path.mkdir(parents=True, exist_ok=True)
    with locked(folder.path):
        if plan.run.resume and folder.started:
            raise ValueError(f"another process has started a run in {folder.path} and ended: give the same command again")
        folder.start(record)
        yield


def _choose_threads(plan: TrainingPlan[D], record: dict[str, Any], data: D, device: torch.device) -> None:
    """Sets and records the fastest number of threads, unless one is requested or the training is too short to be timed."""
    eager = record | {"training": record["training"] | {"compile": False}}
    choice = choose_threads(lambda: plan.build(eager, data, device), plan.machine.threads, device)
    if choice is not None:
        rates = {str(threads): round(rate, 1) for threads, rate in choice.images_per_second.items()}
        record["environment"] |= {"threads": choice.threads, "images_per_second_by_threads": rates}
        plan.listener.note(str(choice))


def _choose_steps(plan: TrainingPlan[D], record: dict[str, Any], data: D, device: torch.device) -> None:
    """Chooses and records the precision, if it is `auto`, and whether the model is compiled, unless the request states that."""
    config = from_mapping(TrainingConfig, record["training"])
    if config.precision == "bf16" and device.type == "cpu" and (ratio := bfloat16_slowdown()) > 1:
        plan.listener.note(f"Products in bfloat16 take {ratio:.1f} times as long as in float32 on this CPU: try --precision auto")
    several = "WORLD_SIZE" in os.environ
    stated = several or "compile" in plan.settings or plan.run.config is not None or config.compile
    may_compile = not (stated or config.cuda_graph or config.deterministic) and device.type == "cpu"
    if several and config.precision == "auto":
        config = replace(config, precision="fp32")  # all processes have to choose the same
    choice = choose_steps(
        lambda training: plan.build(record | {"training": asdict(training)}, data, device), config, may_compile=may_compile
    )
    record["training"] = asdict(choice.config)
    if choice.images_per_second:
        record["environment"]["images_per_second_by_steps"] = {
            name: round(rate, 1) for name, rate in choice.images_per_second.items()
        }
    for note in choice.notes:
        plan.listener.note(note)


def run_training(plan: TrainingPlan[D], progress: Callable[[Record], None] | None = None) -> TrainingResult:
    """Trains to the end of the budget and returns a summary.

    In the main thread, an interruption stops the training after its step and saves its state, so that `resume` continues there.

    Args:
        plan: Plan of the training.
        progress: Called with every record of the training. If it raises, the run continues from its last checkpoint.

    Raises:
        ValueError: As `opened_training`, or if the training diverges.
        FileNotFoundError: If the data are not available.
        KeyboardInterrupt: If the training was interrupted; its state is saved.
        SystemExit: If the process was asked to end; its state is saved.
    """
    with opened_training(plan) as training:
        if not training.finished:
            with interruptions() as stop:
                try:
                    for each in training.records(plan.run.checkpoint_every, stop=stop):
                        if each.message:
                            plan.listener.warn(each.message)
                        if progress is not None:
                            progress(each)
                except StoppedError as stopped:
                    if stopped.code == 128 + signal.SIGINT:
                        raise KeyboardInterrupt from stopped
                    raise SystemExit(stopped.code) from stopped
        return training.result()
