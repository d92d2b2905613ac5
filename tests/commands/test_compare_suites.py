"""`glimpse compare --suite`: suites that are trained, stop, go on and are not repeated."""

import json
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glimpse.commands import measure
from glimpse.commands import train as training_command
from glimpse.commands import train_suite as suite_training
from glimpse.commands.compare import compare_models
from glimpse.settings.suites import SUITES, Entry, Suite
from glimpse.training.engine import TrainingDivergedError
from glimpse.training.folder import RunFolder
from glimpse.training.loop import train_in
from tests.helpers.comparisons import OPTIONS, compared, looped, refused

pytestmark = pytest.mark.usefixtures("without_pictures")


SMALL = {"window": 4, "hidden": 8, "features": 8, "batch_size": 32, "log_every": 160}
SUITE = Suite(
    40,
    2,
    (
        Entry("glimpse-2", "tuned", 320, SMALL | {"glimpses": 2}),
        Entry("conv", "conv", 320, {"filters": 2, "hidden": 8, "batch_size": 32, "log_every": 160}),
    ),
    seeds=(0, 1),
    validate_every=160,
    digits="sklearn",
)


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts a suite of tiny models next to the real ones."""
    monkeypatch.setitem(SUITES, "tiny", SUITE)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Returns a list that the folder of every training that is begun is added to."""
    begun: list[Path] = []
    train = training_command.train

    def noted(kind: Any, options: dict[str, Any], chosen: dict[str, Any], **rest: Any) -> int:
        begun.append(options["out"])
        return train(kind, options, chosen, **rest)

    monkeypatch.setattr(suite_training, "train", noted)
    return begun


def test_a_suite_trains_what_is_missing_says_how_long_first_and_repeats_nothing(
    tmp_path: Path, trained: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "suite"
    assert compare_models([], OPTIONS | {"suite": "tiny", "out": out, "models": "conv", "seeds": 1}, as_json=True) == 0
    assert trained == [out / "conv-seed0"]
    capsys.readouterr()
    assert compare_models([], OPTIONS | {"suite": "tiny", "out": out}, as_json=True) == 0
    shown = capsys.readouterr()
    assert trained[1:] == [out / name for name in ("glimpse-2-seed0", "glimpse-2-seed1", "conv-seed1")]
    estimates = [line for line in shown.err.splitlines() if " images left, " in line]
    assert [line.partition(":")[0] for line in estimates] == ["glimpse-2, seed 0", "glimpse-2, seed 1", "conv, seed 1"]
    assert [("measured now" in line, "as recorded" in line) for line in estimates] == [(True, False)] * 2 + [(False, True)]
    assert shown.err.index("Estimated time of 3 runs: 960 images") < shown.err.index("Training in")
    found = json.loads(shown.out)
    assert [row["model"] for row in found["rows"]] == ["glimpse 2 of 4x4", "conv"]
    assert [row["seeds"] for row in found["rows"]] == [[0, 1], [0, 1]]
    assert found["suite"] == "tiny"
    by_hand = [100 * np.mean(looped(out / f"glimpse-2-seed{seed}")) for seed in (0, 1)]
    assert found["rows"][0]["errors_by_seed"] == pytest.approx(by_hand)

    def never(*arguments: Any) -> Any:
        raise AssertionError("measured or trained again")

    for name in ("open_task_images", "forward_seconds"):
        monkeypatch.setattr(measure, name, never)
    for name in ("_seconds_per_image", "train"):
        monkeypatch.setattr(suite_training, name, never)
    assert compared(capsys, suite="tiny", out=out, threads=None) == found


def test_a_suite_stops_when_its_time_is_over_and_goes_on_at_the_next_call(
    tmp_path: Path, trained: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    long = replace(SUITE, entries=(replace(SUITE.entries[1], images=200_000),), seeds=(0,))
    monkeypatch.setitem(SUITES, "tiny", long)
    monkeypatch.setattr(suite_training, "_seconds_per_image", lambda *arguments: 1e-3)
    out = tmp_path / "a suite"
    options = OPTIONS | {"suite": "tiny", "out": out, "models": "conv"}
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGALRM)
    assert compare_models([], options | {"within": 0.03}, as_json=True) == 0
    shown = capsys.readouterr()
    again = f"glimpse compare --suite tiny --out '{out}' --models conv --within 0.03 --threads 1 --device cpu"
    assert json.loads(shown.out) == {"suite": "tiny", "finished": 0, "runs": 1, "go_on": f"{again} --json"}
    assert shown.err.splitlines()[-1] == f"The time is over: 0 of 1 runs are finished. Go on with: {again} --json"
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGALRM)) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    state = RunFolder(out / "conv-seed0").load(torch.device("cpu"))
    assert state is not None
    seen = state["trainer"]["counters"]["step"] * 32
    assert 0 < seen < 200_000
    assert compare_models([], options | {"within": 0.0}, as_json=False) == 0
    shown = capsys.readouterr()
    assert f"Go on with: {again.replace(' --within 0.03', '')}" in shown.err
    assert f"{200_000 - seen:,} of 200,000 images left" in shown.err
    assert "Training in" not in shown.err
    assert "Resuming in" not in shown.err
    assert len(trained) == 1


