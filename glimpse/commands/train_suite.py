"""Training a suite's models: what is asked for, what of it is done, how long the rest will take, and the training itself.

A suite's folder holds a run's folder for every model and seed, NAME-seedN, as `glimpse train-classifier` writes them.
"""

import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from glimpse import environment
from glimpse.commands import console
from glimpse.commands import train_classifier as classifier_training
from glimpse.commands.time_limit import Alarm, TimeLimit
from glimpse.commands.train import train
from glimpse.comparison.opened import total_images
from glimpse.datasets.clutter import ClutterRecipe
from glimpse.evaluation.costs import TIMED_IMAGES, FixedImages, forward_seconds
from glimpse.models.catalog import CLASSIFIERS
from glimpse.settings.base import from_mapping
from glimpse.settings.catalog import OF_THE_DATA
from glimpse.settings.presets import CLASSIFIER_PRESETS, TRAINING_PRESETS
from glimpse.settings.suites import SUITES, Entry, Suite
from glimpse.settings.training import TrainingConfig
from glimpse.training.engine import Trainer, TrainingDivergedError
from glimpse.training.folder import RunFolder
from glimpse.training.loop import StoppedError
from glimpse.training.record import refuse_differences

__all__ = ["PlannedRun", "estimate", "plan_suite", "train_suite"]

_TIMED_STEPS, _TIMED_SECONDS = 30, 2.0  # at most, for timing the training of a model


@dataclass(frozen=True)
class PlannedRun:
    """A run of a suite.

    Attributes:
        entry: The suite's model.
        seed: Of its training.
        folder: Where it lies.
        chosen: Settings that are asked of it, by the names of the options of `glimpse train-classifier`.
        done: Images that its checkpoint has seen, 0 before the first one.
        total: Images that it ends at.
    """

    entry: Entry
    seed: int
    folder: RunFolder
    chosen: Mapping[str, Any]
    done: int
    total: int

    @property
    def name(self) -> str:
        """What a person calls it."""
        return f"{self.entry.name}, seed {self.seed}"

    @property
    def finished(self) -> bool:
        """Whether its budget is spent."""
        return self.done >= self.total


class _Speed(NamedTuple):
    """How fast a model trains, its validations included, and how that is known."""

    seconds_per_image: float
    origin: str


def plan_suite(folder: Path, options: Mapping[str, Any]) -> list[PlannedRun]:
    """Returns all runs of a suite, seed after seed.

    Args:
        folder: The suite's.
        options: `suite`, what is asked in place of its own `models`, `images` and `seeds`, `precision` and `compile`.

    Raises:
        ValueError: If there is no such model, or the folder is a run's own, or a run was started with other settings than are
            asked for now or than the model's other seeds have.
    """
    suite = _suite(options)
    if RunFolder(folder).started:
        raise ValueError(f"{folder} is a run's own folder: choose another --out, to hold the folders of the suite's runs")
    plan = [_planned(suite, entry, seed, folder, options) for seed in suite.seeds for entry in suite.entries]
    for entry in suite.entries:
        _refuse_mixture([planned for planned in plan if planned.entry is entry])
    return plan


def _suite(options: Mapping[str, Any]) -> Suite:
    """Returns the suite as it was asked for: with these models, this budget and so many seeds."""
    suite = SUITES[options["suite"]]
    if options["models"] is not None:
        wanted = [name.strip() for name in options["models"].split(",")]
        known = [entry.name for entry in suite.entries]
        unknown = [name for name in wanted if name not in known]
        if unknown:
            raise ValueError(f"{options['suite']} has no model {unknown[0]!r}; it has {', '.join(known)}")
        suite = replace(suite, entries=tuple(entry for entry in suite.entries if entry.name in wanted))
    if options["images"] is not None:
        suite = replace(suite, entries=tuple(replace(entry, images=options["images"]) for entry in suite.entries))
    if options["seeds"] is not None:
        suite = replace(suite, seeds=tuple(range(options["seeds"])))
    return suite


def _planned(suite: Suite, entry: Entry, seed: int, folder: Path, options: Mapping[str, Any]) -> PlannedRun:
    """Returns a run of a suite.

    Raises:
        ValueError: If there is such a run with other settings.
    """
    run = RunFolder(folder / f"{entry.name}-seed{seed}")
    chosen = {"preset": entry.preset, "digits": suite.digits, "canvas": suite.canvas, "pieces": suite.pieces}
    chosen |= {"images": entry.images, "validate_every": suite.validate_every, "seed": seed} | dict(entry.settings)
    chosen |= {name: options[name] for name in ("precision", "compile") if options[name] is not None}
    if not run.started:
        preset = vars(TRAINING_PRESETS[entry.preset])
        return PlannedRun(entry, seed, run, chosen, 0, total_images(preset | chosen))
    try:
        refuse_differences(run.config, chosen)
    except ValueError as error:
        raise ValueError(f"{run.path}: {error}") from error
    total = total_images(run.config["training"])
    return PlannedRun(entry, seed, run, chosen, run.images_seen(run.load(torch.device("cpu")), total), total)


def _refuse_mixture(runs: Sequence[PlannedRun]) -> None:
    """Raises ValueError if a model's runs differ in more than their seeds, as when its preset has changed since one was started."""
    first, settings = runs[0], _settings(runs[0])
    for other in runs[1:]:
        theirs = _settings(other)
        for name in [name for name in settings if settings[name] != theirs[name]]:
            values = f"{name.replace('_', '-')} {settings[name]}, {other.folder.path} {theirs[name]}"
            way = "move away what was trained with the other settings, or choose another --out"
            raise ValueError(f"{first.folder.path} has {values}: seeds of one model must not differ in more; {way}")


