"""Training the models of a suite: the plan, its progress, and the training.

A suite's folder holds a run's folder for every model and seed, NAME-seedN, as `glimpse train-classifier` writes them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from glimpse.comparison.time_limit import OUT_OF_TIME, OutOfTimeError, TimeLimit
from glimpse.listener import Listener
from glimpse.settings.base import from_mapping
from glimpse.settings.catalog import OF_THE_DATA, classifier_preset, kind_of_preset
from glimpse.settings.requests import (
    ClassifierTrainingRequest,
    ClutterChoice,
    Machine,
    RunChoice,
    Setting,
    SuiteRequest,
    TrainingImageChoice,
    chosen,
    flag,
)
from glimpse.settings.suites import SUITES, Entry, Suite
from glimpse.settings.training import TrainingConfig
from glimpse.training.classifier import ClassifierPlan
from glimpse.training.engine import Record, TrainingDivergedError
from glimpse.training.folder import RunFolder
from glimpse.training.loop import StoppedError
from glimpse.training.record import merged, refuse_differences
from glimpse.training.session import Training, opened_training

__all__ = ["PlannedRun", "Runner", "Stop", "plan_suite", "run_silently", "train_suite"]

Stop = Callable[[], int | None]
"""Asked after every step of a training; an exit code stops it at a checkpoint."""

Runner = Callable[[Training, Stop], None]
"""Runs a training that is put together to its end, and shows it or not; raises StoppedError if it was stopped."""


@dataclass(frozen=True)
class PlannedRun:
    """A run of a suite.

    Attributes:
        entry: The suite's model.
        seed: Of its training.
        request: What is asked of its training.
        done: Images that its checkpoint has seen, 0 before the first one.
        total: Images that it ends at.
    """

    entry: Entry
    seed: int
    request: ClassifierTrainingRequest
    done: int
    total: int

    @property
    def name(self) -> str:
        """Its model and seed."""
        return f"{self.entry.name}, seed {self.seed}"

    @property
    def folder(self) -> RunFolder:
        """Where its settings, weights, metrics and checkpoints are."""
        return _folder(self.request)

    @property
    def finished(self) -> bool:
        """Whether its budget is spent."""
        return self.done >= self.total


def plan_suite(request: SuiteRequest) -> list[PlannedRun]:
    """Returns all runs of a suite, seed after seed.

    Args:
        request: Which suite, and what is asked in place of its own models, budgets and seeds.

    Raises:
        ValueError: If there is no such suite or model, or the folder is a run's own, or a run was started with other settings than
            those requested or those of the model's other seeds.
    """
    suite, folder = _suite(request), request.folder
    if RunFolder(folder).started:
        raise ValueError(f"{folder} is a run's own folder: choose another --out, to hold the folders of the suite's runs")
    plan = [
        _planned(entry, seed, _training_request(suite, entry, seed, request)) for seed in suite.seeds for entry in suite.entries
    ]
    for entry in suite.entries:
        _refuse_mixture([planned for planned in plan if planned.entry is entry])
    return plan


def _suite(request: SuiteRequest) -> Suite:
    """Returns the suite with the requested models, budget and number of seeds."""
    if request.suite not in SUITES:
        raise ValueError(f"there is no suite {request.suite!r}; there are {', '.join(SUITES)}")
    suite = SUITES[request.suite]
    if request.models is not None:
        known = [entry.name for entry in suite.entries]
        unknown = [name for name in request.models if name not in known]
        if unknown:
            raise ValueError(f"{request.suite} has no model {unknown[0]!r}; it has {', '.join(known)}")
        suite = replace(suite, entries=tuple(entry for entry in suite.entries if entry.name in request.models))
    if request.images is not None:
        suite = replace(suite, entries=tuple(replace(entry, images=request.images) for entry in suite.entries))
    if request.seeds is not None:
        suite = replace(suite, seeds=tuple(range(request.seeds)))
    return suite


def _training_request(suite: Suite, entry: Entry, seed: int, request: SuiteRequest) -> ClassifierTrainingRequest:
    """Returns what is asked of the training of a suite's model."""
    settings: dict[str, Setting] = {"images": entry.images, "validate_every": suite.validate_every, "seed": seed}
    settings |= entry.settings
    settings |= {name: value for name, value in chosen(request).items() if name in ("precision", "compile")}
    clutter = ClutterChoice(canvas=suite.canvas, pieces=suite.pieces)
    return ClassifierTrainingRequest(
        preset=entry.preset,
        settings=settings,
        images=TrainingImageChoice(data_dir=request.data_dir, digits=suite.digits, clutter=clutter, distort=suite.distort),
        run=RunChoice(out=request.folder / f"{entry.name}-seed{seed}", resume=True),
        machine=request.machine,
    )


