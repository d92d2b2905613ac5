"""Reports of long computations: notes, warnings and progress. The library itself prints nothing."""

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator

__all__ = ["Advance", "Listener", "error_line"]

Advance = Callable[[int], None]
"""Function that is called with the total number of units done."""

_LOG = logging.getLogger("glimpse")


class Listener:
    """Receives notes, warnings and progress of a computation.

    Notes go to the logger `glimpse` and warnings to the `warnings` module; progress is ignored. Subclasses override these methods:
    that of the command line prints to the terminal.
    """

    def note(self, message: str) -> None:
        """Receives a note.

        Args:
            message: One line of text.
        """
        _LOG.info(message)

    def warn(self, message: str) -> None:
        """Receives a warning, which affects how the result is to be read.

        Args:
            message: One line of text.
        """
        warnings.warn(message, stacklevel=2)

    @contextlib.contextmanager
    def progress(self, title: str, total: int, *, unit: str = "images") -> Iterator[Advance]:
        """Context manager for a part of the computation; yields a function to call with the number of units done.

        Args:
            title: Name of the part.
            total: Total number of units.
            unit: Name of the units, in the plural.
        """
        yield lambda done: None


def error_line(error: BaseException) -> str:
    """Returns an error's message on one line; an operating system error names its file first.

    >>> error_line(FileNotFoundError(2, "No such file or directory", "digits.npz"))
    'digits.npz: No such file or directory'
    """
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__
