"""Runs that are killed or stopped and resumed, against an uninterrupted run: the same bytes, no row twice, none missing."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import Result

from tests.helpers.classifier_runs import DATA, MODEL
from tests.helpers.commands import invoked
from tests.helpers.runs import assert_same, rows, stop_at

pytestmark = pytest.mark.usefixtures("without_pictures")

BUDGET = ["--images=960", "--batch-size=16", "--validate-every=160", "--log-every=64", "--warmup=100", "--averaging=320"]
TINY = [*DATA, *MODEL, *BUDGET, "--threads=1", "--no-compile"]

KILLER = """
import json, os, signal, sys, time
import torch, torch.utils.tensorboard, torch.distributed, sklearn.datasets, glimpse.datasets.clutter, glimpse.training.session
from glimpse import cli

train_in = glimpse.training.session.train_in
glimpse.training.session.train_in = lambda *arguments, **options: train_in(*arguments, **options | {"draw": None})  # no pictures

def killed_at(call):
    replace, fsync, calls = os.replace, os.fsync, [0]
    def counted(function):
        def counting(*arguments):
            calls[0] += 1
            if calls[0] == call:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments)
        return counting
    os.replace, os.fsync = counted(replace), counted(fsync)

for job in json.loads(sys.stdin.read()):
    child = os.fork()
    if child == 0:
        if "call" in job:
            killed_at(job["call"])
        sys.argv = ["glimpse", "train-classifier", *job["options"]]
        cli.main()
    if "seconds" in job:
        time.sleep(job["seconds"])
        os.kill(child, signal.SIGKILL)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
"""Starts each job in a separate process, forked after the imports, and kills it at a system call or after some seconds."""


def train(out: Path, *options: str) -> Result:
    """Runs `train-classifier` in this process."""
    return invoked("train-classifier", *TINY, "--out", out, *options)


def killed(jobs: list[dict[str, object]]) -> list[int]:
    """Returns the exit codes of trainings that are killed one after the other; a kill gives -9."""
    done = subprocess.run(
        [sys.executable, "-c", KILLER], input=json.dumps(jobs), capture_output=True, text=True, check=True, timeout=500
    )
    return [int(line) for line in done.stdout.split()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    result = train(folder)
    assert result.exit_code == 0, result.output
    seen = [int(row["images"]) for row in rows(folder)]
    assert seen == sorted({*range(64, 961, 64), *range(160, 961, 160)})
    assert [row["images"] for row in rows(folder) if row["valid_error"]] == ["160", "320", "480", "640", "800", "960"]
    return folder


def test_a_run_is_reproducible(whole: Path, tmp_path: Path) -> None:
    assert train(tmp_path / "run", "--checkpoint-every=0").exit_code == 0
    assert_same(tmp_path / "run", whole)


def test_a_killed_run_that_resumes_ends_with_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = [*TINY, "--resume", "--checkpoint-every=0", "--out", str(out)]
    calls = [2, 7, 60, 131]  # the first is while the folder is created
    codes = killed([{"options": options, "call": call} for call in calls])
    assert codes == [-signal.SIGKILL] * len(calls)
    assert train(out, "--resume").exit_code == 0
    assert_same(out, whole)


@pytest.mark.slow
def test_a_run_killed_at_every_system_call_ends_with_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    calls = [*range(1, 20), *range(20, 250, 23)]
    options = {call: [*TINY, "--resume", "--checkpoint-every=0", "--out", str(tmp_path / f"run-{call}")] for call in calls}
    jobs: list[dict[str, object]] = []
    for call in calls:
        jobs += [{"options": options[call], "call": call}, {"options": options[call]}]
    assert killed(jobs) == [-signal.SIGKILL, 0] * len(calls)
    for call in calls:
        assert_same(tmp_path / f"run-{call}", whole)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_run_killed_at_random_moments_ends_with_the_same_bytes(whole: Path, tmp_path: Path, seed: int) -> None:
    draw, out = random.Random(seed), tmp_path / "run"
    options = [*TINY, "--resume", "--checkpoint-every=0.05", "--out", str(out)]
    codes = killed([{"options": options, "seconds": draw.uniform(0.02, 1.5)} for _ in range(20)] + [{"options": options}])
    assert -signal.SIGKILL in codes
    assert_same(out, whole)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_from_outside_stops_a_process_with_its_code(
    whole: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "glimpse", "train-classifier", *TINY, "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not (out / "metrics.csv").is_file() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert said.splitlines()[-1] == f"Stopped; continue with: glimpse train-classifier --resume --out {out}"
    assert train(out, "--resume").exit_code == 0
    assert_same(out, whole)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("step", [1, 7, 20, 60])
def test_a_signal_at_any_step_leaves_a_checkpoint_of_that_step(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int, step: int
) -> None:
    taken = stop_at(monkeypatch, step, number=number)
    stopped = train(tmp_path / "run")
    assert stopped.exit_code == code
    assert f"glimpse train-classifier --resume --out {tmp_path / 'run'}" in stopped.stderr
    assert taken == list(range(1, step + 1))
    assert train(tmp_path / "run", "--resume").exit_code == 0
    assert taken == list(range(1, 61))
    assert_same(tmp_path / "run", whole)


@pytest.mark.parametrize(
    "options",
    [
        [*MODEL, "--model=ram", "--scales=2", "--monte-carlo=2", "--policy-anneal=600"],
        [*MODEL, "--model=random-glimpses"],
        ["--model=convnet", "--filters=2"],
    ],
    ids=["ram", "random-glimpses", "convnet"],
)
def test_a_model_with_noise_or_statistics_resumes_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    folders = {name: tmp_path / name for name in ("whole", "stopped")}
    start = ["train-classifier", *DATA, *options, "--images=320", "--batch-size=16", "--averaging=64", "--warmup=32"]
    start += ["--validate-every=160", "--log-every=64", "--threads=1"]
    assert invoked(*start, f"--out={folders['whole']}").exit_code == 0
    stop_at(monkeypatch, 7, 13)
    codes = [invoked(*start, "--resume", f"--out={folders['stopped']}").exit_code for _ in range(3)]
    assert codes == [143, 143, 0]
    assert_same(folders["stopped"], folders["whole"])
