"""`glimpse sweep`: the table, JSON and figure of a study, options, what stops it, and refusals."""

import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from glimpse.sweeping.results import read_sweep
from tests.helpers.commands import invoked, printed_json, refused, succeeded
from tests.helpers.runs import settings_of, stop_at
from tests.helpers.sweeps import OPTIONS

pytestmark = pytest.mark.usefixtures("without_pictures")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, without_pictures: None) -> tuple[Path, str, str]:
    """Returns the folder of a sweep of five trials, and what the command printed to stdout and stderr."""
    out = tmp_path_factory.mktemp("sweeps") / "sweep"
    options = [option for option in OPTIONS if not option.startswith("--hidden")]
    vary = ["--vary", "learning_rate=1e-4:1e-1:log", "--vary", "hidden=4,8"]
    result = succeeded("sweep", "classifier", *options, *vary, "--trials=5", "--out", out, "--figure", out / "sweep.png")
    return out, result.stdout, result.stderr


def test_the_table_holds_every_trial_the_best_first_within_80_columns(shown: tuple[Path, str, str]) -> None:
    out, table, notes = shown
    found = read_sweep(out)
    heading, *lines = table.splitlines()
    assert heading.split() == ["run", "status", "error", "%", "images", "learning_rate", "hidden"]
    cells = [line.split() for line in lines[:5]]
    assert [float(row[2]) for row in cells] == sorted(float(row[2]) for row in cells)
    for row in cells:
        trial = next(trial for trial in found.trials if trial.run == row[0])
        assert row[1:4] == ["complete", f"{trial.best:.2f}", "64"]
        assert row[4:] == [f"{trial.settings['learning_rate']:.4g}", str(trial.settings["hidden"])]
    assert max(map(len, table.splitlines())) <= 80
    assert found.best is not None
    assert f"Best: {found.best.run}. Evaluate it on the test set: glimpse evaluate {out / found.best.run}" in notes
    assert f"glimpse train-classifier --config {out / found.best.run}" in notes


def test_the_best_trial_is_trained_for_longer_by_the_command_that_is_named(shown: tuple[Path, str, str], tmp_path: Path) -> None:
    out, _, _ = shown
    best = read_sweep(out).best
    assert best is not None
    succeeded("train-classifier", "--config", out / best.run, "--images=128", "--out", tmp_path / "longer", "--threads=1")
    record = settings_of(tmp_path / "longer")
    assert record["training"]["images"] == 128
    assert record["training"]["learning_rate"] == best.settings["learning_rate"]


def test_show_prints_the_same_and_its_json_is_the_result(shown: tuple[Path, str, str]) -> None:
    out, table, _ = shown
    assert succeeded("sweep", "show", out).stdout == table
    found = printed_json("sweep", "show", out)
    assert found == json.loads(json.dumps(read_sweep(out).as_dict()))
    assert found["varied"] == ["hidden=4,8", "learning_rate=0.0001:0.1:log"]
    assert [trial["run"] for trial in found["trials"]] == [f"trial-000{number}" for number in range(5)]
    if found["importance"]:  # not if all trials reached the same error
        assert sum(found["importance"].values()) == pytest.approx(1)
        assert {*found["importance"]} == {"learning_rate", "hidden"}


def test_the_figure_is_drawn_by_both_commands(shown: tuple[Path, str, str], tmp_path: Path) -> None:
    out, _, notes = shown
    assert f"Wrote {out / 'sweep.png'}" in notes
    assert f"Wrote {tmp_path / 'again.png'}" in succeeded("sweep", "show", out, "--figure", tmp_path / "again.png").stderr
    with Image.open(out / "sweep.png") as first, Image.open(tmp_path / "again.png") as second:
        assert first.size == second.size
        assert first.tobytes() == second.tobytes()
        assert first.size[0] > 1200


def test_ranges_come_from_a_file_and_the_study_may_be_elsewhere(tmp_path: Path) -> None:
    space, study = tmp_path / "space.toml", tmp_path / "studies" / "mine.db"
    space.write_text('learning_rate = "1e-4:1e-1:log"\nwarmup = [0, 100]\n')
    command = ["sweep", "classifier", *OPTIONS, "--vary", space, "--trials=1", "--out", tmp_path / "sweep", "--study", study]
    found = printed_json(*command)
    assert found["study"] == str(study)
    assert {*found["trials"][0]["settings"]} == {"learning_rate", "warmup"}
    assert not (tmp_path / "sweep" / "study.db").exists()
    assert "study.db does not exist" in refused("sweep", "show", tmp_path / "sweep")
    assert printed_json("sweep", "show", tmp_path / "sweep", "--study", study) == found


def test_a_signal_stops_the_sweep_and_the_same_command_continues_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    command = ["sweep", "classifier", *OPTIONS, "--vary=learning_rate=1e-4:1e-1:log", "--trials=1", "--out", tmp_path / "sweep"]
    stop_at(monkeypatch, 2)
    stopped = invoked(*command)
    assert (stopped.exit_code, stopped.stdout) == (143, "")
    assert "Stopped; the same command continues" in stopped.stderr
    shown = succeeded("sweep", "show", tmp_path / "sweep")
    assert shown.stdout.splitlines()[1].split()[:2] == ["trial-0000", "stopped"]
    assert "Stopped trials are continued by the command that started the sweep" in shown.stderr
    assert succeeded(*command).stdout.splitlines()[1].split()[:2] == ["trial-0000", "complete"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "Missing option '--vary'"),
        (["--vary=dropout"], "Invalid value for '--vary'"),
        (["--vary=dropout=0:2"], "dropout must be in 0 to 0.95, got 2"),
        (["--vary=learning-rat=0:2"], "did you mean learning_rate"),
        (["--vary=none.toml"], "none.toml"),
        (["--vary=dropout=0:0.5", "--trials=0"], "Invalid value for '--trials'"),
    ],
)
def test_a_wrong_option_is_an_error_of_usage(options: list[str], said: str) -> None:
    result = invoked("sweep", "classifier", *options)
    assert result.exit_code == 2
    assert said in result.stderr


def test_what_cannot_be_done_is_one_line(tmp_path: Path) -> None:
    vary = ["--vary=dropout=0:0.5", "--out", tmp_path / "sweep"]
    assert "--figure writes a .png file" in refused("sweep", "classifier", *vary, "--figure", tmp_path / "sweep.pdf")
    assert "dropout is both varied and fixed" in refused("sweep", "classifier", *vary, "--dropout=0.1")
    assert "dropout is varied twice" in refused("sweep", "classifier", *vary, "--vary=dropout=0,0.1")
    assert not (tmp_path / "sweep").exists()
    (tmp_path / "study.db").write_text("a letter")
    assert "holds no study of a sweep" in refused("sweep", "show", tmp_path)
    assert (tmp_path / "study.db").read_text() == "a letter"
    assert "holds no study of a sweep" in refused("sweep", "classifier", *vary, "--study", tmp_path / "study.db")


def test_without_optuna_the_command_names_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in sys.modules if name.startswith(("glimpse.sweeping", "glimpse.commands.sweep", "optuna"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "optuna", None)
    said = refused("sweep", "classifier", "--vary=dropout=0:0.5", "--out", tmp_path / "sweep")
    assert said == "this command needs optuna: pip install 'glimpse-attention[sweep]'"
