"""Results of a benchmark: one row per case, the rates of the machine, and the growth of training steps."""

from dataclasses import dataclass
from typing import Any

from glimpse.benchmarking.cases import Case
from glimpse.benchmarking.machine import MachineRates
from glimpse.evaluation.timing import Timing
from glimpse.settings.requests import BenchRequest

__all__ = ["BenchResult", "BenchRow", "GrowthRow", "bench_row"]


@dataclass(frozen=True)
class BenchRow:
    """Speed and memory of a case. A multiply-add is two operations.

    Attributes:
        part: Part of the package.
        case: Name of the case.
        unit: What `count` counts, `images` or `filters`.
        count: Number of images or filters per call.
        best: Images or filters per second in the fastest round.
        median: Median over the rounds of images or filters per second.
        rounds: Number of rounds.
        multiply_adds: Multiply-adds of matrix products per image or filter.
        gflops: 10^9 operations per second in the fastest round.
        product_share: `gflops` as a share of the machine's product in the same precision.
        bytes: Least memory traffic per image or filter in bytes.
        copy_share: Least memory traffic per second in the fastest round as a share of the machine's copy; None unless the case is
            memory-bound.
        memory: Peak growth of the memory in use in bytes; None if it was not measured.
    """

    part: str
    case: str
    unit: str
    count: int
    best: float
    median: float
    rounds: int
    multiply_adds: int
    gflops: float
    product_share: float
    bytes: int
    copy_share: float | None
    memory: int | None

    @property
    def milliseconds(self) -> float:
        """Time of a call in the fastest round in milliseconds."""
        return 1000 * self.count / self.best

    def as_dict(self) -> dict[str, Any]:
        """Returns the fields and the milliseconds by name, rounded, in JSON's types."""
        rounded = {"best": 1, "median": 1, "gflops": 3, "product_share": 5, "copy_share": 5}
        values = {name: round(value, rounded[name]) if name in rounded and value else value for name, value in vars(self).items()}
        return values | {"milliseconds": round(self.milliseconds, 4)}


@dataclass(frozen=True)
class GrowthRow:
    """A training step with one setting changed.

    Attributes:
        part: Part of the package.
        setting: Name of the setting.
        value: Value of the setting.
        row: Speed and memory.
    """

    part: str
    setting: str
    value: int
    row: BenchRow

    def as_dict(self) -> dict[str, Any]:
        """Returns the setting, its value and the row's fields by name, in JSON's types."""
        return {"setting": self.setting, "value": self.value} | self.row.as_dict()


@dataclass(frozen=True)
class BenchResult:
    """Result of a benchmark.

    Attributes:
        request: The request.
        device: Name of the device.
        threads: Number of CPU threads.
        images_per_second_by_threads: Training rates by number of threads, from which the number was chosen; None if it was not.
        machine: Rates of the machine.
        rows: One row per usual case.
        growth: Training steps with one setting changed.
    """

    request: BenchRequest
    device: str
    threads: int
    images_per_second_by_threads: dict[int, float] | None
    machine: MachineRates
    rows: tuple[BenchRow, ...]
    growth: tuple[GrowthRow, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Returns the result in JSON's types, which `--json` prints."""
        rates = self.images_per_second_by_threads
        facts: dict[str, Any] = {
            "what": self.request.what,
            "seconds": self.request.seconds,
            "device": self.device,
            "threads": self.threads,
        }
        by_threads = None if rates is None else {str(threads): round(rate, 1) for threads, rate in rates.items()}
        facts["images_per_second_by_threads"] = by_threads
        facts |= {"machine": self.machine.as_dict(), "rows": [row.as_dict() for row in self.rows]}
        return facts | ({"growth": [row.as_dict() for row in self.growth]} if self.request.growth else {})


def bench_row(case: Case, timing: Timing, machine: MachineRates, memory: int | None) -> BenchRow:
    """Returns the row of a case.

    Args:
        case: The case.
        timing: Times of the case.
        machine: Rates of the machine in the same rounds.
        memory: Peak growth of the memory in use in bytes; None if it was not measured.
    """
    best = case.count / timing.best
    gflops = 2 * case.operations.multiply_adds * best / 1e9
    traffic = case.operations.bytes * best / 1e9
    return BenchRow(
        part=case.part,
        case=case.name,
        unit=case.unit,
        count=case.count,
        best=best,
        median=case.count / timing.median,
        rounds=len(timing.seconds),
        multiply_adds=case.operations.multiply_adds,
        gflops=gflops,
        product_share=gflops / (machine.float32_gflops if case.precision == "fp32" else machine.bfloat16_gflops),
        bytes=case.operations.bytes,
        copy_share=traffic / machine.copy_gb if case.memory_bound else None,
        memory=memory,
    )
