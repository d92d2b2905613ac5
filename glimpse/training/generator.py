"""Training of a generator: the engine's task and the training plan.

Dimensions: B images of C x H x W numbers, T steps. Bounds are on the negative log-likelihood, in nats; lower is better.
"""

from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from glimpse.datasets.batches import EVALUATION_BATCH, PositionalDataset
from glimpse.datasets.catalog import AUTO, GENERATIVE_SETS, choices
from glimpse.datasets.generative import GenerativeData
from glimpse.datasets.opening import open_generative_data
from glimpse.datasets.split_rule import SplitRule
from glimpse.evaluation.generator import evaluation_noise
from glimpse.generation.sampling import reconstruct_images
from glimpse.listener import Listener
from glimpse.models.draw import DRAW
from glimpse.settings.base import from_mapping
from glimpse.settings.draw import GENERATOR_PRESETS, GeneratorConfig
from glimpse.settings.record import read_config
from glimpse.settings.requests import GeneratorTrainingRequest, SettingValues, chosen
from glimpse.settings.training import TrainingConfig
from glimpse.training.engine import Trainer
from glimpse.training.initial import InitialWeights, fitting, initial_record, initial_weights
from glimpse.training.plan import Picture, TrainingPlan
from glimpse.training.record import asked_of_run, budget, merged, run_record, starting_point

__all__ = ["GenerationTask", "GeneratorPlan"]

_AVERAGED = 5_000  # number of training images whose mean initializes the canvas
_DRAWN = 8  # number of validation images on the sheets of trajectories


class _Lesson(NamedTuple):
    """Training images (B, C, H, W) with the weight of the divergence in each image's loss, shape (B,)."""

    images: Tensor
    beta: Tensor


