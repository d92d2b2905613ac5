"""The images that a trained model is measured and looked at on: those of its own task, or others that were asked for."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch

from glimpse.commands import console
from glimpse.commands.options import open_digit_source, open_generative_data
from glimpse.datasets.batches import PositionalDataset
from glimpse.datasets.clutter import ClutteredMNIST, ClutterRecipe
from glimpse.datasets.digits import DigitSource
from glimpse.datasets.generative import GenerativeData
from glimpse.datasets.labeled_images import open_data
from glimpse.settings.config import AnyClassifierConfig, ConvConfig, GeneratorConfig
from glimpse.training.loop import RunFolder

__all__ = ["TaskImages", "check_images", "open_task_images", "open_training_images"]


class TaskImages(NamedTuple):
    """Images with what they are.

    Attributes:
        data: The images.
        description: For a result to say what it was measured on.
        frame: Height and width of the digits' frame in pixels, None where unknown.
    """

    data: PositionalDataset
    description: dict[str, Any]
    frame: tuple[int, int] | None


def open_task_images(
    source: str, task: Mapping[str, Any], options: Mapping[str, Any], chosen: Mapping[str, Any], device: torch.device
) -> TaskImages:
    """Returns a part of the images that a model is made for.

    Args:
        source: The model: a run's folder, a weights file or `pretrained:NAME`.
        task: What its weights say it was trained on.
        options: `data_dir`, `split`, and `data` where other images can be named.
        chosen: Digits and constants of the recipe in place of the task's own.
        device: Where the images go.

    Raises:
        ValueError: If they cannot be told, or have changed since.
        FileNotFoundError: If they are not at hand.
    """
    chosen = {name: value for name, value in chosen.items() if (name, value) != ("digits", "auto")}  # auto: the model's own
    if task["kind"] == "generative":
        return _generative(source, task, options, chosen, device)
    path = options.get("data")
    if path is None and task["kind"] == "file" and not chosen:
        path = _trained_on(source)
    if path is not None:
        if chosen:
            raise ValueError(f"--data brings its own images: leave out {_options(chosen)}")
        parts = open_data(path, device=device)
        if options.get("data") is None and parts.sha256 != task["sha256"]:
            way = ": name images with --data" if "data" in options else ""
            raise ValueError(f"{path} has changed since {source} was trained on it{way}")
        part, images = parts.evaluation
        if parts.is_whole and parts.valid is not None and parts.sha256 == task.get("sha256"):
            console.note(f"The model was trained on {path}, which has no test part: measuring on the tenth it was validated on.")
            part, images = "valid", parts.valid
        if options["split"] == "valid":
            if parts.valid is None:
                raise ValueError(f"{path} has no validation part")
            part, images = "valid", parts.valid
        return TaskImages(images, {"kind": "file", "path": str(path), "part": part}, parts.frame)
    recipe = ClutterRecipe(**task.get("recipe", {}) | {name: value for name, value in chosen.items() if name != "digits"})
    digits = _digits(source, task, options, chosen)
    split = options["split"]
    images_of_split = ClutteredMNIST(getattr(digits, split).to(device), split, recipe)
    description = {"kind": "cluttered", "digits": digits.name, "split": split, "recipe": asdict(recipe)}
    height, width = getattr(digits, split).images.shape[1:]
    return TaskImages(images_of_split, description, (height, width))


def check_images(images: TaskImages, config: AnyClassifierConfig | GeneratorConfig) -> None:
    """Raises ValueError unless images, opened by `open_task_images`, are such as a model with this config can see."""
    channels = config.channels
    size = (config.height, config.width) if isinstance(config, ConvConfig | GeneratorConfig) else None
    found = tuple(images.data.batch(torch.tensor([0])).images.shape[1:])
    if found[0] == channels and size in (None, found[1:]):
        return
    name = images.description.get("path") or images.description.get("name") or images.description.get("digits")
    wanted = f"{channels} channel{'s' if channels > 1 else ''}" + (f" of {size[0]} x {size[1]} pixels" if size else "")
    raise ValueError(
        f"{name}: its images have {found[0]} channel{'s' if found[0] > 1 else ''} of {found[1]} x {found[2]} pixels, the model was "
        f"trained on {wanted}: give images like those"
    )


def _generative(
    source: str, task: Mapping[str, Any], options: Mapping[str, Any], chosen: Mapping[str, Any], device: torch.device
) -> TaskImages:
    """Returns a part of the set that a generator was trained on, or of another one."""
    if chosen:
        raise ValueError(f"{source} holds a generator, which sees no clutter: leave out {_options(chosen)}")
    try:
        data = open_training_images(source, task, options, device)
    except FileNotFoundError as error:
        if options["data"] is not None:
            raise
        raise _not_at_hand(source, task["name"], error, options) from error
    known = {name: getattr(data, name) for name in ("name", "binarization", "crop", "note")}
    description = {"kind": "generative", "split": options["split"]} | known
    return TaskImages(getattr(data, options["split"]), description, None)


def open_training_images(source: str, task: Mapping[str, Any], options: Mapping[str, Any], device: torch.device) -> GenerativeData:
    """Returns the set that a generator was trained on, all its parts, or the one that `options["data"]` names.

    Args:
        source: The generator: a run's folder, a weights file or `pretrained:NAME`.
        task: What its weights say it was trained on.
        options: `data` and `data_dir`.
        device: Where the images go.

    Raises:
        ValueError: If the set cannot be told, or has changed since.
        FileNotFoundError: If it is not at hand.
    """
    wanted = {name: tuple(task[name]) for name in ("crop", "size") if task[name]}
    if options["data"] is not None:
        return _named_set(str(options["data"]), task, options["data_dir"], device, wanted)
    record = RunFolder(Path(source)).config["data"] if Path(source).is_dir() else {"source": task["name"], "seed": 0}
    if record["source"] == "pictures":
        raise ValueError(f"{source} was trained on a person's own pictures: name them with --data")
    if task["binarization"] != "fixed":
        wanted["binarization"] = task["binarization"]
    data = open_generative_data(record["source"], options["data_dir"], seed=record["seed"] or 0, device=device, **wanted)
    if data.sha256 != task["sha256"]:
        raise ValueError(f"{data.name} is not what {source} was trained on, its digest differs: name images with --data")
    return data


def _named_set(
    source: str, task: Mapping[str, Any], data_dir: Path | None, device: torch.device, wanted: dict[str, Any]
) -> GenerativeData:
    """Returns a set that a person names, binarized in its own way, or as in training where it is what the model was trained on."""
    if not Path(source).is_dir():
        wanted = {name: value for name, value in wanted.items() if name != "size"}  # that of a folder's pictures
    data = open_generative_data(source, data_dir, device=device, **wanted)
    if data.sha256 == task["sha256"] and data.binarization != task["binarization"]:
        return open_generative_data(source, data_dir, device=device, binarization=task["binarization"], **wanted)
    return data


def _options(names: Iterable[str]) -> str:
    """Returns the options of these names, for a person."""
    return ", ".join("--" + name.replace("_", "-") for name in names)


def _digits(source: str, task: Mapping[str, Any], options: Mapping[str, Any], chosen: Mapping[str, Any]) -> DigitSource:
    """Returns the digits asked for, else those that the model was trained on, never others in their place."""
    if "digits" in chosen:
        return open_digit_source(chosen["digits"], options["data_dir"], task.get("seed") or 0)  # split as in training
    if task["kind"] == "file":
        raise ValueError(f"{source} was trained on a file of images: say with --digits which digits to put on the canvas")
    name = task["digits"]
    if name == "file":
        if not Path(source).is_dir():
            raise ValueError(f"{source} was trained on a person's own digits: name their file with --digits FILE.npz")
        record = RunFolder(Path(source)).config["data"]["digits"]
        found = open_digit_source(record["digits"], options["data_dir"], record["seed"] or 0)
        if found.sha256 != record["sha256"]:
            way = ": name digits with --digits" if "data" in options else ""
            raise ValueError(f"{record['digits']} has changed since {source} was trained on it{way}")
        return found
    try:
        return open_digit_source(name, options["data_dir"])
    except FileNotFoundError as error:
        raise _not_at_hand(source, name, error, options) from error


def _not_at_hand(source: str, name: str, error: FileNotFoundError, options: Mapping[str, Any]) -> FileNotFoundError:
    """Returns the error that says what a model was trained on, why that is not there, and how to give it."""
    cause = str(error).partition(";")[0]
    others = ", or give images with --data FILE.npz" if "data" in options else ""
    advice = f"name a folder that has it with --data-dir or GLIMPSE_DATA{others}"
    return FileNotFoundError(f"{source} was trained on {name}, and {cause}: {advice}")


def _trained_on(source: str) -> Path:
    """Returns the file of images that a run was trained on."""
    folder = Path(source)
    if not folder.is_dir():
        raise ValueError(f"{source} was trained on a person's own file; give images with --data")
    return Path(RunFolder(folder).config["data"]["path"])
