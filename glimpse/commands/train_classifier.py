"""Output of `glimpse train-classifier`."""

from collections.abc import Iterator
from dataclasses import asdict

from glimpse.commands.console import ConsoleListener
from glimpse.commands.train import Words, train
from glimpse.models.base import Model
from glimpse.settings.catalog import LONGER_BUDGETS
from glimpse.settings.clutter import ClutterRecipe
from glimpse.settings.requests import ClassifierTrainingRequest
from glimpse.training.classifier import ClassifierPlan
from glimpse.training.session import Training

__all__ = ["CLASSIFIER_WORDS", "train_classifier"]


def train_classifier(request: ClassifierTrainingRequest) -> int:
    """Trains a classifier and returns the exit code.

    Raises:
        ValueError: If options do not fit together, the folder holds something else, or training diverges.
        OSError: If the data are not found, or a file cannot be read or written.
    """
    return train(ClassifierPlan(request, ConsoleListener()), CLASSIFIER_WORDS)


def _status(values: dict[str, float]) -> str:
    """Returns a short status from the latest metrics."""
    words = {"loss": "loss {:.3f}", "train_error": "training error {:.1f} %", "valid_error": "validation error {:.2f} %"}
    return ", ".join(text.format(values[name]) for name, text in words.items() if name in values)


def _last(training: Training) -> Iterator[str]:
    """Yields the result, the commands to run next, and results of longer trainings."""
    path, trainer, record = training.folder.path, training.trainer, training.record
    model = trainer.task.model
    yield f"Best validation error {trainer.best:.2f} %. Weights, metrics and checkpoints are in {path}"
    yield f"Evaluate it on the test set: glimpse evaluate {path}"
    if isinstance(model, Model) and model.shows_windows:
        yield f"Show where it looks: glimpse trajectories {path} --out glimpses.html"
        yield f"Show curves, and how it learned where to look: tensorboard --logdir {path}"
    else:
        yield f"Show curves: tensorboard --logdir {path}"
    yield f"Compare it with other models of the same task: glimpse compare {path} RUN..."
    longer = [f"{error:.2f} % after {images:,}" for images, error in LONGER_BUDGETS if images > trainer.images]
    usual = record["preset"] == "search" and record["model"]["glimpses"] == 8
    if longer and usual and record["data"].get("recipe") == asdict(ClutterRecipe()) and record["data"]["digits"]["name"] == "mnist":
        budgets = ", ".join(longer)
        yield f"With --distort 12 and a larger budget (--images) from the start, 8 glimpses reached an error of {budgets} images."
    yield f"Extend it, with a learning rate that rises again: glimpse train-classifier --resume --images MORE --out {path}"


CLASSIFIER_WORDS = Words(_status, _last)
"""Messages of a classifier's training."""
