"""What `glimpse train-generator` says while it trains and at its end."""

from collections.abc import Iterator

from glimpse.commands.console import ConsoleListener
from glimpse.commands.train import Words, train
from glimpse.settings.requests import GeneratorTrainingRequest
from glimpse.training.generator import GeneratorPlan
from glimpse.training.session import Training

__all__ = ["train_generator"]


def train_generator(request: GeneratorTrainingRequest) -> int:
    """Trains a generator and returns the exit code."""
    return train(GeneratorPlan(request, ConsoleListener()), Words(_status, _last))


def _status(values: dict[str, float]) -> str:
    """Returns a few words on how training goes."""
    words = {"loss": "loss {:.2f}", "kl": "divergence {:.2f}", "valid_bound": "validation bound {:.2f} nats"}
    return ", ".join(text.format(values[name]) for name, text in words.items() if name in values)


def _last(training: Training) -> Iterator[str]:
    """Yields how well it went and what to do next."""
    path, data = training.folder.path, training.record["data"]
    subset = f" on a subset of {data['name']}, no result on the set" if data["is_subset"] else ""
    yield f"Best validation bound {training.trainer.best:.2f} nats{subset}. Weights, metrics and checkpoints are in {path}"
    yield f"The bound on the test set: glimpse evaluate {path}"
    yield f"New images: glimpse sample {path} --out samples.png"
    yield f"Curves: tensorboard --logdir {path}"
