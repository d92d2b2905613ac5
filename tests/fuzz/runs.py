"""Runs of a second, finished or killed, whose folders are copied and damaged."""

import atexit
import contextlib
import io
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save

from glimpse.listener import Listener
from glimpse.training.calls import train_classifier
from glimpse.training.checkpoint import unpacked
from glimpse.training.engine import Record

__all__ = [
    "CHECKPOINT",
    "CONFIG",
    "METRICS",
    "SETTINGS",
    "WEIGHTS",
    "AbandonedError",
    "Silent",
    "bare_checkpoint",
    "bare_config",
    "bare_weights",
    "copied_run",
    "image_file",
]

CONFIG, WEIGHTS, METRICS, CHECKPOINT = "config.json", "model.safetensors", "metrics.csv", "checkpoints/latest.pt"
"""Files of a run."""

_TRAINING: dict[str, Any] = {
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

SETTINGS: dict[str, Any] = {"model": "glimpse", "glimpses": 2, "window": 3, "hidden": 4, "features": 4, **_TRAINING}
"""Options of a training of a classifier, of a second."""

_GENERATOR: dict[str, Any] = {"glimpses": 2, "read": 3, "write": 3, "hidden": 4, "latent": 2, **_TRAINING}

_STOP = 40  # images seen by an unfinished run


class Silent(Listener):
    """A listener that ignores warnings."""

    def warn(self, message: str) -> None:
        """Ignores a warning."""


class AbandonedError(Exception):
    """Raised to leave a training as a kill would."""


def _place() -> Path:
    """Returns a new folder that is removed when this process ends."""
    place = Path(tempfile.mkdtemp(prefix="glimpse-fuzz-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return place


@cache
def image_file() -> Path:
    """Returns a file of images and labels."""
    file, draw = _place() / "images.npz", np.random.default_rng(0)
    np.savez(file, images=draw.integers(0, 256, (40, 9, 9), dtype=np.uint8), labels=np.arange(40) % 3)
    return file


@cache
def _run(train: Callable[..., object], *, finished: bool) -> Path:
    """Returns the folder of a run."""
    out = _place() / "run"
    settings: Mapping[str, Any] = SETTINGS if train is train_classifier else _GENERATOR

    def progress(record: Record) -> None:
        if not finished and record.images >= _STOP:
            raise AbandonedError

    with contextlib.suppress(AbandonedError):
        train(data=image_file(), out=out, progress=progress, listener=Silent(), **settings)
    return out


def copied_run(
    name: str,
    change: Callable[[bytes], bytes] | None = None,
    *,
    finished: bool = True,
    train: Callable[..., object] = train_classifier,
) -> Callable[[Path], Path]:
    """Returns a function that copies a run's folder and returns one of its files.

    Args:
        name: Name of the file.
        change: Changes its content; `None` leaves it.
        finished: Whether the run is finished, or was killed.
        train: The training.
    """

    def write(folder: Path) -> Path:
        shutil.copytree(_run(train, finished=finished), folder, dirs_exist_ok=True)
        if change is not None:
            (folder / name).write_bytes(change((folder / name).read_bytes()))
        return folder / name

    return write


# As older versions wrote them, without digests


def bare_config(content: bytes) -> bytes:
    """Returns the content of a config.json without its digest."""
    return json.dumps({name: value for name, value in json.loads(content).items() if name != "sha256"}).encode()


def bare_weights(content: bytes) -> bytes:
    """Returns the content of a file of weights without its digest."""
    length = int.from_bytes(content[:8], "little")
    facts = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["glimpse"])
    del facts["sha256"]
    return save(load(content), metadata={"glimpse": json.dumps(facts)})


def bare_checkpoint(content: bytes) -> bytes:
    """Returns the content of a checkpoint without its digests."""
    state = unpacked(content)
    buffer = io.BytesIO()
    torch.save({name: state[name] for name in ("trainer", "seconds")}, buffer)
    return buffer.getvalue()
