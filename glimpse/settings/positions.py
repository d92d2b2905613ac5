"""Positions of images in a set, written as text."""

from collections.abc import Sequence

__all__ = ["parse_positions"]


def parse_positions(indices: str | Sequence[int] | None, count: int) -> list[int]:
    """Returns the positions that a text names, such as `0,5,10-19`, in its order; numbers stand for themselves.

    Args:
        indices: The text or the numbers, counted from 0; None for all positions.
        count: How many positions there are.

    Raises:
        ValueError: If the text is of another form, or a position is not among 0 to `count` - 1.

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
            raise ValueError(f"--indices: {part.strip()} is the wrong way round")
        if ends[1] >= count:
            raise ValueError(f"--indices: {part.strip()} is not in 0 to {count - 1}")
        found += range(ends[0], ends[1] + 1)
    return found