def _settings(planned: PlannedRun) -> dict[str, Any]:
    """Returns the settings of a run's model and training but the seed: those it was started with or else would be."""
    kinds = {"model": type(CLASSIFIER_PRESETS[planned.entry.preset]), "training": TrainingConfig}
    if planned.folder.started:
        config = planned.folder.config
        found = {name: value for part, kind in kinds.items() for name, value in vars(from_mapping(kind, config[part])).items()}
    else:
        preset = vars(CLASSIFIER_PRESETS[planned.entry.preset]) | vars(TRAINING_PRESETS[planned.entry.preset])
        found = preset | {name: value for name, value in planned.chosen.items() if name in preset}
    return {name: value for name, value in found.items() if name not in ("seed", *OF_THE_DATA)}


def train_suite(plan: Sequence[PlannedRun], options: Mapping[str, Any], limit: TimeLimit) -> list[PlannedRun]:
    """Trains every run that is not finished and returns those that are then, without those that diverged.

    Args:
        plan: The runs.
        options: `device`, `threads`, `data_dir` and `compile`.
        limit: When to stop.

    Raises:
        OutOfTimeError: If the time is over; the run at hand has been saved.
        StoppedError: If a signal stopped the training; it has been saved.
    """
    trained = []
    for planned in plan:
        if not planned.finished:
            limit.check()
            try:
                _train(planned, options, limit)
            except TrainingDivergedError as error:
                console.warn(f"{planned.name} is left out: {error}")
                continue
        trained.append(planned)
    return trained


def _train(planned: PlannedRun, options: Mapping[str, Any], limit: TimeLimit) -> None:
    """Trains a run to its end.

    Raises:
        OutOfTimeError: If the time is over before; the run has been saved.
        StoppedError: If another signal stopped it; the run has been saved.
    """
    console.note(f"Now {planned.name}")
    with Alarm(limit):
        code = train(classifier_training, _training_options(planned, options), dict(planned.chosen), again=False)
    if options["compile"]:
        torch.compiler.reset()  # else the next model of the class counts as one too many
    if code == 128 + signal.SIGTERM:
        limit.check()
    if code:
        raise StoppedError(code)


def _training_options(planned: PlannedRun, options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what `glimpse train-classifier` would be given for a run: every option by name, None for those that are not."""
    kinds: tuple[Any, ...] = (*CLASSIFIERS, TrainingConfig, ClutterRecipe)
    unset: dict[str, Any] = {field.name: None for kind in kinds for field in fields(kind)}
    own = {"out": planned.folder.path, "resume": True, "checkpoint_every": 60.0}
    others: dict[str, Any] = dict.fromkeys(("model", "config_file", "epochs", "data"))
    shared = {name: options[name] for name in ("device", "threads", "data_dir")}
    return unset | others | shared | own | dict(planned.chosen)


def estimate(plan: Sequence[PlannedRun], options: Mapping[str, Any]) -> None:
    """Says for every run that is not finished how long it will take, and how long all of them.

    Args:
        plan: The runs.
        options: `device`, `threads`, `data_dir` and `compile`.
    """
    device = environment.choose_device(options["device"])
    threads = environment.use_threads(options["threads"])
    speeds = _recorded_speeds(plan)
    measured = "measured now, not compiled" if options["compile"] else "measured now"
    images, seconds, runs = 0, 0.0, 0
    for planned in plan:
        if planned.finished:
            continue
        if planned.entry.name not in speeds:
            speeds[planned.entry.name] = _Speed(_seconds_per_image(planned, options, device, threads), measured)
        speed, left = speeds[planned.entry.name], planned.total - planned.done
        rate = f"{1 / speed.seconds_per_image:,.0f}/s with validation, {speed.origin}"
        takes = left * speed.seconds_per_image
        console.note(f"{planned.name}: {left:,} of {planned.total:,} images left, {rate}: {console.duration(takes)}")
        images, seconds, runs = images + left, seconds + takes, runs + 1
    compiled = ", compiling not counted" if options["compile"] else ""
    said = f"{images:,} images, about {console.duration(seconds)} on {device}, threads: {threads}{compiled}"
    console.note(f"Estimated time of {runs} {'run' if runs == 1 else 'runs'}: {said}")


def _recorded_speeds(plan: Sequence[PlannedRun]) -> dict[str, _Speed]:
    """Returns how fast the models trained that have a run with records, by name: it stands for the model's other seeds, too."""
    speeds: dict[str, _Speed] = {}
    for planned in plan:
        rows = planned.folder.rows()
        if rows and float(rows[-1]["seconds"]) > 0:
            speed = _Speed(float(rows[-1]["seconds"]) / int(rows[-1]["images"]), "as recorded")
            speeds.setdefault(planned.entry.name, speed)
    return speeds


def _seconds_per_image(planned: PlannedRun, options: Mapping[str, Any], device: torch.device, threads: int) -> float:
    """Returns the seconds that training takes for an image, its share of the validations included, from a few steps of it."""
    endless = {"images": 10**9, "validate_every": 10**9, "log_every": 10**9, "compile": False}  # steps and nothing else
    chosen = dict(planned.chosen) | endless
    run, data = classifier_training.new_run(_training_options(planned, options) | chosen, chosen, device, threads)
    trainer: Trainer = classifier_training.build(run, data, device)
    step = _seconds_per_step(trainer)
    sample = FixedImages(data.valid.batch(torch.arange(min(TIMED_IMAGES, len(data.valid)))))
    validation = forward_seconds(trainer.model.eval(), sample) * len(data.valid) / len(sample)
    return step / trainer.config.batch_size + validation / min(int(planned.chosen["validate_every"]), planned.total)


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
