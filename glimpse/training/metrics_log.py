"""The record of a training's numbers: metrics.csv, and TensorBoard's events, written at once so that a full disk is an error."""

import csv
import io
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from glimpse.atomic import named, write_atomically
from glimpse.settings.record import METRICS
from glimpse.training.folder import RunFolder

__all__ = ["EventFile", "MetricsLog"]


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
        file = self.folder.path / METRICS
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


class EventFile:
    """A file of events in a folder, beside those of earlier parts of the same run.

    Args:
        folder: Where TensorBoard looks.
        images: Images seen so far: later points of earlier files are hidden.
    """

    def __init__(self, folder: Path, images: int) -> None:
        self.path = folder / f"events.out.tfevents.{time.time_ns():019d}.{socket.gethostname()}.{os.getpid()}"
        self._file = self.path.open("xb")
        self._records = RecordWriter(self._file)
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))
        self._write(Event(wall_time=time.time(), step=images + 1, session_log=SessionLog(status=SessionLog.START)))

    def write(self, images: int, values: Mapping[str, float]) -> None:
        """Writes scalars by name at a number of images."""
        summary = Summary(value=[Summary.Value(tag=name, simple_value=value) for name, value in values.items()])
        self._write(Event(wall_time=time.time(), step=images, summary=summary))

    def write_picture(self, images: int, name: str, png: bytes) -> None:
        """Writes a picture, the content of a PNG file, at a number of images."""
        width, height = (int.from_bytes(png[start : start + 4]) for start in (16, 20))  # of the header that every PNG begins with
        picture = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=png)
        self._write(Event(wall_time=time.time(), step=images, summary=Summary(value=[Summary.Value(tag=name, image=picture)])))

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _write(self, event: Event) -> None:
        with named(self.path):
            self._records.write(event.SerializeToString())
            self._file.flush()
