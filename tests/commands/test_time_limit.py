"""A time limit: when it is over, and whom its alarm reaches."""

import signal
import time

import pytest

from glimpse.commands import train as training_command
from glimpse.commands.time_limit import Alarm, OutOfTimeError, TimeLimit


def test_a_limit_is_over_at_its_end_and_without_minutes_never() -> None:
    TimeLimit().check()
    TimeLimit(10.0).check()
    assert not TimeLimit().over
    with pytest.raises(OutOfTimeError):
        TimeLimit(0.0).check()


def test_the_alarm_reaches_only_a_training_that_listens() -> None:
    before = signal.getsignal(signal.SIGALRM)
    limit = TimeLimit(0.0)
    heard: list[int] = []
    with Alarm(limit):
        time.sleep(0.05)  # rings: nothing listens, and the process lives
        with training_command._SignalWatch() as asked:
            until = time.monotonic() + 5
            while asked() is None and time.monotonic() < until:
                time.sleep(0.01)
            heard.append(asked() or 0)
    assert heard == [128 + signal.SIGTERM]
    assert limit.over
    assert signal.getsignal(signal.SIGALRM) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_without_an_end_there_is_no_alarm() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with Alarm(TimeLimit()):
        assert signal.getsignal(signal.SIGALRM) == before
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
