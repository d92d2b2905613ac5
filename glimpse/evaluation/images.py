"""Images to evaluate or visualize a trained model on: those of its task, or others."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch

from glimpse.datasets.batches import PositionalDataset
from glimpse.datasets.clutter import ClutteredMNIST
from glimpse.datasets.digits import DigitSource
from glimpse.datasets.generative import GenerativeData
from glimpse.datasets.labeled_images import DataParts, open_data
from glimpse.datasets.opening import open_digit_source, open_generative_data
from glimpse.datasets.split_rule import SplitRule
from glimpse.listener import Listener
from glimpse.settings.clutter import ClutterRecipe
from glimpse.settings.record import read_config
from glimpse.settings.requests import FormChoice, ImageChoice, Split, chosen, flag

__all__ = ["ImageQuery", "TaskImages", "check_images", "open_task_images", "open_training_images"]


@dataclass(frozen=True)
class ImageQuery:
    """A request for the images of a trained model.

    Attributes:
        source: Folder of a run, weights file or `pretrained:NAME`.
        task: Description of the model's training data, from its weights file.
        choice: Images in place of the task's.
        split: Split of the data.
        device: Device of the images.
        listener: Receives warnings and notes.
        can_name_data: Whether the caller has options for other images, which error messages then suggest.
        class_names: Names of the model's classes, to which labels are mapped; None for a model that does not classify.
    """

    source: str
    task: Mapping[str, Any]
    choice: ImageChoice = field(default_factory=ImageChoice)
    split: Split = "test"
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    listener: Listener = field(default_factory=Listener)
    can_name_data: bool = True
    class_names: Sequence[str] | None = None


class TaskImages(NamedTuple):
    """Images with a description.

    Attributes:
        data: Images and labels.
        description: Identity of the images, for results.
        frame: Height and width of the digits' frame in pixels; None if unknown.
    """

    data: PositionalDataset
    description: dict[str, Any]
    frame: tuple[int, int] | None


def open_task_images(query: ImageQuery) -> TaskImages:
    """Returns a split of the images that a model was trained on, or of those that the query chooses.

    Raises:
        ValueError: If the training data are unknown or have changed, or the choice does not fit the model.
        FileNotFoundError: If the images are not available.
    """
    if query.task["kind"] == "generative":
        return _generative(query)
    path = query.choice.data
    if path is None and query.task["kind"] == "file" and not _generated(query):
        path = _trained_on(query.source)
    return _cluttered(query) if path is None else _file(query, path)


def check_images(images: TaskImages, channels: int, size: tuple[int, int] | None = None) -> None:
    """Checks that images have the channels and the size that a model requires.

    Args:
        images: Images from `open_task_images`.
        channels: Number of channels of the model's images.
        size: Height and width in pixels of the model's images; None if it takes any.

    Raises:
        ValueError: If the images have another number of channels, or another size.
    """
    found = tuple(images.data.batch(torch.tensor([0])).images.shape[1:])
    if found[0] == channels and size in (None, found[1:]):
        return
    name = images.description.get("path") or images.description.get("name") or images.description.get("digits")
    wanted = f"{channels} channel{'s' if channels > 1 else ''}" + (f" of {size[0]} x {size[1]} pixels" if size else "")
    raise ValueError(
        f"{name}: its images have {found[0]} channel{'s' if found[0] > 1 else ''} of {found[1]} x {found[2]} pixels, the model was "
        f"trained on {wanted}: use images like those"
    )


def open_training_images(query: ImageQuery) -> GenerativeData:
    """Returns all splits of the set that a generator was trained on, or of the one that the query chooses.

    Raises:
        ValueError: If the set is unknown or has changed.
        FileNotFoundError: If the set is not available.
    """
    task, source = query.task, query.source
    wanted = {name: tuple(task[name]) for name in ("crop", "size") if task[name]}
    if query.choice.data is not None:
        return _named_set(str(query.choice.data), query, wanted)
    record = read_config(Path(source))["data"] if Path(source).is_dir() else {"source": task["name"], "seed": 0}
    if record["source"] == "pictures":
        raise ValueError(f"{source} was trained on your own pictures: name them with --data")
    if task["binarization"] != "fixed":
        wanted["binarization"] = task["binarization"]
    split = SplitRule.of_record(record).kind
    data = _open_set(record["source"], query, seed=record["seed"] or 0, split=split, **wanted)
    if data.sha256 != task["sha256"]:
        raise ValueError(f"{data.name} is not the set that {source} was trained on, its digest differs: name images with --data")
    return data


def _generated(query: ImageQuery) -> dict[str, Any]:
    """Returns the chosen settings of generated images by name, without `auto` digits, which are those of the model."""
    return {name: value for name, value in query.choice.generated.items() if (name, value) != ("digits", "auto")}


def _form_of(query: ImageQuery) -> FormChoice:
    """Returns how the images that the model was trained on are read; of other images, only the size that they are brought to."""
    if query.task["kind"] != "file":
        return FormChoice()
    form = FormChoice.of_record(query.task)
    return form if query.choice.data is None else FormChoice(form.size, form.fit)


def _file(query: ImageQuery, source: Any) -> TaskImages:
    """Returns a split of a file of images or of a built set."""
    others = _generated(query)
    if others:
        raise ValueError(f"--data brings its own images: leave out {_flags(others)}")
    rule = SplitRule.of_record(query.task) if query.task["kind"] == "file" else None
    form = query.choice.form.over(_form_of(query))
    parts = open_data(source, form=form, device=query.device, split=rule, class_names=query.class_names, listener=query.listener)
    path = parts.name
    if query.choice.data is None and parts.sha256 != query.task["sha256"]:
        raise ValueError(f"{path} has changed since {query.source} was trained on it{_advice(query, ': name images with --data')}")
    name, images = _part(query, parts)
    return TaskImages(images, {"kind": "file", "path": path, "part": name}, parts.frame)


def _part(query: ImageQuery, parts: DataParts) -> tuple[str, PositionalDataset]:
    """Returns the name and images of a split of a file; never training images of the file that the model was trained on."""
    path = parts.name
    if query.split == "valid":
        if parts.valid is None:
            raise ValueError(f"{path} has no validation part")
        return "valid", parts.valid
    if parts.sha256 != query.task.get("sha256"):
        return parts.evaluation
    if parts.test is not None:
        if parts.is_whole:
            query.listener.note(f"{path} has no test part: evaluating on the tenth of each class that was held out for it.")
        return "test", parts.test
    if parts.valid is None:
        return parts.evaluation
    query.listener.warn(
        f"{path} has no test part: this is the error on the images that the weights were chosen by, which tends to be too low"
    )
    return "valid", parts.valid


def _cluttered(query: ImageQuery) -> TaskImages:
    """Returns cluttered digits by the recipe of the task, with the chosen settings in place of its values."""
    if chosen(query.choice.form):
        raise ValueError(f"{_flags(chosen(query.choice.form))} is for your own images: give them with --data")
    recipe = ClutterRecipe(**query.task.get("recipe", {}) | chosen(query.choice.clutter))
    digits = _digits(query)
    glyphs = getattr(digits, query.split)
    images = ClutteredMNIST(glyphs.to(query.device), query.split, recipe)
    description = {"kind": "cluttered", "digits": digits.name, "split": query.split, "recipe": asdict(recipe)}
    height, width = glyphs.images.shape[1:]
    return TaskImages(images, description, (height, width))


def _generative(query: ImageQuery) -> TaskImages:
    """Returns a split of the set that a generator was trained on, or of another one."""
    others = _generated(query) | chosen(query.choice.form)
    if others:
        raise ValueError(f"{query.source} holds a generator, which takes no labeled images: leave out {_flags(others)}")
    try:
        data = open_training_images(query)
    except FileNotFoundError as error:
        if query.choice.data is not None:
            raise
        raise _not_at_hand(query, query.task["name"], error) from error
    known = {name: getattr(data, name) for name in ("name", "binarization", "crop", "note")}
    description = {"kind": "generative", "split": query.split} | known
    return TaskImages(getattr(data, query.split), description, None)


def _named_set(source: str, query: ImageQuery, wanted: dict[str, Any]) -> GenerativeData:
    """Returns a set by its name or path, binarized as in training if the model was trained on it, else by its default."""
    if not Path(source).is_dir():
        wanted = {name: value for name, value in wanted.items() if name != "size"}  # only the pictures of a folder have it
    wanted["split"] = SplitRule.of_record(query.task).kind
    data = _open_set(source, query, **wanted)
    if data.sha256 == query.task["sha256"] and data.binarization != query.task["binarization"]:
        return _open_set(source, query, binarization=query.task["binarization"], **wanted)
    return data


def _open_set(source: str, query: ImageQuery, **wanted: Any) -> GenerativeData:
    return open_generative_data(source, query.choice.data_dir, query.listener, device=query.device, **wanted)


def _digits(query: ImageQuery) -> DigitSource:
    """Returns the chosen digits, else those that the model was trained on, without a substitute."""
    source, task = query.source, query.task

    def opened(digits: str, split: SplitRule | None = None) -> DigitSource:
        return open_digit_source(digits, query.choice.data_dir, split, query.listener, query.class_names)

    if "digits" in _generated(query):
        is_own = task.get("digits") == "file"
        return opened(str(query.choice.digits), SplitRule.of_record(task) if is_own else None)  # split as in training
    if task["kind"] == "file":
        raise ValueError(f"{source} was trained on a file of images: name the digits to put on the canvas with --digits")
    if task["digits"] == "file":
        if not Path(source).is_dir():
            raise ValueError(f"{source} was trained on your own digits: name their file with --digits FILE.npz")
        record = read_config(Path(source))["data"]["digits"]
        found = opened(record["digits"], SplitRule.of_record(record))
        if found.sha256 != record["sha256"]:
            advice = _advice(query, ": name digits with --digits")
            raise ValueError(f"{record['digits']} has changed since {source} was trained on it{advice}")
        return found
    try:
        return opened(task["digits"])
    except FileNotFoundError as error:
        raise _not_at_hand(query, task["digits"], error) from error


def _not_at_hand(query: ImageQuery, name: str, error: FileNotFoundError) -> FileNotFoundError:
    """Returns an error with the name of a model's training data, the reason that they are missing, and a remedy."""
    cause = str(error).partition(";")[0]
    others = _advice(query, ", or give images with --data FILE.npz")
    advice = f"name a folder that has it with --data-dir or GLIMPSE_DATA{others}"
    return FileNotFoundError(f"{query.source} was trained on {name}, and {cause}: {advice}")


def _trained_on(source: str) -> Path:
    """Returns the path of the images that a run was trained on."""
    folder = Path(source)
    if not folder.is_dir():
        raise ValueError(f"{source} was trained on your own images: give images with --data")
    record = read_config(folder)["data"]
    if record["path"] is None:
        raise ValueError(f"{source} was trained on {record['form']}, which is no file: give it as data")
    return Path(record["path"])


def _advice(query: ImageQuery, text: str) -> str:
    """Returns an advice about other images, empty if the caller has no options for them."""
    return text if query.can_name_data else ""


def _flags(names: Iterable[str]) -> str:
    """Returns the options with these names, separated by commas."""
    return ", ".join(map(flag, names))
