"""What `glimpse train-classifier` does between parsing and the exit code."""

import math
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from glimpse import console, environment
from glimpse.config import ClassifierConfig, TrainingConfig, from_mapping
from glimpse.datasets.clutter import ClutterRecipe
from glimpse.datasets.files import open_data
from glimpse.options import open_digit_source
from glimpse.presets import CLASSIFIER_PRESETS, LONGER_BUDGETS, TRAINING_PRESETS
from glimpse.run import RunFolder, StoppedError, read_config, train_in
from glimpse.session import (
    TrainingData,
    classifier_trainer,
    cluttered_data,
    file_data,
    is_file,
    joined_processes,
    merged,
    refuse_differences,
    settings,
    task_facts,
)
from glimpse.training import Record, Trainer

__all__ = ["train_classifier"]


def train_classifier(options: dict[str, Any], chosen: dict[str, Any]) -> int:
    """Trains as the options say and returns the exit code: 0, or 128 plus the number of the signal that stopped it.

    Args:
        options: All options by name.
        chosen: Those of the settings that were given explicitly.
    """
    device = environment.choose_device(options["device"])
    folder = RunFolder(options["out"] or _default_folder(options, chosen))
    resumed = options["resume"] and folder.started
    if resumed:
        run = folder.config
        refuse_differences(run, _asked(options, chosen, run))
        processes = int(os.environ.get("WORLD_SIZE", "1"))
        if processes != run["environment"].get("processes", 1):
            raise ValueError(f"the run was started with {run['environment']['processes']} processes, not {processes}: use as many")
        threads = environment.use_threads(options["threads"] or run["environment"]["threads"])
    else:
        if int(os.environ.get("RANK", "0")) == 0:
            folder.refuse_occupied()
        threads = environment.use_threads(options["threads"])
    with joined_processes(device) as rank:
        if resumed:
            data = _data_of(run, options, device)
        else:
            run, data = _new_run(options, chosen, device, threads)
        if run["training"]["deterministic"]:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.use_deterministic_algorithms(True)
        trainer = classifier_trainer(run, data, device)
        if rank == 0 and not resumed:
            folder.start(run)  # last, so that a start that fails leaves no folder behind
        return _train(folder, trainer, run, options["checkpoint_every"])


