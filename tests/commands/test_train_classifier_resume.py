"""`glimpse train-classifier --resume` and `--config`: resumed runs, and runs from the settings of others."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.classifier_runs import DATA, TINY, refused, train
from tests.helpers.runs import settings_of

pytestmark = pytest.mark.usefixtures("without_pictures")


# Resuming


def test_resuming_a_finished_run_reports_it_and_succeeds(run: Path) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    result = train(*TINY, *DATA, "--resume", "--out", run)
    assert result.exit_code == 0
    assert "is finished: 320 images" in result.stderr
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


def test_a_run_whose_checkpoints_were_removed_is_not_trained_again(tmp_path: Path) -> None:
    out = tmp_path / "run"
    conv = ["--model=conv", "--filters=2", "--hidden=4", "--images=64", "--batch-size=16", "--validate-every=32", "--log-every=32"]
    assert train(*conv, *DATA, "--out", out).exit_code == 0
    shutil.rmtree(out / "checkpoints")
    before = {path: path.read_bytes() for path in out.iterdir()}
    again = train("--resume", "--model=conv", "--out", out)
    assert (again.exit_code, "is finished" in again.stderr) == (0, True), again.output
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    record = out / "metrics.csv"
    record.write_text("".join(record.read_text().splitlines(keepends=True)[:-1]))
    assert "its checkpoints were removed, so that it cannot resume" in refused("--resume", "--model=conv", "--out", out)
    (out / "checkpoints").mkdir()  # as a kill between the first weights and their checkpoint leaves it
    assert train("--resume", "--model=conv", "--out", out).exit_code == 0
    assert (out / "model.safetensors").read_bytes() == before[out / "model.safetensors"]
    assert len(record.read_text().splitlines()) == 3


def test_a_folder_that_is_not_empty_is_refused_without_resume(run: Path, tmp_path: Path) -> None:
    assert "--resume" in refused(*TINY, *DATA, "--out", run)
    (tmp_path / "letter.txt").write_text("mine")
    for more in ([], ["--resume"]):
        assert "not empty" in refused(*TINY, *DATA, "--out", tmp_path, *more)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["letter.txt"]


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--hidden=9", "with --hidden 8, not 9"),
        ("--images=160", "with --images 320, not 160"),
        ("--learning-rate=0.1", "with --learning-rate 0.001, not 0.1"),
        ("--seed=1", "with --seed 0, not 1"),
        ("--pieces=3", "with --pieces 2, not 3"),
        ("--digits=mnist", "with --digits sklearn, not mnist"),
        ("--preset=paper", "with --preset tuned, not paper"),
        ("--epochs=0.1", "with --images 320, not 120"),
        ("--threads=2", "with --threads 1, not 2"),
        ("--precision=bf16", "with --precision fp32, not bf16"),
        ("--no-compile", ""),
        ("--digits=auto", ""),
    ],
)
def test_a_run_resumes_with_its_own_options_only(run: Path, option: str, said: str) -> None:
    if said:
        assert said in refused("--resume", "--out", run, option)
    else:
        assert train("--resume", "--out", run, option).exit_code == 0


def test_a_run_on_a_file_resumes_however_its_path_is_written(color: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "run"
    monkeypatch.chdir(color.parent)
    assert train(*TINY, "--data", color.name, "--out", out).exit_code == 0
    assert "finished" in train("--resume", "--data", color.name, "--out", out).stderr
    assert "finished" in train("--resume", "--data", color, "--out", out).stderr
    assert "finished" in train("--resume", "--out", out).stderr
    assert "without --pieces" in refused("--resume", "--pieces=2", "--out", out)
    other = tmp_path / "other.npz"
    other.write_bytes(color.read_bytes())
    assert "finished" in train("--resume", "--data", other, "--out", out).stderr
    color.rename(tmp_path / "moved.npz")
    assert "if it was moved, name it with --data" in refused("--resume", "--out", out)
    (tmp_path / "moved.npz").rename(color)


def test_a_file_that_has_changed_is_noticed(tmp_path: Path) -> None:
    file, out = tmp_path / "own.npz", tmp_path / "run"
    np.savez(file, images=np.zeros((40, 9, 9), dtype=np.uint8), labels=np.arange(40) % 2)
    assert train(*TINY, "--data", file, "--out", out).exit_code == 0
    np.savez(file, images=np.ones((40, 9, 9), dtype=np.uint8), labels=np.arange(40) % 2)
    assert "digests differ" in refused("--resume", "--out", out)


def test_own_digits_go_on_however_their_path_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    glyphs = np.random.default_rng(0).integers(0, 256, (60, 28, 28), dtype=np.uint8)
    np.savez(tmp_path / "glyphs.npz", images=glyphs, labels=np.arange(60) % 4)
    monkeypatch.chdir(tmp_path)
    options = [*TINY, "--digits=glyphs.npz", "--canvas=40", "--out", str(tmp_path / "run")]
    assert train(*options).exit_code == 0
    assert settings_of(tmp_path / "run")["model"]["classes"] == 4
    assert "finished" in train("--resume", *options).stderr
    assert "finished" in train("--resume", "--out", tmp_path / "run").stderr


# Settings of another run


@pytest.mark.parametrize("file", ["", "config.json"])
def test_a_run_starts_from_anothers_settings(run: Path, tmp_path: Path, file: str) -> None:
    out = tmp_path / "run"
    result = train("--config", run / file, "--hidden=6", "--images=160", "--threads=1", "--out", out)
    assert result.exit_code == 0, result.output
    before, after = settings_of(run), settings_of(out)
    assert after["model"] == before["model"] | {"hidden": 6}
    assert after["training"] == before["training"] | {"images": 160}
    assert after["data"] == before["data"]
    assert "finished" in train("--config", run, "--hidden=6", "--images=160", "--resume", "--out", out).stderr
    assert "with --hidden 6, not 8" in refused("--config", run, "--images=160", "--resume", "--out", out)


def test_a_copied_config_is_read_itself_not_the_one_beside_it(run: Path, tmp_path: Path) -> None:
    settings = settings_of(run)
    settings["model"]["hidden"] = 5
    (tmp_path / "mine.json").write_text(json.dumps(settings))
    (tmp_path / "config.json").write_text(json.dumps(settings_of(run)))
    assert train("--config", tmp_path / "mine.json", "--images=16", "--out", tmp_path / "run").exit_code == 0
    assert settings_of(tmp_path / "run")["model"]["hidden"] == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "does not hold the settings of a run"),
        ('{"model": {}}', "the record has no command, data, environment, preset, training"),
        (
            '{"model": [], "training": {}, "data": {}, "environment": {}, "command": "", "preset": "tuned"}',
            "model must be an object, got []",
        ),
        ("\xff\x00", "is not JSON"),
    ],
)
def test_a_config_that_cannot_be_used_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "config.json").write_bytes(text.encode("latin-1"))
    assert said in refused("--config", tmp_path / "config.json", "--out", tmp_path / "run")


def test_an_unknown_setting_in_a_config_is_an_error(run: Path, tmp_path: Path) -> None:
    settings = settings_of(run)
    settings["training"]["lr"] = 3
    (tmp_path / "config.json").write_text(json.dumps(settings))
    assert "has no field lr" in refused("--config", tmp_path / "config.json", "--out", tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "said"),
    [({"command": "train-generator"}, "holds the settings of glimpse train-generator"), ({"preset": "best"}, "preset 'best'")],
)
def test_settings_to_start_from_are_of_the_same_command_and_of_a_known_preset(
    run: Path, tmp_path: Path, change: dict[str, str], said: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(settings_of(run) | change))
    assert said in refused("--config", tmp_path / "config.json", "--out", tmp_path / "run")


def test_a_config_with_a_wrong_value_is_one_line(run: Path, tmp_path: Path) -> None:
    settings = settings_of(run)
    settings["model"]["hidden"] = "wide"
    (tmp_path / "config.json").write_text(json.dumps(settings))
    assert "hidden must be of type int, got 'wide'" in refused("--config", tmp_path, "--out", tmp_path / "run")


def test_options_that_contradict_each_other_are_refused(run: Path, color: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert "--preset or as --config" in refused("--preset=paper", "--config", run, "--out", out)
    assert "leave out --canvas, --digits" in refused("--data", color, "--canvas=40", "--digits=sklearn", "--out", out)
    assert not out.exists()


def test_your_own_images_are_started_from_a_config_too(color: Path, tmp_path: Path) -> None:
    assert train(*TINY, "--data", color, "--out", tmp_path / "first").exit_code == 0
    assert train("--config", tmp_path / "first", "--images=32", "--out", tmp_path / "second").exit_code == 0
    assert settings_of(tmp_path / "second")["data"] == settings_of(tmp_path / "first")["data"]
    other = train("--config", tmp_path / "first", *DATA, "--images=32", "--out", tmp_path / "third")
    assert other.exit_code == 0, other.output
    assert settings_of(tmp_path / "third")["data"]["kind"] == "cluttered"
    assert settings_of(tmp_path / "third")["model"]["channels"] == 1
