"""A kind of classifier added to the catalog by one line is trained, evaluated and compared like any other."""

from pathlib import Path

import numpy as np
import pytest

from glimpse.comparison.calls import compare
from glimpse.evaluation.evaluate import evaluate
from glimpse.evaluation.metrics import ClassificationResult
from glimpse.models.catalog import open_classifier
from glimpse.settings.catalog import CLASSIFIERS
from glimpse.training.calls import train_classifier
from tests.helpers.suites import wrong_one_by_one
from tests.helpers.toy import TOY, Toy


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
