"""What a benchmark found: one row a case, the machine's own rates, and how training steps grow."""

from dataclasses import dataclass
from typing import Any

from glimpse.benchmarking.cases import Case, Growth
from glimpse.benchmarking.machine import MachineRates
from glimpse.benchmarking.timing import Timing
from glimpse.settings.requests import BenchRequest

__all__ = ["BenchResult", "BenchRow", "GrowthRow", "bench_row"]


@dataclass(frozen=True)
class BenchRow:
    """How fast a case is. An operation is a multiplication or an addition: a multiply-add counts two.

    Attributes:
        part: What it belongs to.
        case: Its name.
        unit: What is counted, `images` or `filters`.
        count: Number of them that a call makes or takes.
        best: Most of them a second, in the fastest round.
        median: Median over the rounds.
        rounds: How often it was timed.
        multiply_adds: For one of them, in products of matrices.
        gflops: 10^9 operations a second, in the fastest round.
        product_share: That rate as a share of the machine's own product of the same precision.
        bytes: That must move for one of them at least.
        copy_share: The rate of that as a share of the machine's own copy; None where moving bytes does not limit the case.
        memory: Bytes by which the memory in use grew at most; None where it could not be measured.
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
        """Time of a call in the fastest round."""
        return 1000 * self.count / self.best

    def as_dict(self) -> dict[str, Any]:
        """Returns all of it for JSON."""
        rounded = {"best": 1, "median": 1, "gflops": 3, "product_share": 5, "copy_share": 5}
        values = {name: round(value, rounded[name]) if name in rounded and value else value for name, value in vars(self).items()}
        return values | {"milliseconds": round(self.milliseconds, 4)}


@dataclass(frozen=True)
class GrowthRow:
    """A training step with one setting changed.

    Attributes:
        part: Whose training step.
        setting: Name of the setting.
        value: Its value.
        row: How fast it is.
    """

    part: str
    setting: str
    value: int
    row: BenchRow

    def as_dict(self) -> dict[str, Any]:
        """Returns all of it for JSON."""
        return {"setting": self.setting, "value": self.value} | self.row.as_dict()


@dataclass(frozen=True)
class BenchResult:
    """How fast the package is on this machine.

    Attributes:
        request: What was asked for.
        device: Where it was measured.
        threads: On how many threads of the CPU.
        images_per_second_by_threads: Rates of a training on each number of threads, from which it was chosen; None if it was not.
        machine: What the machine itself reaches.
        rows: Of every case.
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
        """Returns all of it for JSON."""
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

    @classmethod
    def grown(cls, growths: list[Growth], rows: dict[str, BenchRow]) -> tuple[GrowthRow, ...]:
        """Returns the rows of the values of settings, out of those of all cases by name."""
        return tuple(GrowthRow(each.part, each.setting, each.value, rows[each.case.name]) for each in growths)


def bench_row(case: Case, timing: Timing, machine: MachineRates, memory: int | None) -> BenchRow:
    """Returns the row of a case.

    Args:
        case: What was timed.
        timing: How long it took.
        machine: What the machine itself reached in the same rounds.
        memory: Bytes that it makes the memory grow by.
    """
    best = case.count / timing.best
    gflops = 2 * case.operations.multiply_adds * best / 1e9
    moved = case.operations.bytes * best / 1e9
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
        copy_share=moved / machine.copy_gb if case.moves else None,
        memory=memory,
    )
