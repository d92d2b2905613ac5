"""Interleaved timing: every round times every case, so that a moment of other work on the machine does not slow a single one."""

import functools
import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from glimpse.listener import Listener

__all__ = ["Stopwatch", "Timing", "Work", "cuda_seconds", "interleaved", "stopwatch_of", "wall_seconds"]

Work = Callable[[], object]
"""Function that is timed; it is called many times."""

Stopwatch = Callable[[Work, int], float]
"""Returns the total time in seconds of a number of calls of a function."""

_LEAST_ROUNDS = 3
_LEAST_SECONDS = 0.01  # of a case in a round: shorter calls are repeated, so that the overhead of the clock is negligible


@dataclass(frozen=True)
class Timing:
    """Times of a case.

    Attributes:
        seconds: Mean time of a call in seconds, one value per round.
        calls: Number of calls per round.
    """

    seconds: tuple[float, ...]
    calls: int

    @property
    def best(self) -> float:
        """Time of a call in seconds in the fastest, least disturbed round."""
        return min(self.seconds)

    @property
    def median(self) -> float:
        """Median time of a call in seconds over the rounds."""
        return statistics.median(self.seconds)


def wall_seconds(work: Work, calls: int, *, clock: Callable[[], float] = time.perf_counter) -> float:
    """Returns the wall-clock time in seconds of a number of calls, greater than 0.

    Args:
        work: Function to time.
        calls: Number of calls.
        clock: Function that returns the time in seconds.
    """
    began = clock()
    for _ in range(calls):
        work()
    return max(clock() - began, 1e-9)


def cuda_seconds(work: Work, calls: int, *, device: torch.device) -> float:
    """Returns the time in seconds of a number of calls between two events on a CUDA device's current stream, greater than 0.

    Args:
        work: Function to time; the device is the current one while it runs.
        calls: Number of calls.
        device: CUDA device of the tensors.
    """
    with torch.cuda.device(device):
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        torch.cuda.synchronize(device)
        first.record()
        for _ in range(calls):
            work()
        last.record()
        torch.cuda.synchronize(device)
    return max(float(first.elapsed_time(last)) / 1000, 1e-9)


def stopwatch_of(device: torch.device) -> Stopwatch:
    """Returns the stopwatch of a device: CUDA events, on MPS the clock including a synchronization, otherwise the clock."""
    if device.type == "cuda":
        return functools.partial(cuda_seconds, device=device)
    if device.type != "mps":
        return wall_seconds

    def synchronized(work: Work, calls: int) -> float:
        def all_calls() -> None:
            for _ in range(calls):
                work()
            torch.mps.synchronize()

        return wall_seconds(all_calls, 1)

    return synchronized


def interleaved(
    works: Mapping[str, Work],
    seconds: float,
    *,
    least_rounds: int = _LEAST_ROUNDS,
    stopwatch: Stopwatch = wall_seconds,
    listener: Listener | None = None,
) -> dict[str, Timing]:
    """Returns the times of several cases, each timed once per round.

    Each case is called once to warm up and once to estimate its duration; one shorter than 10 ms is called several times per round.
    The rounds end as soon as they have taken the given time, all cases together, but not before the least number of rounds.

    Args:
        works: Functions to time, by name of the case.
        seconds: Time per case in seconds, on average; 0 for the least number of rounds.
        least_rounds: Least number of rounds, at least 1.
        stopwatch: Times calls.
        listener: Receives the progress.
    """
    calls, once = {}, {}
    for name, work in works.items():
        stopwatch(work, 1)
        once[name] = stopwatch(work, 1)
        calls[name] = max(1, math.ceil(_LEAST_SECONDS / once[name]))
    budget = seconds * len(works)
    expected = len(works) * max(least_rounds, math.ceil(budget / sum(once[name] * calls[name] for name in works)))
    found: dict[str, list[float]] = {name: [] for name in works}
    rounds, spent, done = 0, 0.0, 0
    with (listener or Listener()).progress("Timing", expected, unit="timings") as advance:
        while rounds < least_rounds or spent < budget:
            for name, work in works.items():
                taken = stopwatch(work, calls[name])
                found[name].append(taken / calls[name])
                spent += taken
                done += 1
                advance(min(done, expected))
            rounds += 1
        advance(expected)
    return {name: Timing(tuple(times), calls[name]) for name, times in found.items()}
