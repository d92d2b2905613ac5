"""Readers of a run's folder: settings, weights, checkpoints and metrics, and the commands that read them."""

import contextlib
import io
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save

from glimpse.listener import Listener
from glimpse.models.catalog import open_classifier
from glimpse.settings.record import read_config
from glimpse.training.calls import train_classifier
from glimpse.training.checkpoint import unpacked
from glimpse.training.engine import Record
from tests.fuzz.mutants import damaged_bytes, edited_json, edited_metadata, edited_pickle
from tests.fuzz.readers import Reader
from tests.helpers.commands import invoked
from tests.helpers.runs import rows

__all__ = ["READERS", "SETTINGS", "Silent", "image_file"]

SETTINGS: dict[str, Any] = {
    "model": "glimpse",
    "glimpses": 2,
    "window": 3,
    "hidden": 4,
    "features": 4,
    "averaging": 32,
    "images": 64,
    "batch_size": 8,
    "warmup": 8,
    "validate_every": 24,
    "log_every": 16,
    "threads": 1,
    "device": "cpu",
    "checkpoint_every": 0,
}
"""Options of a training of a second."""

_STOP = 40  # images seen by the unfinished run


class Silent(Listener):
    """A listener that ignores warnings."""

    def warn(self, message: str) -> None:
        """Ignores a warning."""


class _AbandonedError(Exception):
    """Raised to leave a training as a kill would."""


@cache
def image_file() -> Path:
    """Returns a file of images and labels."""
    file, draw = Path(tempfile.mkdtemp(prefix="glimpse-fuzz-")) / "images.npz", np.random.default_rng(0)
    np.savez(file, images=draw.integers(0, 256, (40, 9, 9), dtype=np.uint8), labels=np.arange(40) % 3)
    return file


@cache
def _run(stop: int | None) -> Path:
    """Returns the folder of a run, killed after a number of images or finished."""
    out = Path(tempfile.mkdtemp(prefix="glimpse-fuzz-")) / "run"

    def progress(record: Record) -> None:
        if stop is not None and record.images >= stop:
            raise _AbandonedError

    with contextlib.suppress(_AbandonedError):
        train_classifier(data=image_file(), out=out, progress=progress, listener=Silent(), **SETTINGS)
    return out


def _copy(name: str, stop: int | None = None, change: Callable[[bytes], bytes] | None = None) -> Callable[[Path], Path]:
    """Returns a function that copies a run's folder and returns one of its files, its content possibly changed."""

    def write(folder: Path) -> Path:
        shutil.copytree(_run(stop), folder, dirs_exist_ok=True)
        if change is not None:
            (folder / name).write_bytes(change((folder / name).read_bytes()))
        return folder / name

    return write


# As older versions wrote them, without digests


def _bare_config(content: bytes) -> bytes:
    return json.dumps({name: value for name, value in json.loads(content).items() if name != "sha256"}).encode()


def _bare_weights(content: bytes) -> bytes:
    length = int.from_bytes(content[:8], "little")
    facts = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["glimpse"])
    del facts["sha256"]
    return save(load(content), metadata={"glimpse": json.dumps(facts)})


def _bare_checkpoint(content: bytes) -> bytes:
    state = unpacked(content)
    buffer = io.BytesIO()
    torch.save({name: state[name] for name in ("trainer", "seconds")}, buffer)
    return buffer.getvalue()


# What is read


def _opened(folder: Path) -> object:
    """Returns the settings of the best weights and what they predict."""
    model = open_classifier(folder)
    images = torch.linspace(0, 1, 2 * 81).reshape(2, 1, 9, 9)
    with torch.no_grad():
        return asdict(model.config), model(images)[0].tolist()


def _resumed(folder: Path) -> object:
    """Returns the weights and metrics of a run after it was resumed."""
    train_classifier(out=folder, resume=True, listener=Silent())
    return (folder / "model.safetensors").read_bytes(), rows(folder), json.loads((folder / "config.json").read_text())["training"]


def _command(*arguments: str) -> Callable[[Path], object]:
    """Returns a function that runs a command on a folder and returns the object that it prints, without speeds."""

    def read(folder: Path) -> object:
        result = invoked(arguments[0], folder, *arguments[1:], "--device=cpu", "--threads=1", "--json")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        if result.exit_code:
            assert not {*result.stderr} & {*map(chr, range(32))} - {"\n"}, "control characters reach the terminal"
            raise ValueError(result.stderr)
        return _without_speeds(json.loads(result.stdout))

    return read


def _without_speeds(value: Any) -> Any:
    """Returns a result without the values that differ between two equal runs."""
    if isinstance(value, dict):
        return {name: _without_speeds(each) for name, each in value.items() if "second" not in name and name != "model"}
    return [_without_speeds(each) for each in value] if isinstance(value, list) else value


_CONFIG, _WEIGHTS, _METRICS, _CHECKPOINT = "config.json", "model.safetensors", "metrics.csv", "checkpoints/latest.pt"
_EVALUATE, _COMPARE, _SUMMARY = _command("evaluate"), _command("compare"), _command("trajectories", "--summary")

READERS = (
    Reader("config", _copy(_CONFIG), read_config, exact=True),
    Reader("config-edited", _copy(_CONFIG, change=_bare_config), read_config, edited_json),
    Reader("weights", _copy(_WEIGHTS), _opened, exact=True),
    Reader("weights-older", _copy(_WEIGHTS, change=_bare_weights), _opened, cost=2),
    Reader("weights-edited", _copy(_WEIGHTS, change=_bare_weights), _opened, edited_metadata),
    Reader("resume-checkpoint", _copy(_CHECKPOINT, _STOP), _resumed, exact=True, cost=50),
    Reader("resume-checkpoint-edited", _copy(_CHECKPOINT, _STOP, _bare_checkpoint), _resumed, edited_pickle, cost=30),
    Reader("resume-config", _copy(_CONFIG, _STOP), _resumed, exact=True),
    Reader("resume-config-edited", _copy(_CONFIG, _STOP, _bare_config), _resumed, edited_json),
    Reader("resume-weights", _copy(_WEIGHTS, _STOP), _resumed, exact=True, cost=10),
    Reader("resume-metrics", _copy(_METRICS, _STOP), _resumed, exact=True, cost=15),
    Reader("evaluate-weights", _copy(_WEIGHTS), _EVALUATE, exact=True, cost=2),
    Reader("evaluate-weights-edited", _copy(_WEIGHTS, change=_bare_weights), _EVALUATE, edited_metadata, cost=2),
    Reader("evaluate-config-edited", _copy(_CONFIG, change=_bare_config), _EVALUATE, edited_json, cost=3),
    Reader("compare-config-edited", _copy(_CONFIG, change=_bare_config), _COMPARE, edited_json, cost=2),
    Reader("compare-metrics", _copy(_METRICS), _COMPARE, damaged_bytes, cost=25),
    Reader(
        "trajectories-weights-edited",
        _copy(_WEIGHTS, change=_bare_weights),
        _command("trajectories", "--summary"),
        edited_metadata,
        cost=2,
    ),
)
