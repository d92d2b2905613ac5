"""A kind added to the catalog by one line is trained, evaluated, compared and exported like any other, and has its options."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from glimpse import trajectories
from glimpse.comparison.calls import compare
from glimpse.evaluation.evaluate import evaluate
from glimpse.evaluation.metrics import ClassificationResult
from glimpse.models.catalog import open_classifier
from glimpse.settings.catalog import CLASSIFIERS
from glimpse.training.calls import train_classifier
from tests.helpers.suites import wrong_one_by_one
from tests.helpers.toy import STARE, TOY, Stare, Toy

ROOT = Path(__file__).parent.parent.parent


def test_a_new_kind_takes_one_line_in_the_catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CLASSIFIERS, TOY.name, TOY)
    runs = {side: tmp_path / f"side-{side}" for side in (4, 5)}
    for side, out in runs.items():
        trained = train_classifier(model="toy", side=side, digits="sklearn", canvas=40, pieces=2, device="cpu", threads=1, out=out)
        assert (trained.finished, trained.folder, trained.metric) == (True, out, "error")
        assert isinstance(open_classifier(out), Toy)
    errors = {side: 100 * np.mean(wrong_one_by_one(out)) for side, out in runs.items()}
    for side, out in runs.items():
        result = evaluate(out, device="cpu", threads=1).result
        assert isinstance(result, ClassificationResult)
        assert result.error == pytest.approx(errors[side])
    found = compare(*runs.values(), device="cpu", threads=1)
    assert [(row.model, row.kind, row.parameters) for row in found.rows] == [
        ("toy, side=4", "toy", 10 * 16 + 10),
        ("toy, side=5", "toy", 10 * 25 + 10),
    ]
    assert [row.error for row in found.rows] == pytest.approx(list(errors.values()))
    assert [row.multiply_adds for row in found.rows] == [10 * 16, 10 * 25]
    assert {row.reading for row in found.rows} == {(40 * 40, True)}


def test_a_new_kind_that_looks_has_trajectories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CLASSIFIERS, STARE.name, STARE)
    out = tmp_path / "run"
    train_classifier(model="stare", side=5, digits="sklearn", canvas=40, pieces=2, device="cpu", threads=1, out=out)
    assert isinstance(open_classifier(out), Stare)
    for name in ("glimpses.npz", "glimpses.html", "glimpses.png"):
        trajectories.export(out, out=tmp_path / name, count=3, device="cpu", threads=1)
    table = trajectories.load(tmp_path / "glimpses.npz")
    assert table["center_x"].tolist() == [19.5] * 3
    assert table["stride"].tolist() == [3.0] * 3
    found = compare(out, device="cpu", threads=1)
    assert [(row.kind, row.reading) for row in found.rows] == [("stare", (25, False))]


def test_a_new_kind_has_its_options_and_help_on_the_command_line(tmp_path: Path) -> None:
    code = """
import sys
from glimpse.settings.catalog import CLASSIFIERS
from tests.helpers.toy import TOY
CLASSIFIERS[TOY.name] = TOY
from glimpse.cli import main
main()
"""

    def ran(*arguments: str) -> str:
        command = [sys.executable, "-c", code, "train-classifier", *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return done.stdout + done.stderr

    assert "Rows and columns of the coarse image. [preset toy 4]" in " ".join(ran("--help").split())
    options = ["--model=toy", "--side=6", "--digits=sklearn", "--canvas=40", "--threads=1", "--device=cpu"]
    assert "Best validation error" in ran(*options, "--out", str(tmp_path / "run"))
