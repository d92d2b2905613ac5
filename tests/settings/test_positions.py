"""Parsing of image positions."""

import pytest

from glimpse.settings.positions import parse_positions


@pytest.mark.parametrize(
    ("text", "positions"),
    [("3", [3]), ("4,0", [4, 0]), ("7-9, 2", [7, 8, 9, 2]), ("1-1,1", [1, 1]), (None, [*range(10)]), ([5, 2], [5, 2]), ((), [])],
)
def test_positions_are_parsed_in_order(text: str | list[int] | None, positions: list[int]) -> None:
    assert parse_positions(text, 10) == positions


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "got ''"),
        ("a", "got 'a'"),
        ("1,,2", "got ''"),
        ("1-", "got '1-'"),
        ([-1], "got '-1'"),
        ("5-3", "5-3 is reversed"),
        ("10", "10 is not in 0 to 9"),
        ("0,8-12", "8-12 is not in 0 to 9"),
        ([10], "10 is not in 0 to 9"),
    ],
)
def test_an_invalid_position_is_refused(text: str | list[int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_positions(text, 10)
