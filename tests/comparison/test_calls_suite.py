"""Comparing a suite from Python: it trains missing runs, stops, continues and repeats nothing."""

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glimpse.comparison import calls, estimate, measure, suite
from glimpse.comparison.calls import SuiteWatch, compare, compare_suite
from glimpse.comparison.rows import Comparison
from glimpse.comparison.suite import Stop, run_silently
from glimpse.comparison.time_limit import OutOfTimeError
from glimpse.settings.requests import Machine, SuiteRequest
from glimpse.settings.suites import SUITES
from glimpse.training.engine import Record, TrainingDivergedError
from glimpse.training.folder import RunFolder
from glimpse.training.loop import StoppedError
from glimpse.training.session import Training, opened_training
from tests.helpers.suites import TINY, quick_trainings, wrong_one_by_one


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    with quick_trainings():
        yield


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adds a suite of tiny models to the catalog."""
    monkeypatch.setitem(SUITES, "tiny", TINY)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Returns a list that collects the folder name of every training that is started."""
    begun: list[str] = []

    def noted(plan: Any) -> Any:
        begun.append(plan.run.out.name)
        return opened_training(plan)

    monkeypatch.setattr(suite, "opened_training", noted)
    return begun


def compared(**options: Any) -> Comparison:
    """Returns a comparison of the tiny suite on one thread of the CPU."""
    on_cpu: dict[str, Any] = {"suite": "tiny", "device": "cpu", "threads": 1}
    return compare(**on_cpu | options)


def test_a_suite_trains_what_is_missing_and_repeats_nothing(
    tmp_path: Path, trained: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    records: list[Record] = []
    compared(out=tmp_path, models="conv", seeds=1, progress=records.append)
    assert trained == ["conv-seed0"]
    assert [record.images for record in records] == list(range(32, 353, 32))
    found = compared(out=tmp_path)
    assert trained[1:] == ["glimpse-2-seed0", "glimpse-2-seed1", "conv-seed1"]
    assert [(row.model, row.seeds) for row in found.rows] == [("glimpse 2 of 4x4", (0, 1)), ("conv", (0, 1))]
    assert found.suite == "tiny"
    by_hand = [100 * np.mean(wrong_one_by_one(tmp_path / f"glimpse-2-seed{seed}")) for seed in (0, 1)]
    assert found.rows[0].errors == pytest.approx(by_hand)

    def never(*arguments: Any, **options: Any) -> Any:
        raise AssertionError("measured or trained again")

    for module, name in (
        (measure, "open_task_images"),
        (measure, "interleaved"),
        (estimate, "measured_speed"),
        (suite, "opened_training"),
    ):
        monkeypatch.setattr(module, name, never)
    assert compared(out=tmp_path, threads=None).as_dict() == found.as_dict()


def test_models_are_named_one_by_one_or_as_one_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(calls, "compare_suite", lambda request, watch: asked.append(request.models))
    for models in ("glimpse-2, conv", ["glimpse-2", "conv"], None):
        compare(suite="tiny", models=models)
    assert asked == [("glimpse-2", "conv"), ("glimpse-2", "conv"), None]


def test_a_suite_stops_when_its_time_is_over_and_continues_at_the_next_call(
    tmp_path: Path, trained: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SUITES, "tiny", replace(TINY, entries=(replace(TINY.entries[1], images=200_000),), seeds=(0,)))
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGALRM)
    with pytest.raises(OutOfTimeError):
        compared(out=tmp_path, within=0.01)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGALRM)) == before
    state = RunFolder(tmp_path / "conv-seed0").load()
    assert state is not None
    seen = state["trainer"]["counters"]["step"] * 32
    assert 0 < seen < 200_000
    with pytest.raises(OutOfTimeError):
        compared(out=tmp_path, within=0.0)
    assert trained == ["conv-seed0"]  # no time, no training
    records: list[Record] = []
    with pytest.raises(OutOfTimeError):
        compared(out=tmp_path, within=0.01, progress=records.append)
    assert records[0].images == seen + 32


def test_a_stopped_suite_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    request = SuiteRequest("tiny", models=("conv",), seeds=1, machine=Machine("cpu", 1))
    whole = compare_suite(replace(request, out=tmp_path / "whole"))
    taken: list[int] = []

    def run(training: Training, stop: Stop) -> None:
        for record in training.records(stop=lambda: 143 if len(taken) == 4 else stop()):
            taken.append(record.images)

    with pytest.raises(StoppedError) as stopped:
        compare_suite(replace(request, out=tmp_path / "parts"), SuiteWatch(run=run))
    assert (stopped.value.code, len(taken)) == (143, 5)
    parts = compare_suite(replace(request, out=tmp_path / "parts"))
    assert parts.rows[0].errors == whole.rows[0].errors
    weights = [(tmp_path / name / "conv-seed0" / "model.safetensors").read_bytes() for name in ("whole", "parts")]
    assert weights[0] == weights[1]


def test_a_suite_started_with_other_settings_is_refused(tmp_path: Path) -> None:
    compared(out=tmp_path, models="conv", seeds=1)
    with pytest.raises(ValueError, match=r"conv-seed0: the run was started with --images 330, not 640.*choose another --out"):
        compared(out=tmp_path, models="conv", seeds=1, images=640)


def test_a_model_that_diverges_is_left_out_and_named(tmp_path: Path) -> None:
    def run(training: Training, stop: Stop) -> None:
        if training.record["preset"] == "tuned":
            raise TrainingDivergedError("50 steps in a row had no finite loss")
        run_silently()(training, stop)

    request = SuiteRequest("tiny", out=tmp_path / "suite", seeds=1, machine=Machine("cpu", 1))
    with pytest.warns(UserWarning, match="glimpse-2, seed 0 is left out: 50 steps"):
        found = compare_suite(request, SuiteWatch(run=run))
    assert [row.model for row in found.rows] == ["conv"]
    assert found.as_dict()["left_out"] == "glimpse-2, seed 0 (diverged)"
    other = replace(request, out=tmp_path / "other", models=("glimpse-2",))
    with pytest.warns(UserWarning, match="left out"), pytest.raises(ValueError, match="could be trained to its end"):
        compare_suite(other, SuiteWatch(run=run))
