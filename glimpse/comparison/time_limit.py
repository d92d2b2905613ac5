"""A limit to the time that a job may take; a training asks it after every step and stops at a checkpoint."""

import time

__all__ = ["OUT_OF_TIME", "OutOfTimeError", "TimeLimit"]

OUT_OF_TIME = 124
"""Exit code of a training that was stopped because its time was over, as `timeout` of the GNU core utilities has it."""


class OutOfTimeError(Exception):
    """The given minutes are over; what was done until then is kept."""

    def __init__(self) -> None:
        super().__init__("the time is over: what was done until then is kept, and the same call continues")


class TimeLimit:
    """The time that a job may take, beginning now.

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

    def stop(self) -> int | None:
        """Returns the exit code that stops a training if the time is over, else None."""
        return OUT_OF_TIME if self.over else None
