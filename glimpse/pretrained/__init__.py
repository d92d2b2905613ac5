"""Trained models that come with the package: NAME.safetensors with its facts in NAME.json and its model card in NAME.md."""

import json
from pathlib import Path
from typing import Any

__all__ = ["PREFIX", "available", "find"]

PREFIX = "pretrained:"
"""What stands before a shipped model's name where a run's folder could stand too."""

_FOLDER = Path(__file__).parent


def available() -> dict[str, dict[str, Any]]:
    """Returns the facts of every shipped model by its name; a model without facts has an empty dictionary."""
    return {path.stem: _facts(path.with_suffix(".json")) for path in sorted(_FOLDER.glob("*.safetensors"))}


def find(name: str) -> Path:
    """Returns where a shipped model's weights lie.

    Args:
        name: The model's name, with or without `pretrained:` before it.

    Raises:
        ValueError: If no model of that name is shipped.
    """
    name = name.removeprefix(PREFIX)
    if name not in available():
        raise ValueError(f"no pretrained model is called {name!r}; there are: {', '.join(available()) or 'none in this version'}")
    return _FOLDER / f"{name}.safetensors"


def _facts(path: Path) -> dict[str, Any]:
    """Returns the object in a JSON file, empty if there is no file."""
    if not path.exists():
        return {}
    facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return facts
