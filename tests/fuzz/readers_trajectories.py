"""Readers of files of trajectories."""

from collections.abc import Callable
from pathlib import Path

from glimpse.trajectories.files import DATA_FORMATS, load
from glimpse.trajectories.table import Table
from tests.fuzz.readers import Reader
from tests.fuzz.runs import Silent
from tests.helpers.saved import saved
from tests.helpers.trajectories import random_trajectories

__all__ = ["READERS"]

_TEXT = ("csv", "jsonl")  # in which a changed digit is not noticed


def _saved(kind: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        return saved(folder / f"some.{kind}", Table.from_trajectories(random_trajectories(2, 2, n=2), pixels=True))

    return write


def _loaded(kind: str) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        columns = load(folder / f"some.{kind}", listener=Silent()).columns
        return {name: (values.dtype.str, repr(values.tolist())) for name, values in columns.items()}

    return read


READERS = tuple(Reader(f"trajectories-{kind}", _saved(kind), _loaded(kind), exact=kind not in _TEXT) for kind in DATA_FORMATS)
