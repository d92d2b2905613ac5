"""A run's folder and what is written into it while a model trains.

    config.json             what was run: settings, data, versions, device, threads, commit
    metrics.csv             a row every so many images; validation's columns are empty where none fell due
    model.safetensors       the weights that were best on validation
    checkpoints/latest.pt   all that resuming needs; best.pt the same at the best validation
    checkpoints/weights-*.safetensors   weights alone, at image counts spaced by their logarithm
    events.out.tfevents.*   the metrics for TensorBoard

Every file but the last is written so that a kill at any moment leaves the old one or the new one. After a resume the rows that the
checkpoint did not know of are taken back and come again.
"""

import csv
import io
import json
import math
import os
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch

from glimpse.atomic import leftovers, named, write_atomically
from glimpse.models.weights import WEIGHTS, save_weights
from glimpse.training.engine import Record, Trainer

__all__ = ["RunFolder", "StoppedError", "read_config", "refuse_record", "train_in"]

_METRICS = "metrics.csv"

SNAPSHOTS = 30
"""How many times weights alone are kept over a whole run."""

DRAW_EVERY = 20.0
"""Seconds that lie at least between two pictures of a model's doings, but for the last one."""

_DATA = {  # what a run records of each kind of data
    "cluttered": ("digits", "recipe"),
    "file": ("path", "sha256"),
    "generative": ("name", "source", "sha256"),
}
_TIMES = ("seconds", "images_per_second")  # columns that differ between two equal runs


class StoppedError(Exception):
    """A signal asked the training to stop; everything is saved.

    Attributes:
        code: The process's exit code.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"stopped with exit code {code}")
        self.code = code


class RunFolder:
    """The files of one run.

    Args:
        path: The folder; `start` makes it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"

    @property
    def started(self) -> bool:
        """Whether a run has begun here."""
        return (self.path / "config.json").is_file()

    @property
    def config(self) -> dict[str, Any]:
        """The run's settings.

        Raises:
            ValueError: If there is no run, or its settings cannot be read.
        """
        return read_config(self.path)

    def start(self, config: dict[str, Any]) -> None:
        """Makes the folder and writes the run's settings.

        Raises:
            ValueError: If the folder holds something already.
        """
        self.refuse_occupied()
        self.path.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path / "config.json", (json.dumps(config, indent=2, default=str) + "\n").encode())

    def refuse_occupied(self) -> None:
        """Checks that a run can start here.

        Raises:
            ValueError: If the folder holds something already.
        """
        if self.path.exists() and (not self.path.is_dir() or {*self.path.iterdir()} - {*leftovers(self.path)}):
            way = "continue the run there with --resume" if self.started else "empty it: there is no run in it"
            raise ValueError(f"{self.path} is not empty; choose another --out, or {way}")

    def prepare(self) -> None:
        """Makes the folder of checkpoints and removes what a kill left half-written."""
        self.checkpoints.mkdir(exist_ok=True)
        for part in leftovers(self.path) + leftovers(self.checkpoints):
            part.unlink()

    def save(self, state: dict[str, Any], *, best: bool = False) -> None:
        """Writes the latest checkpoint, and the best one if this is it."""
        buffer = io.BytesIO()
        torch.save(state, buffer)
        for name in ("best.pt", "latest.pt") if best else ("latest.pt",):
            write_atomically(self.checkpoints / name, buffer.getvalue())

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """Returns the latest checkpoint, None before the first one.

        Raises:
            ValueError: If the file is damaged.
        """
        file = self.checkpoints / "latest.pt"
        if not file.is_file():
            return None
        content = io.BytesIO(file.read_bytes())
        try:
            with zipfile.ZipFile(content) as archive:
                if archive.testzip() is not None:  # checks every digest, which torch does not
                    raise ValueError("a digest differs")
            content.seek(0)
            state: dict[str, Any] = torch.load(content, map_location=device, weights_only=True)
            state["trainer"]["counters"]["step"], state["seconds"]
        except Exception as error:  # a damaged byte can make the readers raise almost anything
            raise ValueError(
                f"{file} is damaged ({_first_line(error)}): copy checkpoints/best.pt over it, if that "
                f"is whole, or remove {self.path} to train again"
            ) from error
        return state

    def images_seen(self, state: Mapping[str, Any] | None, total: int) -> int:
        """Returns the images that the run has seen: 0 before the first checkpoint, all where a finished run's were removed.

        Args:
            state: The latest checkpoint, None if there is none.
            total: Images that the run ends at.

        Raises:
            ValueError: If the checkpoints of a run that was not finished were removed: it cannot go on.
        """
        if state is not None:
            return int(state["trainer"]["counters"]["step"]) * int(self.config["training"]["batch_size"])
        if not (self.path / WEIGHTS).is_file():
            return 0
        rows = self.rows()
        if rows and int(rows[-1]["images"]) >= total:
            return total
        if self.checkpoints.is_dir():  # a kill came between the first weights and their checkpoint
            return 0
        raise ValueError(
            f"{self.path} holds weights, but its checkpoints were removed, so that it cannot go on: take the weights as they "
            "are, or train in another folder"
        )

    def kept_weights(self) -> dict[int, Path]:
        """Returns the weights that were kept along the way, by the images seen until then, in their order."""
        return {int(path.stem.partition("-")[2]): path for path in sorted(self.checkpoints.glob("weights-*.safetensors"))}

    def rows(self) -> list[dict[str, str]]:
        """Returns the rows of metrics.csv that are whole, empty if there are none.

        Raises:
            ValueError: If the file is no run's.
        """
        file = self.path / _METRICS
        if not file.is_file():
            return []
        try:
            with file.open(newline="", encoding="utf-8") as stream:
                reader = csv.DictReader(stream)
                if not {"images", *_TIMES} <= {*(reader.fieldnames or ("images", *_TIMES))}:
                    raise ValueError("other columns")
                return [row for row in reader if _is_whole(row)]
        except (ValueError, csv.Error) as error:
            way = "put back a whole copy, or remove it: all but curves and speeds does without"
            raise ValueError(f"{file} is no record of a run ({_first_line(error)}): {way}") from error


def refuse_record(path: Path) -> None:
    """Checks that a file to be written is not what a run recorded, which nothing could bring back.

    Raises:
        ValueError: If it is.
    """
    file = path.resolve()
    if file.name.lower() == _METRICS and RunFolder(file.parent).started:
        raise ValueError(f"{path} is the record of a run: choose another name, or another folder")


def _is_whole(row: Mapping[str | None, str | None]) -> bool:
    """Returns whether every column of a row of metrics.csv, and no other, holds a number, or nothing where none fell due."""
    if None in row or None in row.values() or not all(row[name] for name in _TIMES):
        return False
    try:
        int(row["images"] or "")
        [float(value) for value in row.values() if value]
    except ValueError:
        return False
    return True


def read_config(path: Path) -> dict[str, Any]:
    """Returns the settings in a run's folder or in a file like its config.json.

    Raises:
        ValueError: If there is no such file, or it does not hold a run's settings.
    """
    file = path / "config.json" if path.is_dir() else path
    try:
        config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path} is no run's folder: it has no config.json") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is not JSON ({error}): put back a whole copy, or train again in another folder") from error
    sections = config if isinstance(config, dict) else {}
    missing = [name for name in ("model", "training", "data", "environment") if not isinstance(sections.get(name), dict)]
    missing += [name for name in ("command", "preset") if name not in sections]
    if "data" not in missing and not {*_DATA.get(sections["data"].get("kind"), ("kind",))} <= sections["data"].keys():
        missing.append("data")
    if missing:
        raise ValueError(f"{file} does not hold a run's settings: {', '.join(missing)} missing or damaged")
    return config


class MetricsLog:
    """Writes metrics.csv and TensorBoard's events; opening it takes back the rows after so many images.

    Args:
        folder: The run's folder.
        columns: Names of the columns.
        images: Images that the trainer has seen.
    """

    def __init__(self, folder: RunFolder, columns: tuple[str, ...], images: int) -> None:
        self.folder, self.columns, self.images = folder, columns, images

    def __enter__(self) -> Self:
        from glimpse.training.events import EventFile

        file = self.folder.path / _METRICS
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for row in self.folder.rows() if int(row["images"]) <= self.images)
        write_atomically(file, text.getvalue().encode())
        self._file = file.open("a", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._file, self.columns, lineterminator="\n")
        self._board = EventFile(self.folder.path, self.images)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._board.close()
        self._file.close()

    def write(self, images: int, values: dict[str, float]) -> None:
        """Writes one row."""
        with named(Path(self._file.name)):
            self._writer.writerow({"images": images} | values)
            self._file.flush()
        self._board.write(images, {name.replace("valid_", "valid/", 1): value for name, value in values.items()})

    def write_picture(self, images: int, png: bytes) -> None:
        """Writes what the model does with a few images, for TensorBoard."""
        self._board.write_picture(images, "trajectories", png)

    def sync(self) -> None:
        """Makes sure that the rows are on the disk before a checkpoint that counts on them."""
        with named(Path(self._file.name)):
            os.fsync(self._file.fileno())


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
            raise ValueError(f"{folder.path}'s checkpoint does not fit its config.json ({_first_line(error)})") from error
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


def _first_line(error: Exception) -> str:
    """Returns the first line of an error's message, or its type where it has none."""
    return (str(error).splitlines() or [type(error).__name__])[0]


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
    return ("images", *_TIMES, *metrics, *validation)


def _snapshot_counts(trainer: Trainer) -> list[int]:
    """Returns the image counts at which weights alone are kept, from the first step to the last."""
    steps = {round(math.exp(math.log(trainer.config.steps) * i / (SNAPSHOTS - 1))) for i in range(SNAPSHOTS)}
    return [step * trainer.config.batch_size for step in sorted(steps)]
