"""What every training is put together with, whatever it trains: settings, their record, the processes it runs in.

The settings are those of a run's `config.json`, so that a new run, a resumed one and one that starts from another's settings are
put together by the same code.
"""

import gc
import math
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist

import glimpse
from glimpse import environment
from glimpse.settings.config import AnyClassifierConfig, GeneratorConfig, TrainingConfig, from_mapping
from glimpse.settings.presets import CLASSIFIER_MODELS
from glimpse.training.loop import read_config

__all__ = ["budget", "is_file", "joined_processes", "merged", "refuse_differences", "settings", "starting_point", "task_facts"]

C = TypeVar("C")


def starting_point(
    command: str,
    kinds: Mapping[str, type[AnyClassifierConfig] | type[GeneratorConfig]],
    options: dict[str, Any],
    chosen: dict[str, Any],
) -> tuple[str, dict[str, Any]]:
    """Returns a new run's preset, and the settings of another run to start from: its own, all empty unless there is `--config`.

    Args:
        command: The one that trains.
        kinds: The presets that there are, with the config of each one's model.
        options: `preset` and `config_file`.
        chosen: What was given explicitly.

    Raises:
        ValueError: If both were chosen, or the other run is one of another command, or its preset or settings are unknown.
    """
    if options["config_file"] is None:
        return options["preset"], {"model": {}, "training": {}, "data": {}}
    if "preset" in chosen:
        raise ValueError("give the settings to start from as --preset or as --config, not both")
    base = read_config(options["config_file"])
    if base["command"] != command:
        raise ValueError(f"{options['config_file']} holds the settings of glimpse {base['command']}, not of {command}")
    if base["preset"] not in kinds:
        raise ValueError(f"{options['config_file']} names the preset {base['preset']!r}; there are {', '.join(kinds)}")
    from_mapping(kinds[base["preset"]], base["model"])  # an unknown name is a mistake, not something to leave out
    from_mapping(TrainingConfig, base["training"])
    return base["preset"], base


def merged(kind: type[C], base: dict[str, Any], chosen: dict[str, Any]) -> C:
    """Returns a config from a base's fields and those that were chosen in their place; other names are not looked at.

    Raises:
        ValueError: If a value is not of its type or out of its range.
    """
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return from_mapping(kind, {name: value for name, value in (base | chosen).items() if name in names})


def budget(options: dict[str, Any], chosen: dict[str, Any], count: int) -> dict[str, int]:
    """Returns the budget in images where it was given in epochs of so many images, else nothing.

    Raises:
        ValueError: If it was given both ways.
    """
    if options["epochs"] is None:
        return {}
    if not math.isfinite(options["epochs"]):
        raise ValueError(f"epochs must be a finite number, got {options['epochs']}")
    if "images" in chosen:
        raise ValueError("give the budget as --epochs or as --images, not both")
    return {"images": max(1, round(options["epochs"] * count))}


def refuse_differences(run: dict[str, Any], chosen: dict[str, Any]) -> None:
    """Checks that what was chosen on the command line is what a run was started with; a file may have moved, its digest decides.

    Raises:
        ValueError: If anything differs; the message names it with both values.
    """
    data = run["data"]
    known = run["model"] | run["training"] | data.get("recipe", {}) | {"preset": run["preset"]}
    known |= {
        name: tuple(value) if isinstance(value := data.get(name), list) else value for name in ("binarization", "crop", "size")
    }
    known |= {"model": next((model for model, presets in CLASSIFIER_MODELS.items() if run["preset"] in presets), None)}
    known |= {"threads": run["environment"]["threads"], "digits": data.get("digits", {}).get("digits")}
    known |= {"data": data.get("source", data.get("path"))}
    for name, value in chosen.items():
        if known.get(name) is not None and (name == "data" or (name == "digits" and is_file(known[name]) and is_file(value))):
            continue
        same = (value, str(Path(value).resolve())) if name in ("digits", "data") else (value,)
        if known.get(name) not in same and (name, value) != ("digits", "auto"):
            option, before = f"--{name.replace('_', '-')}", known.get(name)
            started = f"with {option} {before}, not {value}" if before is not None else f"without {option}"
            raise ValueError(f"the run was started {started}: leave it out or choose another --out")


def is_file(digits: object) -> bool:
    """Returns whether a digit source is a person's own file."""
    return str(digits).endswith(".npz")


def task_facts(data: dict[str, Any]) -> dict[str, Any]:
    """Returns what a weights file says of its task, from a run's record of its data: nothing that depends on the machine."""
    if data["kind"] == "cluttered":
        digits = data["digits"]
        own = {"seed": digits["seed"], "sha256": digits["sha256"]} if digits["name"] == "file" else {}
        return {"kind": "cluttered", "digits": digits["name"], "recipe": data["recipe"]} | own
    if data["kind"] == "generative":
        own = {"path": None} if data["name"] == "pictures" else {}
        return {name: data[name] for name in ("kind", "name", "sha256", "binarization", "crop", "size")} | own
    return {"kind": "file", "sha256": data["sha256"]}


def settings(
    command: str,
    preset: str,
    model: AnyClassifierConfig | GeneratorConfig,
    training: TrainingConfig,
    data: dict[str, Any],
    *,
    device: torch.device,
    threads: int,
) -> dict[str, Any]:
    """Returns a run's `config.json`: everything that its numbers depend on."""
    return {
        "command": command,
        "preset": preset,
        "model": asdict(model),
        "training": asdict(training),
        "data": data,
        "environment": {
            "versions": environment.versions(),
            "platform": platform.platform(),
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
            "threads": threads,
            "processes": dist.get_world_size() if dist.is_initialized() else 1,
            "commit": _commit(),
        },
    }


class joined_processes:  # noqa: N801 (used as a context)
    """Context in which torchrun's processes are joined; without torchrun it does nothing.

    Args:
        device: Where this process computes: NCCL joins CUDA devices, Gloo all others.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.world = int(os.environ.get("WORLD_SIZE", "1"))

    def __enter__(self) -> int:
        """Returns this process's rank."""
        if self.world == 1:
            return 0
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
        dist.init_process_group("nccl" if self.device.type == "cuda" else "gloo")
        return dist.get_rank()

    def __exit__(self, *error: object) -> None:
        if self.world > 1:
            if error[0] is None:
                dist.barrier()
            gc.collect()  # DistributedDataParallel is a cycle that holds the group, whose threads must not outlive Python
            dist.destroy_process_group()


def _commit() -> str | None:
    """Returns the git commit of the source tree, None where the package is installed without one."""
    package = Path(glimpse.__file__).resolve().parent
    try:
        command = ["git", "-C", str(package), "rev-parse", "HEAD"]
        found = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    inside = found.returncode == 0 and (package.parent / "pyproject.toml").is_file()
    return found.stdout.strip() if inside else None
