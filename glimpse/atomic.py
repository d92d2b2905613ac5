"""Files that are either whole or not there: written aside, synced, then moved into place."""

import contextlib
import errno
import glob
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["atomic_file", "leftovers", "named", "write_atomically"]


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Context with a file to write, seekable, that takes the path's place when the context ends well, and otherwise is gone.

    A kill or a power cut leaves the old file or the new one, never a part. A link is followed. What processes that are no more left
    of the same file goes.

    Raises:
        OSError: At once if the folder cannot be written or the path is a folder or a device, later if the disk is full; it names
            the path.
    """
    if path.exists() and not path.is_file():
        code = errno.EISDIR if path.is_dir() else errno.EINVAL
        raise OSError(code, os.strerror(code) if path.is_dir() else "is no ordinary file", str(path))
    path = path.resolve()
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    for part in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        if part in leftovers(path.parent) and not _runs(int(part.suffixes[-2][1:])):
            part.unlink(missing_ok=True)
    try:
        file = aside.open("wb")
    except OSError as error:
        error.filename = str(path)
        raise
    try:
        with named(path):
            with file:
                yield file
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


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file so that a kill or a power cut leaves the old one or the new one, never a part.

    Raises:
        OSError: If the disk is full or the folder cannot be written; nothing is left behind.
    """
    with atomic_file(path) as file:
        file.write(content)


def leftovers(folder: Path) -> list[Path]:
    """Returns the files in a folder that were being written aside when a kill came: parts, of no use to anyone."""
    return [path for path in folder.glob(".*.tmp") if path.suffixes[-2:-1] and path.suffixes[-2][1:].isdecimal()]


def _runs(process: int) -> bool:
    """Returns whether a process of this number runs."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OverflowError, PermissionError):
        return True
    return True


@contextlib.contextmanager
def named(path: Path) -> Iterator[None]:
    """Context in which an error of the system, of a full disk, say, names this file if it names none."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise
