"""The folder of a run: its files and how they are read.

    config.json             settings, data, versions, device, threads and commit of the run
    metrics.csv             one row per logging interval; validation columns are empty if no validation was due
    model.safetensors       the weights with the best validation
    checkpoints/latest.pt   the state to resume from; best.pt is that of the best validation
    checkpoints/weights-*.safetensors   weights only, at logarithmically spaced numbers of images
    events.out.tfevents.*   the metrics for TensorBoard
    .lock                   while a process trains in the folder: see `glimpse.training.lock`

All files but the last two are written atomically. All but the metrics hold the SHA-256 of their content; a checkpoint also has that
of the settings and of the rows of metrics.csv until then. A resumed run drops later rows and writes them again.
"""

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glimpse.atomic import leftovers, write_atomically
from glimpse.digest import sha256_of_blocks
from glimpse.models.weights import WEIGHTS, load_weights
from glimpse.settings.record import DIGEST, METRICS, check_record, digest_of_record, read_config
from glimpse.training.checkpoint import packed, unpacked
from glimpse.training.lock import LOCK

__all__ = ["TIMES", "RunFolder", "first_line"]

TIMES = ("seconds", "images_per_second")
"""Columns of metrics.csv that differ between two equal runs."""


class RunFolder:
    """The files of one run.

    Args:
        path: Path of the folder; `start` makes it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"

    @property
    def started(self) -> bool:
        """Whether the folder holds a run."""
        return (self.path / "config.json").is_file()

    @property
    def config(self) -> dict[str, Any]:
        """Content of config.json.

        Raises:
            ValueError: If the folder holds no run, or its settings are damaged.
        """
        return read_config(self.path)

    @property
    def identity(self) -> str:
        """Digest of the settings that the run was started with: of config.json without the budgets, which may grow.

        Raises:
            ValueError: As `config`.
        """
        config = {name: value for name, value in self.config.items() if name != "budgets"}
        training = {name: value for name, value in config["training"].items() if name != "images"}
        return digest_of_record(config | {"training": training})

    def start(self, config: dict[str, Any]) -> None:
        """Makes the folder and writes config.json.

        Raises:
            ValueError: If the folder is not empty.
        """
        self.refuse_occupied()
        self.path.mkdir(parents=True, exist_ok=True)
        self.write_config(config)

    def write_config(self, config: dict[str, Any]) -> None:
        """Writes config.json with its digest.

        Raises:
            ValueError: If the record could not be read again, since a field is missing in its schema.
        """
        check_record(json.loads(json.dumps(config, default=str)))
        content = json.dumps(config | {DIGEST: digest_of_record(config)}, indent=2, default=str) + "\n"
        write_atomically(self.path / "config.json", content.encode())

    def refuse_occupied(self) -> None:
        """Checks that a run can start in the folder.

        Raises:
            ValueError: If the folder is not empty.
        """
        if self.path.exists() and (not self.path.is_dir() or {*self.path.iterdir()} - {self.path / LOCK, *leftovers(self.path)}):
            remedy = "continue the run there with --resume" if self.started else "empty it: there is no run in it"
            raise ValueError(f"{self.path} is not empty; choose another --out, or {remedy}")

    def prepare(self) -> None:
        """Makes the folder of checkpoints and removes temporary files of killed writes."""
        self.checkpoints.mkdir(exist_ok=True)
        for part in leftovers(self.path) + leftovers(self.checkpoints):
            part.unlink()

    def save(self, state: dict[str, Any], *, best: bool = False) -> None:
        """Writes the latest checkpoint, and the best one if `best` is true."""
        content = packed(state)
        for name in ("best.pt", "latest.pt") if best else ("latest.pt",):
            write_atomically(self.checkpoints / name, content)

    def load(self) -> dict[str, Any] | None:
        """Returns the content of the latest checkpoint with its tensors on the CPU, None if there is none.

        If only the best one is left, as after a kill between the two, it is that one.

        Raises:
            ValueError: If the file is damaged or is the checkpoint of another run.
        """
        file = next((file for name in ("latest.pt", "best.pt") if (file := self.checkpoints / name).is_file()), None)
        if file is None:
            return None
        remedy = f"replace it by a copy of {self.checkpoints / 'best.pt'}, if that is intact, or remove {self.path} to train again"
        try:
            state = unpacked(file.read_bytes())
        except ValueError as error:
            raise ValueError(f"{file} is damaged ({first_line(error)}): {remedy}") from error
        if state.get("run") not in (None, self.identity):
            raise ValueError(f"{file} is the checkpoint of a run with other settings: {remedy}")
        return state

    def check_weights(self, best: float) -> None:
        """Checks that the best weights are intact and fit the settings of the run.

        Args:
            best: Best validation so far; infinite if there is none.

        Raises:
            ValueError: If they are damaged or missing, or are those of another model.
        """
        file = self.path / WEIGHTS
        if file.is_file():
            _, facts = load_weights(self.path)
            if facts["config"] != self.config["model"]:
                raise ValueError(f"{file} holds weights of another config than that of the run: restore a copy")
        elif math.isfinite(best):
            raise ValueError(f"{file}, the weights of the best validation so far, is missing: restore a copy")

    def images_seen(self, state: Mapping[str, Any] | None, total: int) -> int:
        """Returns the number of images that the run has seen: 0 before the first checkpoint.

        Args:
            state: Latest checkpoint; None if there is none.
            total: Number of images at the end of the run, returned for a finished run without checkpoints.

        Raises:
            ValueError: If the checkpoints of an unfinished run were removed.
        """
        if state is not None:
            return int(state["trainer"]["counters"]["step"]) * int(self.config["training"]["batch_size"])
        if not (self.path / WEIGHTS).is_file():
            return 0
        rows = self.rows()
        if rows and int(rows[-1]["images"]) >= total:
            return total
        if self.checkpoints.is_dir():  # the run was killed between its first weights and their checkpoint
            return 0
        raise ValueError(
            f"{self.path} holds weights, but its checkpoints were removed, so that it cannot resume: use the weights as they "
            "are, or train in another folder"
        )

    def metrics_digest(self, images: int) -> str | None:
        """Returns the SHA-256 of the header and the rows of metrics.csv until a number of images, None if there is no such file."""
        file = self.path / METRICS
        if not file.is_file():
            return None
        header, *rows = file.read_bytes().splitlines(keepends=True) or [b""]
        counted = ((row.partition(b",")[0], row) for row in rows)
        return sha256_of_blocks([header, *(row for count, row in counted if count.isdigit() and int(count[:20]) <= images)])

    def rows(self) -> list[dict[str, str]]:
        """Returns the complete rows of metrics.csv; empty if there is no such file.

        Raises:
            ValueError: If the file does not have the columns of a run, or cannot be parsed.
        """
        file = self.path / METRICS
        if not file.is_file():
            return []
        try:
            with file.open(newline="", encoding="utf-8") as stream:
                reader = csv.DictReader(stream)
                if not {"images", *TIMES} <= {*(reader.fieldnames or ("images", *TIMES))}:
                    raise ValueError("other columns")
                return [row for row in reader if _is_whole(row)]
        except (ValueError, csv.Error) as error:
            remedy = "put back an intact copy, or remove it: only curves and speeds need it"
            raise ValueError(f"{file} is not the record of a run ({first_line(error)}): {remedy}") from error


def _is_whole(row: Mapping[str | None, str | None]) -> bool:
    """Returns whether a row of metrics.csv has exactly the file's columns, each a number or, if not due, empty."""
    if None in row or None in row.values() or not all(row[name] for name in TIMES):
        return False
    try:
        int(row["images"] or "")
        [float(value) for value in row.values() if value]
    except ValueError:
        return False
    return True


def first_line(error: Exception) -> str:
    """Returns the first line of an error's message, or the name of its type if the message is empty."""
    return (str(error).splitlines() or [type(error).__name__])[0]
