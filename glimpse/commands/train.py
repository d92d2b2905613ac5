"""Training with a progress bar, and stopping at a checkpoint on a signal."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from glimpse.commands import console
from glimpse.training.engine import Record
from glimpse.training.loop import StoppedError
from glimpse.training.plan import TrainingPlan
from glimpse.training.session import Training, opened_training
from glimpse.training.signals import SignalWatch

__all__ = ["Words", "show_records", "train"]


class Words(NamedTuple):
    """Messages of a training.

    Attributes:
        status: Returns a short status from the latest metrics.
        last: Yields the closing lines: the result and the commands to run next.
    """

    status: Callable[[dict[str, float]], str]
    last: Callable[[Training], Iterator[str]]


def train(plan: TrainingPlan[Any], words: Words) -> int:
    """Runs a training and returns the exit code: 0, or 128 plus the number of the signal that stopped it.

    Raises:
        ValueError: If options do not fit together, the folder holds something else, or training diverges.
        OSError: If the data are not found, or a file cannot be read or written.
    """
    with opened_training(plan) as training:
        first = training.trainer.rank == 0
        if training.finished:
            if first:
                path = training.folder.path
                console.note(
                    f"{path} is finished: {training.start:,} images. Evaluate it with: glimpse evaluate {path}; extend it with: "
                    f"glimpse {plan.command} --resume --images MORE --out {path}"
                )
            return 0
        with SignalWatch() as asked:
            try:
                show_records(training, training.records(plan.run.checkpoint_every, stop=asked), words)
            except StoppedError as stopped:
                if first:
                    console.note(f"Stopped; continue with: glimpse {plan.command} --resume --out {training.folder.path}")
                return stopped.code
    return 0


def show_records(training: Training, records: Iterator[Record], words: Words) -> None:
    """Runs a training to its end.

    The first process shows a progress bar with the latest metrics; the others are silent.

    Args:
        training: The training.
        records: Its records.
        words: Its messages.
    """
    if training.trainer.rank > 0:
        deque(records, maxlen=0)
        return
    verb = "Resuming" if training.start else "Training"
    console.note(f"{verb} in {training.folder.path} on {training.record['environment']['device']}")
    latest: dict[str, float] = {}
    with console.ProgressView("Training", training.total, start=training.start) as view:
        for record in records:
            latest |= record.values
            view.update(record.images, words.status(latest))
            if record.message:
                view.say(f"Warning: {record.message}")
    if training.trainer.stopped_early:
        console.note(f"Stopped early: the last {training.trainer.stale} validations were no better than one before")
    for line in words.last(training):
        console.note(line)
