"""The log of a training: metrics.csv and TensorBoard's events, written without delay so that a full disk raises an error."""

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
    """Context that writes metrics.csv and TensorBoard's events; on entry, rows after the checkpoint are dropped.

    Args:
        folder: Folder of the run.
        columns: Names of the columns.
        images: Number of images that the trainer has seen; later rows are dropped.
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
        self._writer = csv.DictWriter(self._file, self.columns, extrasaction="ignore", lineterminator="\n")
        self._board = EventFile(self.folder.path, self.images)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._board.close()
        self._file.close()

    def write(self, images: int, values: dict[str, float]) -> None:
        """Writes metrics by name at a number of images: those of the columns as a row, all of them for TensorBoard."""
        with named(Path(self._file.name)):
            self._writer.writerow({"images": images} | values)
            self._file.flush()
        self._board.write(images, {name.replace("valid_", "valid/", 1): value for name, value in values.items()})

    def write_picture(self, images: int, png: bytes) -> None:
        """Writes a PNG of trajectories at a number of images, for TensorBoard."""
        self._board.write_picture(images, "trajectories", png)

    def sync(self) -> None:
        """Syncs the rows to the disk, before a checkpoint that relies on them."""
        with named(Path(self._file.name)):
            os.fsync(self._file.fileno())


class EventFile:
    """A new file of TensorBoard events, next to those written before a resume.

    Args:
        folder: Folder that TensorBoard reads.
        images: Number of images seen; later points of earlier files are hidden.
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
        width, height = (int.from_bytes(png[start : start + 4]) for start in (16, 20))  # in the header of every PNG
        picture = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=png)
        self._write(Event(wall_time=time.time(), step=images, summary=Summary(value=[Summary.Value(tag=name, image=picture)])))

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _write(self, event: Event) -> None:
        with named(self.path):
            self._records.write(event.SerializeToString())
            self._file.flush()
