"""Several workers of a sweep, stopped and killed, as processes of the command line."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from glimpse.sweeping.results import SweepResult, read_sweep
from tests.helpers.sweeps import OPTIONS

pytestmark = pytest.mark.slow

LONGER = [*(option for option in OPTIONS if not option.startswith("--images")), "--images=2400", "--validate-every=240"]


def started(out: Path, *options: str) -> subprocess.Popen[bytes]:
    """Starts a sweep in a session of its own; what it says is in `errors.txt` next to its folder."""
    command = ["sweep", "classifier", *LONGER, "--vary=learning_rate=1e-4:1e-2:log", "--trials=4", "--no-prune", "--out", str(out)]
    arguments = [sys.executable, "-m", "glimpse", *command, *options]
    with (out.parent / "errors.txt").open("w") as errors:
        return subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True)


def waited(out: Path, *, running: int) -> SweepResult:
    """Returns the sweep once this number of trials is running and has been validated."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if (out / "study.db").is_file():
            try:
                found = read_sweep(out)
            except ValueError:  # the database is being created
                continue
            if sum(trial.status == "running" and trial.images > 0 for trial in found.trials) >= running:
                return found
        time.sleep(0.2)
    raise TimeoutError(f"{running} trials did not run within five minutes")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_two_workers_share_a_sweep_that_survives_its_end(tmp_path: Path, number: signal.Signals) -> None:
    out = tmp_path / "sweep"
    process = started(out, "--workers=2")
    seen = {trial.run: trial.images for trial in waited(out, running=2).trials}
    if number == signal.SIGTERM:
        process.send_signal(number)  # which the parent passes on
        assert process.wait(timeout=120) == 128 + number
        stopped = read_sweep(out)
    else:
        os.killpg(process.pid, number)
        process.wait(timeout=60)
        stopped = read_sweep(out)
    assert "running" not in {trial.status for trial in stopped.trials}
    assert sum(trial.status == "stopped" for trial in stopped.trials) == 2
    again = started(out, "--workers=2")
    assert again.wait(timeout=600) == 0, (tmp_path / "errors.txt").read_text()
    found = read_sweep(out)
    assert [trial.status for trial in found.trials] == ["complete"] * 4
    assert all(trial.images == 2400 for trial in found.trials)
    assert {*seen} <= {trial.run for trial in found.trials}


def test_commands_started_twice_share_the_trials(tmp_path: Path) -> None:
    first = started(tmp_path / "sweep")
    second = started(tmp_path / "sweep")
    assert (first.wait(timeout=600), second.wait(timeout=600)) == (0, 0)
    found = read_sweep(tmp_path / "sweep")
    assert [trial.run for trial in found.trials] == [f"trial-000{number}" for number in range(4)]
    assert [trial.status for trial in found.trials] == ["complete"] * 4


def test_workers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    out = tmp_path / "sweep"
    process = started(out, "--workers=2")
    waited(out, running=2)
    process.kill()  # the workers are not told
    process.wait(timeout=60)
    deadline = time.monotonic() + 120
    while any(trial.status == "running" for trial in read_sweep(out).trials):
        assert time.monotonic() < deadline, "workers still run"
        time.sleep(0.5)


def test_an_error_of_all_workers_is_the_error_of_the_command(tmp_path: Path) -> None:
    process = started(tmp_path / "sweep", "--workers=2", "--digits=none.npz")
    assert process.wait(timeout=300) == 1
    said = (tmp_path / "errors.txt").read_text()
    assert "none.npz" in said.splitlines()[-1]
    assert "Traceback" not in said
