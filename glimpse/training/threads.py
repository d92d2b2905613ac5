"""Chooses the number of CPU threads by timing a few training steps.

Since all threads wait for the slowest one after every operation, several threads can be slower than one on small matrices or next
to other work.
"""

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from glimpse import environment
from glimpse.evaluation.timing import wall_seconds
from glimpse.training.engine import Trainer

__all__ = ["ThreadChoice", "candidates", "choose_threads", "fastest_threads"]

_SECONDS = 2.5  # for all timings together
_ROUNDS = 5  # largest number of timings of each number of threads
_TINY = 60.0  # seconds; shorter trainings are not timed


@dataclass(frozen=True)
class ThreadChoice:
    """Number of threads to train on, with the timings.

    Attributes:
        threads: Fastest number of threads.
        images_per_second: Best measured rate in images per second, by number of threads.
    """

    threads: int
    images_per_second: dict[int, float]

    def __str__(self) -> str:
        rates = ", ".join(f"{rate:,.0f} images/s on {threads}" for threads, rate in self.images_per_second.items())
        return f"Threads: {self.threads}, the fastest by measurement ({rates})"


def candidates(most: int) -> list[int]:
    """Returns the numbers of threads to try: the powers of 2 up to a number, and that number.

    >>> candidates(6), candidates(1)
    ([1, 2, 4, 6], [1])
    """
    return sorted({most, *(2**k for k in range(most.bit_length()) if 2**k <= most)})


def choose_threads(trainer: Callable[[], Trainer], requested: int | None, device: torch.device) -> ThreadChoice | None:
    """Sets torch's number of threads to the fastest measured one, and returns the choice.

    Without a measurement the number of threads does not change.

    Args:
        trainer: Function that makes a new trainer, with the budget of the training.
        requested: Number of threads that the caller requests; None for automatic.
        device: Device of the training.

    Returns:
        The choice; None if nothing was measured: a number is requested, by the caller or by OMP_NUM_THREADS; there is one core; the
        device is not the CPU; the training has several processes or is too short.
    """
    cores = environment.usable_cores()
    several = "WORLD_SIZE" in os.environ
    if environment.requested_threads(requested) is not None or cores == 1 or device.type != "cpu" or several:
        return None
    before = torch.get_num_threads()
    choice = fastest_threads(trainer, candidates(min(cores, environment.MOST_THREADS)))
    torch.set_num_threads(before if choice is None else choice.threads)
    return choice


def fastest_threads(
    trainer: Callable[[], Trainer], numbers: Sequence[int], *, clock: Callable[[], float] = time.perf_counter
) -> ThreadChoice | None:
    """Returns the number of threads with the fastest steps, timed alternately on a temporary trainer.

    Changes torch's number of threads, which the caller then sets.

    Args:
        trainer: Function that makes a new trainer on the CPU, with the budget of the training.
        numbers: Numbers of threads to try.
        clock: Function that returns the time in seconds.

    Returns:
        The choice; None for a training too short to be timed.
    """
    made = trainer()
    steps, batch = made.config.steps, made.config.batch_size
    records = made.fit()
    best = dict.fromkeys(numbers, math.inf)
    torch.set_num_threads(numbers[0])
    first = wall_seconds(records.__next__, 1, clock=clock)
    if first * steps < _TINY or steps <= _ROUNDS * len(numbers) + 1:
        return None
    began = clock()
    for _ in range(_ROUNDS):
        for threads in numbers:
            torch.set_num_threads(threads)
            best[threads] = min(best[threads], wall_seconds(records.__next__, 1, clock=clock))
        if clock() - began + first * len(numbers) > _SECONDS:
            break
    rates = {threads: batch / seconds for threads, seconds in best.items()}
    return ThreadChoice(max(rates, key=rates.__getitem__), rates)
