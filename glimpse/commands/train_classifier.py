"""What training a classifier takes: its data and settings, its trainer, and the words on how it goes."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from glimpse.commands.options import open_digit_source
from glimpse.datasets.batches import PositionalDataset
from glimpse.datasets.clutter import ClutteredMNIST, ClutterRecipe
from glimpse.datasets.digits import DigitSource
from glimpse.datasets.labeled_images import DataParts, open_data
from glimpse.evaluation.classifier import capturable, classification_task
from glimpse.models.catalogue import build_classifier
from glimpse.settings.config import AnyClassifierConfig, TrainingConfig, from_mapping
from glimpse.settings.presets import CLASSIFIER_MODELS, CLASSIFIER_PRESETS, LONGER_BUDGETS, TRAINING_PRESETS
from glimpse.training.engine import Trainer
from glimpse.training.loop import RunFolder, read_config
from glimpse.training.record import budget, is_file, merged, settings, starting_point
from glimpse.trajectories.collecting import look_at

__all__ = [
    "COMMAND",
    "ClassifierData",
    "build",
    "cluttered_data",
    "data_of",
    "default_folder",
    "draw",
    "file_data",
    "last_words",
    "new_run",
    "status",
]

COMMAND = "train-classifier"
"""Name of the command."""

_DRAWN = 12  # validation images on the sheets that show attention being learned


@dataclass(frozen=True)
class ClassifierData:
    """What a classifier learns from.

    Attributes:
        train: Training images.
        valid: Validation images.
        channels: Channels of every image.
        classes: Number of classes.
        record: Identity of the data, for `config.json`.
    """

    train: PositionalDataset
    valid: PositionalDataset
    channels: int
    classes: int
    record: dict[str, Any]

    @property
    def shape(self) -> dict[str, int]:
        """What a model's config says of the images: channels, classes, height and width of the first one."""
        height, width = self.valid.batch(torch.zeros(1, dtype=torch.int64)).images.shape[2:]
        return {"channels": self.channels, "classes": self.classes, "height": height, "width": width}


def cluttered_data(source: DigitSource, recipe: ClutterRecipe, *, seed: int, device: torch.device) -> ClassifierData:
    """Returns fresh clutter around a source's training digits, and the pinned clutter around its validation digits."""
    return ClassifierData(
        train=ClutteredMNIST(source.train.to(device), "train", recipe, seed=seed),
        valid=ClutteredMNIST(source.valid.to(device), "valid", recipe),
        channels=1,
        classes=source.n_classes,
        record={"kind": "cluttered", "digits": source.record(), "recipe": asdict(recipe)},
    )


def file_data(parts: DataParts) -> ClassifierData:
    """Returns a person's own images.

    Raises:
        ValueError: If there is nothing to train on.
    """
    if parts.train is None or parts.valid is None:
        raise ValueError(f"{parts.path} holds no training images: name them X_train and y_train, or images and labels")
    return ClassifierData(parts.train, parts.valid, parts.shape[0], parts.n_classes, {"kind": "file"} | parts.record())


def build(run: dict[str, Any], data: ClassifierData, device: torch.device) -> Trainer:
    """Returns a fresh trainer for a run's settings; its initial weights depend on the seed alone.

    Raises:
        ValueError: If what the model's config says of the images does not fit the data, or it cannot be captured as a CUDA graph.
    """
    model_config = from_mapping(config_kind(run["preset"]), run["model"])
    config = from_mapping(TrainingConfig, run["training"])
    wrong = {name: value for name, value in data.shape.items() if getattr(model_config, name, value) != value}
    if wrong:
        there = ", ".join(f"{name} {value}" for name, value in wrong.items())
        raise ValueError(f"the data have {there}, the model's config says otherwise")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = build_classifier(model_config)
    if config.cuda_graph and not capturable(model):
        raise ValueError(f"--cuda-graph is not for a model that looks at random, such as preset {run['preset']}: leave it out")
    return Trainer(classification_task(model.to(device), data.train, data.valid), config, device)


