"""Records of a run and of its weights: what they may hold, reading config.json, and protecting metrics from other files."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from glimpse.digest import sha256_of_bytes
from glimpse.environment import THREAD_LIMIT
from glimpse.settings.base import Config, Count, Range, Whole, from_mapping, shown
from glimpse.settings.catalog import CLASSIFIERS, classifier_presets
from glimpse.settings.clutter import ClutterRecipe
from glimpse.settings.draw import GENERATOR_PRESETS, GeneratorConfig
from glimpse.settings.schema import checked_fields
from glimpse.settings.training import TrainingConfig

__all__ = [
    "DIGEST",
    "METRICS",
    "check_facts",
    "check_output",
    "check_record",
    "digest_of_record",
    "read_config",
    "refuse_record",
]

METRICS = "metrics.csv"
"""Name of the file that holds a run's metrics."""

DIGEST = "sha256"
"""Key of the digest in config.json, in the metadata of weights and in a checkpoint."""


class _Sizes(TypedDict):
    train: Whole
    valid: NotRequired[Whole]
    test: NotRequired[Whole]


_Side = tuple[Count, Count] | None
_Binarization = Literal["fixed", "dynamic", "none"]
_Ground = Literal["dark", "light"] | None
_Split = Literal["stratified", "legacy"] | None


class _Labeled(TypedDict):
    n_classes: NotRequired[Count]
    class_names: NotRequired[list[str]]
    split: NotRequired[_Split]
    seed: NotRequired[Whole | None]
    size: NotRequired[_Side]
    fit: NotRequired[Literal["pad", "resize", "crop"] | None]
    images_key: NotRequired[str | None]
    labels_key: NotRequired[str | None]


class _Digits(_Labeled):
    name: str
    digits: str
    sha256: str
    sizes: _Sizes
    path: NotRequired[str | None]
    reason: NotRequired[str | None]


class _ClutteredData(TypedDict):
    kind: Literal["cluttered"]
    digits: _Digits
    recipe: ClutterRecipe
    distort: NotRequired[Whole]


class _FileData(_Labeled):
    kind: Literal["file"]
    path: str | None
    sha256: str
    sizes: _Sizes
    form: NotRequired[str]
    ground: NotRequired[_Ground]
    class_weights: NotRequired[Literal["balanced"]]
    shape: tuple[Count, Count, Count]


class _GenerativeData(TypedDict):
    kind: Literal["generative"]
    name: str
    source: str
    sha256: str
    binarization: _Binarization
    crop: _Side
    size: _Side
    sizes: _Sizes
    path: NotRequired[str | None]
    seed: NotRequired[Whole | None]
    is_subset: NotRequired[bool]
    note: NotRequired[str | None]
    reason: NotRequired[str | None]
    split: NotRequired[_Split]
    shape: NotRequired[list[Count]]


class _Environment(TypedDict):
    threads: Annotated[int, Range(1, THREAD_LIMIT)]
    device: str
    versions: NotRequired[dict[str, str | None]]
    platform: NotRequired[str]
    processes: NotRequired[Count]
    commit: NotRequired[str | None]
    launcher: NotRequired[str | None]
    images_per_second_by_threads: NotRequired[dict[str, float]]
    images_per_second_by_steps: NotRequired[dict[str, float]]


class _Record(TypedDict):
    command: Literal["train-classifier", "train-generator"]
    preset: str
    model: dict[str, Any]
    training: TrainingConfig
    data: dict[str, Any]
    environment: _Environment
    init: NotRequired[dict[str, str]]
    budgets: NotRequired[list[Count]]
    sha256: NotRequired[str]


class _ClutteredTask(_Labeled):
    kind: Literal["cluttered"]
    digits: str
    recipe: ClutterRecipe
    sha256: NotRequired[str]


class _FileTask(_Labeled):
    kind: Literal["file"]
    sha256: str


class _GenerativeTask(TypedDict):
    kind: Literal["generative"]
    name: str
    sha256: str
    binarization: _Binarization
    crop: _Side
    size: _Side
    path: NotRequired[None]
    split: NotRequired[_Split]


class _Images(TypedDict):
    size: tuple[Count, Count]
    ground: _Ground


class _Facts(TypedDict):
    model: str
    config: dict[str, Any]
    task: dict[str, Any]
    images: NotRequired[_Images]
    sha256: NotRequired[str]


_TRAINING = ("images", "batch_size", "seed")
"""Settings of a training that every version records; a default in place of one would be another training."""

_DATA = {"cluttered": _ClutteredData, "file": _FileData, "generative": _GenerativeData}
_TASKS = {"cluttered": _ClutteredTask, "file": _FileTask, "generative": _GenerativeTask}


