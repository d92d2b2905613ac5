"""Atomic writes: a file is written under a temporary name, synced and moved into place."""

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
    """Context with a seekable file to write, which replaces the path if the context ends without an error, and else is removed.

    A kill or a power failure leaves the old file or the new one, never a part. A symbolic link is followed. Parts of the same file
    left by processes that no longer run are removed.

    Raises:
        OSError: On entry if the folder cannot be written or the path is a folder or a device, later if the disk is full; the error
            names the path.
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
    """Writes a file atomically; see `atomic_file`.

    Raises:
        OSError: If the disk is full or the folder cannot be written; no part of a file is left.
    """
    with atomic_file(path) as file:
        file.write(content)


def leftovers(folder: Path) -> list[Path]:
    """Returns the temporary files in a folder, left by atomic writes that were killed."""
    return [path for path in folder.glob(".*.tmp") if path.suffixes[-2:-1] and path.suffixes[-2][1:].isdecimal()]


def _runs(process: int) -> bool:
    """Returns whether a process with this id is running."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OverflowError, PermissionError):
        return True
    return True


@contextlib.contextmanager
def named(path: Path) -> Iterator[None]:
    """Context in which an `OSError` without a file name, such as that of a full disk, gets this one."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise
