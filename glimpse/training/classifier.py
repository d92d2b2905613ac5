"""Training of a classifier: the engine's task and the training plan.

Dimensions: B images, T glimpses (1 for a model that sees the whole image at once), K classes.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glimpse.datasets.batches import PositionalDataset
from glimpse.datasets.class_counts import check_digits
from glimpse.datasets.classification import ClassifierData, cluttered_data, file_data
from glimpse.datasets.labels import numbers
from glimpse.datasets.opening import open_digit_source
from glimpse.datasets.split_rule import SplitRule
from glimpse.evaluation.classifier import predictions
from glimpse.listener import Listener
from glimpse.models.base import ImageClassifier
from glimpse.models.catalog import build_classifier
from glimpse.settings.base import from_mapping
from glimpse.settings.catalog import CLASSIFIERS, classifier_preset, classifier_presets, kind_of_class, kind_of_preset, kinds_with
from glimpse.settings.classifier import ClassifierKind, ClassifierSettings
from glimpse.settings.clutter import ClutterRecipe
from glimpse.settings.record import read_config
from glimpse.settings.requests import ClassifierTrainingRequest, SettingValues, chosen, flag
from glimpse.settings.training import TrainingConfig
from glimpse.training.engine import Trainer
from glimpse.training.initial import InitialWeights, fitting, initial_record, initial_weights
from glimpse.training.own_images import new_own_images, note_extent, refuse_moved, resumed_own_images
from glimpse.training.plan import Picture, TrainingPlan
from glimpse.training.record import asked_of_run, budget, is_file, merged, run_record, starting_point
from glimpse.trajectories.collecting import collect, look_at
from glimpse.trajectories.summary import summarize_trajectories

__all__ = ["ClassificationTask", "ClassifierPlan", "classifier_trainer"]

_MEASURED = 500  # number of validation images on which the distance of windows from the digits is measured
_DRAWN = 12  # number of validation images on the sheets of trajectories


class ClassificationTask:
    """Trains a classifier on one data set and validates it on another.

    Args:
        model: Classifier to train.
        train: Training images, on the model's device.
        valid: Validation images, on the model's device.
    """

    validation_metrics = ("error", "nll")

    def __init__(self, model: ImageClassifier, train: PositionalDataset, valid: PositionalDataset) -> None:
        self.model, self.train, self.valid = model, train, valid
        self._counts = np.zeros(0, dtype=np.int64)  # validation images of each class
        self.metrics = ("train_error", *model.training_metrics)

    def batch(self, positions: Tensor) -> Any:
        """Returns the training images at these positions, shape (B,), as input of the model's loss."""
        return self.model.lesson(self.train.batch(positions), positions)

    def loss(self, network: nn.Module, batch: Any, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the training loss in nats, and the error after the last glimpse in percent with the model's own metrics."""
        loss, logits, parts = self.model.training_loss(network, batch, generator)
        labels = batch.labels.repeat_interleave(len(logits) // len(batch.labels))
        return loss, {"train_error": 100 * (logits[:, -1].argmax(dim=-1) != labels).float().mean()} | parts

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Returns the error in percent and the cross-entropy in nats after the last glimpse, over the whole validation set.

        Of a model with several glimpses also the error after each, and of one with windows, if the positions of the digits are
        known, the distance of the windows from them.
        """
        wrong: Tensor | int = 0
        nll = 0.0
        self._counts = np.zeros(self.model.config.classes, dtype=np.int64)
        for logits, labels in predictions(cast(ImageClassifier, model), self.valid):
            self._counts += np.bincount(labels.cpu().numpy(), minlength=len(self._counts))
            wrong = wrong + (logits.argmax(dim=-1) != labels[:, None]).sum(dim=0)  # (T,)
            nll += float(F.cross_entropy(logits[:, -1], labels, reduction="sum"))
        errors = [100 * count / len(self.valid) for count in cast(Tensor, wrong).tolist()]
        by_glimpse = {f"error_by_glimpse/{step:02d}": error for step, error in enumerate(errors, start=1) if len(errors) > 1}
        return {"error": errors[-1], "nll": nll / len(self.valid)} | by_glimpse | self._distances(cast(ImageClassifier, model))

    def plateau(self, best: float) -> str | None:
        """Returns a warning if the lowest validation error is no better than that of guessing the most frequent class, else None.

        An error counts as better if it is lower by three of its standard errors, or by a tenth.

        Args:
            best: Lowest validation error so far in percent.
        """
        total = int(self._counts.sum())
        chance = 1 - float(self._counts.max(initial=0)) / max(total, 1)
        margin = min(3 * math.sqrt(chance * (1 - chance) / max(total, 1)), chance / 10)
        if not total or not math.isfinite(best) or best < 100 * (chance - margin):
            return None
        return (
            f"the validation error, at best {best:.2f} %, is about that of guessing the most frequent class, {100 * chance:.2f} %: "
            "the model has learned nothing that helps. What often does: a larger --batch-size, a longer --warmup, a lower "
            "--learning-rate, another --seed, more --images"
        )

    def _distances(self, model: ImageClassifier) -> dict[str, float]:
        """Returns, for each step, the median distance in pixels of the window from the digit on the first validation images."""
        if not model.shows_windows:
            return {}
        positions = torch.arange(min(_MEASURED, len(self.valid)))
        steps = summarize_trajectories(collect(model, self.valid, positions)).steps
        known = [step for step in steps if step.distance is not None and step.far is not None]
        distances = {f"distance_px/{step.step:02d}": float(step.distance or 0.0) for step in known}
        return distances | {f"far_percent/{step.step:02d}": float(step.far or 0.0) for step in known}


def classifier_trainer(
    record: dict[str, Any], data: ClassifierData, device: torch.device, initial: InitialWeights | None = None
) -> Trainer:
    """Returns a new trainer for the record of a run; its initial weights depend only on the seed and `initial`.

    Args:
        record: Content of the run's `config.json`.
        data: Training and validation data.
        device: Device to train on, that of the data.
        initial: Weights to start from; None for random ones.

    Raises:
        ValueError: If the data do not have the shape or the classes in the model's config, or a model that cannot be captured is to
            be trained with CUDA graphs.
    """
    model_config = from_mapping(kind_of_preset(record["preset"]).config, record["model"])
    config = from_mapping(TrainingConfig, record["training"])
    wrong = {name: value for name, value in data.shape.items() if getattr(model_config, name, value) != value}
    if wrong:
        found = ", ".join(f"{name} {value}, not {getattr(model_config, name)}" for name, value in wrong.items())
        raise ValueError(f"the data do not fit the model's config: they have {found}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = build_classifier(model_config)
    if initial is not None:
        model.load_state_dict(fitting(model, initial))
    if config.cuda_graph and not model.capturable:
        raise ValueError(f"the training of preset {record['preset']} cannot be captured as a CUDA graph: leave out --cuda-graph")
    return Trainer(ClassificationTask(model.to(device), data.train, data.valid), config, device)


class ClassifierPlan(TrainingPlan[ClassifierData]):
    """Plan of a classifier's training.

    Args:
        request: Model, data and settings of the training.
        listener: Receives notes and warnings.

    Raises:
        ValueError: If there is no such model, or the preset is one of another model.
    """

    command = "train-classifier"

    def __init__(self, request: ClassifierTrainingRequest, listener: Listener | None = None) -> None:
        super().__init__(request.run, request.machine, listener)
        self.request = request
        self._initial: InitialWeights | None = None  # read when a run is started
        if request.model is not None and request.model not in CLASSIFIERS:
            raise ValueError(f"there is no model {request.model!r}; there are {', '.join(CLASSIFIERS)}")
        if request.model is not None and request.preset is not None and request.preset not in CLASSIFIERS[request.model].presets:
            raise ValueError(f"--preset {request.preset} is not one of --model {request.model}: leave one of them out")

    @property
    def preset(self) -> str:
        """Name of the requested preset, else of the first preset of the requested model or of all."""
        if self.request.preset is not None:
            return self.request.preset
        if self._initial is not None:
            return next(iter(self._kind_of(self._initial).presets))
        return next(iter(CLASSIFIERS[self.request.model].presets if self.request.model else classifier_presets()))

    @property
    def settings(self) -> SettingValues:
        """Settings that the request overrides, by name."""
        return self.request.settings

    def default_folder(self) -> Path:
        """Returns the default folder of a run: `runs/PRESET`, or `runs/PRESET-GLIMPSES` for a model with glimpses."""
        preset, model = self.preset, vars(classifier_preset(self.preset).model)
        if self.run.config is not None:
            base = read_config(self.run.config)
            preset, model = base["preset"], base["model"]
        glimpses = self.request.settings.get("glimpses", model.get("glimpses"))
        name = preset if glimpses is None else f"{preset}-{glimpses}"
        return Path("runs") / (name if self.request.init is None else f"{name}-finetuned")

    def asked(self, record: dict[str, Any]) -> dict[str, Any]:
        """Returns the settings that the request asks of a resumed run, by name."""
        images = self.request.images
        named = {name: getattr(self.request, name) for name in ("preset", "model", "init")}
        named |= {"data": images.data, "split_seed": images.split_seed}
        named |= chosen(images.form) | {"class_weights": images.class_weights}
        if self.request.preset is None and self.request.model is not None:
            named["preset"] = None
        wanted = (
            dict(self.request.settings) | images.generated | {name: value for name, value in named.items() if value is not None}
        )
        return asked_of_run(self.run, self.machine, wanted, record)

    def new_run(self, device: torch.device, threads: int) -> tuple[dict[str, Any], ClassifierData]:
        """Returns the record of a new run and its data; see `TrainingPlan.new_run`."""
        request, settings = self.request, self.request.settings
        self._initial = initial_weights(request.init, self.run)
        self._check_initial()
        kinds = {name: type(preset.model) for name, preset in classifier_presets().items()}
        start = starting_point(self.command, kinds, self.run, request.preset, self.preset)
        self._check_settings(start.preset)
        preset = classifier_preset(start.preset)
        initial = {} if self._initial is None else self._initial.config
        model = merged(kinds[start.preset], {**vars(preset.model), **initial, **start.base["model"]}, settings)
        training = merged(TrainingConfig, vars(preset.training) | start.base["training"], settings)
        data = self._new_data(start.base["data"], training.seed, device)
        training = merged(TrainingConfig, vars(training), budget(self.run, settings, len(data.train)))
        model = merged(kinds[start.preset], vars(model), data.shape)
        if data.record["kind"] == "file" and "extent" not in settings:
            note_extent(model, data.record["shape"], self.listener)
        record = run_record(self.command, start, model, training, data.record, (device, threads))
        with torch.device("meta"):
            return record | initial_record(build_classifier(model), self._initial, self.listener), data

    def data_of(self, record: dict[str, Any], device: torch.device) -> ClassifierData:
        """Returns the data of a resumed run: the digits or the file that it was started with.

        Raises:
            FileNotFoundError: If they are not available.
            ValueError: If they have changed.
        """
        identity, seed, images = record["data"], record["training"]["seed"], self.request.images
        if identity["kind"] == "file":
            data = resumed_own_images(images.data, identity, seed, device, self.listener)
            now, then = data.record["sha256"], identity["sha256"]
        else:
            digits = images.digits if images.digits is not None and is_file(images.digits) else identity["digits"]["digits"]
            if is_file(digits):
                refuse_moved(Path(digits), "--digits")
            rule, names = SplitRule.of_record(identity["digits"]), identity["digits"].get("class_names")
            source = open_digit_source(digits, images.data_dir, rule, self.listener, names)
            recipe, copies = ClutterRecipe(**identity["recipe"]), identity.get("distort", 0)
            data = cluttered_data(source, recipe, seed=seed, device=device, distort=copies, listener=self.listener)
            now, then = source.sha256, identity["digits"]["sha256"]
        if now != then:
            raise ValueError("the data are not those that the run was started with: their digests differ")
        return data

    def build(self, record: dict[str, Any], data: ClassifierData, device: torch.device) -> Trainer:
        """Returns `classifier_trainer` of these arguments."""
        return classifier_trainer(record, data, device, self._initial)

    def picture(self, model: nn.Module, data: ClassifierData) -> Picture | None:
        """Returns a function that draws the model's windows on some validation images; None for a model without windows."""
        if data.channels not in (1, 3) or not cast(ImageClassifier, model).shows_windows:
            return None
        positions = torch.arange(min(_DRAWN, len(data.valid)))
        names = None if data.class_names == numbers(len(data.class_names)) else data.class_names

        def sheet(model: nn.Module) -> bytes:
            from glimpse.trajectories.pictures import sheet_png  # matplotlib is not needed before

            training = model.training
            trajectories = look_at(cast(ImageClassifier, model.eval()), data.valid.batch(positions), positions)
            model.train(training)
            return sheet_png(replace(trajectories, class_names=names))

        return sheet

    def _new_data(self, base: dict[str, Any], seed: int, device: torch.device) -> ClassifierData:
        """Returns the data of a new run: the requested ones, else those of the run whose settings it starts from."""
        images = self.request.images
        generated = images.generated
        if images.data is not None and generated:
            raise ValueError(f"--data brings its own images: leave out {', '.join(map(flag, generated))}")
        rule = SplitRule(seed=_split_seed(base) if images.split_seed is None else images.split_seed)
        if images.data is not None or (base.get("kind") == "file" and not generated):
            parts = new_own_images(images, base, rule, seed, device, self.listener)
            _refuse_unused(images.split_seed, parts.split is not None, parts.name)
            return file_data(parts, images.class_weights or base.get("class_weights"))
        if images.class_weights is not None:
            raise ValueError("--class-weights is for your own images: give them with --data")
        if chosen(images.form):
            raise ValueError(f"{', '.join(map(flag, chosen(images.form)))} is for your own images: give them with --data")
        recipe = merged(ClutterRecipe, vars(ClutterRecipe()) | base.get("recipe", {}), chosen(images.clutter))
        digits = images.digits if images.digits not in (None, "auto") else base.get("digits", {}).get("digits", "auto")
        source = open_digit_source(digits, images.data_dir, rule, self.listener)
        _refuse_unused(images.split_seed, source.split is not None, digits)
        check_digits(source, self.listener)
        default = classifier_preset(self.preset).distort if self.run.config is None else base.get("distort", 0)
        copies = default if images.distort is None else images.distort
        return cluttered_data(source, recipe, seed=seed, device=device, distort=copies, listener=self.listener)

    def _check_initial(self) -> None:
        """Raises ValueError if the initial weights are not of the requested kind of model."""
        if self._initial is None:
            return
        request, own = self.request, self._kind_of(self._initial).name
        for name, kind in (("model", request.model), ("preset", request.preset and kind_of_preset(request.preset).name)):
            if kind not in (None, own):
                raise ValueError(f"--init {request.init} is a {own}: leave out {flag(name)}")

    def _kind_of(self, initial: InitialWeights) -> ClassifierKind:
        """Returns the kind of classifier that the initial weights belong to."""
        try:
            return kind_of_class(initial.model)
        except ValueError:
            raise ValueError(f"{self.request.init} does not hold the weights of a classifier but of {initial.model}") from None

    def _check_settings(self, preset: str) -> None:
        """Raises ValueError if the preset's kind of model is not the requested one or lacks a requested setting."""
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
    """Raises ValueError if the settings make the model one of another kind than the requested one."""
    if config.kind != model:
        raise ValueError(f"--model {model} with these settings is a {config.kind}: leave one of them out")


def _split_seed(base: Mapping[str, Any]) -> int:
    """Returns the seed of the split of another run's data; 0 if they were divided by an earlier rule, or not at all."""
    record = base.get("digits", base)
    return int(record["seed"]) if record.get("split") == "stratified" else 0


def _refuse_unused(split_seed: int | None, is_divided: bool, name: str) -> None:
    """Raises ValueError if a seed of the split is given for images that are not divided by glimpse."""
    if split_seed is not None and not is_divided:
        raise ValueError(f"{name} has its own training, validation and test parts: leave out --split-seed")
