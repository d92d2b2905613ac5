"""Two processes under torchrun against one: the same steps on the same images, one folder, one checkpoint."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

from glimpse.models.glimpse_classifier import GlimpseClassifier
from tests.helpers.classifier_runs import DATA, MODEL

BUDGET = ["--images=320", "--batch-size=16", "--validate-every=160", "--log-every=16", "--warmup=100", "--averaging=100"]
TRAIN = ["train-classifier", *DATA, *MODEL, *BUDGET, "--threads=1", "--device=cpu"]
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]

pytestmark = pytest.mark.slow


def run(*arguments: str, processes: int = 1) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *(TORCHRUN if processes > 1 else []), "-m", "glimpse", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=environment)


def column(folder: Path, name: str) -> list[float]:
    with (folder / "metrics.csv").open(newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file) if row[name]]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of a run in one process."""
    out = tmp_path_factory.mktemp("alone") / "run"
    done = run(*TRAIN, "--out", str(out))
    assert done.returncode == 0, done.stderr
    return out


def assert_alike(folder: Path, other: Path) -> None:
    """Asserts that two runs are equal except for rounding in sums."""
    assert column(folder, "images") == column(other, "images")
    for name in ("loss", "train_error", "grad_norm", "learning_rate", "valid_nll"):
        assert column(folder, name) == pytest.approx(column(other, name), rel=1e-3, abs=1e-5), name
    images = torch.rand(4, 1, 40, 40)
    first, second = (GlimpseClassifier.from_pretrained(path)(images)[0] for path in (folder, other))
    torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-4)


def test_two_processes_train_like_one_and_write_one_folder(alone: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = run(*TRAIN, "--out", str(out), processes=2)
    assert done.returncode == 0, done.stderr
    assert_alike(out, alone)
    assert len(list(out.glob("events.*"))) == 1
    assert done.stderr.count("Weights, metrics and checkpoints are in") == 1
    again = run("train-classifier", "--resume", "--device=cpu", "--out", str(out), processes=2)
    assert (again.returncode, "is finished" in again.stderr) == (0, True)


def test_a_warning_of_the_first_process_does_not_hold_up_the_others(tmp_path: Path) -> None:
    code = f"""
import sys
from glimpse import cli
from glimpse.training import engine as training
training._PLATEAU_IMAGES = 0
scores = iter(range(10, 1000, 30))
from glimpse.training.classifier import ClassificationTask
ClassificationTask.validate = lambda self, model: {{"error": next(scores), "nll": 1.0}}
ClassificationTask.plateau = lambda self, best: "plateau"
sys.argv = ["glimpse", *{[*TRAIN, "--out", str(tmp_path / "run")]!r}]
cli.main()
"""
    (tmp_path / "started.py").write_text(code)
    command = [sys.executable, *TORCHRUN, str(tmp_path / "started.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "plateau" in done.stderr
    assert "may be diverging" in done.stderr
    assert column(tmp_path / "run", "images")[-1] == 320


def test_two_processes_stop_early_together(tmp_path: Path) -> None:
    code = f"""
import sys
from glimpse import cli
from glimpse.training.classifier import ClassificationTask
ClassificationTask.validate = lambda self, model: {{"error": 1.0, "nll": 1.0}}
sys.argv = ["glimpse", *{[*TRAIN, "--validate-every=32", "--patience=2", "--out", str(tmp_path / "run")]!r}]
cli.main()
"""
    (tmp_path / "started.py").write_text(code)
    command = [sys.executable, *TORCHRUN, str(tmp_path / "started.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Stopped early: the last 2 validations") == 1
    assert column(tmp_path / "run", "images")[-1] == 96


def test_two_processes_that_are_stopped_resume(alone: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [sys.executable, *TORCHRUN, "-m", "glimpse", *TRAIN, "--checkpoint-every=0", "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not (out / "checkpoints" / "latest.pt").is_file() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) != 0
    done = run(*TRAIN, "--resume", "--out", str(out), processes=2)
    assert done.returncode == 0, done.stderr
    assert_alike(out, alone)


def test_one_glimpse_trains_in_two_processes_too(tmp_path: Path) -> None:
    done = run(*TRAIN, "--glimpses=1", "--out", str(tmp_path / "run"), processes=2)
    assert done.returncode == 0, done.stderr


def test_a_batch_that_cannot_be_shared_is_refused(tmp_path: Path) -> None:
    done = run(*TRAIN, "--batch-size=15", "--out", str(tmp_path / "run"), processes=2)
    assert done.returncode != 0
    assert "a batch of 15 images cannot be divided among 2 processes" in done.stderr


def test_a_generator_learns_in_two_processes_and_resumes(tmp_path: Path) -> None:
    out = tmp_path / "run"
    small = ["--data=digits", "--glimpses=2", "--hidden=32", "--latent=4", "--read=3", "--write=3", "--learning-rate=0.004"]
    budget = ["--images=6400", "--batch-size=32", "--validate-every=3200", "--log-every=1600", "--beta-warmup=3200"]
    done = run("train-generator", *small, *budget, "--threads=1", "--device=cpu", "--out", str(out), processes=2)
    assert done.returncode == 0, done.stderr
    first, last = column(out, "valid_bound")
    assert last < first < 200
    assert len(list(out.glob("events.*"))) == 1
    again = run("train-generator", "--resume", "--device=cpu", "--out", str(out), processes=2)
    assert (again.returncode, "is finished" in again.stderr) == (0, True)


def test_a_killed_worker_is_started_again_and_the_run_ends_like_one_process(alone: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    restarts = [*TORCHRUN, "--max-restarts=3", "-m", "glimpse"]
    command = [sys.executable, *restarts, *TRAIN, "--checkpoint-every=0", "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        while not (out / "checkpoints" / "latest.pt").is_file() and process.poll() is None:
            time.sleep(0.01)
        workers = psutil.Process(process.pid).children()
        workers[-1].kill()
        said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    assert said.count(f"Resuming in {out}") == 1
    assert_alike(out, alone)
    assert not (out / ".lock").exists()


def test_a_run_of_two_processes_is_continued_by_one(alone: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [sys.executable, *TORCHRUN, "-m", "glimpse", *TRAIN, "--checkpoint-every=0", "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not (out / "checkpoints" / "latest.pt").is_file() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=120)
    done = run(*TRAIN, "--resume", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "Started with 2 processes, continued with 1" in done.stderr
    assert_alike(out, alone)


@pytest.mark.parametrize(
    "options",
    [
        ["train-classifier", *DATA, *MODEL, "--model=ram", "--scales=2", "--monte-carlo=2"],
        ["train-classifier", *DATA, *MODEL, "--model=random-glimpses"],
        ["train-generator", "--data=digits", "--glimpses=2", "--hidden=8", "--latent=4", "--read=3", "--write=3"],
    ],
    ids=["ram", "random-glimpses", "draw"],
)
def test_two_processes_have_the_loss_curve_of_one_with_noise_too(tmp_path: Path, options: list[str]) -> None:
    curves = {}
    for processes in (1, 2):
        out = tmp_path / f"run-{processes}"
        done = run(*options, *BUDGET, "--threads=1", "--device=cpu", "--out", str(out), processes=processes)
        assert done.returncode == 0, done.stderr
        curves[processes] = column(out, "loss")
    assert len(curves[1]) == 20
    assert curves[2] == pytest.approx(curves[1], rel=1e-3)
