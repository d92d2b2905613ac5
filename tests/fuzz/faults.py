"""Kills of trainings and faults of the disk: what was trained is never lost, and a resumed run ends with the same bytes."""

import errno
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from glimpse.training.calls import train_classifier
from tests.fuzz.runs import SETTINGS, Silent, image_file
from tests.helpers.runs import assert_same

__all__ = ["full_disk", "killed_trainings"]

_FAULTS = (errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT)


def killed_trainings(kills: int, seed: int) -> dict[str, Any]:
    """Returns what came of trainings that are killed at random moments, resumed and killed again, until they finish.

    Args:
        kills: Number of kills in all.
        seed: Seed of the moments.
    """
    draw, done, runs, failures = random.Random(seed), 0, 0, list[str]()
    with tempfile.TemporaryDirectory(prefix="glimpse-kills-") as place:
        whole = _trained(Path(place) / "whole")
        began = time.monotonic()
        _in_child(partial(_trained, Path(place) / "timed"))
        usual = time.monotonic() - began
        while done < kills:
            out, killed = Path(place) / "run", True
            shutil.rmtree(out, ignore_errors=True)
            while killed and done < kills:
                code = _in_child(partial(_trained, out), draw.uniform(0, usual))
                killed = code == -signal.SIGKILL
                done += killed
                if code not in (0, -signal.SIGKILL):
                    failures.append(f"seed {seed}, kill {done}: exit code {code}")
                    break
            runs += 1
            try:
                _trained(out)
                assert_same(out, whole)
            except (AssertionError, OSError, ValueError) as error:
                failures.append(f"seed {seed}, kill {done}: {error}")
    return {"kills": done, "runs": runs, "failures": failures}


def full_disk() -> dict[str, Any]:
    """Returns what came of trainings of which one write fails, each at another write; no part of a file may be left."""
    failures, faults = list[str](), 0
    with tempfile.TemporaryDirectory(prefix="glimpse-disk-") as place:
        whole = _trained(Path(place) / "whole")
        for code in _FAULTS:
            call, failed = 0, True
            while failed:
                out = Path(place) / f"run-{code}-{call}"
                failed = _fails_at(out, call, code)
                faults += failed
                try:
                    assert not list(out.rglob("*.tmp")), "a part of a file is left"
                    _trained(out)
                    assert_same(out, whole)
                except (AssertionError, OSError, ValueError) as error:
                    failures.append(f"{errno.errorcode[code]} at write {call}: {error}")
                shutil.rmtree(out)
                call += 1
    return {"faults of the disk": faults, "failures": failures}


def _trained(out: Path) -> Path:
    """Trains or resumes a run, and returns its folder."""
    train_classifier(data=image_file(), out=out, resume=True, listener=Silent(), **SETTINGS)
    return out


def _fails_at(out: Path, call: int, code: int) -> bool:
    """Trains a run whose sync to the disk fails once, and returns whether it failed there."""
    fsync, calls = os.fsync, [0]

    def failing(descriptor: int) -> None:
        calls[0] += 1
        if calls[0] == call + 1:
            raise OSError(code, os.strerror(code))
        fsync(descriptor)

    with mock.patch("os.fsync", failing):
        try:
            _trained(out)
        except OSError:
            return True
    return False


def _in_child(work: Callable[[], object], seconds: float | None = None) -> int:
    """Returns the exit code of a child process that does some work, killed after some time."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
