"""Requests to search for the settings of a training."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from glimpse.settings.requests.training import ClassifierTrainingRequest, GeneratorTrainingRequest
from glimpse.settings.variation import ModelKind, Variation

__all__ = ["ClassifierSweepRequest", "GeneratorSweepRequest", "SweepChoice", "SweepRequest"]


@dataclass(frozen=True)
class SweepChoice:
    """What a search varies, and how it is run.

    Attributes:
        vary: The settings that are varied, each with its values.
        out: The sweep's folder, which holds the folders of its runs.
        trials: Number of runs, those of earlier calls included.
        study: File of the study, an SQLite database; None for `study.db` in `out`.
        workers: Number of runs at a time, each in a process of its own.
        prune: Whether to stop runs whose validation is worse than the median of the others at the same time.
        sampler_seed: Random seed of the choice of settings, at least 0.
        figure: File of a figure of the study, a `.png`; None for no figure.

    Raises:
        ValueError: If nothing is varied, a setting is varied twice, or a number is out of range.
    """

    vary: tuple[Variation, ...]
    out: Path
    trials: int = 20
    study: Path | None = None
    workers: int = 1
    prune: bool = True
    sampler_seed: int = 0
    figure: Path | None = None

    def __post_init__(self) -> None:
        names = [variation.name for variation in self.vary]
        if not names:
            raise ValueError("nothing is varied: name a setting with --vary NAME=LOW:HIGH")
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice} is varied twice: name it once")
        for name, value, least in (
            ("trials", self.trials, 1),
            ("workers", self.workers, 1),
            ("sampler_seed", self.sampler_seed, 0),
        ):
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")

    @property
    def study_file(self) -> Path:
        """File of the study."""
        return self.study or self.out / "study.db"


@dataclass(frozen=True)
class ClassifierSweepRequest:
    """A request to search for the settings of a classifier's training.

    Attributes:
        sweep: What is varied.
        training: What all runs have in common; its folder is not used.
    """

    kind: ClassVar[ModelKind] = "classifier"

    sweep: SweepChoice
    training: ClassifierTrainingRequest = field(default_factory=ClassifierTrainingRequest)


@dataclass(frozen=True)
class GeneratorSweepRequest:
    """A request to search for the settings of a generator's training.

    Attributes:
        sweep: What is varied.
        training: What all runs have in common; its folder is not used.
    """

    kind: ClassVar[ModelKind] = "generator"

    sweep: SweepChoice
    training: GeneratorTrainingRequest = field(default_factory=GeneratorTrainingRequest)


SweepRequest = ClassifierSweepRequest | GeneratorSweepRequest
"""A request to search for the settings of a training."""
