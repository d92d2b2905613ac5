"""The folders searched for data: `--data-dir`, the folder in GLIMPSE_DATA and the user's cache; and the error if it is in none."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

__all__ = ["NAME_FOLDER", "NotAtHand", "cache_folder", "first_at_hand", "missing", "search_places"]

T = TypeVar("T")

NAME_FOLDER = "name a folder that has it with --data-dir"
"""First remedy for a set that is not found."""


class NotAtHand(FileNotFoundError):
    """Raised if a source is in none of the folders searched and cannot be downloaded.

    Args:
        reason: Why it is not available.
        remedy: What to do about it, the second half of the message.

    Attributes:
        reason: Why it is not available.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason = reason


def cache_folder() -> Path:
    """Returns the user's cache for data, the only folder that is written to; it need not exist."""
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("glimpse"))


def search_places(data_dir: Path | None = None) -> list[Path]:
    """Returns the folders to search for data, in order.

    Args:
        data_dir: Folder to search first; None for no such folder.
    """
    given = [data_dir] if data_dir is not None else []
    from_environment = [Path(os.environ["GLIMPSE_DATA"])] if os.environ.get("GLIMPSE_DATA") else []
    return [*given, *from_environment, cache_folder()]


def missing(name: str, places: Sequence[Path]) -> str:
    """Returns the text that a source is in none of these folders.

    >>> missing("mnist", [Path("data"), Path("cache")])
    'mnist is not in data, cache'
    """
    return f"{name} is not in {', '.join(str(place) for place in places)}"


def first_at_hand(names: Sequence[str], open_one: Callable[[str], T]) -> tuple[T, str | None]:
    """Returns the first available source of several, and why the ones before it are not available; None for the first one.

    Args:
        names: Names of the sources, at least one.
        open_one: Function that opens a source by its name, or raises `NotAtHand`.

    Raises:
        NotAtHand: If no source is available.
    """
    reasons: list[str] = []
    for name in names[:-1]:
        try:
            return open_one(name), "; ".join(reasons) or None
        except NotAtHand as error:
            reasons.append(error.reason)
    return open_one(names[-1]), "; ".join(reasons) or None
