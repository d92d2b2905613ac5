"""Requests to compare trained models, or to train and compare the models of a suite."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from glimpse.settings.requests.choices import Machine

__all__ = ["CompareRequest", "SuiteRequest"]


@dataclass(frozen=True)
class CompareRequest:
    """A request to compare trained models of one task, or on images of your own.

    Attributes:
        sources: Runs' folders, weights files or `pretrained:NAME`.
        data: Path of labeled images in place of those of the task; each model gets pictures in the size that it was trained on.
        data_dir: Folder searched first for the digits.
        machine: Device and threads of the measurements.
    """

    sources: tuple[str, ...]
    data: Path | None = None
    data_dir: Path | None = None
    machine: Machine = field(default_factory=Machine)


@dataclass(frozen=True)
class SuiteRequest:
    """A request to train the models of a suite and compare them.

    Attributes:
        suite: Name of the suite.
        out: The suite's folder; None for `runs/compare-SUITE`.
        models: Names of the models; None for all models of the suite.
        images: Budget of every model in images; None for the suite's budgets.
        seeds: Number N of seeds: every model is trained from the seeds 0 to N - 1; None for the suite's seeds.
        within: Time limit in minutes, after which the same call continues; None for no limit, 0 to stop before the first training.
        precision: Precision of the trainings; None for that of the presets.
        compile: Whether the models are compiled; None for the setting of the presets.
        data_dir: Folder searched first for the digits.
        machine: Device and threads of the trainings and measurements.
    """

    suite: str
    out: Path | None = None
    models: tuple[str, ...] | None = None
    images: int | None = None
    seeds: int | None = None
    within: float | None = None
    precision: Literal["fp32", "bf16"] | None = None
    compile: bool | None = None
    data_dir: Path | None = None
    machine: Machine = field(default_factory=Machine)

    @property
    def folder(self) -> Path:
        """The suite's folder."""
        return self.out or Path("runs") / f"compare-{self.suite}"
