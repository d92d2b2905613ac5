"""How long the rest of a suite's trainings takes, from what its runs recorded or from a few steps of each model."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

import torch

from glimpse import environment
from glimpse.comparison.suite import PlannedRun
from glimpse.datasets.batches import EVALUATION_BATCH
from glimpse.evaluation.costs import forward_pass
from glimpse.evaluation.timing import wall_seconds
from glimpse.listener import Listener
from glimpse.models.base import ImageClassifier
from glimpse.training.classifier import ClassifierPlan
from glimpse.training.engine import Trainer

__all__ = ["RunEstimate", "Speed", "SuiteEstimate", "estimate_suite", "measured_speed"]

_TIMED_STEPS, _TIMED_SECONDS = 30, 2.0  # at most, for timing the training of a model


class Speed(NamedTuple):
    """How fast a model trains.

    Attributes:
        seconds_per_image: With the image's share of the validations.
        measured: Whether it was measured now; else it is what a run recorded.
    """

    seconds_per_image: float
    measured: bool


@dataclass(frozen=True)
class RunEstimate:
    """How long the rest of a run takes.

    Attributes:
        name: Its model and seed.
        left: Images that it has not seen yet.
        total: Images that it ends at.
        speed: How fast it trains.
    """

    name: str
    left: int
    total: int
    speed: Speed

    @property
    def seconds(self) -> float:
        """Time that it takes."""
        return self.left * self.speed.seconds_per_image


@dataclass(frozen=True)
class SuiteEstimate:
    """How long the rest of a suite takes.

    Attributes:
        runs: Those that are not finished.
        device: Where they are trained.
        threads: Threads of the CPU.
        compiled: Whether the models are compiled, which neither the measured speeds nor the sum of the times include.
    """

    runs: tuple[RunEstimate, ...]
    device: str
    threads: int
    compiled: bool

    @property
    def images(self) -> int:
        """Images left in all."""
        return sum(run.left for run in self.runs)

    @property
    def seconds(self) -> float:
        """Time that all of them take."""
        return sum(run.seconds for run in self.runs)

    def as_dict(self) -> dict[str, Any]:
        """Returns all of it for JSON."""
        runs = [
            {"name": run.name, "left": run.left, "total": run.total, "seconds": run.seconds, "measured": run.speed.measured}
            for run in self.runs
        ]
        facts = {"images": self.images, "seconds": self.seconds, "device": self.device, "threads": self.threads}
        return facts | {"compiled": self.compiled, "runs": runs}


def estimate_suite(plan: Sequence[PlannedRun], listener: Listener | None = None) -> SuiteEstimate:
    """Returns how long every run that is not finished takes, measured where no run of its model has recorded it.

    Args:
        plan: The runs of a suite.
        listener: Receives warnings and notes on the digits.

    Raises:
        FileNotFoundError: If the digits are not available.
    """
    machine = plan[0].request.machine
    device, threads = environment.choose_device(machine.device), environment.use_threads(machine.threads)
    speeds = _recorded_speeds(plan)
    runs = []
    for planned in plan:
        if planned.finished:
            continue
        if planned.entry.name not in speeds:
            speeds[planned.entry.name] = Speed(measured_speed(planned, device, threads, listener), measured=True)
        left = planned.total - planned.done
        runs.append(RunEstimate(planned.name, left, planned.total, speeds[planned.entry.name]))
    compiled = any(planned.request.settings.get("compile") for planned in plan)
    return SuiteEstimate(tuple(runs), str(device), threads, bool(compiled))


def _recorded_speeds(plan: Sequence[PlannedRun]) -> dict[str, Speed]:
    """Returns how fast the models trained that have a run with records, by name; it holds for the model's other seeds, too."""
    speeds: dict[str, Speed] = {}
    for planned in plan:
        rows = planned.folder.rows()
        if rows and float(rows[-1]["seconds"]) > 0:
            speed = Speed(float(rows[-1]["seconds"]) / int(rows[-1]["images"]), measured=False)
            speeds.setdefault(planned.entry.name, speed)
    return speeds


def measured_speed(planned: PlannedRun, device: torch.device, threads: int, listener: Listener | None = None) -> float:
    """Returns the seconds that training takes for an image, its share of the validations included, from a few steps of it.

    Args:
        planned: The run; its folder is not touched.
        device: Where it is trained.
        threads: Threads of the CPU.
        listener: Receives warnings and notes on the digits.
    """
    settings = planned.request.settings
    endless = {"images": 10**9, "validate_every": 10**9, "log_every": 10**9, "compile": False}  # steps and nothing else
    plan = ClassifierPlan(replace(planned.request, settings={**settings, **endless}), listener)
    record, data = plan.new_run(device, threads)
    trainer = plan.build(record, data, device)
    step = _seconds_per_step(trainer)
    sample = data.valid.batch(torch.arange(min(EVALUATION_BATCH, len(data.valid)))).images
    network = cast(ImageClassifier, trainer.model.eval())
    validation = wall_seconds(lambda: forward_pass(network, sample), 1) * len(data.valid) / len(sample)
    return step / trainer.config.batch_size + validation / min(int(settings["validate_every"]), planned.total)


def _seconds_per_step(trainer: Trainer) -> float:
    """Returns the mean time of a few steps of a trainer that does nothing but steps."""
    records = trainer.fit()
    next(records)  # warms up
    began = time.monotonic()
    steps, taken = 0, 0.0
    while steps < _TIMED_STEPS and taken < _TIMED_SECONDS:
        next(records)
        steps, taken = steps + 1, time.monotonic() - began
    return taken / steps
