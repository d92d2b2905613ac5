"""Where data is looked for: `--data-dir`, the folder that GLIMPSE_DATA names, the user's cache; and what to do where it is not."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

__all__ = ["NotAtHand", "cache_folder", "first_at_hand", "missing", "search_places"]

T = TypeVar("T")


class NotAtHand(FileNotFoundError):
    """Raised if a source is in none of the places and cannot be downloaded.

    Args:
        reason: Why it is not at hand.
        way_out: What to do about it, for the message.
    """

    def __init__(self, reason: str, way_out: str) -> None:
        super().__init__(f"{reason}; {way_out}")
        self.reason = reason


def cache_folder() -> Path:
    """Returns the user's cache for data, the only place that is written to; it need not exist."""
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("glimpse"))


def search_places(data_dir: Path | None = None) -> list[Path]:
    """Returns the folders that data is looked for in, first to last."""
    given = [data_dir] if data_dir is not None else []
    from_environment = [Path(os.environ["GLIMPSE_DATA"])] if os.environ.get("GLIMPSE_DATA") else []
    return [*given, *from_environment, cache_folder()]


def missing(name: str, places: Sequence[Path]) -> str:
    """Returns in words that a source is in none of these places.

    >>> missing("mnist", [Path("data"), Path("cache")])
    'mnist is not in data, cache'
    """
    return f"{name} is not in {', '.join(str(place) for place in places)}"


def first_at_hand(names: Sequence[str], open_one: Callable[[str], T]) -> tuple[T, str | None]:
    """Returns the first of several sources that is at hand, and why none before it was, None if it is the very first.

    Raises:
        NotAtHand: If none is.
    """
    reasons: list[str] = []
    for name in names[:-1]:
        try:
            return open_one(name), "; ".join(reasons) or None
        except NotAtHand as error:
            reasons.append(error.reason)
    return open_one(names[-1]), "; ".join(reasons) or None
