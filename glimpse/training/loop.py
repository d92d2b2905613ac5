"""Training in a run's folder: from the latest checkpoint to the end of the budget, everything written along the way.

Every file but TensorBoard's is written so that a kill at any moment leaves the old one or the new one. After a resume the rows that
the checkpoint did not know of are taken back and come again.
"""

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

from glimpse.models.weights import WEIGHTS, save_weights
from glimpse.training.engine import Record, Trainer
from glimpse.training.folder import TIMES, RunFolder, first_line
from glimpse.training.metrics_log import MetricsLog

__all__ = ["StoppedError", "train_in"]

SNAPSHOTS = 30
"""How many times weights alone are kept over a whole run."""

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
    draw: Callable[[torch.nn.Module], bytes] | None = None,
    stop: Callable[[], int | None] = lambda: None,
) -> Iterator[Record]:
    """Trains to the end of the budget from the folder's latest checkpoint, writing everything; yields the trainer's records.

    Args:
        folder: A run that has been started.
        trainer: Fresh; it takes up the checkpoint.
        facts: What goes into the weights' file beside the weights.
        checkpoint_every: Seconds between checkpoints; there is one at every best validation and at the end, too.
        draw: Makes a PNG picture of what the model to keep does with a few images, when weights alone are kept and
            none was made for a while.
        stop: Asked after every step; an exit code stops the training.

    Raises:
        StoppedError: If `stop` asked for it; the state has been saved.
        TrainingDivergedError: As the trainer does; the last good checkpoint is left in place.
    """
    state = folder.load(trainer.device)
    before = 0.0
    if state is not None:
        try:
            trainer.restore(state["trainer"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise ValueError(f"{folder.path}'s checkpoint does not fit its config.json ({first_line(error)})") from error
        before = float(state["seconds"])
    if trainer.rank > 0:
        yield from _follow(trainer, stop)
        return
    folder.prepare()
    began = saved = time.monotonic()
    drawn = -math.inf
    snapshots = [count for count in _snapshot_counts(trainer) if count > trainer.images]
    with MetricsLog(folder, _columns(trainer), trainer.images) as log:

        def save(best: bool) -> None:
            log.sync()
            folder.save({"trainer": trainer.state(), "seconds": before + time.monotonic() - began}, best=best)

        for record in trainer.fit():
            good = trainer.skipped_in_row == 0  # a state that steps are being skipped in is not worth going back to
            if record.kind == "metrics":
                log.write(record.images, {"seconds": round(before + time.monotonic() - began, 2)} | record.values)
            if record.best:
                save_weights(folder.path / WEIGHTS, trainer.model.state_dict(), facts)
            if snapshots and record.images >= snapshots[0] and good:
                snapshots = [count for count in snapshots if count > record.images]
                save_weights(folder.checkpoints / f"weights-{record.images:010d}.safetensors", trainer.model.state_dict(), facts)
                if draw is not None and (trainer.finished or time.monotonic() - drawn >= DRAW_EVERY):
                    log.write_picture(record.images, draw(trainer.model))
                    drawn = time.monotonic()
            if record.kind == "warning":
                yield record
                continue
            code = _agreed(trainer, stop())
            due = code or time.monotonic() - saved >= checkpoint_every
            if record.best or trainer.finished or (due and good):
                save(record.best)
                saved = time.monotonic()
            yield record
            if code:
                raise StoppedError(code)


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
    """Returns the image counts at which weights alone are kept, from the first step to the last."""
    steps = {round(math.exp(math.log(trainer.config.steps) * i / (SNAPSHOTS - 1))) for i in range(SNAPSHOTS)}
    return [step * trainer.config.batch_size for step in sorted(steps)]
