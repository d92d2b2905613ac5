"""A limit to the time that a command may take, which stops a training at a checkpoint when it is reached."""

import signal
import time
from types import FrameType

__all__ = ["Alarm", "OutOfTimeError", "TimeLimit"]


class OutOfTimeError(Exception):
    """The minutes that were given are over; what was done until then is kept."""


class TimeLimit:
    """The time that a command may take, beginning now.

    Args:
        minutes: None for no end.
    """

    def __init__(self, minutes: float | None = None) -> None:
        self.end = None if minutes is None else time.monotonic() + 60 * minutes

    @property
    def over(self) -> bool:
        """Whether the time is over."""
        return self.end is not None and time.monotonic() >= self.end

    def check(self) -> None:
        """Raises OutOfTimeError if the time is over."""
        if self.over:
            raise OutOfTimeError


class Alarm:
    """Context in which the end of the time stops a training as SIGTERM does: at a checkpoint.

    It rings every second until the training listens; where nothing listens for SIGTERM it does nothing.

    Args:
        limit: When to stop.
    """

    def __init__(self, limit: TimeLimit) -> None:
        self.limit = limit

    def __enter__(self) -> None:
        if self.limit.end is None:
            return
        self._waiting = signal.getsignal(signal.SIGTERM)
        self._before = signal.signal(signal.SIGALRM, self._ring)
        signal.setitimer(signal.ITIMER_REAL, max(self.limit.end - time.monotonic(), 1e-3), 1.0)

    def __exit__(self, *error: object) -> None:
        if self.limit.end is None:
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)

    def _ring(self, number: int, frame: FrameType | None) -> None:
        if signal.getsignal(signal.SIGTERM) is not self._waiting:
            signal.raise_signal(signal.SIGTERM)
