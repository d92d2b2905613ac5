"""Records of a run: reading its config.json, and protecting its metrics from being overwritten by other files."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["METRICS", "check_output", "read_config", "refuse_record"]

METRICS = "metrics.csv"
"""Name of the file that holds a run's metrics."""

_DATA = {  # required fields of each kind of data
    "cluttered": ("digits", "recipe"),
    "file": ("path", "sha256"),
    "generative": ("name", "source", "sha256"),
}


def read_config(path: Path) -> dict[str, Any]:
    """Returns the settings recorded in a run's folder or in its config.json.

    Args:
        path: The folder or the file.

    Raises:
        ValueError: If there is no such file, or it does not hold the settings of a run.
    """
    file = path / "config.json" if path.is_dir() else path
    try:
        config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path} is not a run's folder: it has no config.json") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is not JSON ({error}): restore a copy, or train again in another folder") from error
    sections = config if isinstance(config, dict) else {}
    missing = [name for name in ("model", "training", "data", "environment") if not isinstance(sections.get(name), dict)]
    missing += [name for name in ("command", "preset") if name not in sections]
    if "data" not in missing and not {*_DATA.get(sections["data"].get("kind"), ("kind",))} <= sections["data"].keys():
        missing.append("data")
    if missing:
        raise ValueError(f"{file} does not hold the settings of a run: {', '.join(missing)} missing or damaged")
    return config


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
