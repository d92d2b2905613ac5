"""A soak: trainings and evaluations in one process, whose memory, handles and rate must stay flat. Linux only."""

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from glimpse.evaluation.evaluate import evaluate
from glimpse.training.calls import train_classifier
from tests.fuzz.runs import SETTINGS, Silent, image_file

__all__ = ["soaked"]

_MOST_MEGABYTES = 64.0  # of growth, in resident memory
_SLOWEST = 2.0  # times the computing time of the early rounds, which other work on the machine changes too


class _Round(NamedTuple):
    """What is measured after a round.

    Attributes:
        megabytes: Resident memory.
        handles: Number of open files.
        seconds: Computing time of the round.
    """

    megabytes: float
    handles: float
    seconds: float


def soaked(seconds: float) -> dict[str, Any]:
    """Returns what the second and the last quarter of the rounds took, in the median, and in what they differ too much.

    Args:
        seconds: Time to go on for; at least forty rounds are made.
    """
    rounds, began = list[_Round](), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="glimpse-soak-") as place:
        while time.monotonic() - began < seconds or len(rounds) < 40:
            rounds.append(_measured(Path(place) / "run"))
    quarter = len(rounds) // 4
    early, late = _medians(rounds[quarter : 2 * quarter]), _medians(rounds[-quarter:])
    failures = []
    if late.megabytes > early.megabytes + _MOST_MEGABYTES:
        failures.append(f"memory grew from {early.megabytes:.0f} to {late.megabytes:.0f} MB")
    if late.handles > early.handles:
        failures.append(f"open files grew from {early.handles:g} to {late.handles:g}")
    if late.seconds > _SLOWEST * early.seconds:
        failures.append(f"a round took {late.seconds:.2f} s after {early.seconds:.2f} s")
    return {"soak": len(rounds), "early": early._asdict(), "late": late._asdict(), "failures": failures}


def _measured(out: Path) -> _Round:
    """Trains and evaluates a classifier in a folder that is removed, and returns what is measured after it."""
    before = time.process_time()
    train_classifier(data=image_file(), out=out, listener=Silent(), **SETTINGS)
    evaluate(str(out), device="cpu", threads=1, listener=Silent())
    shutil.rmtree(out)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    handles = len(list(Path("/proc/self/fd").iterdir()))
    return _Round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, handles, time.process_time() - before)


def _medians(rounds: Sequence[_Round]) -> _Round:
    return _Round(*(round(statistics.median(values), 3) for values in zip(*rounds, strict=True)))
