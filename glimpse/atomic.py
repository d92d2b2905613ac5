"""Files that are either whole or not there: written aside, synced, then moved into place."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["leftovers", "named", "write_atomically"]


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file so that a kill or a power cut leaves the old one or the new one, never a part.

    Raises:
        OSError: If the disk is full or the folder cannot be written; nothing is left behind.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with named(path):
            with aside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def leftovers(folder: Path) -> list[Path]:
    """Returns the files in a folder that were being written aside when a kill came: parts, of no use to anyone."""
    return [path for path in folder.glob(".*.tmp") if path.suffixes[-2:-1] and path.suffixes[-2][1:].isdecimal()]


@contextlib.contextmanager
def named(path: Path) -> Iterator[None]:
    """Context in which an error of the system, of a full disk, say, names this file if it names none."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise
