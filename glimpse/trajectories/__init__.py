"""Where a model looks: collecting trajectories, writing and reading them, drawing them.

The names below are loaded when they are first used, so that importing the package is cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glimpse.trajectories.calls import export, learning, look, summarize
    from glimpse.trajectories.files import load, open_writer
    from glimpse.trajectories.table import Table
    from glimpse.trajectories.views import Trajectories

__all__ = ["Table", "Trajectories", "export", "learning", "load", "look", "open_writer", "summarize"]

_HOME = {
    "Table": "glimpse.trajectories.table",
    "Trajectories": "glimpse.trajectories.views",
    "export": "glimpse.trajectories.calls",
    "learning": "glimpse.trajectories.calls",
    "load": "glimpse.trajectories.files",
    "look": "glimpse.trajectories.calls",
    "open_writer": "glimpse.trajectories.files",
    "summarize": "glimpse.trajectories.calls",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'glimpse.trajectories' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
