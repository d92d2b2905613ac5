"""Requests to compare trained models, or to train and compare the models of a suite."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from glimpse.settings.requests.choices import Machine
from glimpse.settings.requests.options import chosen, flag
from glimpse.settings.suites import SUITES

__all__ = ["CompareRequest", "ComparisonOptions", "SuiteRequest"]


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


@dataclass(frozen=True)
class ComparisonOptions:
    """Options of a comparison, of trained models or of a suite.

    Attributes:
        sources: As of `CompareRequest`; none with a suite.
        suite: Name of the suite; None to compare the sources.
        data: As of `CompareRequest`.
        out: This and the following ones as of `SuiteRequest`; `models` may be one text with commas.
    """

    sources: tuple[str, ...] = ()
    suite: str | None = None
    data: Path | None = None
    out: Path | None = None
    models: tuple[str, ...] | str | None = None
    images: int | None = None
    seeds: int | None = None
    within: float | None = None
    precision: Literal["fp32", "bf16"] | None = None
    compile: bool | None = None
    data_dir: Path | None = None
    machine: Machine = field(default_factory=Machine)

    @property
    def request(self) -> CompareRequest | SuiteRequest:
        """The request that the options stand for.

        Raises:
            ValueError: If there is nothing to compare, models are named as well as a suite, or an option goes with the other.
        """
        if self.suite is None:
            return self._of_models()
        if self.sources:
            raise ValueError("name runs to compare or a --suite, not both")
        if self.data is not None:
            raise ValueError("--data goes with runs, not with a --suite")
        names = self.models.split(",") if isinstance(self.models, str) else self.models
        models = None if names is None else tuple(name.strip() for name in names)
        given = {each.name: getattr(self, each.name) for each in fields(SuiteRequest)}
        return SuiteRequest(**given | {"models": models})

    def _of_models(self) -> CompareRequest:
        """Returns a request to compare the sources."""
        if not self.sources:
            raise ValueError(f"name runs to compare, or a --suite: {', '.join(SUITES)}")
        shared = [each.name for each in fields(CompareRequest)]
        of_a_suite = [name for name in chosen(self) if name not in shared]
        if of_a_suite:
            raise ValueError(f"{', '.join(map(flag, of_a_suite))} goes with a --suite, not with runs")
        return CompareRequest(self.sources, self.data, self.data_dir, self.machine)