def _folder(request: ClassifierTrainingRequest) -> RunFolder:
    """Returns the folder of a run of a suite."""
    return RunFolder(request.run.out or Path())


def _planned(entry: Entry, seed: int, request: ClassifierTrainingRequest) -> PlannedRun:
    """Returns a run of a suite, with how far it is.

    Raises:
        ValueError: If there is such a run with other settings.
    """
    folder = _folder(request)
    if not folder.started:
        training = merged(TrainingConfig, vars(classifier_preset(entry.preset).training), request.settings)
        return PlannedRun(entry, seed, request, 0, training.total_images)
    try:
        on_any_machine = ClassifierPlan(replace(request, machine=Machine()))  # a finished run is compared with any threads
        refuse_differences(folder.config, on_any_machine.asked(folder.config))
    except ValueError as error:
        raise ValueError(f"{folder.path}: {error}") from error
    total = from_mapping(TrainingConfig, folder.config["training"]).total_images
    return PlannedRun(entry, seed, request, folder.images_seen(folder.load(), total), total)


def _refuse_mixture(runs: Sequence[PlannedRun]) -> None:
    """Raises ValueError if a model's runs differ in more than their seeds, as when its preset has changed since one was started."""
    first, settings = runs[0], _settings(runs[0])
    for other in runs[1:]:
        theirs = _settings(other)
        for name in [name for name in settings if settings[name] != theirs[name]]:
            values = f"{flag(name)[2:]} {settings[name]}, {other.folder.path} {theirs[name]}"
            way = "move away what was trained with the other settings, or choose another --out"
            raise ValueError(f"{first.folder.path} has {values}: seeds of one model must not differ in more; {way}")


def _settings(planned: PlannedRun) -> dict[str, Any]:
    """Returns the settings of a run's model and training but the seed: those it was started with or else would be."""
    if planned.folder.started:
        kinds = {"model": kind_of_preset(planned.entry.preset).config, "training": TrainingConfig}
        record = planned.folder.config
        found = {name: value for part, kind in kinds.items() for name, value in vars(from_mapping(kind, record[part])).items()}
    else:
        preset = classifier_preset(planned.entry.preset)
        found = vars(preset.model) | vars(preset.training)
        found |= {name: value for name, value in planned.request.settings.items() if name in found}
    return {name: value for name, value in found.items() if name not in ("seed", *OF_THE_DATA)}


def run_silently(progress: Callable[[Record], None] | None = None) -> Runner:
    """Returns what runs a training and shows nothing.

    Args:
        progress: Called with every record of the training.
    """

    def run(training: Training, stop: Stop) -> None:
        for record in training.records(stop=stop):
            if progress is not None:
                progress(record)

    return run


def train_suite(
    plan: Sequence[PlannedRun], *, run: Runner, limit: TimeLimit | None = None, listener: Listener | None = None
) -> list[PlannedRun]:
    """Trains every run that is not finished and returns those that are then, without those that diverged.

    Args:
        plan: The runs.
        run: Runs each of their trainings.
        limit: When to stop.
        listener: Receives notes, such as which training is next, and warnings.

    Raises:
        OutOfTimeError: If the time is over; the current run has been saved.
        StoppedError: If something else stopped the training; it has been saved.
    """
    limit, listener = limit or TimeLimit(), listener or Listener()
    trained = []
    for planned in plan:
        if not planned.finished:
            limit.check()
            listener.note(f"Now {planned.name}")
            try:
                with opened_training(ClassifierPlan(planned.request, listener)) as training:
                    run(training, limit.stop)
            except TrainingDivergedError as error:
                listener.warn(f"{planned.name} is left out: {error}")
                continue
            except StoppedError as stopped:
                if stopped.code == OUT_OF_TIME:
                    raise OutOfTimeError from stopped
                raise
            finally:
                if planned.request.settings.get("compile"):
                    torch.compiler.reset()  # else the next model of the class counts as one too many
        trained.append(planned)
    return trained
