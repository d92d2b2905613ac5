"""Precision and compilation are chosen by timing, recorded and kept."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from glimpse.evaluation.timing import Work
from glimpse.settings.training import TrainingConfig
from glimpse.training import speed
from glimpse.training.calls import train_classifier
from glimpse.training.engine import Record, Trainer
from glimpse.training.speed import bfloat16_slowdown, choose_steps
from tests.helpers.runs import settings_of

TINY: dict[str, Any] = {"digits": "sklearn", "canvas": 40, "pieces": 2, "window": 4, "hidden": 8, "features": 8, "glimpses": 2}
TINY |= {"model": "glimpse"}
HOUR = TrainingConfig(images=3_600_000, batch_size=100, precision="auto")  # at 0.1 s a step


class Bench:
    """Fake trainers whose steps take a known time on a clock of their own."""

    def __init__(self, seconds: dict[str, float], warmup: float = 0.0, error: Exception | None = None) -> None:
        self.seconds, self.warmup, self.error, self.now = seconds, warmup, error, 0.0

    def build(self, config: TrainingConfig) -> Trainer:
        variant = config.precision + (" compiled" if config.compile else "")
        return cast(Trainer, _Steps(self, variant, self.warmup if config.compile else 0.0))

    def stopwatch(self, work: Work, calls: int) -> float:
        began = self.now
        for _ in range(calls):
            work()
        return self.now - began


class _Steps:
    def __init__(self, bench: Bench, variant: str, warmup: float) -> None:
        self.bench, self.variant, self.warmup, self.device = bench, variant, warmup, torch.device("cpu")

    def fit(self) -> Iterator[Record]:
        if self.bench.error is not None and "compiled" in self.variant:
            raise self.bench.error
        while True:
            self.bench.now += self.bench.seconds[self.variant] + self.warmup
            self.warmup = 0.0
            yield Record("step", 0)


def chosen(bench: Bench, config: TrainingConfig = HOUR, ratio: float = 0.5, *, may_compile: bool = False) -> speed.StepChoice:
    """Returns the choice for fake steps, with a known slowdown of products in bfloat16."""
    return choose_steps(bench.build, config, may_compile=may_compile, stopwatch=bench.stopwatch, slowdown=lambda: ratio)


@pytest.mark.parametrize(
    ("half", "ratio", "expected", "measured"),
    [(0.05, 0.5, "bf16", {"fp32", "bf16"}), (0.099, 0.5, "fp32", {"fp32", "bf16"}), (0.05, 90.0, "fp32", {"fp32"})],
)
def test_the_faster_precision_is_chosen_and_a_hopeless_one_not_tried(
    half: float, ratio: float, expected: str, measured: set[str]
) -> None:
    choice = chosen(Bench({"fp32": 0.1, "bf16": half}), ratio=ratio)
    assert choice.config.precision == expected
    assert set(choice.images_per_second) == measured
    assert choice.images_per_second["fp32"] == pytest.approx(1000)
    assert expected in choice.notes[0]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_stated_precision_is_kept_without_timing(precision: str) -> None:
    config = TrainingConfig(images=10**9, precision=precision)  # type: ignore[arg-type]
    choice = chosen(Bench({}), config)
    assert choice == speed.StepChoice(config)


@pytest.mark.parametrize(
    ("compiled", "warmup", "expected"),
    [(0.08, 60.0, True), (0.08, 400.0, False), (0.11, 10.0, False)],  # saves 720 s minus the warm-up, which must be worth it
)
def test_a_long_training_is_compiled_if_that_saves_more_than_it_takes(compiled: float, warmup: float, expected: bool) -> None:
    bench = Bench({"fp32": 0.1, "bf16": 0.2, "fp32 compiled": compiled}, warmup)
    choice = chosen(bench, may_compile=True)
    assert choice.config.compile is expected
    assert choice.images_per_second["fp32 compiled"] == pytest.approx(100 / compiled)
    assert choice.notes[-1].startswith("Compiled: 1.25 times as fast" if expected else "Not compiled")


def test_a_training_of_minutes_is_not_compiled_and_one_of_seconds_not_timed() -> None:
    bench = Bench({"fp32": 0.1, "bf16": 0.05})
    minutes = TrainingConfig(images=800_000, batch_size=100, precision="auto")
    assert set(chosen(bench, minutes, may_compile=True).images_per_second) == {"fp32", "bf16"}
    seconds = TrainingConfig(images=20_000, batch_size=100, precision="auto")
    assert chosen(bench, seconds, may_compile=True) == speed.StepChoice(TrainingConfig(images=20_000, batch_size=100))


def test_a_compiler_that_fails_leaves_the_training_as_it_was() -> None:
    bench = Bench({"fp32": 0.1, "bf16": 0.2}, error=RuntimeError("no C++ compiler found\nmore"))
    choice = chosen(bench, may_compile=True)
    assert not choice.config.compile
    assert choice.notes[-1] == "Not compiled: torch.compile failed (no C++ compiler found)"


def test_the_slowdown_is_the_ratio_of_the_fastest_products() -> None:
    ticks = iter([tick for seconds in (5, 3, 4, 6, 3, 8, 6, 9, 7, 6) for tick in (0.0, float(seconds))])
    assert bfloat16_slowdown(clock=lambda: next(ticks)) == 2.0


def test_a_training_records_the_choice_and_a_resumed_one_keeps_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(speed, "_TINY", 0.0)
    monkeypatch.setattr(speed, "_FEWEST", 8)
    monkeypatch.setattr(speed, "_GAIN", 0.0)  # so that bf16 is chosen on any machine
    monkeypatch.setattr("glimpse.training.speed.bfloat16_slowdown", lambda: 1.0)
    out = tmp_path / "run"
    train_classifier(images=256, batch_size=32, out=out, precision="auto", **TINY)
    assert settings_of(out)["training"]["precision"] == "bf16"
    assert set(settings_of(out)["environment"]["images_per_second_by_steps"]) == {"fp32", "bf16"}
    train_classifier(resume=True, out=out, precision="auto")
    train_classifier(images=256, batch_size=32, out=tmp_path / "stated", precision="bf16", **TINY)
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("run", "stated")]
    assert weights[0] == weights[1], "timing does not change the training"
