"""The record of a run, its config.json: composition for a new run, and checks for a resumed one."""

import math
import platform
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
import torch.distributed as dist

from glimpse import environment
from glimpse.datasets.catalog import DIGIT_SOURCES, choices
from glimpse.datasets.labels import numbers
from glimpse.settings.base import Config, from_mapping
from glimpse.settings.catalog import CLASSIFIERS, OF_THE_DATA
from glimpse.settings.record import read_config
from glimpse.settings.requests import Machine, RunChoice, flag
from glimpse.settings.training import TrainingConfig
from glimpse.training.processes import launcher

__all__ = [
    "StartingPoint",
    "asked_of_run",
    "budget",
    "image_facts",
    "is_file",
    "merged",
    "refuse_differences",
    "run_record",
    "starting_point",
    "task_facts",
]

C = TypeVar("C")


class StartingPoint(NamedTuple):
    """Settings that a new run starts from.

    Attributes:
        preset: Name of the preset.
        base: Record of another run; only empty sections `model`, `training` and `data` if there is none.
    """

    preset: str
    base: dict[str, Any]


def starting_point(
    command: str, kinds: Mapping[str, type[Config]], run: RunChoice, preset: str | None, default: str
) -> StartingPoint:
    """Returns the preset of a new run, and the settings of another run to start from.

    Args:
        command: Name of the training command.
        kinds: Class of the model's config by preset.
        run: Choice of the run; its `config` is another run.
        preset: Requested preset; None if there is none.
        default: Preset in that case.

    Raises:
        ValueError: If both a preset and another run are given, or the other run is one of another command or has an unknown preset
            or unknown settings.
    """
    if run.config is None:
        return StartingPoint(preset or default, {"model": {}, "training": {}, "data": {}})
    if preset is not None:
        raise ValueError("give the settings to start from as --preset or as --config, not both")
    base = read_config(run.config)
    if base["command"] != command:
        raise ValueError(f"{run.config} holds the settings of glimpse {base['command']}, not of {command}")
    if base["preset"] not in kinds:
        raise ValueError(f"{run.config} names the preset {base['preset']!r}; there are {', '.join(kinds)}")
    from_mapping(kinds[base["preset"]], base["model"])  # refuses unknown names, which `merged` ignores
    from_mapping(TrainingConfig, base["training"])
    return StartingPoint(base["preset"], base)


