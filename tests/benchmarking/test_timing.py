"""Timing in turns, by a clock that the work itself moves on."""

import contextlib
from collections.abc import Callable, Iterator

import pytest
import torch

from glimpse.benchmarking.timing import Timing, cuda_seconds, interleaved, stopwatch_of, wall_seconds
from glimpse.listener import Advance, Listener


class Clock:
    """A clock that stands still but for what work says that it takes."""

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


def test_all_take_turns_after_a_warm_up() -> None:
    clock = Clock()
    works = {name: clock.work(name, lambda call: 1.0) for name in "ab"}
    found = interleaved(works, 4.0, stopwatch=clock.stopwatch)
    assert "".join(clock.called) == "aabb" + 4 * "ab"
    assert found == {name: Timing((1.0,) * 4, 1) for name in "ab"}


def test_what_is_slow_at_first_or_once_changes_neither_best_nor_median() -> None:
    clock = Clock()
    times = [90.0, 2.0, 2.0, 50.0, 1.0, 2.0, 2.0]
    found = interleaved({"a": clock.work("a", lambda call: times[call])}, 10.0, stopwatch=clock.stopwatch)
    assert found["a"].seconds == (2.0, 50.0, 1.0)
    assert (found["a"].best, found["a"].median) == (1.0, 2.0)


def test_a_short_call_is_repeated_and_averaged() -> None:
    clock = Clock()
    found = interleaved({"a": clock.work("a", lambda call: 0.001)}, 0.05, stopwatch=clock.stopwatch)
    assert found["a"].calls == 10
    assert found["a"].seconds == pytest.approx([0.001] * len(found["a"].seconds))
    assert len(clock.called) == 2 + 10 * len(found["a"].seconds)


def test_every_case_has_three_rounds_however_little_time_there_is() -> None:
    clock = Clock()
    found = interleaved({"a": clock.work("a", lambda call: 5.0)}, 0.1, stopwatch=clock.stopwatch)
    assert len(found["a"].seconds) == 3


def test_rounds_end_when_the_time_of_all_is_over() -> None:
    clock = Clock()
    works = {"a": clock.work("a", lambda call: 1.0 if call < 2 else 10.0), "b": clock.work("b", lambda call: 1.0)}
    found = interleaved(works, 20.0, stopwatch=clock.stopwatch)
    assert len(found["a"].seconds) == len(found["b"].seconds) == 4  # 44 seconds of 40


def test_a_listener_hears_of_every_repeat_and_of_the_end() -> None:
    clock, heard = Clock(), Heard()
    interleaved({"a": clock.work("a", lambda call: 1.0)}, 4.0, stopwatch=clock.stopwatch, listener=heard)
    assert heard.total == 4
    assert heard.steps == [1, 2, 3, 4, 4]


def test_the_device_says_how_it_is_timed() -> None:
    assert stopwatch_of(torch.device("cpu")) is wall_seconds
    assert stopwatch_of(torch.device("cuda")) is cuda_seconds


@pytest.mark.gpu
def test_cuda_is_timed_until_its_work_is_done() -> None:
    matrix = torch.rand(2048, 2048, device="cuda")
    cuda_seconds(lambda: matrix @ matrix, 1)
    assert cuda_seconds(lambda: matrix @ matrix, 20) > cuda_seconds(lambda: None, 1)
