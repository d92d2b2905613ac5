"""Requests to train a classifier or a generator."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from glimpse.settings.requests.choices import GenerativeChoice, Machine, TrainingImageChoice

__all__ = ["ClassifierTrainingRequest", "GeneratorTrainingRequest", "RunChoice", "Setting", "SettingValues"]

Setting = int | float | str | bool
"""Value of a setting of a model or of its training."""

SettingValues = Mapping[str, Setting]
"""Settings by name that override those of a preset."""


@dataclass(frozen=True)
class RunChoice:
    """The folder of a training run, its starting point and its checkpoints.

    Attributes:
        out: The run's folder; None for a name derived from the preset.
        resume: Whether to continue the run in `out`, or start it if there is none yet.
        config: Folder or config.json of a run whose settings are the starting point.
        epochs: Budget in passes over the training images, in place of a budget in images.
        checkpoint_every: Seconds between checkpoints.
    """

    out: Path | None = None
    resume: bool = False
    config: Path | None = None
    epochs: float | None = None
    checkpoint_every: float = 60.0


@dataclass(frozen=True)
class ClassifierTrainingRequest:
    """A request to train a classifier.

    Attributes:
        model: Kind of classifier in the catalog; None for the kind of the preset.
        preset: Name of the preset; None for the first of the kind.
        init: A trained classifier, whose weights and settings of the model to start from; None for random weights.
        settings: Settings of the model and the training that override those of the preset.
        images: Images to train on.
        run: Folder, starting point and checkpoints.
        machine: Device and threads.
    """

    model: str | None = None
    preset: str | None = None
    init: str | None = None
    settings: SettingValues = field(default_factory=lambda: MappingProxyType({}))
    images: TrainingImageChoice = field(default_factory=TrainingImageChoice)
    run: RunChoice = RunChoice()
    machine: Machine = field(default_factory=Machine)


@dataclass(frozen=True)
class GeneratorTrainingRequest:
    """A request to train a generator.

    Attributes:
        preset: Name of the preset; None for `mnist-small`.
        init: A trained generator, whose weights and settings of the model to start from; None for random weights.
        settings: Settings of the model and the training that override those of the preset.
        images: Images to train on.
        run: Folder, starting point and checkpoints.
        machine: Device and threads.
    """

    preset: str | None = None
    init: str | None = None
    settings: SettingValues = field(default_factory=lambda: MappingProxyType({}))
    images: GenerativeChoice = field(default_factory=GenerativeChoice)
    run: RunChoice = RunChoice()
    machine: Machine = field(default_factory=Machine)
