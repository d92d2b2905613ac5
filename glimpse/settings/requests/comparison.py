"""Requests to compare trained models, or to train and compare the models of a suite."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from glimpse.settings.requests.choices import Machine
from glimpse.settings.requests.options import flag, from_options
from glimpse.settings.suites import SUITES

__all__ = ["CompareRequest", "SuiteRequest", "comparison_request"]


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


def comparison_request(sources: Sequence[str | Path], options: Mapping[str, Any]) -> CompareRequest | SuiteRequest:
    """Returns the request that options by name stand for; None is not given.

    Raises:
        TypeError: If there is no such option.
        ValueError: If there is nothing to compare, or models are named as well as a suite, or an option goes with a suite only.
    """
    if options.get("suite") is not None:
        if sources:
            raise ValueError("name runs to compare or a --suite, not both")
        models = options.get("models")
        if options.get("data") is not None:
            raise ValueError("--data goes with runs, not with a --suite")
        options = {name: value for name, value in options.items() if name != "data"}
        names = models.split(",") if isinstance(models, str) else models
        return from_options(SuiteRequest, {**options, "models": names and tuple(name.strip() for name in names)})
    if not sources:
        raise ValueError(f"name runs to compare, or a --suite: {', '.join(SUITES)}")
    shared = [each.name for each in fields(CompareRequest)]
    of_a_suite = [each.name for each in fields(SuiteRequest) if each.name not in shared and options.get(each.name) is not None]
    if of_a_suite:
        raise ValueError(f"{', '.join(map(flag, of_a_suite))} goes with a --suite, not with runs")
    return from_options(CompareRequest, {**options, "sources": tuple(map(str, sources))})
