"""Parsing of image positions."""

from collections.abc import Sequence

__all__ = ["parse_positions"]


def parse_positions(indices: str | Sequence[int] | None, count: int) -> list[int]:
    """Returns the positions listed in a string such as `0,5,10-19`, in order.

    Args:
        indices: The string, or a sequence of positions, counted from 0; None for all positions.
        count: Number of positions.

    Raises:
        ValueError: If the string cannot be parsed, or a position is not in 0 to `count` - 1.

    >>> parse_positions("0,5,10-12", 20)
    [0, 5, 10, 11, 12]
    """
    if indices is None:
        return list(range(count))
    found: list[int] = []
    for part in indices.split(",") if isinstance(indices, str) else map(str, indices):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ValueError(f"--indices takes positions and ranges such as 0,5,10-19, got {part.strip()!r}")
        ends = (int(first), int(last or first))
        if ends[0] > ends[1]:
            raise ValueError(f"--indices: {part.strip()} is reversed")
        if ends[1] >= count:
            raise ValueError(f"--indices: {part.strip()} is not in 0 to {count - 1}")
        found += range(ends[0], ends[1] + 1)
    return found
