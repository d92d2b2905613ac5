"""A benchmark as a call: rates by a clock that is known, shares of the machine's own, and the choice of threads."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

import glimpse
from glimpse.benchmarking import calls
from glimpse.benchmarking.calls import benchmark_request
from glimpse.benchmarking.cases import bench_plan
from glimpse.benchmarking.machine import (
    COPIED,
    COPY,
    FAST_FLOAT32,
    PRODUCT_BFLOAT16,
    PRODUCT_FLOAT32,
    machine_rates,
    machine_works,
)
from glimpse.benchmarking.rows import BenchRow, bench_row
from glimpse.evaluation.timing import Timing
from glimpse.settings.requests import BenchRequest, Machine
from glimpse.training.threads import ThreadChoice


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Gives torch its number of threads back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measures no memory: that takes another process."""
    monkeypatch.setattr(calls, "peak_growths", lambda *arguments: {})


def a_second(work: Callable[[], object], count: int) -> float:
    """A stopwatch by which every call takes a second."""
    work()
    return float(count)


def test_the_machines_rates_count_two_operations_a_multiply_add_and_bytes_read_and_written() -> None:
    seconds = {PRODUCT_FLOAT32: 2.0, FAST_FLOAT32: 3.0, PRODUCT_BFLOAT16: 0.5, COPY: 4.0}
    timings = {name: Timing((best, 9.0), 1) for name, best in seconds.items()}
    rates = machine_rates(timings)
    assert rates.float32_gflops == pytest.approx(2 * 1024**3 / 1e9 / 2)
    assert rates.bfloat16_gflops == pytest.approx(4 * rates.float32_gflops)
    assert rates.copy_gb == pytest.approx(2 * COPIED / 1e9 / 4)
    faster = machine_rates(timings | {FAST_FLOAT32: Timing((0.5,), 1)})
    assert faster.float32_gflops == pytest.approx(rates.bfloat16_gflops)


def test_the_machines_works_multiply_and_copy() -> None:
    works = machine_works(torch.device("cpu"))
    shapes = [(result.shape, result.dtype) for work in works.values() if isinstance(result := work(), torch.Tensor)]
    square = torch.Size((1024, 1024))
    assert shapes == [*[(square, torch.float32)] * 2, (square, torch.bfloat16), (torch.Size((COPIED // 4,)), torch.float32)]


def test_a_row_sets_rates_next_to_the_machines() -> None:
    case = next(case for case in bench_plan(BenchRequest("filterbank")).cases if case.name == "read")
    machine = machine_rates({name: Timing((1.0,), 1) for name in (PRODUCT_FLOAT32, FAST_FLOAT32, PRODUCT_BFLOAT16, COPY)})
    row = bench_row(case, Timing((0.5, 0.25, 1.0), 1), machine, 7)
    multiply_adds, moved = 12 * 100 * 100 + 12 * 12 * 100, 4 * (100 * 100 + 144 + 2 * 12 * 100)
    assert (row.best, row.median, row.rounds, row.memory) == (512, 256, 3, 7)
    assert (row.multiply_adds, row.bytes) == (multiply_adds, moved)
    assert row.gflops == pytest.approx(2 * 512 * multiply_adds / 1e9)
    assert row.product_share == pytest.approx(512 * multiply_adds / 1024**3)
    assert row.copy_share == pytest.approx(512 * moved / (2 * COPIED))
    assert row.milliseconds == 250
    assert {*row.as_dict()} == {*BenchRow.__dataclass_fields__, "milliseconds"}


@pytest.mark.usefixtures("no_memory")
def test_a_benchmark_has_a_row_for_each_case(monkeypatch: pytest.MonkeyPatch) -> None:
    found = benchmark_request(BenchRequest("clutter", seconds=1.0, machine=Machine("cpu", 1)), stopwatch=a_second)
    assert [(row.case, row.best, row.median) for row in found.rows] == [("clutter 128", 128, 128), ("clutter 1024", 1024, 1024)]
    assert found.growth == ()
    values = found.as_dict()
    assert (values["what"], values["device"], values["threads"], values["images_per_second_by_threads"]) == (
        "clutter",
        "cpu",
        1,
        None,
    )
    assert values["machine"] == {"float32_gflops": 2.15, "bfloat16_gflops": 2.15, "copy_gb": 0.13}
    assert "growth" not in values


@pytest.mark.usefixtures("no_memory")
def test_growth_has_rows_of_its_own_and_the_presets_own_values_are_timed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glimpse.benchmarking.trainers.Steps.work", lambda steps, device: lambda: None)
    request = BenchRequest("classifier", growth=True, seconds=1.0, machine=Machine("cpu", 1))
    found = benchmark_request(request, stopwatch=a_second)
    assert [row.case for row in found.rows] == ["classifier"]
    assert [(each.setting, each.value, each.row.best) for each in found.growth if each.setting == "batch"] == [
        ("batch", 32, 32),
        ("batch", 128, 128),
        ("batch", 512, 512),
    ]
    assert len(found.as_dict()["growth"]) == 12


@pytest.mark.usefixtures("no_memory")
def test_without_a_number_of_threads_the_fastest_is_measured_and_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("glimpse.environment.usable_cores", lambda: 2)
    asked: list[Any] = []

    def measured(trainer: Callable[[], Any], numbers: list[int]) -> ThreadChoice:
        asked.extend(numbers)
        return ThreadChoice(1, {1: 30.0, 2: 20.0})

    monkeypatch.setattr("glimpse.training.threads.fastest_threads", measured)
    torch.set_num_threads(2)
    with caplog.at_level("INFO", logger="glimpse"):
        found = glimpse.benchmark("clutter", seconds=0.001, device="cpu")
    assert asked == [1, 2]
    assert found.threads == torch.get_num_threads() == 1
    assert found.as_dict()["images_per_second_by_threads"] == {"1": 30.0, "2": 20.0}
    assert [record.message for record in caplog.records] == [str(ThreadChoice(1, {1: 30.0, 2: 20.0}))]


def test_an_option_or_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(TypeError, match="'batch'"):
        glimpse.benchmark("ram", batch=3)
    with pytest.raises(ValueError, match="unknown device 'abacus'"):
        glimpse.benchmark("ram", device="abacus")
