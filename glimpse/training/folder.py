"""The folder of a run: its files, and what is read back of them.

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
"""Columns of it that differ between two equal runs."""


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
                f"{file} is damaged ({first_line(error)}): copy checkpoints/best.pt over it, if that "
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

    def rows(self) -> list[dict[str, str]]:
        """Returns the rows of metrics.csv that are whole, empty if there are none.

        Raises:
            ValueError: If the file is no run's.
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
            way = "put back a whole copy, or remove it: all but curves and speeds does without"
            raise ValueError(f"{file} is no record of a run ({first_line(error)}): {way}") from error


def _is_whole(row: Mapping[str | None, str | None]) -> bool:
    """Returns whether every column of a row of metrics.csv, and no other, holds a number, or nothing where none fell due."""
    if None in row or None in row.values() or not all(row[name] for name in TIMES):
        return False
    try:
        int(row["images"] or "")
        [float(value) for value in row.values() if value]
    except ValueError:
        return False
    return True


def first_line(error: Exception) -> str:
    """Returns the first line of an error's message, or its type where it has none."""
    return (str(error).splitlines() or [type(error).__name__])[0]
