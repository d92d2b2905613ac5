"""A benchmark as a Python call, with the names and defaults of the command line."""

from typing import Any

import torch

from glimpse import environment
from glimpse.benchmarking.cases import bench_plan, steps_for_threads
from glimpse.benchmarking.machine import machine_rates, machine_works
from glimpse.benchmarking.memory import peak_growths
from glimpse.benchmarking.rows import BenchResult, GrowthRow, bench_row
from glimpse.evaluation.timing import Stopwatch, interleaved, stopwatch_of
from glimpse.listener import Listener
from glimpse.settings.requests import BenchRequest, from_options
from glimpse.training.threads import choose_threads

__all__ = ["benchmark", "benchmark_request"]


def benchmark(what: str = "all", *, listener: Listener | None = None, **options: Any) -> BenchResult:
    """Measures the speed and memory of the package on this machine, next to the machine's own matrix product and copy.

    Args:
        what: `filterbank`, `clutter`, `classifier`, `ram`, `generator` or `all`.
        listener: Receives progress and notes; by default they go to the logger `glimpse`.
        options: Options of `glimpse bench` by name: `growth`, `seconds`, `device`, `threads`.

    Returns:
        The result, with one row per case; `as_dict()` is what `--json` prints.

    Raises:
        TypeError: If there is no such option.
        ValueError: If there is no such part or device, or the options contradict each other.
    """
    return benchmark_request(from_options(BenchRequest, {"what": what, **options}), listener)


def benchmark_request(
    request: BenchRequest, listener: Listener | None = None, *, stopwatch: Stopwatch | None = None
) -> BenchResult:
    """Returns the result of a benchmark.

    Sets torch's number of threads. The memory of every case is measured first; then all cases are timed in interleaved rounds.

    Args:
        request: What to measure.
        listener: Receives progress and notes.
        stopwatch: Times calls; by default the device's stopwatch.

    Raises:
        ValueError: If there is no such device.
    """
    listener = listener or Listener()
    device = environment.choose_device(request.machine.device)
    environment.use_threads(request.machine.threads)
    choice = choose_threads(lambda: steps_for_threads(request).trainer(device), request.machine.threads, device)
    if choice is not None:
        listener.note(str(choice))
    plan = bench_plan(request)
    memory = peak_growths(request, plan.cases, device, listener)
    works = machine_works(device) | {case.name: case.build(device) for case in plan.cases}
    timings = interleaved(works, request.seconds, stopwatch=stopwatch or stopwatch_of(device), listener=listener)
    machine = machine_rates(timings)
    rows = {case.name: bench_row(case, timings[case.name], machine, memory.get(case.name)) for case in plan.cases}
    return BenchResult(
        request=request,
        device=str(device),
        threads=torch.get_num_threads(),
        images_per_second_by_threads=None if choice is None else choice.images_per_second,
        machine=machine,
        rows=tuple(rows[case.name] for case in plan.usual),
        growth=tuple(GrowthRow(each.part, each.setting, each.value, rows[each.case.name]) for each in plan.growths),
    )
