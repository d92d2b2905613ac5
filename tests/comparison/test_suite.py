"""A suite's plan: its runs, their options and progress, and the time that remains."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click import Command

from glimpse.cli import glimpse
from glimpse.comparison import estimate
from glimpse.comparison.estimate import estimate_suite, measured_speed
from glimpse.comparison.suite import PlannedRun, plan_suite, train_suite
from glimpse.settings import catalog
from glimpse.settings.requests import Machine, SuiteRequest, chosen
from glimpse.settings.suites import SUITES, Suite
from glimpse.training.classifier import ClassifierPlan
from glimpse.training.engine import TrainingDivergedError
from tests.helpers.suites import TINY

CPU = Machine("cpu", 1)


def planned(monkeypatch: pytest.MonkeyPatch, folder: Path, suite: Suite = TINY, **options: Any) -> list[PlannedRun]:
    """Returns the plan of a suite."""
    monkeypatch.setitem(SUITES, "tiny", suite)
    return plan_suite(SuiteRequest("tiny", out=folder, machine=CPU, **options))


def test_a_plan_has_every_requested_model_and_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [run.name for run in planned(monkeypatch, tmp_path)]
    assert names == ["glimpse-2, seed 0", "conv, seed 0", "glimpse-2, seed 1", "conv, seed 1"]
    (run,) = planned(monkeypatch, tmp_path, models=("conv",), seeds=1, precision="bf16")
    assert (run.done, run.total, run.finished) == (0, 352, False)  # whole batches of 32
    assert run.request.settings["precision"] == "bf16"
    assert run.folder.path == tmp_path / "conv-seed0"
    assert [run.total for run in planned(monkeypatch, tmp_path, images=64)] == [64] * 4
    with pytest.raises(ValueError, match="tiny has no model 'ram'; it has glimpse-2, conv"):
        planned(monkeypatch, tmp_path, models=("conv", "ram"))
    with pytest.raises(ValueError, match="no suite 'nothing'; there are cluttered-100"):
        plan_suite(SuiteRequest("nothing"))


def test_a_suite_without_a_folder_has_one_by_its_name() -> None:
    assert SuiteRequest("plain-28").folder == Path("runs/compare-plain-28")


def test_a_suites_settings_are_options_of_train_classifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command: Command = glimpse.commands["train-classifier"]
    names = {parameter.name for parameter in command.params}
    for run in planned(monkeypatch, tmp_path, precision="fp32", compile=False):
        request = run.request
        assert {*request.settings, *request.images.generated, *chosen(request.run), *chosen(request.machine)} <= names
        assert (request.run.out, request.run.resume) == (tmp_path / f"{run.entry.name}-seed{run.seed}", True)


def test_an_estimate_counts_steps_and_their_share_of_the_validations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forward = 7000.0  # seconds for 250 images, counted as the 300 of the validation
    monkeypatch.setattr(estimate, "wall_seconds", lambda *arguments: forward)
    found = {}
    for every in (100, 300, 1000):
        (run,) = planned(monkeypatch, tmp_path, replace(TINY, validate_every=every), models=("conv",), images=320, seeds=1)
        found[every] = measured_speed(run, torch.device("cpu"), 1)
    shares = {every: forward * 300 / 250 / min(every, 320) for every in found}  # one validation at the end of 320 images at least
    assert all(0 < found[every] - shares[every] < 0.05 * shares[every] for every in found)  # so that a step takes no time
    assert not list(tmp_path.iterdir())


def test_an_estimate_of_all_runs_adds_up_and_measures_each_model_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "measured_speed", lambda run, *rest: {"glimpse-2": 0.5, "conv": 0.25}[run.entry.name])
    found = estimate_suite(planned(monkeypatch, tmp_path, compile=True))
    assert found.seconds == 2 * (320 * 0.5 + 352 * 0.25)
    assert (found.images, found.compiled, found.device, found.threads) == (2 * (320 + 352), True, "cpu", 1)
    assert found.as_dict()["runs"][1] == {"name": "conv, seed 0", "left": 352, "total": 352, "seconds": 88.0, "measured": True}


# Seeds of one model


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a suite's folder with one run, of conv from seed 0, that was started with bf16."""
    folder = tmp_path_factory.mktemp("started")
    with pytest.MonkeyPatch.context() as patch:
        (run,) = planned(patch, folder, models=("conv",), seeds=1, precision="bf16")
        record, _ = ClassifierPlan(run.request).new_run(torch.device("cpu"), 1)
        run.folder.start(record)
    return folder


def test_a_started_run_is_compatible_with_seeds_of_the_same_settings_and_any_threads(
    started: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: tuple[dict[str, Any], ...] = ({"precision": "bf16"}, {"models": ("glimpse-2",)}, {"models": ("conv",), "seeds": 1})
    for options in wanted:
        assert planned(monkeypatch, started, **options)
    assert plan_suite(SuiteRequest("tiny", out=started, models=("conv",), seeds=1, machine=Machine("cpu", 2)))


def test_seeds_of_a_model_that_differ_in_a_setting_are_refused_by_name(started: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, other = started / "conv-seed0", started / "conv-seed1"
    with pytest.raises(ValueError, match=f"^{first} has precision bf16, {other} fp32: .* choose another --out$"):
        planned(monkeypatch, started)
    conv = catalog.CLASSIFIERS["conv"]
    preset = conv.presets["conv"]
    faster = preset._replace(training=replace(preset.training, learning_rate=0.125))
    monkeypatch.setitem(catalog.CLASSIFIERS, "conv", replace(conv, presets={"conv": faster}))
    with pytest.raises(ValueError, match=f"^{first} has learning-rate 0.003, {other} 0.125: .* choose another --out$"):
        planned(monkeypatch, started, precision="bf16")
    assert planned(monkeypatch, started, models=("conv",), seeds=1)  # on its own it continues with its settings


def test_the_folder_of_a_run_is_not_a_suites(started: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="conv-seed0 is a run's own folder: choose another --out"):
        planned(monkeypatch, started / "conv-seed0")


def test_a_compiled_model_that_diverges_is_forgotten_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, resets = planned(monkeypatch, tmp_path, models=("conv",), seeds=2, compile=True), []

    def diverging(*arguments: object) -> None:
        raise TrainingDivergedError("no finite loss")

    monkeypatch.setattr("glimpse.comparison.suite.opened_training", lambda plan: nullcontext())
    monkeypatch.setattr("torch.compiler.reset", lambda: resets.append(True))
    with pytest.warns(UserWarning, match="left out"):
        assert train_suite(plan, run=diverging) == []
    assert len(resets) == 2