def read_config(path: Path) -> dict[str, Any]:
    """Returns the settings recorded in a run's folder or in its config.json.

    The digest of a run's folder is checked; a file that is named itself may have been edited.

    Args:
        path: The folder or the file.

    Raises:
        ValueError: If there is no such file, it does not hold the settings of a run, or it was damaged.
    """
    file = path / "config.json" if path.is_dir() else path
    try:
        record: Any = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path} is not a run's folder: it has no config.json") from None
    except (ValueError, RecursionError) as error:  # also UnicodeDecodeError, and integers that are too long
        raise ValueError(f"{file} is not JSON ({error}): restore a copy, or train again in another folder") from error
    try:
        check_record(record)
        if path.is_dir() and record.get(DIGEST, digest_of_record(record)) != digest_of_record(record):
            raise ValueError("its digest differs: it was damaged or edited (--config takes the path of an edited copy)")
    except ValueError as error:
        way = "restore a copy, or train again in another folder"
        raise ValueError(f"{file} does not hold the settings of a run: {error}; {way}") from error
    config: dict[str, Any] = record
    return config


def digest_of_record(record: Mapping[str, Any]) -> str:
    """Returns the SHA-256 of a record without its own digest, whatever the order of its fields and its layout as a file."""
    content = {name: value for name, value in record.items() if name != DIGEST}
    return sha256_of_bytes(json.dumps(content, sort_keys=True, separators=(",", ":"), default=str).encode())


def check_record(record: object) -> None:
    """Checks the types and ranges of everything in the record of a run, the content of config.json.

    Raises:
        ValueError: If something is missing, unknown, of another type or out of range.
    """
    fields = checked_fields(_Record, record, "the record")
    kinds: dict[str, type[Config]] = {name: type(preset.model) for name, preset in classifier_presets().items()}
    kinds |= {name: type(preset.model) for name, preset in GENERATOR_PRESETS.items()}
    if fields["preset"] not in kinds:
        raise ValueError(f"there is no preset {shown(fields['preset'])}; there are {', '.join(kinds)}")
    from_mapping(kinds[fields["preset"]], fields["model"])
    missing = [name for name in _TRAINING if name not in fields["training"]]
    if missing:
        raise ValueError(f"the record's training has no {', '.join(missing)}")
    _check_kind(_DATA, fields["data"], "data")


def check_facts(facts: object) -> None:
    """Checks the types and ranges of the facts in the metadata of weights; the config only of a model that this version has.

    Raises:
        ValueError: If something is missing, unknown, of another type or out of range.
    """
    fields = checked_fields(_Facts, facts, "the description of the model")
    _check_kind(_TASKS, fields["task"], "task")
    kinds: dict[str, type[Config]] = {kind.class_name: kind.config for kind in CLASSIFIERS.values()}
    kinds["DRAW"] = GeneratorConfig
    if fields["model"] in kinds:
        config = from_mapping(kinds[fields["model"]], fields["config"])
        names = fields["task"].get("class_names")
        if names is not None and len(names) != getattr(config, "classes", len(names)):
            raise ValueError(f"there are {len(names)} names of classes")


def _check_kind(kinds: Mapping[str, type[Any]], values: Mapping[str, Any], name: str) -> None:
    """Raises ValueError unless a value has the fields of its kind."""
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        raise ValueError(f"{name}'s kind must be one of {', '.join(kinds)}, got {shown(kind)}")
    checked_fields(kinds[kind], values, name)


def refuse_record(path: Path) -> None:
    """Checks that a file to be written is not the metrics of a run, which could not be restored.

    Raises:
        ValueError: If it is.
    """
    file = path.resolve()
    if file.name.lower() == METRICS and (file.parent / "config.json").is_file():
        raise ValueError(f"{path} holds the metrics of a run: choose another name or folder")


def check_output(option: str, path: Path, ending: str) -> None:
    """Checks, before a computation, that its result can be written to a file, and creates the file's folder.

    Args:
        option: Option that names the file, for the message.
        path: File to be written.
        ending: Its required extension, such as `.png`.

    Raises:
        ValueError: If the file has another extension, holds the metrics of a run, or cannot be written.
        OSError: If its folder cannot be created.
    """
    if path.suffix.lower() != ending:
        raise ValueError(f"{option} writes a {ending} file, got {path}")
    refuse_record(path)
    with suppress(FileExistsError, NotADirectoryError):  # reported below
        path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise ValueError(f"{option} cannot write {path}: choose a file in a writable folder")
