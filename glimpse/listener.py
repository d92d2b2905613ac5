"""What a long job tells whoever asked for it: notes, warnings and progress. The library itself neither prints nor draws."""

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator

__all__ = ["Advance", "Listener"]

Advance = Callable[[int], None]
"""Called with how many units are done in all."""

_LOG = logging.getLogger("glimpse")


class Listener:
    """Hears what a job has to say: notes go to the log `glimpse`, warnings to Python's, progress nowhere.

    The command line has one that writes to the terminal; a subclass can do anything else.
    """

    def note(self, message: str) -> None:
        """Hears something good to know."""
        _LOG.info(message)

    def warn(self, message: str) -> None:
        """Hears something that changes what the result means."""
        warnings.warn(message, stacklevel=2)

    @contextlib.contextmanager
    def progress(self, title: str, total: int, *, unit: str = "images") -> Iterator[Advance]:
        """Context of a part of the job; gives a function to call with how many of its units are done.

        Args:
            title: What is being done.
            total: How many units there are.
            unit: What is counted, in the plural.
        """
        yield lambda done: None
