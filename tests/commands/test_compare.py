"""`glimpse compare`: output, files, errors, and interrupted suites."""

import csv
import json
import re
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from glimpse.commands import compare as command
from glimpse.commands import console
from glimpse.commands.train import show_records
from glimpse.comparison import estimate, measure
from glimpse.comparison.calls import compare
from glimpse.comparison.table import headline, pair_table, table
from glimpse.settings.requests import CompareRequest
from glimpse.settings.suites import SUITES
from glimpse.training.calls import train_classifier
from glimpse.training.engine import TrainingDivergedError
from glimpse.training.folder import RunFolder
from tests.helpers.commands import invoked, printed_json, refused, succeeded
from tests.helpers.comparisons import of_nine_models
from tests.helpers.runs import stop_at
from tests.helpers.suites import TINY, TRAINING, quick_trainings

ON_CPU = ("--threads=1", "--device=cpu")


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    with quick_trainings():
        yield


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adds a suite of tiny models to the real ones, and to the choices of `--suite`."""
    from glimpse.cli import glimpse

    monkeypatch.setitem(SUITES, "tiny", TINY)
    (option,) = [option for option in glimpse.commands["compare"].params if option.name == "suite"]
    monkeypatch.setattr(option.type, "choices", list(SUITES))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Returns finished runs on scikit-learn's digits, by their glimpses."""
    folder = tmp_path_factory.mktemp("runs")
    on: dict[str, Any] = {"digits": "sklearn", "canvas": 40, "pieces": 2, "threads": 1, "device": "cpu"} | TRAINING
    for glimpses in (2, 3):
        train_classifier(
            **on, glimpses=glimpses, window=4, hidden=8, features=8, images=320, model="glimpse", out=folder / str(glimpses)
        )
    return {glimpses: folder / str(glimpses) for glimpses in (2, 3)}


# Runs


def test_json_holds_what_the_python_call_returns(runs: dict[int, Path]) -> None:
    found = printed_json("compare", *runs.values(), *ON_CPU)
    own = compare(*runs.values(), device="cpu", threads=1).as_dict()
    for row in [*found["rows"], *own["rows"]]:
        assert row.pop("inference_images_per_second") > 0
    assert found == json.loads(json.dumps(own))


def test_a_comparison_prints_a_table_with_a_legend_and_writes_the_files(runs: dict[int, Path], tmp_path: Path) -> None:
    files = {"csv": tmp_path / "new" / "a.csv", "markdown": tmp_path / "a.md", "figure": tmp_path / "a.png"}
    shown = succeeded("compare", *runs.values(), *ON_CPU, *(f"--{name}={file}" for name, file in files.items()))
    assert "sklearn on 40x40, 2 pieces: 300 test images; measured on cpu, threads: 1" in shown.stdout
    assert "glimpse 2 of 4x4" in shown.stdout
    assert "McNemar's exact test" in shown.stdout
    assert "values read: " in shown.stderr
    for file in files.values():
        assert file.stat().st_size > 100
        assert f"Wrote {file}" in shown.stderr
    with (tmp_path / "new" / "a-pairs.csv").open(newline="") as stream:
        (pair,) = csv.DictReader(stream)
    assert (pair["first"], pair["second"]) == ("glimpse 2 of 4x4", "glimpse 3 of 4x4")
    assert 0 <= float(pair["p"]) == float(pair["p_holm"]) <= 1
    with files["csv"].open(newline="") as stream:
        assert [row["model"] for row in csv.DictReader(stream)] == ["glimpse 2 of 4x4", "glimpse 3 of 4x4"]


def test_bad_input_is_one_line_with_a_remedy(runs: dict[int, Path], tmp_path: Path) -> None:
    run = runs[2]
    assert "name runs to compare, or a --suite: cluttered-100" in refused("compare")
    assert "not both" in refused("compare", run, "--suite=plain-28")
    assert "--images, --within goes with a --suite" in refused("compare", run, "--images=5", "--within=1")
    assert "writes a .png file" in refused("compare", run, "--figure", tmp_path / "a.gif")
    weights, record = run / "model.safetensors", run / "metrics.csv"
    before = weights.read_bytes(), record.read_bytes()
    for name in ("csv", "markdown"):
        assert f"--{name} writes a " in refused("compare", run, f"--{name}", weights)
    assert f"{record} holds the metrics of a run" in refused("compare", run, "--csv", record)
    assert (weights.read_bytes(), record.read_bytes()) == before
    assert "choose a file in a writable folder" in refused("compare", run, "--csv", weights / "a.csv")
    suite = ("--suite=plain-28", "--models=conv,ram", "--out", tmp_path / "suite")
    assert "has no model 'ram'; it has search-8, glimpse-8" in refused("compare", *suite)


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_a_terminal_shows_every_number_whole_and_the_lowest_error_last(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int
) -> None:
    comparison = of_nine_models()
    monkeypatch.setattr(command, "measured_comparison", lambda *arguments: comparison)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    command.compare(CompareRequest(("a",)), command.ComparisonFiles(), as_json=False)
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1] == headline(comparison)
    drawn = [line for line in lines if line[0] in "┏┃┡│└"]
    assert max(map(len, drawn)) <= columns
    words = {word for line in drawn for word in line.replace("│", " ").replace("┃", " ").split()}
    for first, (_, rows) in ((1, table(comparison)), (2, pair_table(comparison))):
        for text in (console.cell(value) for row in rows for value in row[first:]):
            assert {*text.split()} <= words, text