def asked_of_run(run: RunChoice, machine: Machine, settings: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings asked of a resumed run: those of another run, the chosen ones, and the budget.

    Args:
        run: Choice of the run; its `config` is another run, whose settings are asked for.
        machine: Choice of the machine.
        settings: Chosen settings by name.
        record: Record of the run to resume.
    """
    asked: dict[str, Any] = {}
    if run.config is not None:
        base = read_config(run.config)
        asked = base["training"] | {name: value for name, value in base["model"].items() if name not in OF_THE_DATA}
        asked |= base["data"].get("recipe", {}) | {name: base["data"][name] for name in ("distort",) if name in base["data"]}
    sizes = record["data"].get("sizes") or record["data"]["digits"]["sizes"]
    count = sizes["train"] * (1 + record["data"].get("distort", 0))
    threads = {"threads": machine.threads} if machine.threads is not None else {}
    return asked | dict(settings) | threads | budget(run, settings, count)


def merged(kind: type[C], base: Mapping[str, Any], settings: Mapping[str, Any]) -> C:
    """Returns a config with the fields of a base and chosen settings in their place; other names are ignored.

    Args:
        kind: Class of the config.
        base: Values by name.
        settings: Values by name, which take precedence.

    Raises:
        ValueError: If a value has a wrong type or is out of range.
    """
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return from_mapping(kind, {name: value for name, value in {**base, **settings}.items() if name in names})


def budget(run: RunChoice, settings: Mapping[str, Any], count: int) -> dict[str, int]:
    """Returns the budget as the setting `images` if it is given in epochs, else no setting.

    Args:
        run: Choice of the run, with its `epochs`.
        settings: Chosen settings by name.
        count: Number of images in an epoch.

    Raises:
        ValueError: If the epochs are infinite or NaN, or the budget is given in images as well.
    """
    if run.epochs is None:
        return {}
    if not math.isfinite(run.epochs):
        raise ValueError(f"epochs must be a finite number, got {run.epochs}")
    if "images" in settings:
        raise ValueError("give the budget as --epochs or as --images, not both")
    return {"images": max(1, round(run.epochs * count))}


def refuse_differences(run: dict[str, Any], asked: Mapping[str, Any]) -> None:
    """Checks that a run was started with the settings asked for; paths of data may differ, since digests are compared elsewhere.

    Args:
        run: Record of the run.
        asked: Settings by name.

    Raises:
        ValueError: If a setting differs; the message has both values.
    """
    data = run["data"]
    known = run["model"] | run["training"] | data.get("recipe", {}) | {"preset": run["preset"]}
    known |= {
        name: tuple(value) if isinstance(value := data.get(name), list) else value for name in ("binarization", "crop", "size")
    }
    known |= {"model": next((kind.name for kind in CLASSIFIERS.values() if run["preset"] in kind.presets), None)}
    known |= {"init": run.get("init", {}).get("source")}
    known |= {"threads": run["environment"]["threads"], "digits": data.get("digits", {}).get("digits")}
    known |= {
        "data": data.get("source") or data.get("path") or data.get("form"),
        "distort": data.get("distort", 0 if "recipe" in data else None),
    }
    known |= {name: data.get(name) for name in ("fit", "images_key", "labels_key", "class_weights") if name in data}
    known |= {"split_seed": data.get("seed", data.get("digits", {}).get("seed"))}
    for name, value in asked.items():
        if known.get(name) is not None and (name == "data" or (name == "digits" and is_file(known[name]) and is_file(value))):
            continue
        same = (value, str(Path(value).resolve())) if name in ("digits", "data") else (value,)
        if known.get(name) not in same and (name, value) not in (("digits", "auto"), ("precision", "auto")):
            option, before = flag(name), known.get(name)
            value, before = (",".join(map(str, each)) if isinstance(each, tuple) else each for each in (value, before))
            started = f"with {option} {before}, not {value}" if before is not None else f"without {option}"
            raise ValueError(f"the run was started {started}: leave it out or choose another --out")


def is_file(digits: object) -> bool:
    """Returns whether a digit source is your own file or folder: it is not one of the names."""
    return digits is not None and digits not in choices(DIGIT_SOURCES)


def task_facts(data: dict[str, Any]) -> dict[str, Any]:
    """Returns the description of the training data in a weights file, from the `data` of a run's record, without paths."""
    if data["kind"] == "cluttered":
        digits = data["digits"]
        own = {"seed": digits["seed"], "sha256": digits["sha256"]} if digits["name"] == "file" else {}
        return {"kind": "cluttered", "digits": digits["name"], "recipe": data["recipe"]} | own | _split_and_names(digits)
    if data["kind"] == "generative":
        own = {"path": None, "split": data.get("split")} if data["name"] == "pictures" else {}
        return {name: data[name] for name in ("kind", "name", "sha256", "binarization", "crop", "size")} | own
    return {"kind": "file", "sha256": data["sha256"]} | _split_and_names(data)


def image_facts(data: dict[str, Any]) -> dict[str, Any]:
    """Returns the size and ground of your own images, with which pictures are compared, from the `data` of a run's record."""
    if data["kind"] != "file":
        return {}
    return {"images": {"size": data["shape"][1:], "ground": data.get("ground")}}


def _split_and_names(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns how images were divided, if glimpse divided them, and the names of the classes, if they are not their numbers."""
    split = {"split": record["split"], "seed": record["seed"]} if record.get("split") else {}
    names = record.get("class_names")
    split |= {name: record[name] for name in ("size", "fit", "images_key", "labels_key") if record.get(name) is not None}
    return split | ({"class_names": names} if names is not None and names != list(numbers(len(names))) else {})


def run_record(
    command: str,
    start: StartingPoint,
    model: Config,
    training: TrainingConfig,
    data: dict[str, Any],
    machine: tuple[torch.device, int],
) -> dict[str, Any]:
    """Returns the record of a run, with everything that its results depend on.

    Args:
        command: Name of the training command.
        start: Settings that the run starts from.
        model: Settings of the model.
        training: Settings of the training.
        data: Identity of the data.
        machine: Device and number of CPU threads.
    """
    (device, threads), torchrun = machine, launcher()
    return {
        "command": command,
        "preset": start.preset,
        "model": asdict(model),
        "training": asdict(training),
        "data": data,
        "environment": {
            "versions": environment.versions(),
            "platform": platform.platform(),
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
            "threads": threads,
            "processes": dist.get_world_size() if dist.is_initialized() else 1,
            "commit": environment.source_commit(),
        }
        | ({} if torchrun is None else {"launcher": torchrun}),
    }
