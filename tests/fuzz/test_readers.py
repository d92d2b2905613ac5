"""A small fuzz of every reader; `python -m tests.fuzz` runs the long one."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.prepared import Prepared
from tests.fuzz.readers import all_readers

_MUTANTS = 60  # of the readers of cost 1; slower ones get fewer
_ALL = all_readers()


@pytest.mark.parametrize("name", _ALL)
def test_a_damaged_file_is_refused_in_a_sentence_or_read_as_if_it_were_intact(name: str, tmp_path: Path) -> None:
    reader = _ALL[name]
    prepared = Prepared(reader, tmp_path)

    @settings(
        max_examples=max(3, _MUTANTS // reader.cost),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(st.randoms(use_true_random=False))
    def check(draw: random.Random) -> None:
        prepared.outcome(draw)

    check()
