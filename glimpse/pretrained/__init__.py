"""Trained models shipped with the package: weights in NAME.safetensors, facts in NAME.json and a model card in NAME.md."""

import json
from pathlib import Path
from typing import Any

__all__ = ["PREFIX", "available", "digest_of", "find"]

PREFIX = "pretrained:"
"""Prefix of a shipped model's name, which tells it from a path."""

_FOLDER = Path(__file__).parent


def available() -> dict[str, dict[str, Any]]:
    """Returns the facts of every shipped model by name; empty for a model without facts."""
    return {path.stem: _facts(path.with_suffix(".json")) for path in sorted(_FOLDER.glob("*.safetensors"))}


def find(name: str) -> Path:
    """Returns the path of a shipped model's weights.

    Args:
        name: Name of the model, with or without the prefix `pretrained:`.

    Raises:
        ValueError: If no model of this name is shipped.
    """
    name = name.removeprefix(PREFIX)
    if name not in available():
        raise ValueError(
            f"no pretrained model is called {name!r}: choose {', '.join(available()) or 'none, this version has none'}"
        )
    return _FOLDER / f"{name}.safetensors"


def digest_of(name: str) -> str | None:
    """Returns the SHA-256 of a shipped model's weights file, None if it is not recorded; arguments and errors as `find`."""
    digest: str | None = _facts(find(name).with_suffix(".json")).get("sha256")
    return digest


def _facts(path: Path) -> dict[str, Any]:
    """Returns the object in a JSON file; empty if there is no such file."""
    if not path.exists():
        return {}
    facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return facts
