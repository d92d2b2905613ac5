"""Training a classifier of any kind: the engine's task, and the plan that puts it together.

Dimensions: B images, T glimpses (1 of a model that sees the whole image at once), K classes.
"""

import math
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glimpse.datasets.batches import PositionalDataset
from glimpse.datasets.classification import ClassifierData, cluttered_data, file_data
from glimpse.datasets.clutter import ClutterRecipe
from glimpse.datasets.files import open_data
from glimpse.datasets.opening import open_digit_source
from glimpse.evaluation.classifier import predictions
from glimpse.listener import Listener
from glimpse.models.base import ImageClassifier
from glimpse.models.catalog import build_classifier
from glimpse.settings.base import from_mapping
from glimpse.settings.catalog import CLASSIFIERS, classifier_preset, classifier_presets, kind_of_preset, kinds_with
from glimpse.settings.classifier import ClassifierSettings
from glimpse.settings.record import read_config
from glimpse.settings.requests import ClassifierTrainingRequest, chosen, flag
from glimpse.settings.training import TrainingConfig
from glimpse.training.engine import Trainer
from glimpse.training.plan import Picture, TrainingPlan
from glimpse.training.record import asked_of_run, budget, is_file, merged, run_record, starting_point
from glimpse.trajectories.collecting import look_at

__all__ = ["ClassificationTask", "ClassifierPlan", "classifier_trainer"]

_DRAWN = 12  # validation images on the sheets that show attention being learned


