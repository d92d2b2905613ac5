"""The number of threads that trains fastest, chosen by timing a few steps instead of by counting cores.

At the end of every operation all threads wait for the slowest: on small matrices, or next to other work, more threads can be slower
than one.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from glimpse.training.engine import Record, Trainer

__all__ = ["ThreadChoice", "candidates", "fastest_threads"]

_SECONDS = 2.5  # for all timings together
_ROUNDS = 5  # at most
_TINY = 60.0  # seconds of training, below which nothing is timed


@dataclass(frozen=True)
class ThreadChoice:
    """How many threads to train on, and why.

    Attributes:
        threads: The fastest number.
        images_per_second: Best rate measured with each number of threads.
    """

    threads: int
    images_per_second: dict[int, float]

    def __str__(self) -> str:
        rates = ", ".join(f"{rate:,.0f} images/s on {threads}" for threads, rate in self.images_per_second.items())
        return f"Threads: {self.threads}, the fastest by measurement ({rates})"


def candidates(most: int) -> list[int]:
    """Returns the numbers of threads to try: powers of 2, and the most.

    >>> candidates(6), candidates(1)
    ([1, 2, 4, 6], [1])
    """
    return sorted({most, *(2**k for k in range(most.bit_length()) if 2**k <= most)})


def fastest_threads(
    trainer: Callable[[], Trainer], numbers: Sequence[int], *, clock: Callable[[], float] = time.perf_counter
) -> ThreadChoice | None:
    """Returns the number of threads that takes steps fastest, timed in turns on a trainer that is thrown away; None for a tiny job.

    Sets torch's number of threads; the caller sets the one it wants afterwards.

    Args:
        trainer: Makes a fresh trainer on the CPU, whose budget is that of the training.
        numbers: Numbers of threads to try.
        clock: Seconds.
    """
    made = trainer()
    steps, batch = made.config.steps, made.config.batch_size
    records = made.fit()
    best = dict.fromkeys(numbers, math.inf)
    torch.set_num_threads(numbers[0])
    first = _seconds(records.__next__, clock)
    if first * steps < _TINY or steps <= _ROUNDS * len(numbers) + 1:
        return None
    began = clock()
    for _ in range(_ROUNDS):
        for threads in numbers:
            torch.set_num_threads(threads)
            best[threads] = min(best[threads], _seconds(records.__next__, clock))
        if clock() - began + first * len(numbers) > _SECONDS:
            break
    rates = {threads: batch / seconds for threads, seconds in best.items()}
    return ThreadChoice(max(rates, key=rates.__getitem__), rates)


def _seconds(step: Callable[[], Record], clock: Callable[[], float]) -> float:
    """Returns how long a step takes."""
    began = clock()
    step()
    return clock() - began
