"""What `glimpse train-classifier` says while it trains and at its end."""

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
    """Trains a classifier and returns the exit code."""
    return train(ClassifierPlan(request, ConsoleListener()), CLASSIFIER_WORDS)


def _status(values: dict[str, float]) -> str:
    """Returns a few words on how training goes."""
    words = {"loss": "loss {:.3f}", "train_error": "training error {:.1f} %", "valid_error": "validation error {:.2f} %"}
    return ", ".join(text.format(values[name]) for name, text in words.items() if name in values)


def _last(training: Training) -> Iterator[str]:
    """Yields how well it went and what a longer training would bring."""
    path, trainer, record = training.folder.path, training.trainer, training.record
    model = trainer.task.model
    yield f"Best validation error {trainer.best:.2f} %. Weights, metrics and checkpoints are in {path}"
    yield f"Its error on the test set: glimpse evaluate {path}"
    if isinstance(model, Model) and model.shows_windows:
        yield f"Where it looks: glimpse trajectories {path} --out glimpses.html"
        yield f"Curves, and attention being learned: tensorboard --logdir {path}"
    else:
        yield f"Curves: tensorboard --logdir {path}"
    yield f"Compared with other models of the same task: glimpse compare {path} RUN..."
    longer = [f"{error:.2f} % after {images:,}" for images, error in LONGER_BUDGETS if images > trainer.images]
    usual = record["preset"] == "tuned" and record["model"]["glimpses"] == 8
    if longer and usual and record["data"].get("recipe") == asdict(ClutterRecipe()) and record["data"]["digits"]["name"] == "mnist":
        yield f"A longer budget (--images) brought 8 glimpses to a validation error of {', '.join(longer)} images."


CLASSIFIER_WORDS = Words(_status, _last)
"""What is said of a classifier's training."""
