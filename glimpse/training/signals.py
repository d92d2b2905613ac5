"""Signals that stop a training after a step, once its state is saved."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

__all__ = ["SignalWatch", "interruptions"]


class SignalWatch:
    """Context manager that records SIGTERM and SIGINT instead of terminating.

    Yields a function that returns 128 plus the number of the signal, or None before a signal.
    """

    def __init__(self) -> None:
        self.code: int | None = None

    def __enter__(self) -> Callable[[], int | None]:
        self._before = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}
        return lambda: self.code

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.code = 128 + number


@contextlib.contextmanager
def interruptions() -> Iterator[Callable[[], int | None]]:
    """Context manager that yields what a training asks after every step; only the main thread can catch signals."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    with SignalWatch() as asked:
        yield asked
