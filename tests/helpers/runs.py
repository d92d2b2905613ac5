"""Runs of a training: the contents of their folders, their equality, and stopping them."""

import csv
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from glimpse.training.engine import Trainer

TIMES = ("seconds", "images_per_second")


def settings_of(run: Path) -> dict[str, Any]:
    """Returns a run's config.json."""
    settings: dict[str, Any] = json.loads((run / "config.json").read_text())
    return settings


def rows(run: Path) -> list[dict[str, str]]:
    """Returns the rows of metrics.csv without the columns of times."""
    with (run / "metrics.csv").open(newline="") as file:
        return [{name: value for name, value in row.items() if name not in TIMES} for row in csv.DictReader(file)]


def metrics(run: Path) -> list[dict[str, float]]:
    """Returns the numbers of metrics.csv without times and empty cells, row by row."""
    return [{name: float(value) for name, value in row.items() if value} for row in rows(run)]


def assert_same(run: Path, other: Path) -> None:
    """Asserts that two finished runs have the same weights, byte for byte, and the same metrics."""
    assert rows(run) == rows(other)
    names = sorted(path.relative_to(other) for path in other.rglob("*.safetensors"))
    assert names
    assert sorted(path.relative_to(run) for path in run.rglob("*.safetensors")) == names
    for name in names:
        assert (run / name).read_bytes() == (other / name).read_bytes(), name
    left = [path.name for path in run.rglob("*.tmp")]
    assert not left


def stop_at(monkeypatch: pytest.MonkeyPatch, *steps: int, number: signal.Signals = signal.SIGTERM) -> list[int]:
    """Sends this process a signal after each of these steps of a training, and returns the list of the steps that are taken."""
    advance, taken = Trainer._advance, []

    def signaled(self: Trainer) -> None:
        advance(self)
        taken.append(self.step)
        if self.step in steps:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(Trainer, "_advance", signaled)
    return taken
