"""Interleaved timing, by a clock that the work itself advances."""

import contextlib
from collections.abc import Callable, Iterator

import pytest
import torch

from glimpse.evaluation.timing import Timing, cuda_seconds, interleaved, stopwatch_of, wall_seconds
from glimpse.listener import Advance, Listener


class Clock:
    """A clock that only the timed work advances."""

    def __init__(self) -> None:
        self.now = 0.0
        self.called: list[str] = []

    def __call__(self) -> float:
        return self.now

    def work(self, name: str, seconds: Callable[[int], float]) -> Callable[[], None]:
        def work() -> None:
            self.now += seconds(self.called.count(name))
            self.called.append(name)

        return work

    def stopwatch(self, work: Callable[[], object], calls: int) -> float:
        return wall_seconds(work, calls, clock=self)


class Heard(Listener):
    def __init__(self) -> None:
        self.steps: list[int] = []

    @contextlib.contextmanager
    def progress(self, title: str, total: int, *, unit: str = "images") -> Iterator[Advance]:
        self.total = total
        yield self.steps.append


def test_every_round_times_every_case_after_a_warm_up() -> None:
    clock = Clock()
    works = {name: clock.work(name, lambda call: 1.0) for name in "ab"}
    found = interleaved(works, 4.0, stopwatch=clock.stopwatch)
    assert "".join(clock.called) == "aabb" + 4 * "ab"
    assert found == {name: Timing((1.0,) * 4, 1) for name in "ab"}


def test_a_slow_warm_up_or_a_single_slow_round_changes_neither_best_nor_median() -> None:
    clock = Clock()
    times = [90.0, 2.0, 2.0, 50.0, 1.0]
    found = interleaved({"a": clock.work("a", lambda call: times[call])}, 10.0, stopwatch=clock.stopwatch)
    assert found["a"].seconds == (2.0, 50.0, 1.0)
    assert (found["a"].best, found["a"].median) == (1.0, 2.0)


def test_a_short_call_is_repeated_and_averaged() -> None:
    clock = Clock()
    found = interleaved({"a": clock.work("a", lambda call: 0.001)}, 0.05, stopwatch=clock.stopwatch)
    assert found["a"].calls == 10
    assert found["a"].seconds == pytest.approx([0.001] * len(found["a"].seconds))
    assert len(clock.called) == 2 + 10 * len(found["a"].seconds)


def test_every_case_has_three_rounds_even_if_the_time_is_shorter() -> None:
    clock = Clock()
    found = interleaved({"a": clock.work("a", lambda call: 5.0)}, 0.1, stopwatch=clock.stopwatch)
    assert len(found["a"].seconds) == 3


def test_a_slow_first_estimate_does_not_limit_the_rounds() -> None:
    clock = Clock()
    found = interleaved({"a": clock.work("a", lambda call: 50.0 if call < 2 else 1.0)}, 20.0, stopwatch=clock.stopwatch)
    assert len(found["a"].seconds) == 20


def test_without_a_time_there_is_the_least_number_of_rounds() -> None:
    clock = Clock()
    found = interleaved({"a": clock.work("a", lambda call: 1.0)}, 0, least_rounds=5, stopwatch=clock.stopwatch)
    assert len(found["a"].seconds) == 5


def test_rounds_end_when_the_time_of_all_cases_is_over() -> None:
    clock = Clock()
    works = {"a": clock.work("a", lambda call: 1.0 if call < 2 else 10.0), "b": clock.work("b", lambda call: 1.0)}
    found = interleaved(works, 20.0, stopwatch=clock.stopwatch)
    assert len(found["a"].seconds) == len(found["b"].seconds) == 4  # 44 seconds of 40


def test_a_listener_receives_every_timing_and_the_end() -> None:
    clock, heard = Clock(), Heard()
    interleaved({"a": clock.work("a", lambda call: 1.0)}, 4.0, stopwatch=clock.stopwatch, listener=heard)
    assert heard.total == 4
    assert heard.steps == [1, 2, 3, 4, 4]


def test_each_type_of_device_has_its_stopwatch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stopwatch_of(torch.device("cpu")) is wall_seconds
    used: list[object] = []
    current: list[object] = []

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            used.append(current[-1])  # an event is recorded on the stream of the current device

        def elapsed_time(self, last: "Event") -> float:
            return 2500.0

    @contextlib.contextmanager
    def device(chosen: torch.device) -> Iterator[None]:
        current.append(chosen)
        yield
        current.pop()

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "device", device)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda chosen=None: used.append(chosen))
    second = torch.device("cuda", 1)
    assert stopwatch_of(second)(lambda: None, 3) == 2.5
    assert used == [second] * 4


@pytest.mark.gpu
def test_cuda_is_timed_until_its_work_is_done() -> None:
    device = torch.device("cuda", 0)
    matrix = torch.rand(2048, 2048, device=device)
    cuda_seconds(lambda: matrix @ matrix, 1, device=device)
    assert cuda_seconds(lambda: matrix @ matrix, 20, device=device) > cuda_seconds(lambda: None, 1, device=device)
