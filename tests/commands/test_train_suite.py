"""Training a suite: its runs are asked for as `glimpse train-classifier` would be, and their time is estimated from its parts."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from glimpse.cli import glimpse
from glimpse.commands import train_classifier as classifier_training
from glimpse.commands import train_suite as suite_training
from glimpse.commands.train_suite import PlannedRun, plan_suite
from glimpse.settings.suites import SUITES, Entry, Suite
from tests.helpers.presets import TRAINING_PRESETS

SMALL = {"hidden": 8, "batch_size": 16, "log_every": 160}
SUITE = Suite(
    40,
    2,
    (
        Entry("glimpse-2", "tuned", 320, SMALL | {"window": 4, "features": 8, "glimpses": 2}),
        Entry("conv", "conv", 330, SMALL | {"filters": 2}),
    ),
    seeds=(0, 1),
    validate_every=160,
    digits="sklearn",
)
OPTIONS: dict[str, Any] = dict.fromkeys(("models", "images", "seeds", "precision", "compile", "data_dir")) | {
    "suite": "tiny",
    "device": "cpu",
    "threads": 1,
}


def planned(monkeypatch: pytest.MonkeyPatch, folder: Path, suite: Suite = SUITE, **options: Any) -> list[PlannedRun]:
    """Returns the plan of a suite."""
    monkeypatch.setitem(SUITES, "tiny", suite)
    return plan_suite(folder, OPTIONS | options)


def test_a_plan_has_every_model_and_seed_that_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [run.name for run in planned(monkeypatch, tmp_path)]
    assert names == ["glimpse-2, seed 0", "conv, seed 0", "glimpse-2, seed 1", "conv, seed 1"]
    (run,) = planned(monkeypatch, tmp_path, models="conv", seeds=1, precision="bf16")
    assert (run.done, run.total, run.finished) == (0, 336, False)  # whole batches of 16
    assert run.chosen["precision"] == "bf16"
    assert run.folder.path == tmp_path / "conv-seed0"
    assert [run.total for run in planned(monkeypatch, tmp_path, images=64)] == [64] * 4
    with pytest.raises(ValueError, match="tiny has no model 'ram'; it has glimpse-2, conv"):
        planned(monkeypatch, tmp_path, models="conv, ram")


def test_a_suites_options_are_those_of_train_classifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = planned(monkeypatch, tmp_path)[0]
    found = suite_training._training_options(run, OPTIONS)
    names = {parameter.name for parameter in glimpse.commands["train-classifier"].params}
    assert names <= found.keys()
    assert set(run.chosen) <= names
    assert found["out"] == tmp_path / "glimpse-2-seed0"


def test_an_estimate_counts_steps_and_their_share_of_the_validations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forward = 7000.0  # seconds for the 250 images that stand for the 300 of the validation
    monkeypatch.setattr(suite_training, "forward_seconds", lambda *arguments: forward)
    found = {}
    for every in (100, 300, 1000):
        run = planned(monkeypatch, tmp_path, replace(SUITE, validate_every=every), models="conv", images=320)[0]
        found[every] = suite_training._seconds_per_image(run, OPTIONS, torch.device("cpu"), 1)
    shares = {every: forward * 300 / 250 / min(every, 320) for every in found}  # one validation at the end of 320 images at least
    assert all(0 < found[every] - shares[every] < 0.05 * shares[every] for every in found)  # a step takes no minutes


# Seeds of one model


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a suite's folder with one run, of conv from seed 0, that was started with bf16."""
    folder = tmp_path_factory.mktemp("started")
    with pytest.MonkeyPatch.context() as patch:
        (run,) = planned(patch, folder, models="conv", seeds=1, precision="bf16")
        found, _ = classifier_training.new_run(
            suite_training._training_options(run, OPTIONS), dict(run.chosen), torch.device("cpu"), 1
        )
        run.folder.start(found)
    return folder


def test_a_started_run_goes_well_with_seeds_of_the_same_settings(started: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for options in ({"precision": "bf16"}, {"models": "glimpse-2"}, {"models": "conv", "seeds": 1}):
        assert planned(monkeypatch, started, **options)


def test_seeds_of_a_model_that_differ_in_a_setting_are_refused_by_name(started: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, other = started / "conv-seed0", started / "conv-seed1"
    with pytest.raises(ValueError, match=f"^{first} has precision bf16, {other} fp32: .* choose another --out$"):
        planned(monkeypatch, started)
    changed = TRAINING_PRESETS | {"conv": replace(TRAINING_PRESETS["conv"], learning_rate=0.125)}
    monkeypatch.setattr(suite_training, "TRAINING_PRESETS", changed)
    with pytest.raises(ValueError, match=f"^{first} has learning-rate 0.003, {other} 0.125: .* choose another --out$"):
        planned(monkeypatch, started, precision="bf16")
    assert planned(monkeypatch, started, models="conv", seeds=1)  # alone it goes on as it was started


def test_a_runs_own_folder_is_no_suites(started: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="conv-seed0 is a run's own folder: choose another --out"):
        planned(monkeypatch, started / "conv-seed0")
