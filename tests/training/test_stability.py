"""The default training is stable: it learns from every seed and skips no step."""

import csv
import math
from pathlib import Path

import pytest

from glimpse.training.calls import train_classifier


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_the_default_training_learns_from_every_seed(seed: int, tmp_path: Path) -> None:
    """All settings of the training but the budget and what goes with it are those of `glimpse train-classifier`."""
    run = train_classifier(
        digits="sklearn",
        canvas=44,
        pieces=2,
        images=24_000,
        seed=seed,
        averaging=500,
        warmup=1_000,
        threads=1,
        out=tmp_path / "run",
    )
    with (run.folder / "metrics.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert all(math.isfinite(float(row["loss"])) and float(row["skipped"]) == 0 for row in rows)
    assert run.best < 60  # percent; chance is 90
