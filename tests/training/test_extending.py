"""A larger budget for a finished run, and resuming with another number of processes."""

from pathlib import Path

import pytest

from glimpse.settings.training import TrainingConfig
from glimpse.training.folder import RunFolder
from glimpse.training.optimizer import rate_at
from tests.helpers.classifier_runs import DATA, TINY, refused, train
from tests.helpers.runs import assert_same, metrics, settings_of, stop_at

pytestmark = pytest.mark.usefixtures("without_pictures")


def test_a_finished_run_is_extended_along_the_cosine_of_the_new_budget(tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert "--resume --images MORE" in train(*TINY, *DATA, "--out", out).stderr
    before = metrics(out)
    result = train("--resume", "--images=640", "--out", out)
    assert result.exit_code == 0, result.output
    assert "Extending the run from 320 to 640 images: the learning rate follows the cosine" in result.stderr
    assert "differs from that of a run with this budget from the start" in result.stderr
    after = metrics(out)
    assert after[: len(before)] == before
    assert after[-1]["images"] == 640
    config = TrainingConfig(**settings_of(out)["training"])
    assert (config.images, settings_of(out)["budgets"]) == (640, [320])
    first = next(row for row in after if row["images"] > 320)
    assert first["learning_rate"] == pytest.approx(config.learning_rate * rate_at(int(first["images"]) // 16, config))
    assert first["learning_rate"] > before[-1]["learning_rate"]
    assert "is finished: 640 images" in train("--resume", "--out", out).stderr


def test_an_extended_run_with_a_constant_rate_equals_a_run_with_that_budget(tmp_path: Path) -> None:
    constant = [*TINY, *DATA, "--schedule=constant", "--warmup=32"]
    assert train(*constant, "--images=640", "--out", tmp_path / "whole").exit_code == 0
    out = tmp_path / "extended"
    assert train(*constant, "--out", out).exit_code == 0
    extended = train("--resume", "--images=640", "--out", out)
    assert "as in a run with this budget from the start" in extended.stderr
    assert (out / "model.safetensors").read_bytes() == (tmp_path / "whole" / "model.safetensors").read_bytes()
    assert metrics(out) == metrics(tmp_path / "whole")


def test_an_extension_that_is_stopped_continues_to_the_new_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("whole", "stopped"):
        assert train(*TINY, *DATA, "--out", tmp_path / name).exit_code == 0
    assert train("--resume", "--images=640", "--out", tmp_path / "whole").exit_code == 0
    with monkeypatch.context() as patch:
        stop_at(patch, 25)
        assert train("--resume", "--images=640", "--out", tmp_path / "stopped").exit_code == 143
    assert train("--resume", "--out", tmp_path / "stopped").exit_code == 0
    assert_same(tmp_path / "stopped", tmp_path / "whole")


def test_an_unfinished_run_is_finished_before_it_is_extended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        stop_at(patch, 5)
        assert train(*TINY, *DATA, "--out", out).exit_code == 143
    assert "has seen 80 of its 320 images: finish it with --resume alone" in refused("--resume", "--images=640", "--out", out)
    assert settings_of(out)["training"]["images"] == 320


def test_a_run_of_two_processes_is_continued_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        stop_at(patch, 5)
        assert train(*TINY, *DATA, "--out", out).exit_code == 143
    state, folder = RunFolder(out).load(), RunFolder(out)
    assert state is not None
    record = folder.config
    record["environment"]["processes"] = 2
    folder.write_config(record)
    folder.save(state | {"run": folder.identity})
    result = train("--resume", "--out", out)
    assert result.exit_code == 0, result.output
    assert "Started with 2 processes, continued with 1" in result.stderr


def test_restarted_processes_of_torchrun_continue_their_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "run"
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "0")
    with monkeypatch.context() as patch:
        stop_at(patch, 5)
        assert train(*TINY, *DATA, "--out", out).exit_code == 143
    assert "is not empty" in refused(*TINY, *DATA, "--out", out)
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    with monkeypatch.context() as patch:
        patch.setattr("glimpse.training.resuming.launcher", lambda: "another torchrun")
        assert "is not empty" in refused(*TINY, *DATA, "--out", out)
    result = train(*TINY, *DATA, "--out", out)
    assert result.exit_code == 0, result.output
    assert f"Resuming in {out}" in result.stderr
