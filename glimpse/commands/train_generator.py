"""Output of `glimpse train-generator`."""

import math
from collections.abc import Iterator, Mapping

from glimpse.commands.console import ConsoleListener
from glimpse.commands.train import Words, train
from glimpse.settings.requests import GeneratorTrainingRequest
from glimpse.training.generator import GeneratorPlan
from glimpse.training.session import Training

__all__ = ["train_generator"]


def train_generator(request: GeneratorTrainingRequest) -> int:
    """Trains a generator and returns the exit code.

    Raises:
        ValueError: If options do not fit together, the folder holds something else, or training diverges.
        OSError: If the data are not found, or a file cannot be read or written.
    """
    return train(GeneratorPlan(request, ConsoleListener()), Words(_status, _last))


def _status(values: dict[str, float]) -> str:
    """Returns a short status from the latest metrics."""
    words = {"loss": "loss {:.2f}", "kl": "divergence {:.2f}", "valid_bound": "validation bound {:.2f} nats"}
    return ", ".join(text.format(values[name]) for name, text in words.items() if name in values) + _gap(values)


def _gap(values: Mapping[str, float]) -> str:
    """Returns how far the validation bound is above that of the latest training images; empty if one of them is unknown."""
    if not {"valid_bound", "reconstruction", "kl"} <= {*values}:
        return ""
    return f", {values['valid_bound'] - values['reconstruction'] - values['kl']:+.2f} over training"


def _last(training: Training) -> Iterator[str]:
    """Yields the result and the commands to run next."""
    path, data = training.folder.path, training.record["data"]
    rows = [{name: float(value) for name, value in row.items() if value} for row in training.folder.rows()]
    gap = _gap(min(rows, key=lambda row: row.get("valid_bound", math.inf)))
    subset = f" on a subset of {data['name']}, not comparable with the full set" if data["is_subset"] else ""
    yield f"Best validation bound {training.trainer.best:.2f} nats{gap}{subset}. Weights, metrics and checkpoints are in {path}"
    yield f"Evaluate it on the test set: glimpse evaluate {path}"
    yield f"Sample new images: glimpse sample {path} --out samples.png"
    yield f"Show curves: tensorboard --logdir {path}"
    yield f"Extend it, with a learning rate that rises again: glimpse train-generator --resume --images MORE --out {path}"
