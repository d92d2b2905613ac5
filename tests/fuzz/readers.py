"""The readers that are fuzzed, and what a mutant's reading may end in."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal

from tests.fuzz.mutants import Mutator, damaged_bytes

__all__ = ["MODULES", "Outcome", "Reader", "all_readers", "outcome"]

MODULES = tuple(f"tests.fuzz.readers_{name}" for name in ("runs", "commands", "data", "trajectories"))
"""Modules with a tuple `READERS`."""

Outcome = Literal["refused", "same", "changed"]
"""A sentence; the result of the intact file; another result."""

_LONGEST = 2_000  # characters of a message


@dataclass(frozen=True)
class Reader:
    """Something that reads a file.

    Attributes:
        name: Name of the reader.
        write: Writes an intact file to an empty folder and returns its path; whatever else it writes stays intact.
        read: Reads that folder and returns what it found, comparable with `==`. It may change the folder.
        mutate: Function that damages the file's content.
        exact: Whether any other result than that of the intact file is an error, as with files that hold a digest.
        cost: How many mutants of other readers take the time of one of this one.
    """

    name: str
    write: Callable[[Path], Path]
    read: Callable[[Path], object]
    mutate: Mutator = damaged_bytes
    exact: bool = False
    cost: int = 1


def all_readers() -> dict[str, Reader]:
    """Returns all readers by name."""
    return {reader.name: reader for module in MODULES for reader in import_module(module).READERS}


def outcome(reader: Reader, folder: Path, intact: object, file: Path, content: bytes, draw: random.Random) -> Outcome:
    """Returns the outcome of reading a mutant.

    Args:
        reader: The reader.
        folder: A copy of the folder that it wrote.
        intact: Result of the intact file.
        file: The file in that folder.
        content: Content of the intact file.
        draw: Source of randomness.

    Raises:
        AssertionError: If the mutant is read as something else although it must be noticed, or the message is no sentence.
        Exception: Whatever else the reader raises but `ValueError` and `OSError`; all of these are failures.
    """
    mutant = reader.mutate(content, draw)
    file.write_bytes(mutant)
    try:
        found = reader.read(folder)
    except (ValueError, OSError) as error:
        text = str(error)
        assert text.strip(), f"{reader.name}: an empty message"
        assert len(text) < _LONGEST, f"{reader.name}: a message of {len(text)} characters"
        return "refused"
    if found == intact:
        return "same"
    assert not reader.exact, f"{reader.name}: a damaged file was read as something else"
    return "changed"