def config_kind(preset: str) -> type[AnyClassifierConfig]:
    """Returns the kind of config that a preset's model has."""
    return type(CLASSIFIER_PRESETS[preset])


def preset_of(options: dict[str, Any], chosen: dict[str, Any]) -> str:
    """Returns the preset that `--preset` and `--model` stand for together.

    Raises:
        ValueError: If they contradict each other.
    """
    model, preset = options["model"], options["preset"]
    if model is None or preset in CLASSIFIER_MODELS[model]:
        return str(preset)
    if "preset" in chosen:
        raise ValueError(f"--preset {preset} is none of --model {model}: leave one of them out")
    return CLASSIFIER_MODELS[model][0]


def default_folder(options: dict[str, Any], chosen: dict[str, Any]) -> Path:
    """Returns the folder of a run that names none."""
    preset = options["preset"]
    settings_of_model = vars(CLASSIFIER_PRESETS[preset])
    if options["config_file"] is not None:
        base = read_config(options["config_file"])
        preset, settings_of_model = base["preset"], base["model"]
    glimpses = chosen.get("glimpses", settings_of_model.get("glimpses"))
    return Path("runs") / (preset if glimpses is None else f"{preset}-{glimpses}")


def new_run(
    options: dict[str, Any], chosen: dict[str, Any], device: torch.device, threads: int
) -> tuple[dict[str, Any], ClassifierData]:
    """Returns the settings of a new run and its data."""
    kinds = {name: type(config) for name, config in CLASSIFIER_PRESETS.items()}
    preset, base = starting_point(COMMAND, kinds, options, chosen)
    if options["model"] is not None and preset not in CLASSIFIER_MODELS[options["model"]]:
        raise ValueError(
            f"{options['config_file']} holds the settings of a run of preset {preset}: leave out --model {options['model']}"
        )
    _refuse_strangers(preset, chosen)
    _refuse_another_placing(options["model"], chosen)
    model, training, recipe = CLASSIFIER_PRESETS[preset], TRAINING_PRESETS[preset], ClutterRecipe()
    model_config = merged(kinds[preset], vars(model) | base["model"], chosen)
    config = merged(TrainingConfig, vars(training) | base["training"], chosen)
    generated = [f"--{name.replace('_', '-')}" for name in chosen if name in ("digits", *vars(recipe))]
    if options["data"] is not None and generated:
        raise ValueError(f"--data brings its own images: leave out {', '.join(generated)}")
    path = options["data"] or (Path(base["data"]["path"]) if base["data"].get("kind") == "file" and not generated else None)
    if path is not None:
        data = file_data(open_data(path, device=device, shuffle_seed=config.seed))
    else:
        constants = merged(ClutterRecipe, vars(recipe) | base["data"].get("recipe", {}), chosen)
        digits = base["data"].get("digits", {}).get("digits", "auto") if options["digits"] == "auto" else options["digits"]
        source = open_digit_source(digits, options["data_dir"], config.seed)
        data = cluttered_data(source, constants, seed=config.seed, device=device)
    config = merged(TrainingConfig, vars(config), budget(options, chosen, len(data.train)))
    model_config = merged(kinds[preset], vars(model_config), data.shape)
    return settings(COMMAND, preset, model_config, config, data.record, device=device, threads=threads), data


def _refuse_another_placing(model: str | None, chosen: dict[str, Any]) -> None:
    """Raises ValueError if a model is asked for by `--model` whose windows the chosen parametrization places otherwise."""
    asked = chosen.get("parametrization")
    if model is not None and asked is not None and (asked == "random") != (model == "random-glimpses"):
        raise ValueError(f"--model {model} has no --parametrization {asked}: leave one of them out")


