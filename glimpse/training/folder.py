"""The folder of a run: its files and how they are read.

    config.json             settings, data, versions, device, threads and commit of the run
    metrics.csv             one row per logging interval; validation columns are empty if no validation was due
    model.safetensors       the weights with the best validation
    checkpoints/latest.pt   the state to resume from; best.pt is that of the best validation
    checkpoints/weights-*.safetensors   weights only, at logarithmically spaced numbers of images
    events.out.tfevents.*   the metrics for TensorBoard

All files except the last are written atomically. A resumed run drops the rows of metrics.csv after its checkpoint and writes them
again.
"""

import csv
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from glimpse.atomic import leftovers, write_atomically
from glimpse.models.weights import WEIGHTS
from glimpse.settings.record import METRICS, read_config

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
            ValueError: If the folder holds no run, or its settings cannot be read.
        """
        return read_config(self.path)

    def start(self, config: dict[str, Any]) -> None:
        """Makes the folder and writes config.json.

        Raises:
            ValueError: If the folder is not empty.
        """
        self.refuse_occupied()
        self.path.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path / "config.json", (json.dumps(config, indent=2, default=str) + "\n").encode())

    def refuse_occupied(self) -> None:
        """Checks that a run can start in the folder.

        Raises:
            ValueError: If the folder is not empty.
        """
        if self.path.exists() and (not self.path.is_dir() or {*self.path.iterdir()} - {*leftovers(self.path)}):
            remedy = "continue the run there with --resume" if self.started else "empty it: there is no run in it"
            raise ValueError(f"{self.path} is not empty; choose another --out, or {remedy}")

    def prepare(self) -> None:
        """Makes the folder of checkpoints and removes temporary files of killed writes."""
        self.checkpoints.mkdir(exist_ok=True)
        for part in leftovers(self.path) + leftovers(self.checkpoints):
            part.unlink()

    def save(self, state: dict[str, Any], *, best: bool = False) -> None:
        """Writes the latest checkpoint, and the best one if `best` is true."""
        buffer = io.BytesIO()
        torch.save(state, buffer)
        for name in ("best.pt", "latest.pt") if best else ("latest.pt",):
            write_atomically(self.checkpoints / name, buffer.getvalue())

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """Returns the latest checkpoint, None if there is none.

        Args:
            device: Device of its tensors.

        Raises:
            ValueError: If the file is damaged.
        """
        file = self.checkpoints / "latest.pt"
        if not file.is_file():
            return None
        content = io.BytesIO(file.read_bytes())
        try:
            with zipfile.ZipFile(content) as archive:
                if archive.testzip() is not None:  # verifies the checksums, which torch does not
                    raise ValueError("a checksum differs")
            content.seek(0)
            state: dict[str, Any] = torch.load(content, map_location=device, weights_only=True)
            state["trainer"]["counters"]["step"], state["seconds"]
        except Exception as error:  # damage raises many types of errors
            raise ValueError(
                f"{file} is damaged ({first_line(error)}): replace it by a copy of checkpoints/best.pt, if that is intact, "
                f"or remove {self.path} to train again"
            ) from error
        return state

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
