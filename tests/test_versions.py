"""The shipped models compute the same numbers on every version of torch; `nox` runs this file on the oldest and the newest."""

import json

import pytest

from glimpse import pretrained
from tests.helpers.shipped import FILE, numbers

TOLERANCE = 1e-3  # a difference of one rounding moves the next window, which multiplies it


@pytest.mark.parametrize("name", pretrained.available())
def test_a_shipped_model_computes_the_stored_numbers(name: str) -> None:
    stored = json.loads(FILE.read_text(encoding="utf-8"))[name]
    found = numbers(name)
    assert [len(row) for row in found] == [len(row) for row in stored]
    assert found == [pytest.approx(row, rel=0, abs=TOLERANCE) for row in stored]
