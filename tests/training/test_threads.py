"""The number of threads is the fastest measured one, and a training keeps it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from glimpse.settings.training import TrainingConfig
from glimpse.training.calls import train_classifier
from glimpse.training.engine import Record, Trainer
from glimpse.training.threads import ThreadChoice, candidates, fastest_threads
from tests.helpers.runs import settings_of

TINY: dict[str, Any] = {"digits": "sklearn", "canvas": 40, "pieces": 2, "window": 4, "hidden": 8, "features": 8, "glimpses": 2}
TINY |= {"model": "glimpse"}


class Clock:
    """A clock that each step of a fake trainer advances by the time for its number of threads."""

    def __init__(self, seconds: dict[int, float], images: int = 10**7) -> None:
        self.now, self.taken, self.seconds = 0.0, 0, seconds
        self.config = TrainingConfig(images=images, batch_size=100)

    def __call__(self) -> float:
        return self.now

    def fit(self) -> Iterator[Record]:
        while True:
            self.now += self.seconds[torch.get_num_threads()] + (1.0 if self.taken == 0 else 0.0)  # the first step is a warm-up
            self.taken += 1
            yield Record("step", 100 * self.taken)


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Restores torch's number of threads."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("seconds", "expected"), [({1: 0.2, 2: 0.1, 4: 0.3}, 2), ({1: 0.1, 2: 0.2, 4: 0.2}, 1), ({1: 0.4, 4: 0.1}, 4)]
)
def test_the_fastest_number_of_threads_is_chosen(seconds: dict[int, float], expected: int) -> None:
    clock = Clock(seconds)
    choice = fastest_threads(lambda: cast(Trainer, clock), list(seconds), clock=clock)
    assert choice is not None
    assert choice.threads == expected
    assert choice.images_per_second == pytest.approx({number: 100 / each for number, each in seconds.items()})
    assert f"Threads: {expected}" in str(choice)


def test_all_timings_together_take_a_few_seconds_at_most() -> None:
    clock = Clock({1: 0.9, 2: 1.0})
    fastest_threads(lambda: cast(Trainer, clock), [1, 2], clock=clock)
    assert clock.now < 5
    assert clock.taken >= 3  # at least one step on each number, after one warm-up


def test_a_job_of_less_than_a_minute_is_not_timed() -> None:
    clock = Clock({1: 0.01, 2: 0.01}, images=1000)
    assert fastest_threads(lambda: cast(Trainer, clock), [1, 2], clock=clock) is None
    assert clock.taken == 1


def test_candidates_are_powers_of_two_and_the_most() -> None:
    assert [candidates(most) for most in (1, 2, 3, 8, 12)] == [[1], [1, 2], [1, 2, 3], [1, 2, 4, 8], [1, 2, 4, 8, 12]]


def test_a_training_uses_records_and_keeps_the_measured_number(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("glimpse.environment.usable_cores", lambda: 2)
    monkeypatch.setattr("glimpse.environment.busy_cores", lambda: 0.0)
    measured = ThreadChoice(1, {1: 300.0, 2: 200.0})
    monkeypatch.setattr("glimpse.training.threads.fastest_threads", lambda trainer, numbers: measured)
    out = tmp_path / "run"
    train_classifier(images=64, batch_size=32, out=out, **TINY)
    environment = settings_of(out)["environment"]
    assert environment["threads"] == torch.get_num_threads() == 1
    assert environment["images_per_second_by_threads"] == {"1": 300.0, "2": 200.0}
    torch.set_num_threads(2)
    train_classifier(resume=True, out=out)
    assert torch.get_num_threads() == 1


def test_a_given_number_is_not_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def never(*_: object) -> None:
        raise AssertionError("measured")

    monkeypatch.setattr("glimpse.training.threads.fastest_threads", never)
    train_classifier(images=64, batch_size=32, out=tmp_path / "asked", threads=1, **TINY)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    train_classifier(images=64, batch_size=32, out=tmp_path / "variable", **TINY)


def test_timing_does_not_change_the_training(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("glimpse.environment.usable_cores", lambda: 2)
    monkeypatch.setattr("glimpse.training.threads._TINY", 0.0)
    monkeypatch.setattr("glimpse.environment.busy_cores", lambda: 1.0)
    settings: dict[str, Any] = {"images": 1024, "batch_size": 32, "validate_every": 1024}
    train_classifier(out=tmp_path / "timed", **settings, **TINY)
    chosen = settings_of(tmp_path / "timed")["environment"]["threads"]
    assert set(settings_of(tmp_path / "timed")["environment"]["images_per_second_by_threads"]) == {"1", "2"}
    train_classifier(out=tmp_path / "plain", threads=chosen, **settings, **TINY)
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("timed", "plain")]
    assert weights[0] == weights[1]


def test_a_coarse_clock_does_not_divide_by_zero() -> None:
    clock = Clock({1: 0.5, 2: 0.5})
    choice = fastest_threads(lambda: cast(Trainer, clock), [1, 2], clock=lambda: float(int(clock.now)))
    assert choice is not None
    assert all(rate > 0 for rate in choice.images_per_second.values())