def _asked(options: dict[str, Any], chosen: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    """Returns all settings that the options ask of a run that goes on: those of `--config`, those chosen, and the budget."""
    asked: dict[str, Any] = {}
    if options["config_file"] is not None:
        base = read_config(options["config_file"])
        of_data = ("channels", "classes")
        asked = base["training"] | {name: value for name, value in base["model"].items() if name not in of_data}
        asked |= base["data"].get("recipe", {})
    sizes = run["data"].get("sizes") or run["data"]["digits"]["sizes"]
    threads = {"threads": options["threads"]} if options["threads"] is not None else {}
    return asked | chosen | threads | _budget(options, chosen, sizes["train"])


def _budget(options: dict[str, Any], chosen: dict[str, Any], count: int) -> dict[str, int]:
    """Returns the budget in images where it was given in epochs of so many images, else nothing.

    Raises:
        ValueError: If it was given both ways.
    """
    if options["epochs"] is None:
        return {}
    if not math.isfinite(options["epochs"]):
        raise ValueError(f"epochs must be a finite number, got {options['epochs']}")
    if "images" in chosen:
        raise ValueError("give the budget as --epochs or as --images, not both")
    return {"images": max(1, round(options["epochs"] * count))}


def _default_folder(options: dict[str, Any], chosen: dict[str, Any]) -> Path:
    """Returns the folder of a run that names none."""
    preset, glimpses = options["preset"], CLASSIFIER_PRESETS[options["preset"]].glimpses
    if options["config_file"] is not None:
        base = read_config(options["config_file"])
        preset, glimpses = base["preset"], base["model"].get("glimpses", glimpses)
    return Path("runs") / f"{preset}-{chosen.get('glimpses', glimpses)}"


def _new_run(
    options: dict[str, Any], chosen: dict[str, Any], device: torch.device, threads: int
) -> tuple[dict[str, Any], TrainingData]:
    """Returns the settings of a new run and its data."""
    preset = options["preset"]
    base: dict[str, Any] = {"model": {}, "training": {}, "data": {}}
    model, training, recipe = CLASSIFIER_PRESETS[preset], TRAINING_PRESETS[preset], ClutterRecipe()
    if options["config_file"] is not None:
        if "preset" in chosen:
            raise ValueError("give the settings to start from as --preset or as --config, not both")
        base = read_config(options["config_file"])
        preset = base["preset"]
        from_mapping(ClassifierConfig, base["model"])  # an unknown name is a mistake, not something to leave out
        from_mapping(TrainingConfig, base["training"])
    model_config = merged(ClassifierConfig, vars(model) | base["model"], chosen)
    config = merged(TrainingConfig, vars(training) | base["training"], chosen)
    generated = [f"--{name.replace('_', '-')}" for name in chosen if name in ("digits", *vars(recipe))]
    if options["data"] is not None and generated:
        raise ValueError(f"--data brings its own images: leave out {', '.join(generated)}")
    path = options["data"] or (Path(base["data"]["path"]) if base["data"].get("kind") == "file" and not generated else None)
    if path is not None:
        data = file_data(open_data(path, device=device, shuffle_seed=config.seed))
    else:
        constants = merged(ClutterRecipe, vars(recipe) | base["data"].get("recipe", {}), chosen)
        digits = base["data"].get("digits", {}).get("digits", "auto") if options["digits"] == "auto" else options["digits"]
        source = open_digit_source(digits, options["data_dir"], config.seed)
        data = cluttered_data(source, constants, seed=config.seed, device=device)
    config = merged(TrainingConfig, vars(config), _budget(options, chosen, len(data.train)))
    model_config = merged(ClassifierConfig, vars(model_config), {"channels": data.channels, "classes": data.classes})
    return settings(preset, model_config, config, data, device=device, threads=threads), data


def _data_of(run: dict[str, Any], options: dict[str, Any], device: torch.device) -> TrainingData:
    """Returns the data of a run that goes on: the same digits or file, whatever `auto` would choose today."""
    record, seed = run["data"], run["training"]["seed"]
    if record["kind"] == "file":
        path = options["data"] or Path(record["path"])
        if not path.exists():
            raise FileNotFoundError(f"{path}, which the run was started with, is not there: if it has moved, name it with --data")
        data = file_data(open_data(path, device=device, shuffle_seed=seed))
        now, then = data.record["sha256"], record["sha256"]
    else:
        digits = options["digits"] if is_file(options["digits"]) else record["digits"]["digits"]
        if is_file(digits) and not Path(digits).exists():
            raise FileNotFoundError(
                f"{digits}, which the run was started with, is not there: if it has moved, name it with --digits"
            )
        source = open_digit_source(digits, options["data_dir"], seed)
        data = cluttered_data(source, ClutterRecipe(**record["recipe"]), seed=seed, device=device)
        now, then = source.sha256, record["digits"]["sha256"]
    if now != then:
        raise ValueError("the data are not those that the run was started with: their digests differ")
    return data


def _train(folder: RunFolder, trainer: Trainer, run: dict[str, Any], checkpoint_every: float) -> int:
    """Trains with a progress bar and returns the exit code."""
    facts = {"model": type(trainer.task.model).__name__, "config": run["model"], "task": task_facts(run["data"])}
    total = trainer.config.steps * trainer.config.batch_size
    state = folder.load(trainer.device)
    start = state["trainer"]["counters"]["step"] * trainer.config.batch_size if state else 0
    if start >= total:
        if trainer.rank == 0:
            console.note(f"{folder.path} is finished: {total:,} images. Evaluate it with: glimpse evaluate {folder.path}")
        return 0
    with _SignalWatch() as asked:
        records = train_in(folder, trainer, facts, checkpoint_every=checkpoint_every, stop=asked)
        try:
            if trainer.rank == 0:
                console.note(f"{'Resuming' if start else 'Training'} in {folder.path} on {run['environment']['device']}")
                _draw(records, total, start)
                _say_end(folder, trainer, run)
            else:
                deque(records, maxlen=0)
        except StoppedError as stopped:
            if trainer.rank == 0:
                console.note(f"Stopped; continue with: glimpse train-classifier --resume --out {folder.path}")
            return stopped.code
    return 0


def _draw(records: Iterator[Record], total: int, start: int) -> None:
    """Runs a training to its end with a progress bar and its latest numbers."""
    latest: dict[str, float] = {}
    with console.ProgressView("Training", total, start=start) as view:
        for record in records:
            latest |= record.values
            view.update(record.images, _status(latest))
            if record.message:
                view.say(f"Warning: {record.message}")


def _status(values: dict[str, float]) -> str:
    """Returns a few words on how training goes."""
    words = {"loss": "loss {:.3f}", "train_error": "training error {:.1f} %", "valid_error": "validation error {:.2f} %"}
    return ", ".join(text.format(values[name]) for name, text in words.items() if name in values)


def _say_end(folder: RunFolder, trainer: Trainer, run: dict[str, Any]) -> None:
    """Says where everything lies, what to run next and what a longer training would bring."""
    console.note(f"Best validation error {trainer.best:.2f} %. Weights, metrics and checkpoints lie in {folder.path}")
    console.note(f"Its error on the test set: glimpse evaluate {folder.path}")
    console.note(f"Curves: tensorboard --logdir {folder.path}")
    longer = [f"{error:.2f} % after {images:,}" for images, error in LONGER_BUDGETS if images > trainer.images]
    usual = run["preset"] == "tuned" and run["data"]["kind"] == "cluttered" and run["data"]["digits"]["name"] == "mnist"
    if longer and usual:
        console.note(f"A longer budget (--images) brought 8 glimpses to a validation error of {', '.join(longer)} images.")


class _SignalWatch:
    """Context in which SIGTERM and SIGINT are noted instead of killing; gives a function that returns 128 + signal, or None."""

    def __init__(self) -> None:
        self.code: int | None = None

    def __enter__(self) -> Callable[[], int | None]:
        self._before = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}
        return lambda: self.code

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.code = 128 + number