def test_an_interrupted_suite_ends_as_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"suite": "tiny", "models": "conv", "seeds": 1}
    whole = compared(capsys, **options, out=tmp_path / "whole")
    real, stopped = train_in, []

    def stopping(*arguments: Any, stop: Callable[[], int | None], **rest: Any) -> Iterator[Any]:
        def after_five() -> int | None:
            stopped.append(1)
            return 128 + signal.SIGTERM if len(stopped) == 5 else stop()

        return real(*arguments, stop=after_five, **rest)

    monkeypatch.setattr(training_command, "train_in", stopping)
    parts = options | {"out": tmp_path / "parts"}
    capsys.readouterr()
    assert compare_models([], OPTIONS | parts, as_json=True) == 143  # a signal, not the clock: its exit code
    shown = capsys.readouterr()
    assert not shown.out
    assert "Stopped: 0 of 1 runs are finished. Go on with: glimpse compare --suite tiny" in shown.err
    assert "train-classifier --resume" not in shown.err
    assert compared(capsys, **parts)["rows"][0]["errors_by_seed"] == whole["rows"][0]["errors_by_seed"]
    weights = [(tmp_path / name / "conv-seed0" / "model.safetensors").read_bytes() for name in ("whole", "parts")]
    assert weights[0] == weights[1]


def test_an_interruption_while_it_measures_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: Any) -> Any:
        raise KeyboardInterrupt

    options = OPTIONS | {"suite": "tiny", "out": tmp_path / "suite", "models": "conv", "seeds": 1}
    with monkeypatch.context() as patch:
        patch.setattr(measure, "forward_seconds", interrupted)
        assert compare_models([], options, as_json=False) == 130
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("Stopped: 1 of 1 runs are finished, but not all are measured. Go on with: glimpse compare --suite tiny")
    assert compare_models([], options, as_json=True) == 0
    shown = capsys.readouterr()
    assert "Training in" not in shown.err
    assert [row["model"] for row in json.loads(shown.out)["rows"]] == ["conv"]


def test_a_suite_that_was_started_otherwise_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = {"suite": "tiny", "out": tmp_path / "suite", "models": "conv", "seeds": 1}
    compared(capsys, **options)
    line = refused(**options, images=640)
    assert line.startswith(f"{tmp_path / 'suite' / 'conv-seed0'}: the run was started with --images 320, not 640")
    assert "choose another --out" in line


def test_a_model_that_diverges_is_left_out_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train = training_command.train

    def diverging(kind: Any, options: dict[str, Any], chosen: dict[str, Any], **rest: Any) -> int:
        if chosen["preset"] == "tuned":
            raise TrainingDivergedError("50 steps in a row had no finite loss")
        return train(kind, options, chosen, **rest)

    monkeypatch.setattr(suite_training, "train", diverging)
    assert compare_models([], OPTIONS | {"suite": "tiny", "out": tmp_path / "suite", "seeds": 1}, as_json=True) == 0
    shown = capsys.readouterr()
    assert "glimpse-2, seed 0 is left out: 50 steps" in shown.err
    found = json.loads(shown.out)
    assert [row["model"] for row in found["rows"]] == ["conv"]
    assert found["left_out"] == "glimpse-2, seed 0 (diverged)"
    assert "could be trained" in refused(suite="tiny", out=tmp_path / "other", models="glimpse-2", seeds=1)
