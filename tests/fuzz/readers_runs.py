"""Readers of a run's folder: settings, weights, checkpoints and metrics."""

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch

from glimpse.models.catalog import open_classifier
from glimpse.settings.record import read_config
from glimpse.training.calls import train_classifier, train_generator
from glimpse.training.engine import Record
from tests.fuzz.mutants import edited_json, edited_metadata, edited_pickle
from tests.fuzz.readers import Reader
from tests.fuzz.runs import (
    CHECKPOINT,
    CONFIG,
    METRICS,
    SETTINGS,
    WEIGHTS,
    AbandonedError,
    Silent,
    bare_checkpoint,
    bare_config,
    bare_weights,
    copied_run,
)
from tests.helpers.runs import rows

__all__ = ["READERS"]

_MOST = 10 * SETTINGS["images"]  # seen by a resumed run; a config without a digest may ask for any number


def _opened(folder: Path) -> object:
    """Returns the settings of the best weights and what they predict."""
    model = open_classifier(folder)
    images = torch.linspace(0, 1, 2 * 81).reshape(2, 1, 9, 9)
    with torch.no_grad():
        return asdict(model.config), model(images)[0].tolist()


def _resumed(train: Callable[..., object] = train_classifier) -> Callable[[Path], object]:
    """Returns a function that resumes a run and returns its weights and metrics, or how far it was when it was abandoned."""

    def progress(record: Record) -> None:
        if record.images > _MOST:
            raise AbandonedError

    def read(folder: Path) -> object:
        try:
            train(out=folder, resume=True, progress=progress, listener=Silent())
        except AbandonedError:
            return _MOST
        settings = json.loads((folder / CONFIG).read_text())["training"]
        return (folder / WEIGHTS).read_bytes(), rows(folder), settings

    return read


_drawn = partial(copied_run, finished=False, train=train_generator)

READERS = (
    Reader("config", copied_run(CONFIG), read_config, exact=True),
    Reader("config-edited", copied_run(CONFIG, bare_config), read_config, edited_json),
    Reader("weights", copied_run(WEIGHTS), _opened, exact=True),
    Reader("weights-older", copied_run(WEIGHTS, bare_weights), _opened, cost=2),
    Reader("weights-edited", copied_run(WEIGHTS, bare_weights), _opened, edited_metadata),
    Reader("resume-checkpoint", copied_run(CHECKPOINT, finished=False), _resumed(), exact=True, cost=50),
    Reader("resume-checkpoint-edited", copied_run(CHECKPOINT, bare_checkpoint, finished=False), _resumed(), edited_pickle, cost=30),
    Reader("resume-config", copied_run(CONFIG, finished=False), _resumed(), exact=True),
    Reader("resume-config-edited", copied_run(CONFIG, bare_config, finished=False), _resumed(), edited_json),
    Reader("resume-weights", copied_run(WEIGHTS, finished=False), _resumed(), exact=True, cost=10),
    Reader("resume-metrics", copied_run(METRICS, finished=False), _resumed(), exact=True, cost=15),
    Reader("generator-checkpoint", _drawn(CHECKPOINT), _resumed(train_generator), exact=True, cost=50),
    Reader("generator-checkpoint-edited", _drawn(CHECKPOINT, bare_checkpoint), _resumed(train_generator), edited_pickle, cost=30),
    Reader("generator-config-edited", _drawn(CONFIG, bare_config), _resumed(train_generator), edited_json),
    Reader("generator-weights", _drawn(WEIGHTS), _resumed(train_generator), exact=True, cost=10),
)
