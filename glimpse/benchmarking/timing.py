"""Timing in turns: every case is repeated in every round, so that a moment of other work on the machine slows no single case."""

import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from glimpse.listener import Listener

__all__ = ["Stopwatch", "Timing", "Work", "cuda_seconds", "interleaved", "stopwatch_of", "wall_seconds"]

Work = Callable[[], object]
"""What is timed; called many times."""

Stopwatch = Callable[[Work, int], float]
"""Returns the seconds that a number of calls take together."""

LEAST_ROUNDS = 3
"""Every case is timed this often at least, however little time there is."""

_LEAST_SECONDS = 0.01  # of a repeat: a shorter call is repeated, so that starting and reading the clock weigh nothing


@dataclass(frozen=True)
class Timing:
    """How long a call took.

    Attributes:
        seconds: Seconds of a call in each round.
        calls: Calls in a round, over which its time is averaged.
    """

    seconds: tuple[float, ...]
    calls: int

    @property
    def best(self) -> float:
        """Seconds of the fastest round: the least disturbed one."""
        return min(self.seconds)

    @property
    def median(self) -> float:
        """Median seconds over the rounds."""
        return statistics.median(self.seconds)


def wall_seconds(work: Work, calls: int, *, clock: Callable[[], float] = time.perf_counter) -> float:
    """Returns the seconds that a number of calls take by the clock on the wall.

    Args:
        work: Called.
        calls: How often.
        clock: Seconds.
    """
    began = clock()
    for _ in range(calls):
        work()
    return max(clock() - began, 1e-9)


def cuda_seconds(work: Work, calls: int) -> float:
    """Returns the seconds that a number of calls take on the current CUDA device, between two events on its stream."""
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    torch.cuda.synchronize()
    first.record()
    for _ in range(calls):
        work()
    last.record()
    torch.cuda.synchronize()
    return max(float(first.elapsed_time(last)) / 1000, 1e-9)


def stopwatch_of(device: torch.device) -> Stopwatch:
    """Returns what times work on a device: CUDA's events, on MPS the clock around a synchronization, else the clock."""
    if device.type == "cuda":
        return cuda_seconds
    if device.type != "mps":
        return wall_seconds

    def waited(work: Work, calls: int) -> float:
        def all_of_it() -> None:
            for _ in range(calls):
                work()
            torch.mps.synchronize()

        return wall_seconds(all_of_it, 1)

    return waited


def interleaved(
    works: Mapping[str, Work], seconds: float, *, stopwatch: Stopwatch = wall_seconds, listener: Listener | None = None
) -> dict[str, Timing]:
    """Returns how long each of several pieces of work takes, timed in turns.

    Each is called once to warm up and once to see how long it takes: one that is shorter than 10 ms is called several times in a
    round. The rounds go on until all have had their time together, three at least.

    Args:
        works: By name.
        seconds: Time for each, on average.
        stopwatch: Times calls.
        listener: Hears of the progress.
    """
    calls, once = {}, {}
    for name, work in works.items():
        stopwatch(work, 1)
        once[name] = stopwatch(work, 1)
        calls[name] = max(1, math.ceil(_LEAST_SECONDS / once[name]))
    budget = seconds * len(works)
    rounds = max(LEAST_ROUNDS, math.ceil(budget / sum(once[name] * calls[name] for name in works)))
    found: dict[str, list[float]] = {name: [] for name in works}
    done, spent = 0, 0.0
    with (listener or Listener()).progress("Timing", rounds * len(works), unit="repeats") as advance:
        for number in range(rounds):
            if number >= LEAST_ROUNDS and spent >= budget:
                break
            for name, work in works.items():
                taken = stopwatch(work, calls[name])
                found[name].append(taken / calls[name])
                spent += taken
                done += 1
                advance(done)
        advance(rounds * len(works))
    return {name: Timing(tuple(times), calls[name]) for name, times in found.items()}