def _refuse_strangers(preset: str, chosen: dict[str, Any]) -> None:
    """Checks that every setting of a model that was chosen is one of this preset's model.

    Raises:
        ValueError: If one is not; the message names the models that have it.
    """
    for name in chosen:
        presets = [other for other, config in CLASSIFIER_PRESETS.items() if hasattr(config, name)]
        if presets and preset not in presets:
            models = [model for model, its in CLASSIFIER_MODELS.items() if set(its) & set(presets)]
            raise ValueError(f"--{name.replace('_', '-')} is for --model {' or '.join(models)}, not for preset {preset}")


def data_of(run: dict[str, Any], options: dict[str, Any], device: torch.device) -> ClassifierData:
    """Returns the data of a run that goes on: the same digits or file, whatever `auto` would choose today."""
    record, seed = run["data"], run["training"]["seed"]
    if record["kind"] == "file":
        path = options["data"] or Path(record["path"])
        if not path.exists():
            raise FileNotFoundError(f"{path}, which the run was started with, is not there: if it has moved, name it with --data")
        data = file_data(open_data(path, device=device, shuffle_seed=seed))
        now, then = data.record["sha256"], record["sha256"]
    else:
        digits = options["digits"] if is_file(options["digits"]) else record["digits"]["digits"]
        if is_file(digits) and not Path(digits).exists():
            raise FileNotFoundError(
                f"{digits}, which the run was started with, is not there: if it has moved, name it with --digits"
            )
        source = open_digit_source(digits, options["data_dir"], seed)
        data = cluttered_data(source, ClutterRecipe(**record["recipe"]), seed=seed, device=device)
        now, then = source.sha256, record["digits"]["sha256"]
    if now != then:
        raise ValueError("the data are not those that the run was started with: their digests differ")
    return data


def status(values: dict[str, float]) -> str:
    """Returns a few words on how training goes."""
    words = {"loss": "loss {:.3f}", "train_error": "training error {:.1f} %", "valid_error": "validation error {:.2f} %"}
    return ", ".join(text.format(values[name]) for name, text in words.items() if name in values)


def last_words(folder: RunFolder, trainer: Trainer, run: dict[str, Any]) -> Iterator[str]:
    """Yields how well it went and what a longer training would bring."""
    yield f"Best validation error {trainer.best:.2f} %. Weights, metrics and checkpoints lie in {folder.path}"
    yield f"Its error on the test set: glimpse evaluate {folder.path}"
    if hasattr(trainer.task.model, "look"):
        yield f"Where it looks: glimpse trajectories {folder.path} --out glimpses.html"
        yield f"Curves, and attention being learned: tensorboard --logdir {folder.path}"
    else:
        yield f"Curves: tensorboard --logdir {folder.path}"
    yield f"Beside other models of the same task: glimpse compare {folder.path} RUN..."
    longer = [f"{error:.2f} % after {images:,}" for images, error in LONGER_BUDGETS if images > trainer.images]
    usual = run["preset"] == "tuned" and run["model"]["glimpses"] == 8 and run["data"].get("recipe") == asdict(ClutterRecipe())
    if longer and usual and run["data"]["digits"]["name"] == "mnist":
        yield f"A longer budget (--images) brought 8 glimpses to a validation error of {', '.join(longer)} images."


def draw(model: nn.Module, data: ClassifierData) -> Callable[[nn.Module], bytes] | None:
    """Returns what draws where such a model looks on a few validation images; None if it does not, or they cannot be drawn."""
    if data.channels not in (1, 3) or not hasattr(model, "look"):
        return None
    positions = torch.arange(min(_DRAWN, len(data.valid)))

    def sheet(model: nn.Module) -> bytes:
        from glimpse.trajectories.pictures import sheet_png  # matplotlib is not needed before

        training = model.training
        trajectories = look_at(model.eval(), data.valid.batch(positions), positions)  # type: ignore[arg-type]
        model.train(training)
        return sheet_png(trajectories)

    return sheet
