"""Trials of a sweep: ordinary trainings, whose validations are reported to the study and may end them early."""

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

import optuna
import torch
from optuna.trial import TrialState

from glimpse.listener import Listener
from glimpse.settings.catalog import classifier_preset
from glimpse.settings.draw import GENERATOR_PRESETS
from glimpse.settings.record import read_config
from glimpse.settings.requests import (
    ClassifierTrainingRequest,
    GeneratorTrainingRequest,
    Machine,
    Setting,
    SweepRequest,
)
from glimpse.settings.variation import setting_text
from glimpse.sweeping.study import REASON, STOPPED, Claim, SweepStudy
from glimpse.training.classifier import ClassifierPlan
from glimpse.training.engine import Record
from glimpse.training.folder import RunFolder
from glimpse.training.generator import GeneratorPlan
from glimpse.training.loop import StoppedError
from glimpse.training.plan import TrainingPlan
from glimpse.training.session import Training, opened_training
from glimpse.training.signals import interruptions

__all__ = ["Outcome", "Show", "SweepWatch", "run_trial", "run_trials"]

Outcome = Literal["complete", "pruned", "diverged", "failed"]
"""How a trial ended."""

Show = Callable[[Training, Iterator[Record]], None]
"""Takes the records of a training to their end, and shows them or not."""

_PRUNED = 96  # code that stops a pruned training
_VALIDATIONS = 10  # in a trial, unless a setting says otherwise
_FIRST_PRUNING = 0.2  # of the validations, before which no trial is pruned
_STARTUP = 5  # trials that are completed before one is pruned


def _silently(training: Training, records: Iterator[Record]) -> None:
    """Runs a training and shows nothing."""
    deque(records, maxlen=0)


@dataclass(frozen=True)
class SweepWatch:
    """Observes a sweep; by default everything runs silently.

    Attributes:
        listener: Hears which trial comes next, how it ended, notes and warnings.
        show: Runs each training.
        stop: Called after every step; a returned exit code stops the sweep.
    """

    listener: Listener = field(default_factory=Listener)
    show: Show = _silently
    stop: Callable[[], int | None] = lambda: None


def run_trials(request: SweepRequest, watch: SweepWatch) -> None:
    """Runs the trials of a sweep one after the other, until there are as many as requested.

    Args:
        request: The sweep.
        watch: Observes it.

    Raises:
        ValueError: If the study is one of another request, or no training can be started with the settings.
        FileNotFoundError: If the data are not available.
        StoppedError: If a signal stopped a training; its state is saved, and the same call continues it.
    """
    with SweepStudy.opened(request) as study:
        while (claim := study.claim()) is not None:
            settings = ", ".join(f"{name} {setting_text(value, 4)}" for name, value in claim.settings.items())
            watch.listener.note(f"{claim.run}: {settings}")
            outcome = run_trial(study, claim, watch)
            watch.listener.note(f"{claim.run}: {outcome}")
            if (dict(request.training.settings) | claim.settings).get("compile"):
                torch.compiler.reset()  # else the model of the next trial counts as one too many


def run_trial(study: SweepStudy, claim: Claim, watch: SweepWatch) -> Outcome:
    """Runs a trial to its end, and tells the study its result; a run that exists is continued from its checkpoint.

    Args:
        study: The study, opened by this worker.
        claim: The trial.
        watch: Observes it.

    Raises:
        ValueError: If its training and those of all trials before it, at least three, cannot be started.
        FileNotFoundError: If the data are not available.
        StoppedError: If a signal stopped the training.
    """
    trial = claim.trial
    try:
        with opened_training(trial_plan(study.request, claim, watch.listener)) as training:
            try:
                return _trained(study, claim, training, watch)
            except ValueError as error:  # it diverged, or no validation was finite
                trial.set_user_attr(REASON, str(error))
                study.study.tell(trial, state=TrialState.PRUNED)  # which the sampler counts among the worst
                return "diverged"
    except (StoppedError, OSError):  # not due to the settings: the trial is repeated
        trial.set_user_attr(STOPPED, True)
        raise
    except ValueError as error:
        trial.set_user_attr(REASON, str(error))
        study.study.tell(trial, state=TrialState.FAIL)
        if study.fails:
            raise
        watch.listener.warn(f"{claim.run} could not be trained: {error}")
        return "failed"


