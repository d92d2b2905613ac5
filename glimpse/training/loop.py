"""Training in the folder of a run, from the latest checkpoint to the end of the budget.

`glimpse.training.folder` describes the files.
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from glimpse.models.weights import WEIGHTS, save_weights
from glimpse.settings.record import METRICS, check_facts
from glimpse.training.engine import Record, Trainer
from glimpse.training.folder import TIMES, RunFolder, first_line
from glimpse.training.metrics_log import MetricsLog
from glimpse.training.plan import Picture

__all__ = ["StoppedError", "latest_state", "train_in"]

SNAPSHOTS = 30
"""Largest number of snapshots of the weights in a run."""

DRAW_EVERY = 20.0
"""Least number of seconds between two pictures of trajectories; the last one is always drawn."""


class StoppedError(Exception):
    """Raised if the training was asked to stop, after its state is saved.

    Attributes:
        code: Exit code of the process.
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
    """Trains from the latest checkpoint to the end of the budget and writes all files of the run; yields the trainer's records.

    Args:
        folder: Folder of a started run.
        trainer: New trainer, to which the checkpoint is restored.
        facts: Metadata of the weights files.
        checkpoint_every: Seconds between checkpoints; the best validations and the end have one as well.
        draw: Returns a PNG of trajectories on some images; called with snapshots, at most every `DRAW_EVERY` seconds. No pictures
            if None.
        stop: Called after every step; a returned exit code stops the training.

    Raises:
        StoppedError: If `stop` returned an exit code; the state is saved before.
        TrainingDivergedError: As `Trainer.fit`; the last good checkpoint is kept.
        ValueError: If the checkpoint is damaged or does not fit the run's settings, or a fact could not be read again.
    """
    check_facts(json.loads(json.dumps(facts)))
    state = latest_state(folder, trainer)
    if state is not None:
        trainer.restore(state["trainer"])
        _check_metrics(folder, state.get("metrics"), trainer.images)
    seconds = 0.0 if state is None else float(state["seconds"])
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
    """Writes the files of a training: metrics, the best weights, snapshots of the weights with pictures, and checkpoints.

    Args:
        folder: Folder of the run.
        trainer: Trainer whose records are written.
        facts: Metadata of the weights files.
        log: Open log of the metrics.
        draw: Returns a PNG of trajectories; no pictures if None.
        before: Seconds that the run took until the checkpoint.
    """

    def __init__(
        self, folder: RunFolder, trainer: Trainer, facts: dict[str, Any], log: MetricsLog, draw: Picture | None, before: float
    ) -> None:
        self.folder, self.trainer, self.facts, self.log, self.draw = folder, trainer, facts, log, draw
        self.saved, self.drawn = time.monotonic(), -math.inf
        self.began = self.saved - before
        self.snapshots = [count for count in _snapshot_counts(trainer) if count > trainer.images]
        self.identity = folder.identity

    @property
    def good(self) -> bool:
        """Whether the state is worth saving: not while steps are skipped."""
        return self.trainer.skipped_in_row == 0

    def write(self, record: Record) -> None:
        """Writes the metrics of a record, the weights if they are the best, and a snapshot if one is due."""
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
        """Writes a checkpoint at the best validation, at the end, if the training stops and `every` seconds after the last one."""
        due = stopping or time.monotonic() - self.saved >= every
        if record.best or self.trainer.finished or (due and self.good):
            self.log.sync()
            state = {"trainer": self.trainer.state(), "seconds": time.monotonic() - self.began}
            state |= {"run": self.identity, "metrics": self.folder.metrics_digest(record.images)}
            self.folder.save(state, best=record.best)
            self.saved = time.monotonic()

    def _keep_weights(self, path: Path) -> None:
        save_weights(path, self.trainer.model.state_dict(), self.facts)


def latest_state(folder: RunFolder, trainer: Trainer) -> dict[str, Any] | None:
    """Returns the content of the latest checkpoint, checked against a trainer of the run's settings; None if there is none.

    Raises:
        ValueError: If it is damaged or does not fit the settings.
    """
    state = folder.load()
    if state is not None:
        try:
            trainer.checked(state["trainer"])
        except ValueError as error:
            raise ValueError(
                f"{folder.path}'s checkpoint does not fit its config.json ({first_line(error)}): restore copies of both"
            ) from error
    return state


def _check_metrics(folder: RunFolder, digest: str | None, images: int) -> None:
    """Raises ValueError if metrics.csv is none, or its rows until the checkpoint are not those that were written."""
    folder.rows()
    if digest is not None and folder.metrics_digest(images) not in (None, digest):
        raise ValueError(
            f"{folder.path / METRICS} was damaged or changed after the checkpoint was written: put back an intact copy, or remove "
            "it: only curves and speeds need it"
        )


def _follow(trainer: Trainer, stop: Callable[[], int | None]) -> Iterator[Record]:
    """Trains without writing, in every process except the first."""
    for record in trainer.fit():
        code = _agreed(trainer, stop()) if record.kind != "warning" else 0
        yield record
        if code:
            raise StoppedError(code)


def _agreed(trainer: Trainer, code: int | None) -> int:
    """Returns the largest exit code of all processes, 0 for none."""
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
    """Returns the numbers of images at which snapshots are due, from the first step to the last."""
    steps = {round(math.exp(math.log(trainer.config.steps) * i / (SNAPSHOTS - 1))) for i in range(SNAPSHOTS)}
    return [step * trainer.config.batch_size for step in sorted(steps)]
