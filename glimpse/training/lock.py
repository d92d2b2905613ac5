"""A lock of a run's folder, in which only one process trains. The operating system releases it whenever the process ends."""

import contextlib
import errno
import fcntl
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["LOCK", "locked"]

LOCK = ".lock"
"""Name of the file in a run's folder that is locked. It names the process; a file that a killed process has left is no lock."""

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)  # some network file systems have none
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)  # nobody can train there


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Context in which no other process trains in a run's folder.

    Raises:
        ValueError: If another process does; the message names it.
    """
    file = _locked_file(folder / LOCK)
    try:
        yield
    finally:
        if file is not None:
            (folder / LOCK).unlink(missing_ok=True)  # while it is locked, so that it is nobody else's
            file.close()


def _locked_file(path: Path) -> BinaryIO | None:
    """Returns the open file that is locked by this process; None if the folder is read-only or its file system has no locks."""
    while True:
        try:
            file = path.open("a+b")
        except OSError as error:
            if error.errno in _READ_ONLY:
                return None
            raise
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(file, path):
                file.truncate(0)
                file.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
                file.flush()
                return file
            file.close()  # its holder removed it before it was locked here
        except BlockingIOError:
            holder = _holder(file)
            file.close()
            raise ValueError(
                f"{path.parent} is in use by {holder}, which holds {path}: wait until it ends, or choose another --out"
            ) from None
        except OSError as error:
            file.close()
            if error.errno in _NO_LOCKS:
                return None
            raise


def _is_at(file: BinaryIO, path: Path) -> bool:
    """Returns whether an open file is the one at a path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _holder(file: BinaryIO) -> str:
    """Returns the process that holds a lock, as written in its file."""
    file.seek(0)
    text = file.read(200).decode(errors="replace")
    return text if re.fullmatch(r"process \d+ on [\w.-]+", text) else "another process"
