"""Output of `glimpse doctor`: the facts about a machine that a bug report needs."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from glimpse.commands import console
from glimpse.environment import busy_cores, choose_device, cuda_devices, usable_cores, use_threads, versions

__all__ = ["doctor", "flatten", "report"]

_VARIABLES = ("GLIMPSE_DATA", "GLIMPSE_DEBUG", "GLIMPSE_NO_LIMITS", "OMP_NUM_THREADS", "OMP_WAIT_POLICY", "CUDA_VISIBLE_DEVICES")


def doctor(data_dir: Path | None, *, as_json: bool) -> None:
    """Prints the report, with `as_json` as a single line of JSON."""
    facts = report(data_dir)
    if as_json:
        console.print_json(facts)
    else:
        console.print_rows(("what", "value"), flatten(facts))


def report(data_dir: str | Path | None = None) -> dict[str, Any]:
    """Returns versions, device, threads, data found, free memory and disk space in GB, and environment variables.

    Args:
        data_dir: Folder searched first for digits.
    """
    busy = busy_cores()  # before importing torch, which keeps a core busy
    return {
        "versions": versions(),
        "platform": platform.platform(),
        "executable": sys.executable,
        "device": _device_report(),
        "cpu": {
            "cpus": os.cpu_count(),
            "usable_cores": usable_cores(),
            "busy_cores": round(busy, 2),
            "load": [round(load, 2) for load in psutil.getloadavg()],
            "threads": use_threads(),
        },
        "digits": _digits_report(data_dir),
        "memory_free_gb": round(psutil.virtual_memory().available / 1e9, 1),
        "disk_free_gb": round(shutil.disk_usage(Path.cwd()).free / 1e9, 1),
        "environment": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
    }


def flatten(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yields nested facts as rows (name, value), with names joined by dots.

    >>> list(flatten({"cpu": {"load": [0.5, 1.0]}, "digits": None}))
    [('cpu.load', '0.5, 1.0'), ('digits', None)]
    """
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, ", ".join(map(str, value)) if isinstance(value, list) else value


def _device_report() -> dict[str, Any]:
    """Returns the default device and the other devices available."""
    import torch

    cuda, reason = cuda_devices()
    facts: dict[str, Any] = {
        "auto": str(choose_device()),
        "built_for_cuda": torch.version.cuda,
        "mps": torch.backends.mps.is_available(),
    }
    for index in range(cuda):
        free, total = (round(size / 1e9, 1) for size in torch.cuda.mem_get_info(index))
        facts[f"cuda:{index}"] = f"{torch.cuda.get_device_name(index)}, {free} of {total} GB free"
    return facts | ({"reason": reason.removeprefix("; ")} if reason else {})


def _digits_report(data_dir: str | Path | None) -> dict[str, Any]:
    """Returns the folders that are searched for digits, and the folder of each source that was found."""
    from glimpse.datasets.folders import search_places
    from glimpse.datasets.mnist import LAYOUTS, is_complete

    places = search_places(Path(data_dir) if data_dir is not None else None)
    found = {name: next((str(place) for place in places if is_complete(name, place)), None) for name in LAYOUTS}
    return {"places": [str(place) for place in places]} | found
