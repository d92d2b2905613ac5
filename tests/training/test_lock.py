"""The lock of a run's folder: one process at a time, released by the death of its holder."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from glimpse.training.lock import LOCK, locked
from tests.helpers.classifier_runs import DATA, TINY
from tests.helpers.commands import invoked

HOLDER = """
import sys
from pathlib import Path
from glimpse.training.lock import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def holder(folder: Path) -> "subprocess.Popen[str]":
    """Starts a process that holds the lock of a folder, and waits until it does."""
    command = [sys.executable, "-c", HOLDER, str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    return process


def test_a_lock_is_named_and_lasts_as_long_as_its_holder_lives(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        with (
            pytest.raises(ValueError, match=rf"is in use by process {process.pid} on .*\.lock: wait until it ends"),
            locked(tmp_path),
        ):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (tmp_path / LOCK).is_file()  # a killed process cannot remove it
    with locked(tmp_path):
        assert (tmp_path / LOCK).read_text().startswith(f"process {os.getpid()} on ")
    assert not (tmp_path / LOCK).exists()


def test_a_process_cannot_lock_a_folder_twice(tmp_path: Path) -> None:
    with locked(tmp_path):
        with pytest.raises(ValueError, match=f"process {os.getpid()} on"), locked(tmp_path):
            pass
        assert (tmp_path / LOCK).is_file()  # the second attempt did not remove the lock of the first


def test_a_lock_that_was_removed_between_opening_and_locking_is_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    flock = fcntl.flock

    def slow(file: object, operation: int) -> None:
        if not calls:
            (tmp_path / LOCK).unlink()  # its last holder has just ended
        calls.append(operation)
        flock(file, operation)  # type: ignore[arg-type]

    monkeypatch.setattr("glimpse.training.lock.fcntl.flock", slow)
    with locked(tmp_path):
        assert len(calls) == 2
        with pytest.raises(ValueError, match="is in use"), locked(tmp_path):
            pass


def test_a_file_system_without_locks_and_a_read_only_folder_are_not_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(file: object, operation: int) -> None:
        raise OSError(37, "No locks available")

    with monkeypatch.context() as patch:
        patch.setattr("glimpse.training.lock.fcntl.flock", none)
        with locked(tmp_path):
            pass

    def read_only(self: Path, mode: str) -> None:
        raise OSError(30, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "open", read_only)
    with locked(tmp_path):
        pass


@pytest.mark.usefixtures("without_pictures")
def test_a_run_is_trained_by_one_process_at_a_time(tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert invoked("train-classifier", *TINY, *DATA, "--out", out).exit_code == 0
    with locked(out):
        result = invoked("train-classifier", "--resume", "--out", out)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert f"{out} is in use by process {os.getpid()}" in result.stderr
    (out / LOCK).write_text("left by a process that was killed")
    assert "is finished" in invoked("train-classifier", "--resume", "--out", out).stderr
    assert not (out / LOCK).exists()
