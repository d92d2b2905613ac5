"""A time limit: its end, and how it stops a training."""

import pytest

from glimpse.comparison.time_limit import OUT_OF_TIME, OutOfTimeError, TimeLimit


def test_a_limit_is_over_at_its_end_and_without_minutes_never() -> None:
    TimeLimit().check()
    TimeLimit(10.0).check()
    assert not TimeLimit().over
    with pytest.raises(OutOfTimeError, match="the same call continues"):
        TimeLimit(0.0).check()


def test_a_limit_stops_a_training_with_an_exit_code_that_no_signal_has() -> None:
    assert TimeLimit().stop() is TimeLimit(10.0).stop() is None
    assert TimeLimit(0.0).stop() == OUT_OF_TIME
    assert 0 < OUT_OF_TIME < 128
