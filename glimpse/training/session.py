"""A training put together and run: a new one or one that continues, in one process or several."""

import contextlib
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

from glimpse import environment
from glimpse.training.engine import Record, Trainer
from glimpse.training.folder import RunFolder
from glimpse.training.loop import StoppedError, train_in
from glimpse.training.plan import Picture, TrainingPlan
from glimpse.training.processes import joined_processes
from glimpse.training.record import refuse_differences, task_facts
from glimpse.training.threads import candidates, fastest_threads

__all__ = ["Training", "TrainingResult", "opened_training", "run_training"]

D = TypeVar("D")


@dataclass(frozen=True)
class TrainingResult:
    """How a training went.

    Attributes:
        folder: Where its settings, weights, metrics and checkpoints are.
        images: Images seen in all.
        metric: What the best weights were chosen by on validation: `error` in percent, or `bound` in nats.
        best: Its lowest value.
        finished: Whether the budget is spent.
    """

    folder: Path
    images: int
    metric: str
    best: float
    finished: bool

    def as_dict(self) -> dict[str, Any]:
        """Returns all of it for JSON."""
        return asdict(self) | {"folder": str(self.folder)}


class Training:
    """A training that is ready to run.

    Attributes:
        folder: The run's.
        record: Content of its config.json.
        trainer: Fresh; it takes up the latest checkpoint when `records` runs.
        start: Images that its latest checkpoint has seen.
        total: Images that it ends at.
    """

    def __init__(self, folder: RunFolder, record: dict[str, Any], trainer: Trainer, picture: Picture | None) -> None:
        self.folder, self.record, self.trainer, self._picture = folder, record, trainer, picture
        self.total = trainer.config.total_images
        self.start = folder.images_seen(folder.load(trainer.device), self.total)

    @property
    def finished(self) -> bool:
        """Whether the budget was spent before."""
        return self.start >= self.total

    def records(self, checkpoint_every: float = 60.0, stop: Callable[[], int | None] = lambda: None) -> Iterator[Record]:
        """Trains to the end of the budget, writing everything; yields the trainer's records.

        Args:
            checkpoint_every: Seconds between checkpoints.
            stop: Asked after every step; an exit code stops the training.

        Raises:
            StoppedError: If `stop` asked for it; the state has been saved.
            TrainingDivergedError: If many steps in a row had no finite loss or gradient.
            ValueError: If no validation gave a number, so that there are no weights.
        """
        task = self.trainer.task
        facts = {"model": type(task.model).__name__, "config": self.record["model"], "task": task_facts(self.record["data"])}
        yield from train_in(self.folder, self.trainer, facts, checkpoint_every=checkpoint_every, draw=self._picture, stop=stop)
        if self.trainer.rank == 0 and not math.isfinite(self.trainer.best):
            raise ValueError(
                f"no validation gave a number, so {self.folder.path} holds no weights: lower --learning-rate or "
                "--clip-norm, and look at metrics.csv there"
            )

    def result(self) -> TrainingResult:
        """Returns how it went."""
        metric, trainer = self.trainer.task.validation_metrics[0], self.trainer
        if self.finished and trainer.step == 0:  # it was not run now
            state = self.folder.load(torch.device("cpu"))
            best = math.nan if state is None else float(state["trainer"]["counters"]["best"])
            return TrainingResult(self.folder.path, self.total, metric, best, finished=True)
        return TrainingResult(self.folder.path, trainer.images, metric, trainer.best, trainer.finished)


@contextlib.contextmanager
def opened_training(plan: TrainingPlan[D]) -> Iterator[Training]:
    """Context of a training that is put together: a new run whose folder is started, or one that continues.

    Under torchrun its processes are joined within the context.

    Raises:
        ValueError: If a setting does not fit, or the folder holds something else.
        FileNotFoundError: If the data are not at hand.
    """
    device = environment.choose_device(plan.machine.device)
    folder = RunFolder(plan.run.out or plan.default_folder())
    resumed = plan.run.resume and folder.started
    record = folder.config if resumed else None
    if record is not None:
        _check_resumed(plan, folder, record)
        threads = environment.use_threads(plan.machine.threads or record["environment"]["threads"])
    else:
        if int(os.environ.get("RANK", "0")) == 0:
            folder.refuse_occupied()
        threads = environment.use_threads(plan.machine.threads)
    with joined_processes(device) as rank:
        if record is not None:
            data = plan.data_of(record, device)
        else:
            record, data = plan.new_run(device, threads)
            _choose_threads(plan, record, data, device)
        if record["training"]["deterministic"]:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.use_deterministic_algorithms(True)
        trainer = plan.build(record, data, device)
        if rank == 0 and not resumed:
            folder.start(record)  # last, so that a start that fails leaves no folder behind
        yield Training(folder, record, trainer, plan.picture(trainer.task.model, data))


def _choose_threads(plan: TrainingPlan[D], record: dict[str, Any], data: D, device: torch.device) -> None:
    """Sets the number of threads that trains fastest, and records it; leaves a number that was asked for, and a tiny job."""
    asked = plan.machine.threads is not None or os.environ.get("OMP_NUM_THREADS", "").isdecimal()
    cores = environment.usable_cores()
    if asked or cores == 1 or device.type != "cpu" or "WORLD_SIZE" in os.environ:
        return
    eager = record | {"training": record["training"] | {"compile": False}}
    most = min(cores, environment.MOST_THREADS)
    choice = fastest_threads(lambda: plan.build(eager, data, device), candidates(most))
    if choice is None:
        torch.set_num_threads(record["environment"]["threads"])
        return
    torch.set_num_threads(choice.threads)
    rates = {str(threads): round(rate, 1) for threads, rate in choice.images_per_second.items()}
    record["environment"] |= {"threads": choice.threads, "images_per_second_by_threads": rates}
    plan.listener.note(str(choice))


def run_training(plan: TrainingPlan[D], progress: Callable[[Record], None] | None = None) -> TrainingResult:
    """Trains as planned, to the end of the budget, and returns how it went.

    Args:
        plan: What is trained.
        progress: Called with every record of the training.

    Raises:
        ValueError: If a setting does not fit, or training diverges.
        FileNotFoundError: If the data are not at hand.
    """
    with opened_training(plan) as training:
        if not training.finished:
            with contextlib.suppress(StoppedError):
                for each in training.records(plan.run.checkpoint_every):
                    if progress is not None:
                        progress(each)
        return training.result()


def _check_resumed(plan: TrainingPlan[D], folder: RunFolder, record: dict[str, Any]) -> None:
    """Raises ValueError unless a run was started by the same command, with the settings asked for and as many processes."""
    if record["command"] != plan.command:
        raise ValueError(f"{folder.path} was started by glimpse {record['command']}: continue it with that")
    refuse_differences(record, plan.asked(record))
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if processes != record["environment"].get("processes", 1):
        raise ValueError(f"the run was started with {record['environment']['processes']} processes, not {processes}: use as many")