class GenerationTask:
    """Trains a generator on one data set and validates it on another.

    Args:
        model: Generator to train.
        train: Training images, on the model's device.
        valid: Validation images, on the model's device.
    """

    metrics = ("reconstruction", "kl")
    validation_metrics = ("bound", "kl")

    def __init__(self, model: DRAW, train: PositionalDataset, valid: PositionalDataset) -> None:
        self.model, self.train, self.valid = model, train, valid

    def batch(self, positions: Tensor) -> _Lesson:
        """Returns the training images at these positions, shape (B,), each with its beta, however processes divide a batch."""
        images = self.train.batch(positions).images
        return _Lesson(images, images.new_tensor([self.model.config.kl_weight(seen) for seen in positions.tolist()]))

    def loss(self, network: nn.Module, batch: _Lesson, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the bound with its divergence weighted by beta, and both unweighted terms, in nats per image."""
        count = len(batch.images)
        noise, dropout = self.model.noise(count, generator), self.model.dropout(count, generator)
        bound = network(batch.images, noise, *(() if dropout is None else (dropout,)))
        reconstruction, kl = bound.reconstruction.mean(), bound.kl.sum(dim=1)
        return reconstruction + (batch.beta * kl).mean(), {"reconstruction": reconstruction, "kl": kl.mean()}

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Returns the bound at beta 1 and its divergence, in nats per image, over the whole validation set."""
        sums = torch.zeros(2, dtype=torch.float64)
        for images, noise in evaluation_noise(self.model, self.valid):
            bound = model(images, noise)
            sums += torch.stack([bound.total.sum(), bound.kl.sum()]).double().cpu()
        total, kl = (sums / len(self.valid)).tolist()
        return {"bound": total, "kl": kl}

    def plateau(self, best: float) -> None:
        """Returns None: the bound of a model that has learned nothing is unknown."""


class GeneratorPlan(TrainingPlan[GenerativeData]):
    """Plan of a generator's training.

    Args:
        request: Data and settings of the training.
        listener: Receives notes and warnings.

    Raises:
        ValueError: If there is no such preset.
    """

    command = "train-generator"

    def __init__(self, request: GeneratorTrainingRequest, listener: Listener | None = None) -> None:
        super().__init__(request.run, request.machine, listener)
        self.request = request
        self._initial: InitialWeights | None = None  # read when a run is started
        if request.preset is not None and request.preset not in GENERATOR_PRESETS:
            raise ValueError(f"there is no preset {request.preset!r}; there are {', '.join(GENERATOR_PRESETS)}")

    @property
    def preset(self) -> str:
        """Name of the requested preset, else of the first one."""
        return self.request.preset or next(iter(GENERATOR_PRESETS))

    @property
    def settings(self) -> SettingValues:
        """Settings that the request overrides, by name."""
        return self.request.settings

    def default_folder(self) -> Path:
        """Returns the default folder of a run: `runs/draw-PRESET`, with `-finetuned` if it starts from another model's weights."""
        base = {} if self.run.config is None else read_config(self.run.config)
        return Path("runs") / f"draw-{base.get('preset', self.preset)}{'' if self.request.init is None else '-finetuned'}"

    def asked(self, record: dict[str, Any]) -> dict[str, Any]:
        """Returns the settings that the request asks of a resumed run, by name."""
        images = {name: value for name, value in chosen(self.request.images).items() if name != "data_dir"}
        named = {name: value for name in ("preset", "init") if (value := getattr(self.request, name)) is not None}
        return asked_of_run(self.run, self.machine, dict(self.request.settings) | images | named, record)

    def new_run(self, device: torch.device, threads: int) -> tuple[dict[str, Any], GenerativeData]:
        """Returns the record of a new run and its data; see `TrainingPlan.new_run`."""
        settings, images = self.request.settings, self.request.images
        self._initial = initial_weights(self.request.init, self.run)
        if self._initial is not None and self._initial.model != DRAW.__name__:
            raise ValueError(f"{self.request.init} does not hold the weights of a generator but of {self._initial.model}")
        kinds = dict.fromkeys(GENERATOR_PRESETS, GeneratorConfig)
        start = starting_point(self.command, kinds, self.run, self.request.preset, self.preset)
        preset = GENERATOR_PRESETS[start.preset]
        training = merged(TrainingConfig, vars(preset.training) | start.base["training"], settings)
        known = start.base["data"] if images.data is None else {"source": images.data}  # another set has its own defaults
        own = {name: value for name, value in chosen(images).items() if name in ("binarization", "crop", "size")}
        data = self._opened({"source": preset.data} | known | own | {"split": "stratified"}, training.seed, device)
        training = merged(TrainingConfig, vars(training), budget(self.run, settings, len(data.train)))
        size = {"channels": data.channels, "height": data.height, "width": data.width}
        initial = {} if self._initial is None else self._initial.config
        model = merged(GeneratorConfig, {**vars(preset.model), **initial, **start.base["model"]}, dict(settings) | size)
        record = run_record(self.command, start, model, training, data.record(), (device, threads))
        with torch.device("meta"):
            return record | initial_record(DRAW(model), self._initial, self.listener, DRAW.neutral), data

    def data_of(self, record: dict[str, Any], device: torch.device) -> GenerativeData:
        """Returns the data of a resumed run: the set that it was started with.

        Raises:
            FileNotFoundError: If the set is not available.
            ValueError: If the set has changed, or another one is requested.
        """
        identity, named = record["data"], self.request.images.data
        if named in choices(GENERATIVE_SETS) and named not in (AUTO, identity["name"]):
            raise ValueError(f"the run was started with {identity['name']}, not {named}: leave out --data")
        asked = identity if named is None else identity | {"source": named}
        data = self._opened(asked, record["training"]["seed"], device)
        if (data.name, data.sha256) != (identity["name"], identity["sha256"]):
            raise ValueError("the data are not those that the run was started with: their names or digests differ")
        return data

    def build(self, record: dict[str, Any], data: GenerativeData, device: torch.device) -> Trainer:
        """Returns a new trainer for the record of a run; its initial weights depend only on the seed and those that it starts from.

        Raises:
            ValueError: If the images do not have the shape in the model's config.
        """
        model_config = from_mapping(GeneratorConfig, record["model"])
        config = from_mapping(TrainingConfig, record["training"])
        sizes = (model_config.channels, model_config.height, model_config.width), (data.channels, data.height, data.width)
        if sizes[0] != sizes[1]:
            raise ValueError(f"the model draws images of {sizes[0]} channels, rows and columns, the data have {sizes[1]}")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            model = DRAW(model_config).to(device)
        model.set_initial_canvas(_mean_image(data.train))
        if self._initial is not None:
            model.load_state_dict(fitting(model, self._initial, DRAW.neutral))
        return Trainer(GenerationTask(model, data.train, data.valid), config, device)

    def picture(self, model: nn.Module, data: GenerativeData) -> Picture | None:
        """Returns a function that draws reconstructions of some validation images along the steps, with the windows.

        Returns:
            The function; None if the images have neither 1 nor 3 channels.
        """
        if data.channels not in (1, 3):
            return None
        positions = torch.arange(min(_DRAWN, len(data.valid)))

        return lambda model: _reconstructions(cast(DRAW, model), data.valid.batch(positions).images)

    def _opened(self, asked: dict[str, Any], seed: int, device: torch.device) -> GenerativeData:
        """Returns the set with this `source`, `binarization`, `crop`, `size` and `split`, as in a run's record of its data."""
        wanted: dict[str, Any] = {name: tuple(asked[name]) for name in ("crop", "size") if asked.get(name)}
        wanted["split"] = SplitRule.of_record(asked).kind
        if asked.get("binarization") not in (None, "fixed"):
            wanted["binarization"] = asked["binarization"]
        return open_generative_data(
            asked["source"], self.request.images.data_dir, self.listener, seed=seed, device=device, **wanted
        )


def _mean_image(images: PositionalDataset) -> Tensor:
    """Returns the mean (C, H, W) of the first training images."""
    count = min(_AVERAGED, len(images))
    return torch.stack([batch.images.sum(dim=0) for batch in images.batches(EVALUATION_BATCH, stop=count)]).sum(dim=0) / count


@torch.no_grad()
def _reconstructions(model: DRAW, images: Tensor) -> bytes:
    """Returns a PNG with the reconstructions of images (N, C, H, W)."""
    from glimpse.figures.files import png, rendered  # matplotlib is not needed before
    from glimpse.generation.figures import reconstruction_sheet

    drawn, _ = reconstruct_images(model, images)
    return png(rendered(reconstruction_sheet(drawn, images)))
