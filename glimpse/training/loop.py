"""Training in a run's folder: from the latest checkpoint to the end of the budget, everything written along the way.

Every file but TensorBoard's is written so that a kill at any moment leaves the old one or the new one. After a resume the rows that
the checkpoint did not know of are taken back and come again.
"""

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from glimpse.models.weights import WEIGHTS, save_weights
from glimpse.training.engine import Record, Trainer
from glimpse.training.folder import TIMES, RunFolder, first_line
from glimpse.training.metrics_log import MetricsLog
from glimpse.training.plan import Picture

__all__ = ["StoppedError", "train_in"]

SNAPSHOTS = 30
"""How often weights are kept along the way, over a whole run."""

DRAW_EVERY = 20.0
"""Least seconds between two pictures of where a model looks; the last one is always drawn."""


class StoppedError(Exception):
    """A signal asked the training to stop; everything is saved.

    Attributes:
        code: The process's exit code.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"stopped with exit code {code}")
        self.code = code


def train_in(
    folder: RunFolder,
    trainer: Trainer,
    facts: dict[str, Any],
    *,
    checkpoint_every: float = 60.0,
    draw: Picture | None = None,
    stop: Callable[[], int | None] = lambda: None,
) -> Iterator[Record]:
    """Trains to the end of the budget from the folder's latest checkpoint, writing everything; yields the trainer's records.

    Args:
        folder: A run that has been started.
        trainer: Fresh; it takes up the checkpoint.
        facts: What goes into the weights' file besides the weights.
        checkpoint_every: Seconds between checkpoints; there is one at every best validation and at the end, too.
        draw: Makes a PNG picture of where the model looks on a few images, when weights are kept along the way and none was
            made for a while.
        stop: Asked after every step; an exit code stops the training.

    Raises:
        StoppedError: If `stop` asked for it; the state has been saved.
        TrainingDivergedError: As the trainer does; the last good checkpoint is left in place.
    """
    seconds = _take_up(folder, trainer)
    if trainer.rank > 0:
        yield from _follow(trainer, stop)
        return
    folder.prepare()
    with MetricsLog(folder, _columns(trainer), trainer.images) as log:
        writer = _RunWriter(folder, trainer, facts, log, draw, seconds)
        for record in trainer.fit():
            writer.write(record)
            code = 0
            if record.kind != "warning":
                code = _agreed(trainer, stop())
                writer.save_if_due(record, checkpoint_every, stopping=bool(code))
            yield record
            if code:
                raise StoppedError(code)


class _RunWriter:
    """Writes what a training yields: metrics, the best weights, weights along the way with a picture, and checkpoints.

    Args:
        folder: The run's.
        trainer: Whose records are written.
        facts: What goes into the weights' files besides the weights.
        log: Open.
        draw: Makes a picture of where the model looks.
        before: Seconds that earlier parts of the run took.
    """

    def __init__(
        self, folder: RunFolder, trainer: Trainer, facts: dict[str, Any], log: MetricsLog, draw: Picture | None, before: float
    ) -> None:
        self.folder, self.trainer, self.facts, self.log, self.draw = folder, trainer, facts, log, draw
        self.saved, self.drawn = time.monotonic(), -math.inf
        self.began = self.saved - before
        self.snapshots = [count for count in _snapshot_counts(trainer) if count > trainer.images]

    @property
    def good(self) -> bool:
        """Whether the state is worth going back to: not while steps are being skipped."""
        return self.trainer.skipped_in_row == 0

    def write(self, record: Record) -> None:
        """Writes a record's metrics, and the weights where they are the best or are to be kept along the way."""
        if record.kind == "metrics":
            self.log.write(record.images, {"seconds": round(time.monotonic() - self.began, 2)} | record.values)
        if record.best:
            self._keep_weights(self.folder.path / WEIGHTS)
        if self.snapshots and record.images >= self.snapshots[0] and self.good:
            self.snapshots = [count for count in self.snapshots if count > record.images]
            self._keep_weights(self.folder.checkpoints / f"weights-{record.images:010d}.safetensors")
            if self.draw is not None and (self.trainer.finished or time.monotonic() - self.drawn >= DRAW_EVERY):
                self.log.write_picture(record.images, self.draw(self.trainer.model))
                self.drawn = time.monotonic()

    def save_if_due(self, record: Record, every: float, *, stopping: bool) -> None:
        """Writes a checkpoint at the best validation, at the end, when the training stops, and after this many seconds."""
        due = stopping or time.monotonic() - self.saved >= every
        if record.best or self.trainer.finished or (due and self.good):
            self.log.sync()
            state = {"trainer": self.trainer.state(), "seconds": time.monotonic() - self.began}
            self.folder.save(state, best=record.best)
            self.saved = time.monotonic()

    def _keep_weights(self, path: Path) -> None:
        save_weights(path, self.trainer.model.state_dict(), self.facts)


def _take_up(folder: RunFolder, trainer: Trainer) -> float:
    """Restores the folder's latest checkpoint, if there is one, and returns the seconds that the run took until then."""
    state = folder.load(trainer.device)
    if state is None:
        return 0.0
    try:
        trainer.restore(state["trainer"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise ValueError(f"{folder.path}'s checkpoint does not fit its config.json ({first_line(error)})") from error
    return float(state["seconds"])


def _follow(trainer: Trainer, stop: Callable[[], int | None]) -> Iterator[Record]:
    """Trains without writing: the part of every process but the first."""
    for record in trainer.fit():
        code = _agreed(trainer, stop()) if record.kind != "warning" else 0
        yield record
        if code:
            raise StoppedError(code)


def _agreed(trainer: Trainer, code: int | None) -> int:
    """Returns the largest exit code that any process asks for, 0 for none."""
    if trainer.world == 1:
        return code or 0
    asked = torch.tensor(code or 0, device=trainer.device)
    torch.distributed.all_reduce(asked, torch.distributed.ReduceOp.MAX)
    return int(asked)


def _columns(trainer: Trainer) -> tuple[str, ...]:
    """Returns the columns of metrics.csv."""
    validation = (f"valid_{name}" for name in trainer.task.validation_metrics)
    metrics = ("loss", *trainer.task.metrics, "grad_norm", "learning_rate", "skipped")
    return ("images", *TIMES, *metrics, *validation)


def _snapshot_counts(trainer: Trainer) -> list[int]:
    """Returns the image counts at which weights are kept along the way, from the first step to the last."""
    steps = {round(math.exp(math.log(trainer.config.steps) * i / (SNAPSHOTS - 1))) for i in range(SNAPSHOTS)}
    return [step * trainer.config.batch_size for step in sorted(steps)]
