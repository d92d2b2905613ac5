"""Files of trajectories, and the formats and shapes to test."""

from pathlib import Path
from typing import Any

import pytest

from glimpse.trajectories.files import DATA_FORMATS, open_writer
from glimpse.trajectories.table import Table

FORMATS = pytest.mark.parametrize("kind", DATA_FORMATS)
SHAPES: dict[str, dict[str, Any]] = {
    "classifier": {"patches": False},
    "pixels": {"count": 2, "channels": 3},
    "no classes": {"classes": 0, "patches": False},
    "no blur, three scales": {"blur": False, "scales": 3, "n": 2},
    "one of all": {"count": 1, "steps": 1, "n": 1, "classes": 1},
}


def saved(path: Path, *tables: Table) -> Path:
    with open_writer(path) as writer:
        for table in tables:
            writer.write(table)
    return path