class ClassificationTask:
    """Trains a classifier on one data set and validates it on another.

    Args:
        model: The classifier.
        train: Training images, on the model's device.
        valid: Validation images, on the model's device.
    """

    validation_metrics = ("error", "nll")

    def __init__(self, model: ImageClassifier, train: PositionalDataset, valid: PositionalDataset) -> None:
        self.model, self.train, self.valid = model, train, valid
        self.chance_loss = math.log(model.config.classes)
        self.metrics = ("train_error", *model.training_metrics)

    def batch(self, positions: Tensor) -> Any:
        """Returns the training images at these positions, as the model's loss takes them."""
        return self.model.lesson(self.train.batch(positions), positions)

    def loss(self, network: nn.Module, batch: Any, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the model's training loss, and the error after the last glimpse in percent besides the model's own metrics."""
        loss, logits, parts = self.model.training_loss(network, batch, generator)
        labels = batch.labels.repeat_interleave(len(logits) // len(batch.labels))
        return loss, {"train_error": 100 * (logits[:, -1].argmax(dim=-1) != labels).float().mean()} | parts

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Returns the error in percent and the cross-entropy in nats after the last glimpse, over the whole validation set."""
        wrong, nll = 0, 0.0
        for logits, labels in predictions(cast(ImageClassifier, model), self.valid):
            wrong += int((logits[:, -1].argmax(dim=-1) != labels).sum())
            nll += float(F.cross_entropy(logits[:, -1], labels, reduction="sum"))
        return {"error": 100 * wrong / len(self.valid), "nll": nll / len(self.valid)}


def classifier_trainer(record: dict[str, Any], data: ClassifierData, device: torch.device) -> Trainer:
    """Returns a fresh trainer for a run's record; its initial weights depend on the seed alone.

    Raises:
        ValueError: If what the model's config says of the images does not fit the data, or it cannot be captured as a CUDA
            graph.
    """
    model_config = from_mapping(kind_of_preset(record["preset"]).config, record["model"])
    config = from_mapping(TrainingConfig, record["training"])
    wrong = {name: value for name, value in data.shape.items() if getattr(model_config, name, value) != value}
    if wrong:
        there = ", ".join(f"{name} {value}" for name, value in wrong.items())
        raise ValueError(f"the data have {there}, the model's config says otherwise")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = build_classifier(model_config)
    if config.cuda_graph and not model.capturable:
        raise ValueError(f"--cuda-graph is not for a model that looks at random, such as preset {record['preset']}: leave it out")
    return Trainer(ClassificationTask(model.to(device), data.train, data.valid), config, device)


class ClassifierPlan(TrainingPlan[ClassifierData]):
    """The plan of a classifier's training.

    Args:
        request: What is asked for.
        listener: Hears notes and warnings.

    Raises:
        ValueError: If the request's model, preset and settings contradict each other.
    """

    command = "train-classifier"

    def __init__(self, request: ClassifierTrainingRequest, listener: Listener | None = None) -> None:
        super().__init__(request.run, request.machine, listener)
        self.request = request
        if request.model is not None and request.model not in CLASSIFIERS:
            raise ValueError(f"there is no model {request.model!r}; there are {', '.join(CLASSIFIERS)}")
        if request.model is not None and request.preset is not None and request.preset not in CLASSIFIERS[request.model].presets:
            raise ValueError(f"--preset {request.preset} is none of --model {request.model}: leave one of them out")

    @property
    def preset(self) -> str:
        """Name of the preset that the request's preset and model stand for."""
        if self.request.preset is not None:
            return self.request.preset
        return next(iter(CLASSIFIERS[self.request.model].presets if self.request.model else classifier_presets()))

    def default_folder(self) -> Path:
        """Returns the folder of a run that names none: by its preset, and its glimpses where it has any."""
        preset, model = self.preset, vars(classifier_preset(self.preset).model)
        if self.run.config is not None:
            base = read_config(self.run.config)
            preset, model = base["preset"], base["model"]
        glimpses = self.request.settings.get("glimpses", model.get("glimpses"))
        return Path("runs") / (preset if glimpses is None else f"{preset}-{glimpses}")

    def asked(self, record: dict[str, Any]) -> dict[str, Any]:
        """Returns everything that the request asks of a run that continues."""
        images = self.request.images
        named = {"preset": self.request.preset, "model": self.request.model, "data": images.data}
        if self.request.preset is None and self.request.model is not None:
            named["preset"] = None
        wanted = (
            dict(self.request.settings) | images.generated | {name: value for name, value in named.items() if value is not None}
        )
        return asked_of_run(self.run, self.machine, wanted, record)

    def new_run(self, device: torch.device, threads: int) -> tuple[dict[str, Any], ClassifierData]:
        """Returns the record of a new run and its data."""
        request, settings = self.request, self.request.settings
        kinds = {name: type(preset.model) for name, preset in classifier_presets().items()}
        start = starting_point(self.command, kinds, self.run, request.preset, self.preset)
        self._check_settings(start.preset)
        preset = classifier_preset(start.preset)
        model = merged(kinds[start.preset], vars(preset.model) | start.base["model"], settings)
        training = merged(TrainingConfig, vars(preset.training) | start.base["training"], settings)
        data = self._new_data(start.base["data"], training.seed, device)
        training = merged(TrainingConfig, vars(training), budget(self.run, settings, len(data.train)))
        model = merged(kinds[start.preset], vars(model), data.shape)
        return run_record(self.command, start, model, training, data.record, (device, threads)), data

    def data_of(self, record: dict[str, Any], device: torch.device) -> ClassifierData:
        """Returns the data of a run that continues: the same digits or file, whatever `auto` would choose today."""
        identity, seed, images = record["data"], record["training"]["seed"], self.request.images
        if identity["kind"] == "file":
            path = images.data or Path(identity["path"])
            _refuse_moved(path, "--data")
            data = file_data(open_data(path, device=device, shuffle_seed=seed))
            now, then = data.record["sha256"], identity["sha256"]
        else:
            digits = images.digits if images.digits is not None and is_file(images.digits) else identity["digits"]["digits"]
            if is_file(digits):
                _refuse_moved(Path(digits), "--digits")
            source = open_digit_source(digits, images.data_dir, seed, self.listener)
            data = cluttered_data(source, ClutterRecipe(**identity["recipe"]), seed=seed, device=device)
            now, then = source.sha256, identity["digits"]["sha256"]
        if now != then:
            raise ValueError("the data are not those that the run was started with: their digests differ")
        return data

    def build(self, record: dict[str, Any], data: ClassifierData, device: torch.device) -> Trainer:
        """Returns a fresh trainer for a run's record; see `classifier_trainer`."""
        return classifier_trainer(record, data, device)

    def picture(self, model: nn.Module, data: ClassifierData) -> Picture | None:
        """Returns what draws where the model looks on a few validation images; None if it has no windows to draw."""
        if data.channels not in (1, 3) or not cast(ImageClassifier, model).shows_windows:
            return None
        positions = torch.arange(min(_DRAWN, len(data.valid)))

        def sheet(model: nn.Module) -> bytes:
            from glimpse.trajectories.pictures import sheet_png  # matplotlib is not needed before

            training = model.training
            trajectories = look_at(cast(ImageClassifier, model.eval()), data.valid.batch(positions), positions)
            model.train(training)
            return sheet_png(trajectories)

        return sheet

    def _new_data(self, base: dict[str, Any], seed: int, device: torch.device) -> ClassifierData:
        """Returns the data of a new run: what was asked for, else what the run has that it starts from."""
        images = self.request.images
        generated = images.generated
        if images.data is not None and generated:
            raise ValueError(f"--data brings its own images: leave out {', '.join(map(flag, generated))}")
        path = images.data or (Path(base["path"]) if base.get("kind") == "file" and not generated else None)
        if path is not None:
            return file_data(open_data(path, device=device, shuffle_seed=seed))
        recipe = merged(ClutterRecipe, vars(ClutterRecipe()) | base.get("recipe", {}), chosen(images.clutter))
        digits = images.digits if images.digits not in (None, "auto") else base.get("digits", {}).get("digits", "auto")
        source = open_digit_source(digits, images.data_dir, seed, self.listener)
        return cluttered_data(source, recipe, seed=seed, device=device)

    def _check_settings(self, preset: str) -> None:
        """Raises ValueError if a chosen setting, or the chosen model, is not one of the preset's kind."""
        model, kind = self.request.model, kind_of_preset(preset)
        if model is not None and kind.name != model:
            raise ValueError(f"{self.run.config} holds the settings of a run of preset {preset}: leave out --model {model}")
        for name in self.request.settings:
            having = kinds_with(name)
            if having and kind not in having:
                models = " or ".join(other.name for other in having)
                raise ValueError(f"{flag(name)} is for --model {models}, not for preset {preset}")
        if model is not None:
            _refuse_another_kind(model, merged(kind.config, vars(kind.presets[preset].model), self.request.settings))


def _refuse_another_kind(model: str, config: ClassifierSettings) -> None:
    """Raises ValueError if the chosen settings make another kind of the model that was asked for by name."""
    if config.kind != model:
        raise ValueError(f"--model {model} with these settings is a {config.kind}: leave one of them out")


def _refuse_moved(path: Path, option: str) -> None:
    """Raises FileNotFoundError if a file that a run was started with is no longer there."""
    if not path.exists():
        raise FileNotFoundError(f"{path}, which the run was started with, is not there: if it has moved, name it with {option}")