# Suites


def test_a_suite_first_estimates_its_time_and_trains_nothing_twice(tmp_path: Path) -> None:
    out = ("--out", tmp_path / "suite")
    succeeded("compare", "--suite=tiny", *out, "--models=conv", "--seeds=1", *ON_CPU)
    shown = succeeded("compare", "--suite=tiny", *out, *ON_CPU, "--json").stderr
    estimates = [line for line in shown.splitlines() if " images left, " in line]
    assert [line.partition(":")[0] for line in estimates] == ["glimpse-2, seed 0", "glimpse-2, seed 1", "conv, seed 1"]
    assert [("measured now" in line, "as recorded" in line) for line in estimates] == [(True, False)] * 2 + [(False, True)]
    assert shown.index("Estimated time of 3 runs: 992 images") < shown.index("Training in")
    begun = [line for line in shown.splitlines() if line.startswith("Now ")]
    assert begun == ["Now glimpse-2, seed 0", "Now glimpse-2, seed 1", "Now conv, seed 1"]
    again = invoked("compare", "--suite=tiny", *out, "--json")
    assert [row["seeds"] for row in json.loads(again.stdout)["rows"]] == [[0, 1], [0, 1]]
    assert not again.stderr


def test_a_suite_at_its_time_limit_reports_its_state_and_the_command_that_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SUITES, "tiny", replace(TINY, entries=(replace(TINY.entries[1], images=200_000),), seeds=(0,)))
    monkeypatch.setattr(estimate, "measured_speed", lambda *arguments: 1e-3)
    out = tmp_path / "a suite"
    options = ("compare", "--suite=tiny", "--out", out, "--models=conv", *ON_CPU)
    before = signal.getsignal(signal.SIGTERM)
    shown = succeeded(*options, "--within=0.01", "--json")
    again = f"glimpse compare --suite tiny --out '{out}' --models conv --within 0.01 --threads 1 --device cpu"
    assert json.loads(shown.stdout) == {"suite": "tiny", "finished": 0, "runs": 1, "go_on": f"{again} --json"}
    assert shown.stderr.splitlines()[-1] == f"Time limit reached: 0 of 1 runs are finished. Continue with: {again} --json"
    assert signal.getsignal(signal.SIGTERM) == before
    state = RunFolder(out / "conv-seed0").load()
    assert state is not None
    seen = state["trainer"]["counters"]["step"] * 32
    assert 0 < seen < 200_000
    shown = succeeded(*options, "--within=0")
    assert f"Continue with: {again.replace(' --within 0.01', '')}" in shown.stderr
    assert f"{200_000 - seen:,} of 200,000 images left" in shown.stderr
    assert not re.search("(Training|Resuming) in", shown.stderr)


def test_a_signal_stops_a_suite_with_its_exit_code_and_the_whole_command_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("compare", "--suite=tiny", "--models=conv", "--seeds=1", "--no-compile", "--out", tmp_path, *ON_CPU)
    files = ("--csv", tmp_path / "a.csv")
    with monkeypatch.context() as patch:
        patch.setattr(estimate, "measured_speed", lambda *arguments: 1e-3)
        stop_at(patch, 5)
        stopped = invoked(*options, *files, "--json")
    assert (stopped.exit_code, stopped.stdout) == (143, "")
    again = f"--models conv --seeds 1 --no-compile --csv {tmp_path / 'a.csv'} --threads 1 --device cpu --json"
    assert stopped.stderr.splitlines()[-1].startswith(
        "Stopped: 0 of 1 runs are finished. Continue with: glimpse compare --suite tiny"
    )
    assert stopped.stderr.rstrip().endswith(again)
    assert "train-classifier --resume" not in stopped.stderr
    shown = succeeded(*options)
    assert "Resuming in" in shown.stderr


def test_an_interrupted_measurement_reports_the_command_that_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: Any, **options: Any) -> Any:
        raise KeyboardInterrupt

    options = ("compare", "--suite=tiny", "--models=conv", "--seeds=1", "--out", tmp_path, *ON_CPU)
    with monkeypatch.context() as patch:
        patch.setattr(measure, "interleaved", interrupted)
        stopped = invoked(*options)
    assert stopped.exit_code == 130
    line = stopped.stderr.splitlines()[-1]
    assert line.startswith(
        "Stopped: 1 of 1 runs are finished, but not all are evaluated. Continue with: glimpse compare --suite tiny"
    )
    shown = succeeded(*options)
    assert "Training in" not in shown.stderr
    assert "conv" in shown.stdout


def test_a_model_that_diverges_is_left_out_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def diverging(training: Any, *rest: Any) -> None:
        if training.record["preset"] == "tuned":
            raise TrainingDivergedError("50 steps in a row had no finite loss")
        show_records(training, *rest)

    monkeypatch.setattr(command, "show_records", diverging)
    shown = succeeded("compare", "--suite=tiny", "--seeds=1", "--out", tmp_path / "suite", *ON_CPU)
    assert "Warning: glimpse-2, seed 0 is left out: 50 steps" in shown.stderr
    assert "left out: glimpse-2, seed 0 (diverged)" in shown.stderr
    assert "conv" in shown.stdout
