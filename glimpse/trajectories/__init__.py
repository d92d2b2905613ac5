"""Where a model looked: collecting trajectories, writing and reading them, drawing them.

The names below are loaded when they are first used, so that importing the package is cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glimpse.trajectories.files import load, open_writer
    from glimpse.trajectories.table import Table

__all__ = ["Table", "load", "open_writer"]

_HOME = {
    "Table": "glimpse.trajectories.table",
    "load": "glimpse.trajectories.files",
    "open_writer": "glimpse.trajectories.files",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'glimpse.trajectories' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