def trial_plan(request: SweepRequest, claim: Claim, listener: Listener) -> TrainingPlan[Any]:
    """Returns the plan of a trial's training.

    Args:
        request: The sweep.
        claim: The trial.
        listener: Hears notes and warnings.

    Raises:
        ValueError: If the settings do not fit the model.
    """
    training = request.training
    folder = request.sweep.out / claim.run
    run = replace(training.run, out=folder, resume=True)
    machine = Machine(training.machine.device) if RunFolder(folder).started else training.machine  # resumes on as many threads
    chosen = {name: value for name, value in claim.settings.items() if name != "distort"}
    given = dict(training.settings) | chosen
    settings = MappingProxyType(_validating(training, given) | given)
    if isinstance(training, GeneratorTrainingRequest):
        return GeneratorPlan(replace(training, run=run, settings=settings, machine=machine), listener)
    images = training.images
    if "distort" in claim.settings:
        images = replace(images, distort=int(claim.settings["distort"]))
    return ClassifierPlan(replace(training, run=run, settings=settings, images=images, machine=machine), listener)


def _trained(study: SweepStudy, claim: Claim, training: Training, watch: SweepWatch) -> Outcome:
    """Runs a training to its end or until it is pruned, and tells the study its result."""
    reports, every = _Reports(study, claim, training), study.request.training.run.checkpoint_every
    try:
        with interruptions() as asked:
            if not training.finished:
                records = training.records(every, stop=lambda: asked() or watch.stop() or reports.stop())
                watch.show(training, reports.watched(records))
    except StoppedError as stopped:
        if stopped.code != _PRUNED:
            raise
        study.study.tell(claim.trial, state=TrialState.PRUNED)
        return "pruned"
    study.study.tell(claim.trial, training.result().best)
    return "complete"


class _Reports:
    """Reports the validations of a training to the study.

    The validations are numbered from 1, so that trainings with batches of different sizes are compared at the same times.

    Args:
        study: The study.
        claim: The trial.
        training: Its training; the validations before its checkpoint are reported at once.
    """

    def __init__(self, study: SweepStudy, claim: Claim, training: Training) -> None:
        self.trial, self.training, self.number, self.pruned = claim.trial, training, 0, False
        self.column = f"valid_{training.trainer.task.validation_metrics[0]}"
        first = math.ceil(_FIRST_PRUNING * training.total / training.trainer.config.validate_every)
        pruner = optuna.pruners.MedianPruner(n_startup_trials=_STARTUP, n_warmup_steps=first)
        study.study.pruner = pruner if study.request.sweep.prune else optuna.pruners.NopPruner()
        for row in training.folder.rows():
            if row.get(self.column) and int(row["images"]) <= training.start:
                self._report(float(row[self.column]))

    def watched(self, records: Iterator[Record]) -> Iterator[Record]:
        """Yields the records of the training, after their validations are reported."""
        for record in records:
            if self.column in record.values:
                self._report(record.values[self.column])
                self.pruned = not self.training.trainer.finished and self.trial.should_prune()
            yield record

    def stop(self) -> int | None:
        """Returns the code that stops the training if its trial is pruned, else None."""
        return _PRUNED if self.pruned else None

    def _report(self, value: float) -> None:
        """Reports the next validation; infinite and NaN values are counted but not reported."""
        self.number += 1
        if math.isfinite(value):
            self.trial.report(value, self.number)


def _validating(
    training: ClassifierTrainingRequest | GeneratorTrainingRequest, settings: Mapping[str, Setting]
) -> dict[str, Setting]:
    """Returns the setting of the images between validations, a tenth of the budget; nothing if it is chosen."""
    if training.run.epochs is not None or "validate_every" in settings:
        return {}
    budget = settings.get("images", _preset_images(training))
    return {"validate_every": max(1, int(budget) // _VALIDATIONS)}


def _preset_images(training: ClassifierTrainingRequest | GeneratorTrainingRequest) -> int:
    """Returns the budget of the preset, or of the run whose settings are the starting point, in images."""
    if training.run.config is not None:
        return int(read_config(training.run.config)["training"]["images"])
    if isinstance(training, GeneratorTrainingRequest):
        return GENERATOR_PRESETS[GeneratorPlan(training).preset].training.images
    return classifier_preset(ClassifierPlan(training).preset).training.images
