"""A benchmark as a Python call, with the names and defaults of the command line."""

import os
from typing import Any

import torch

from glimpse import environment
from glimpse.benchmarking.cases import cases_of, growths_of, steps_for_threads
from glimpse.benchmarking.machine import machine_rates, machine_works
from glimpse.benchmarking.memory import peak_growths
from glimpse.benchmarking.rows import BenchResult, bench_row
from glimpse.benchmarking.timing import Stopwatch, interleaved, stopwatch_of
from glimpse.listener import Listener
from glimpse.settings.requests import BenchRequest, from_options
from glimpse.training.threads import candidates, fastest_threads

__all__ = ["benchmark", "benchmark_request"]


def benchmark(what: str = "all", *, listener: Listener | None = None, **options: Any) -> BenchResult:
    """Measures how fast the package is on this machine, next to the machine's own product of matrices and copy.

    Args:
        what: `filterbank`, `clutter`, `classifier`, `ram`, `generator` or `all`.
        listener: Hears of progress and notes; by default the log `glimpse`.
        options: Those of `glimpse bench` by their names: `growth`, `seconds`, `device`, `threads`.

    Returns:
        One row a case; `as_dict()` is what `--json` prints.

    Raises:
        TypeError: If there is no such option.
        ValueError: If there is no such part or device, or the options do not fit together.
    """
    return benchmark_request(from_options(BenchRequest, {"what": what, **options}), listener)


def benchmark_request(
    request: BenchRequest, listener: Listener | None = None, *, stopwatch: Stopwatch | None = None
) -> BenchResult:
    """Returns how fast the package is on this machine.

    Sets torch's number of threads. Memory is measured first, case by case; then everything is timed in turns.

    Args:
        request: What is measured.
        listener: Hears of progress and notes.
        stopwatch: Times calls; by default that of the device.

    Raises:
        ValueError: If there is no such device.
    """
    listener = listener or Listener()
    device = environment.choose_device(request.machine.device)
    rates = _choose_threads(request, device, listener)
    threads, cases = torch.get_num_threads(), cases_of(request)
    memory = peak_growths(request, cases, device, threads, listener)
    works = machine_works(device) | {case.name: case.build(device) for case in cases}
    timings = interleaved(works, request.seconds, stopwatch=stopwatch or stopwatch_of(device), listener=listener)
    machine = machine_rates(timings)
    rows = {case.name: bench_row(case, timings[case.name], machine, memory.get(case.name)) for case in cases}
    growth = BenchResult.grown(growths_of(request), rows)
    grown = {each.row.case for each in growth} - {case.name for case in cases_of(BenchRequest(request.what))}
    usual = tuple(row for name, row in rows.items() if name not in grown)
    return BenchResult(request, str(device), threads, rates, machine, usual, growth)


def _choose_threads(request: BenchRequest, device: torch.device, listener: Listener) -> dict[int, float] | None:
    """Sets the number of threads: the one asked for, or the one that trains fastest; returns the rates that it was chosen by."""
    asked = request.machine.threads is not None or os.environ.get("OMP_NUM_THREADS", "").isdecimal()
    cores = environment.usable_cores()
    if asked or cores == 1 or device.type != "cpu":
        environment.use_threads(request.machine.threads)
        return None
    steps = steps_for_threads(request)
    choice = fastest_threads(lambda: steps.trainer(device), candidates(min(cores, environment.MOST_THREADS)))
    if choice is None:
        environment.use_threads()
        return None
    torch.set_num_threads(choice.threads)
    listener.note(str(choice))
    return choice.images_per_second
