"""The trained models to compare, opened with all that is known of them before anything is measured."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from glimpse.datasets.labels import listed
from glimpse.digest import sha256_of_file
from glimpse.models.base import ImageClassifier
from glimpse.models.catalog import open_classifier
from glimpse.models.weights import class_names, find_weights, read_facts
from glimpse.pretrained import PREFIX, available
from glimpse.settings.clutter import ClutterRecipe
from glimpse.settings.training import TrainingConfig, whole_batches
from glimpse.training.folder import RunFolder

__all__ = ["OpenedModel", "open_models", "task_words"]


@dataclass(frozen=True)
class OpenedModel:
    """A trained classifier and what is known of it.

    Attributes:
        source: Its run's folder, weights file or `pretrained:NAME`.
        network: Ready to evaluate.
        task: What its weights say it was trained on.
        digest: SHA-256 of its weights file.
        run: What its run's config.json holds, None where there is none.
        progress: Rows of its run's metrics.csv, empty where there is none.
        card: What is recorded of a pretrained model, else empty.
        class_names: Name of each class.
    """

    source: str
    network: ImageClassifier
    task: Mapping[str, Any]
    digest: str
    run: Mapping[str, Any] | None
    progress: Sequence[Mapping[str, str]]
    card: Mapping[str, Any]
    class_names: tuple[str, ...] | None

    @property
    def seed(self) -> int | None:
        """Seed of its training."""
        seed: int | None = self.run["training"]["seed"] if self.run is not None else self.card.get("seed")
        return seed

    @property
    def images(self) -> int | None:
        """Images it has seen in training."""
        return int(self.progress[-1]["images"]) if self.progress else self.card.get("images_seen")

    @property
    def budget(self) -> int | None:
        """Images that its training ends at, None where there is no run."""
        return None if self.run is None else whole_batches(self.run["training"]["images"], self.run["training"]["batch_size"])

    @property
    def stopped_early(self) -> bool:
        """Whether its training ended because the validation had not improved for long enough."""
        errors = [float(row["valid_error"]) for row in self.progress if row.get("valid_error")]
        if self.run is None or not errors:
            return False
        patience = self.run["training"].get("patience", 0)
        return TrainingConfig(patience=patience).stops_early(len(errors) - 1 - errors.index(min(errors)))

    @property
    def unfinished(self) -> str | None:
        """How far its training is where it is not finished; None where it is, or that is not known."""
        if not self.progress or self.images is None or self.budget is None or self.images >= self.budget or self.stopped_early:
            return None
        return f"{self.source} is not finished: {self.images:,} of {self.budget:,} images"


def open_models(sources: Sequence[str], *, on_other_images: bool = False) -> list[OpenedModel]:
    """Returns trained classifiers of one task.

    Args:
        sources: Runs' folders, weights files or `pretrained:NAME`.
        on_other_images: Whether they are compared on images of your own; then only their classes must be the same.

    Raises:
        ValueError: If one is no classifier, or two are the same or of different tasks.
        OSError: If a file cannot be read.
    """
    models = [_opened(source, on_other_images=on_other_images) for source in sources]
    for i, model in enumerate(models):
        _refuse_twice(model, models[:i])
        if on_other_images:
            _refuse_other_classes(model, models[0])
        else:
            _refuse_other_task(model, models[0])
    return models


def _opened(source: str, *, on_other_images: bool) -> OpenedModel:
    """Returns a trained model with what is known of it."""
    facts = read_facts(source)
    if facts["task"]["kind"] == "generative":
        raise ValueError(f"{source} holds a generator, which has no error: compare classifiers")
    folder = RunFolder(Path(source))
    task = facts["task"]
    if not on_other_images and (task["kind"] == "file" or task["digits"] == "file") and not folder.path.is_dir():
        raise ValueError(f"{source} was trained on your own images, which its run's folder names: compare the folder")
    run, progress, card = None, [], {}
    if source.startswith(PREFIX):
        card = available()[source.removeprefix(PREFIX)]
    elif folder.path.is_dir():
        run, progress = folder.config, folder.rows()
    digest = sha256_of_file(find_weights(source))
    return OpenedModel(source, open_classifier(source), task, digest, run, progress, card, class_names(facts))


def _refuse_twice(model: OpenedModel, before: Sequence[OpenedModel]) -> None:
    """Raises ValueError if a model is one of those before it."""
    same = [other.source for other in before if other.digest == model.digest]
    if same:
        raise ValueError(f"{same[0]} and {model.source} hold the same weights: name each model once")


def _refuse_other_task(model: OpenedModel, first: OpenedModel) -> None:
    """Raises ValueError if a model was trained on another task; pictures of one set in another size are the same task."""
    if _without_size(model.task) != _without_size(first.task):
        tasks = f"{first.source} was trained on {task_words(first.task)}, {model.source} on {task_words(model.task)}"
        raise ValueError(f"{tasks}: compare models of one task, or on images of your own with --data")


def _refuse_other_classes(model: OpenedModel, first: OpenedModel) -> None:
    """Raises ValueError if a model has other classes."""
    if model.class_names != first.class_names:
        ours, others = (listed(each.class_names or ()) for each in (first, model))
        raise ValueError(f"{first.source} has the classes {ours}, {model.source} {others}: compare models of the same classes")


def _without_size(task: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a task without the size that its pictures are brought to."""
    return {name: value for name, value in task.items() if name not in ("size", "fit")}


def task_words(task: Mapping[str, Any]) -> str:
    """Returns a task in a few words."""
    if task["kind"] == "file":
        return f"a file of images ({task['sha256'][:12]})"
    recipe, usual = task["recipe"], asdict(ClutterRecipe())
    rest = [f"{name} {recipe[name]}" for name in ("piece_size", "border") if recipe[name] != usual[name]]
    own = [f"seed {task['seed']}, {task['sha256'][:12]}"] if "sha256" in task else []
    canvas = f"{task['digits']} on {recipe['canvas']}x{recipe['canvas']}"
    return ", ".join([canvas, f"{recipe['pieces']} pieces", *rest, *own])
