"""Scalars and pictures as a file that TensorBoard shows, written at once, so that a full disk is an error where it happens."""

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from glimpse.atomic import named

__all__ = ["EventFile"]


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
