"""Chooses the precision of a training and whether it is compiled, by timing a few of its steps.

bfloat16 is faster than float32 on GPUs and on CPUs with instructions for it, and many times slower on other CPUs. Compiling takes
about half a minute, which only a long training saves.
"""

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch

from glimpse.attention.products import fast_products
from glimpse.evaluation.timing import Stopwatch, wall_seconds
from glimpse.settings.training import TrainingConfig
from glimpse.training.engine import Trainer

__all__ = ["StepChoice", "bfloat16_slowdown", "choose_steps"]

_LONG = 900.0  # seconds: shorter trainings are not compiled
_TINY = 60.0  # seconds; the precision of shorter trainings is not measured
_FEWEST = 100  # steps; a training of fewer is not timed
_STEPS = 4  # timed steps of each variant; the fastest counts
_GAIN = 1.03  # a variant has to be faster by this factor, more than the noise of the timing
_SLOW = 1.5  # ratio of the times of a product in bfloat16 and in float32 from which steps in bfloat16 are not tried


@dataclass(frozen=True)
class StepChoice:
    """Settings of the training's steps, with the timings that they were chosen by.

    Attributes:
        config: Settings of the training, with a precision of `fp32` or `bf16`.
        images_per_second: Best measured rate in images per second, by variant: `fp32`, `bf16`, and with ` compiled`.
        notes: One line for people to read for each choice.
    """

    config: TrainingConfig
    images_per_second: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def choose_steps(
    build: Callable[[TrainingConfig], Trainer],
    config: TrainingConfig,
    *,
    may_compile: bool,
    stopwatch: Stopwatch = wall_seconds,
    slowdown: Callable[[], float] | None = None,
) -> StepChoice:
    """Returns the fastest settings of a training's steps, by timing steps of temporary trainers.

    Args:
        build: Returns a new trainer with given settings.
        config: Settings of the training. The precision is chosen if it is `auto`; `fp32` if the training is shorter than a minute.
        may_compile: Whether the model may be compiled. It is if this is expected to save more time than it takes, which is only
            tried for trainings of a quarter of an hour or more.
        stopwatch: Times calls.
        slowdown: Returns the ratio of the times of products in bfloat16 and in float32; `bfloat16_slowdown` on a CPU if None.
    """
    plain = replace(config, precision="fp32" if config.precision == "auto" else config.precision)
    if config.steps < _FEWEST or (config.precision != "auto" and not may_compile):
        return StepChoice(plain)
    trainer = build(plain)
    first = stopwatch(trainer.fit().__next__, 1)
    if first * config.steps < _TINY:
        return StepChoice(plain)
    best: dict[str, float] = {plain.precision: _fastest_step(trainer, stopwatch)}
    chosen, notes = plain, []
    if config.precision == "auto":
        ratio = (slowdown or (bfloat16_slowdown if trainer.device.type == "cpu" else lambda: 1.0))()
        if ratio < _SLOW:
            half = replace(plain, precision="bf16")
            best["bf16"] = _fastest_step(build(half), stopwatch)
            chosen = half if best["fp32"] > _GAIN * best["bf16"] else plain
        notes.append(_precision_note(chosen, best, ratio, config.batch_size))
    if may_compile and best[chosen.precision] * config.steps >= _LONG:
        chosen, seconds, note = _compiled(build, chosen, best[chosen.precision], stopwatch)
        best |= {} if seconds is None else {f"{chosen.precision} compiled": seconds}
        notes.append(note)
    return StepChoice(chosen, {name: config.batch_size / seconds for name, seconds in best.items()}, tuple(notes))


def bfloat16_slowdown(*, clock: Callable[[], float] = time.perf_counter) -> float:
    """Returns the time of a matrix product in bfloat16 on the CPU, divided by that of one in float32.

    Args:
        clock: Function that returns the time in seconds.
    """
    matrix = torch.rand(128, 256)
    times = []
    for each in (matrix, matrix.bfloat16()):
        with torch.no_grad(), fast_products():
            times.append(min(wall_seconds(functools.partial(torch.mm, each, each.mT), 1, clock=clock) for _ in range(5)))
    return times[1] / times[0]


def _fastest_step(trainer: Trainer, stopwatch: Stopwatch) -> float:
    """Returns the time of the fastest of a few steps in seconds, after one that warms up."""
    step = trainer.fit().__next__
    stopwatch(step, 1)
    return min(stopwatch(step, 1) for _ in range(_STEPS))


def _compiled(
    build: Callable[[TrainingConfig], Trainer], config: TrainingConfig, eager: float, stopwatch: Stopwatch
) -> tuple[TrainingConfig, float | None, str]:
    """Returns the settings, compiled if that pays, the time of a compiled step in seconds, and a note.

    Args:
        build: Returns a new trainer with given settings.
        config: Settings without compilation.
        eager: Time of a step without compilation in seconds.
        stopwatch: Times calls.
    """
    compiled = replace(config, compile=True)
    try:
        trainer = build(compiled)
        warmup = stopwatch(trainer.fit().__next__, 1)
        seconds = _fastest_step(trainer, stopwatch)
    except Exception as error:  # of any kind: from the compiler of torch or of the system
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        return config, None, f"Not compiled: torch.compile failed ({reason})"
    finally:
        torch.compiler.reset()
    saved = (eager - seconds) * config.steps - warmup
    rate = f"{eager / seconds:.2f} times as fast; compiling takes {warmup:.0f} s"
    if saved <= warmup:
        return config, seconds, f"Not compiled: compiled steps are {rate}"
    return compiled, seconds, f"Compiled: {rate} and saves about {saved / 60:.0f} min"


def _precision_note(config: TrainingConfig, best: dict[str, float], ratio: float, batch: int) -> str:
    """Returns the line that reports the choice of the precision."""
    if "bf16" not in best:
        return f"Precision: {config.precision}; products in bfloat16 take {ratio:.1f} times as long on this CPU"
    rates = " and ".join(f"{batch / seconds:,.0f} images/s in {name}" for name, seconds in best.items())
    return f"Precision: {config.precision}, the faster one by measurement ({rates})"
