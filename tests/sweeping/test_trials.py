"""Trials of a sweep: ordinary runs, pruned, diverged, stopped, killed and continued."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import torch
from optuna.trial import Trial, TrialState, create_trial

from glimpse.evaluation.evaluate import evaluate
from glimpse.models.catalog import open_classifier
from glimpse.sweeping.calls import run_sweep, sweep_classifier, sweep_generator
from glimpse.sweeping.results import SweepResult, read_sweep
from glimpse.sweeping.study import SweepStudy, stored_study
from glimpse.sweeping.trials import SweepWatch, run_trial, run_trials
from glimpse.training.calls import train_classifier
from glimpse.training.engine import Record
from glimpse.training.loop import StoppedError
from glimpse.training.session import Training
from tests.helpers.runs import metrics, rows, settings_of, stop_at
from tests.helpers.sweeps import COMMON, request

pytestmark = pytest.mark.usefixtures("without_pictures")


class Killed(BaseException):
    """Ends a trial as a kill does: nothing is saved or told."""


def killing(step: int) -> SweepWatch:
    """Returns a watch under which the first training is killed after a step."""

    def show(training: Training, records: Iterator[Record]) -> None:
        for number, _ in enumerate(records, start=1):
            if number == step:
                raise Killed

    return SweepWatch(show=show)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, without_pictures: None) -> SweepResult:
    """Returns a finished sweep of three trials over two settings."""
    out = tmp_path_factory.mktemp("sweeps") / "done"
    return run_sweep(request(out, "learning_rate=1e-4:1e-1:log", "hidden=4,8", trials=3))


def test_every_trial_is_a_run_with_its_settings_and_its_best_validation(done: SweepResult) -> None:
    assert [trial.run for trial in done.trials] == ["trial-0000", "trial-0001", "trial-0002"]
    for trial in done.trials:
        folder = done.out / trial.run
        record = settings_of(folder)
        assert trial.settings["learning_rate"] == record["training"]["learning_rate"]
        assert trial.settings["hidden"] == record["model"]["hidden"]
        assert record["model"]["filters"] == 2
        validations = [(int(row["images"]), row["valid_error"]) for row in metrics(folder)]
        assert list(trial.validations) == validations
        assert (trial.status, trial.best, trial.images) == ("complete", min(error for _, error in validations), 64)
        assert evaluate(folder, split="valid", threads=1).result.as_dict()["error"] == pytest.approx(trial.best)
    rates = [float(trial.settings["learning_rate"]) for trial in done.trials]
    assert len({*rates}) == 3
    assert all(1e-4 <= rate <= 1e-1 for rate in rates)
    assert done.best is not None
    assert done.best.best == min(trial.best or 0.0 for trial in done.trials)


def test_a_trial_is_the_training_of_the_same_settings(done: SweepResult, tmp_path: Path) -> None:
    trial = done.trials[1]
    train_classifier(**COMMON | dict(trial.settings), out=tmp_path / "alone")
    assert rows(tmp_path / "alone") == rows(done.out / trial.run)
    ours, theirs = (open_classifier(folder).state_dict() for folder in (done.out / trial.run, tmp_path / "alone"))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_the_settings_depend_on_the_seed_of_the_sampler_only(done: SweepResult, tmp_path: Path) -> None:
    first = [dict(trial.settings) for trial in done.trials]
    for seed, same in ((0, True), (1, False)):
        asked = request(tmp_path / str(seed), "learning_rate=1e-4:1e-1:log", "hidden=4,8", trials=3, sampler_seed=seed)
        with SweepStudy.opened(asked) as study:
            claims = [study.claim() for _ in range(3)]
        assert ([claim.settings for claim in claims if claim is not None] == first) is same


def test_more_trials_continue_a_finished_sweep_and_as_many_do_nothing(tmp_path: Path) -> None:
    first = run_sweep(request(tmp_path))
    assert run_sweep(request(tmp_path)) == first
    more = run_sweep(request(tmp_path, trials=3))
    assert more.trials[:2] == first.trials
    assert [trial.status for trial in more.trials] == ["complete"] * 3


def test_a_killed_trial_is_repeated_from_its_checkpoint_and_ends_as_if_it_had_not_been_killed(tmp_path: Path) -> None:
    whole = run_sweep(request(tmp_path / "whole", trials=1))
    asked = request(tmp_path / "killed", trials=1, checkpoint_every=0)
    with pytest.raises(Killed):
        run_trials(asked, killing(step=2))
    found = read_sweep(asked.sweep.out)
    assert [(trial.status, trial.images) for trial in found.trials] == [("stopped", 32)]
    seen = []

    def show(training: Training, records: Iterator[Record]) -> None:
        seen.extend([training.start, *(record.images for record in records if record.kind == "metrics")])

    run_trials(asked, SweepWatch(show=show))
    assert seen == [32, 48, 64]  # not from the start
    again = read_sweep(asked.sweep.out)
    assert again.trials[0] == whole.trials[0]
    assert len(again.trials) == 1
    study = stored_study(asked.sweep.study_file)
    assert [trial.state for trial in study.trials] == [TrialState.FAIL, TrialState.COMPLETE]
    assert sorted(study.trials[1].intermediate_values) == [1, 2, 3, 4]  # those before the kill as well


def test_a_trial_that_is_killed_again_and_again_fails(tmp_path: Path) -> None:
    asked = request(tmp_path, trials=1)
    for _ in range(3):
        with pytest.raises(Killed):
            run_trials(asked, killing(step=1))
    run_trials(asked, killing(step=1))  # nothing is left to run
    (trial,) = read_sweep(tmp_path).trials
    assert (trial.status, trial.reason) == ("failed", "its process was killed repeatedly")


def test_a_stopped_trial_is_saved_continued_and_not_counted_as_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = request(tmp_path, trials=1)
    taken = stop_at(monkeypatch, 1, 2, 3)
    for images in (16, 32, 48):
        with pytest.raises(StoppedError) as stopped:
            run_trials(asked, SweepWatch())
        assert stopped.value.code == 128 + 15
        (trial,) = read_sweep(tmp_path).trials
        assert (trial.status, trial.images) == ("stopped", images)
    run_trials(asked, SweepWatch())
    assert read_sweep(tmp_path).trials[0].status == "complete"
    assert taken == [1, 2, 3, 4]


def test_a_worse_trial_is_pruned_and_its_run_can_be_continued(tmp_path: Path) -> None:
    asked = request(tmp_path, trials=6, images=160, checkpoint_every=1000)
    distribution = optuna.distributions.FloatDistribution(1e-4, 1e-2, log=True)
    with SweepStudy.opened(asked) as study:
        for number in range(5):  # five completed trials that no training can beat
            study.study.add_trial(
                create_trial(
                    value=0.0,
                    params={"learning_rate": 1e-3},
                    distributions={"learning_rate": distribution},
                    user_attrs={"run": f"trial-{number:04d}"},
                    intermediate_values=dict.fromkeys(range(1, 11), 0.0),
                )
            )
        claim = study.claim()
        assert claim is not None
        assert run_trial(study, claim, SweepWatch()) == "pruned"
        assert study.claim() is None
    pruned = read_sweep(tmp_path).trials[-1]
    assert (pruned.status, pruned.images) == ("pruned", 48)  # the first validation after a fifth of the ten, and one step
    assert pruned.best == min(error for _, error in pruned.validations)
    assert evaluate(tmp_path / pruned.run, threads=1).result.n == 300
    images = COMMON | {"images": 160, "learning_rate": pruned.settings["learning_rate"]}
    assert train_classifier(**images, out=tmp_path / pruned.run, resume=True).images == 160


def test_without_pruning_every_trial_is_trained_to_its_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pruners: list[type] = []

    def should_prune(self: Trial) -> bool:
        pruners.append(type(self.study.pruner))
        return False

    monkeypatch.setattr(Trial, "should_prune", should_prune)
    run_sweep(request(tmp_path / "with", trials=1))
    run_sweep(request(tmp_path / "without", trials=1, prune=False))
    assert {*pruners[:3]} == {optuna.pruners.MedianPruner}
    assert {*pruners[3:]} == {optuna.pruners.NopPruner}


def test_a_diverged_trial_is_told_from_a_bad_one_and_the_sweep_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def validate(self: Any, model: Any) -> dict[str, float]:
        return {"error": float("nan"), "nll": float("nan")} if self.model.config.hidden == 4 else {"error": 50.0, "nll": 1.0}

    monkeypatch.setattr("glimpse.training.classifier.ClassificationTask.validate", validate)
    found = run_sweep(request(tmp_path, "hidden=4,8", trials=6))
    statuses = {trial.settings["hidden"]: trial.status for trial in found.trials}
    assert statuses == {4: "diverged", 8: "complete"}
    diverged = next(trial for trial in found.trials if trial.status == "diverged")
    assert "no validation was finite" in diverged.reason
    assert diverged.best is None
    assert stored_study(found.study).trials[int(diverged.run[-4:])].state == TrialState.PRUNED


# Errors


def test_settings_that_fit_no_training_leave_nothing_behind_that_refuses_the_next_call(tmp_path: Path) -> None:
    wrong = request(tmp_path, "window=4,6", trials=8)  # a convolutional network has no window
    with (
        pytest.warns(UserWarning, match="could not be trained") as warned,
        pytest.raises(ValueError, match="--window is for --model"),
    ):
        run_sweep(wrong)
    assert len(warned) == 2  # the third failure ends the sweep
    assert [trial.status for trial in run_sweep(request(tmp_path)).trials] == ["complete"] * 2


def test_a_trial_whose_settings_do_not_fit_fails_alone(tmp_path: Path) -> None:
    search = {"model": "search", "hidden": 8, "features": 8, "glimpses": 3, "candidates": 1, "learning_rate": 0.01}
    with pytest.warns(UserWarning, match="could not be trained: window must be even"):
        found = run_sweep(request(tmp_path, "window=4:5", **search, trials=5, sampler_seed=2))
    statuses = {trial.settings["window"]: trial.status for trial in found.trials}
    assert statuses == {4: "complete", 5: "failed"}
    assert next(trial for trial in found.trials if trial.status == "failed").reason == "window must be even, got 5"


def test_missing_data_do_not_use_up_a_trial(tmp_path: Path) -> None:
    missing = request(tmp_path, digits=str(tmp_path / "none.npz"))
    for _ in range(4):
        with pytest.raises(FileNotFoundError):
            run_sweep(missing)
    glyphs = np.random.default_rng(0).integers(0, 256, (60, 28, 28), dtype=np.uint8)
    np.savez(tmp_path / "none.npz", images=glyphs, labels=np.arange(60) % 4)
    assert [trial.status for trial in run_sweep(missing).trials] == ["complete"] * 2


@pytest.mark.parametrize(
    ("rate", "options", "said"),
    [
        ("1e-4:1e-1:log", {"images": 96}, "was started with --images 64, now 96"),
        ("1e-4:1e-3:log", {}, "was started with --vary hidden=4,8 learning_rate=0.0001:0.1:log, now hidden=4,8"),
        ("1e-4:1e-1:log", {"pieces": 3}, "was started with --pieces 2, now 3"),
        ("1e-4:1e-1:log", {"seed": 1}, "was started without --seed, now 1"),
        ("1e-4:1e-1:log", {"filters": None}, "was started with --filters 2, now without it"),
        ("1e-4:1e-1:log", {"learning_rate": 0.1}, "learning_rate is both varied and fixed"),
        ("1e-4:1e-1:log", {"distort": 1}, "was started without --distort, now 1"),
        ("1e-4:1e-1:log", {"init": "pretrained:convnet"}, "was started without --init, now pretrained:convnet"),
    ],
)
def test_a_sweep_is_not_continued_with_other_settings(done: SweepResult, rate: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        run_sweep(request(done.out, f"learning_rate={rate}", "hidden=4,8", trials=4, **options))


def test_a_sweep_is_continued_on_another_machine_and_with_other_threads(tmp_path: Path) -> None:
    run_sweep(request(tmp_path, trials=1))
    again = request(tmp_path, trials=2, threads=2, data_dir=tmp_path)
    assert [trial.status for trial in run_sweep(again).trials] == ["complete"] * 2
    torch.set_num_threads(1)


def test_under_torchrun_there_are_no_sweeps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="does not run under torchrun"):
        run_sweep(request(tmp_path))


def test_ten_validations_are_the_default(tmp_path: Path) -> None:
    found = run_sweep(request(tmp_path, "images=160,320", validate_every=None, trials=4))
    by_budget = {trial.settings["images"]: [images for images, _ in trial.validations] for trial in found.trials}
    assert by_budget == {160: list(range(16, 161, 16)), 320: list(range(32, 321, 32))}


def test_the_python_calls_take_the_options_by_name(tmp_path: Path) -> None:
    found = sweep_classifier(["hidden=4,8"], tmp_path / "a", trials=1, **COMMON | {"hidden": None})
    assert (found.metric, found.varied) == ("error", ("hidden=4,8",))
    draw: dict[str, Any] = {"images": 32, "batch_size": 16, "glimpses": 2, "hidden": 4, "latent": 2, "data": "digits", "threads": 1}
    generator = sweep_generator(["learning_rate=1e-4:1e-2:log"], tmp_path / "b", trials=1, **draw)
    assert generator.metric == "bound"
    assert generator.trials[0].status == "complete"
    assert settings_of(tmp_path / "b" / "trial-0000")["command"] == "train-generator"
    with pytest.raises(TypeError, match="unexpected option 'trails': did you mean trials"):
        sweep_classifier(["hidden=4,8"], tmp_path / "c", trails=1)


def test_a_request_keeps_the_runs_of_its_training_out_of_other_folders(tmp_path: Path) -> None:
    asked = request(tmp_path / "sweep", trials=1)
    named = replace(asked, training=replace(asked.training, run=replace(asked.training.run, out=tmp_path / "other")))
    run_sweep(named)
    assert not (tmp_path / "other").exists()
