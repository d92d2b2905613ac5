"""What training a generator takes: its data and settings, its trainer, and the words on how it goes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from glimpse.commands.options import open_generative_data
from glimpse.datasets.batches import PositionalDataset
from glimpse.datasets.catalog import AUTO, GENERATIVE_SETS, choices
from glimpse.datasets.generative import GenerativeData
from glimpse.evaluation.generator import GenerationTask
from glimpse.generation.sampling import reconstruct_images
from glimpse.models.draw import DRAW
from glimpse.settings.config import GeneratorConfig, TrainingConfig, from_mapping
from glimpse.settings.presets import GENERATOR_PRESETS
from glimpse.training.engine import Trainer
from glimpse.training.loop import RunFolder, read_config
from glimpse.training.record import budget, merged, settings, starting_point
from glimpse.trajectories.collecting import look_at

__all__ = ["COMMAND", "build", "data_of", "default_folder", "draw", "last_words", "new_run", "status"]

COMMAND = "train-generator"
"""Name of the command."""

_AVERAGED = 5_000  # training images whose mean the first canvas starts from
_DRAWN = 8  # validation images on the sheets that show where it learns to read and write


def default_folder(options: dict[str, Any], chosen: dict[str, Any]) -> Path:
    """Returns the folder of a run that names none."""
    base = {} if options["config_file"] is None else read_config(options["config_file"])
    return Path("runs") / f"draw-{base.get('preset', options['preset'])}"


def new_run(
    options: dict[str, Any], chosen: dict[str, Any], device: torch.device, threads: int
) -> tuple[dict[str, Any], GenerativeData]:
    """Returns the settings of a new run and its data."""
    preset, base = starting_point(COMMAND, dict.fromkeys(GENERATOR_PRESETS, GeneratorConfig), options, chosen)
    start = GENERATOR_PRESETS[preset]
    config = merged(TrainingConfig, vars(start.training) | base["training"], chosen)
    known = base["data"] if options["data"] is None else {"source": options["data"]}  # another set is taken in its own way
    asked = {"source": start.data} | known | {name: chosen[name] for name in ("binarization", "crop", "size") if name in chosen}
    data = _opened(asked, options, config.seed, device)
    config = merged(TrainingConfig, vars(config), budget(options, chosen, len(data.train)))
    size = {"channels": data.channels, "height": data.height, "width": data.width}
    model = merged(GeneratorConfig, vars(start.model) | base["model"], chosen | size)
    return settings(COMMAND, preset, model, config, data.record(), device=device, threads=threads), data


def data_of(run: dict[str, Any], options: dict[str, Any], device: torch.device) -> GenerativeData:
    """Returns the data of a run that goes on: the same set, whatever `auto` would choose today."""
    asked = run["data"] if options["data"] is None else run["data"] | {"source": options["data"]}
    if options["data"] in choices(GENERATIVE_SETS) and options["data"] not in (AUTO, run["data"]["name"]):
        raise ValueError(f"the run was started with {run['data']['name']}, not {options['data']}: leave out --data")
    data = _opened(asked, options, run["training"]["seed"], device)
    if (data.name, data.sha256) != (run["data"]["name"], run["data"]["sha256"]):
        raise ValueError("the data are not those that the run was started with: their names or digests differ")
    return data


def build(run: dict[str, Any], data: GenerativeData, device: torch.device) -> Trainer:
    """Returns a fresh trainer for a run's settings; its initial weights depend on the seed alone.

    Raises:
        ValueError: If the model's size does not fit the data.
    """
    model_config = from_mapping(GeneratorConfig, run["model"])
    config = from_mapping(TrainingConfig, run["training"])
    sizes = (model_config.channels, model_config.height, model_config.width), (data.channels, data.height, data.width)
    if sizes[0] != sizes[1]:
        raise ValueError(f"the model draws images of {sizes[0]} channels, rows and columns, the data have {sizes[1]}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = DRAW(model_config).to(device)
    model.set_initial_canvas(_mean_image(data.train))
    return Trainer(GenerationTask(model, data.train, data.valid), config, device)


def _mean_image(images: PositionalDataset) -> Tensor:
    """Returns the mean (C, H, W) of some training images."""
    count = min(_AVERAGED, len(images))
    return torch.stack([batch.images.sum(dim=0) for batch in images.batches(250, stop=count)]).sum(dim=0) / count


def draw(model: nn.Module, data: GenerativeData) -> Callable[[nn.Module], bytes] | None:
    """Returns a function that draws where a model reads and writes on a few validation images; None for images it cannot draw.

    Of a model without attention it draws how the images come about.
    """
    if data.channels not in (1, 3):
        return None
    positions = torch.arange(min(_DRAWN, len(data.valid)))

    def sheet(model: nn.Module) -> bytes:
        from glimpse.trajectories.pictures import sheet_png  # matplotlib is not needed before

        draws, batch = cast(DRAW, model), data.valid.batch(positions)
        return sheet_png(look_at(draws, batch, positions)) if draws.config.attention else _reconstructions(draws, batch.images)

    return sheet


@torch.no_grad()
def _reconstructions(model: DRAW, images: Tensor) -> bytes:
    """Returns a PNG file's content that shows how images (N, C, H, W) are drawn again."""
    from glimpse.figures.windows import png, rendered
    from glimpse.generation.figures import reconstruction_sheet

    drawn, _ = reconstruct_images(model, images)
    return png(rendered(reconstruction_sheet(drawn, images)))


def status(values: dict[str, float]) -> str:
    """Returns a few words on how training goes."""
    words = {"loss": "loss {:.2f}", "kl": "divergence {:.2f}", "valid_bound": "validation bound {:.2f} nats"}
    return ", ".join(text.format(values[name]) for name, text in words.items() if name in values)


def last_words(folder: RunFolder, trainer: Trainer, run: dict[str, Any]) -> Iterator[str]:
    """Yields how well it went and what to do next."""
    subset = f" on a subset of {run['data']['name']}, no result on the set" if run["data"]["is_subset"] else ""
    yield f"Best validation bound {trainer.best:.2f} nats{subset}. Weights, metrics and checkpoints lie in {folder.path}"
    yield f"The bound on the test set: glimpse evaluate {folder.path}"
    yield f"New images: glimpse sample {folder.path} --out samples.png"
    yield f"Curves: tensorboard --logdir {folder.path}"


def _opened(asked: dict[str, Any], options: dict[str, Any], seed: int, device: torch.device) -> GenerativeData:
    """Returns the set that a run's record, or what was chosen in its place, asks for."""
    wanted = {name: tuple(asked[name]) for name in ("crop", "size") if asked.get(name)}
    if asked.get("binarization") not in (None, "fixed"):
        wanted["binarization"] = asked["binarization"]
    return open_generative_data(asked["source"], options["data_dir"], seed=seed, device=device, **wanted)
