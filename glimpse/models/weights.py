"""Trained weights as safetensors files: no code runs when they are read, and their bytes depend on nothing but the training.

References:
    The safetensors format: github.com/huggingface/safetensors. It orders several metadata keys at random, so one is written.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from glimpse import pretrained
from glimpse.atomic import write_atomically
from glimpse.settings.base import from_mapping

__all__ = ["WEIGHTS", "kept_weights", "load_model", "load_weights", "save_weights"]

WEIGHTS = "model.safetensors"
"""Name of the weights' file in a run's folder."""

_KEY = "glimpse"

M = TypeVar("M", bound=nn.Module)


def save_weights(path: Path, weights: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Writes weights with what is needed to rebuild and evaluate their model, atomically.

    Args:
        path: File to write.
        weights: Tensors by name.
        facts: JSON-able: `model` (the class's name), `config` (its config) and `task` (what it was trained on).
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(weights.items())}
    write_atomically(path, save(tensors, metadata={_KEY: json.dumps(facts, sort_keys=True)}))


def load_weights(source: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Returns weights and the facts stored with them.

    Args:
        source: A run's folder, a weights file or `pretrained:NAME`.

    Raises:
        ValueError: If there are no weights there, or the file is not this package's.
    """
    path = find_weights(source)
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {}).get(_KEY, "null"))
            if not isinstance(facts, dict) or not {"model", "config", "task"} <= facts.keys() or "kind" not in facts["task"]:
                raise ValueError(f"its metadata do not say what model it is, under the key {_KEY!r}")
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118 (the file is no mapping)
    except (SafetensorError, ValueError) as error:
        way = "take a whole copy of the file, or train again"
        raise ValueError(f"{path} does not hold weights that glimpse wrote ({error}): {way}") from error


def kept_weights(folder: Path) -> dict[int, Path]:
    """Returns the weights files that a run kept along the way, by the number of images seen until then, in ascending order.

    Args:
        folder: The run's; empty for a folder that has none, or is not there.
    """
    files = (folder / "checkpoints").glob("weights-*.safetensors")
    return dict(sorted((int(path.stem.partition("-")[2]), path) for path in files))


def load_model(kind: type[M], config: type, source: str | Path) -> M:
    """Returns a trained model, ready to evaluate.

    Args:
        kind: Its class, which is built from a config.
        config: That config's class.
        source: A run's folder, a weights file or `pretrained:NAME`.

    Raises:
        ValueError: If there is no such model, or it is of another class.
        OSError: If the file cannot be read.
    """
    weights, facts = load_weights(source)
    if facts["model"] != kind.__name__:
        raise ValueError(f"{source} holds the weights of {facts['model']}, not of {kind.__name__}")
    model = kind(from_mapping(config, facts["config"]))
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"{source} holds weights that do not fit its config ({' '.join(str(error).split())})") from error
    return model.eval()


def find_weights(source: str | Path) -> Path:
    """Returns the weights file of a run's folder, of `pretrained:NAME`, or the file itself.

    Raises:
        ValueError: If there is none.
    """
    if isinstance(source, str) and source.startswith(pretrained.PREFIX):
        return pretrained.find(source)
    path = Path(source)
    if path.is_dir():
        path = path / WEIGHTS
        if not path.is_file():
            raise ValueError(
                f"{path.parent} holds no {WEIGHTS}: no run has finished a validation there, or it was taken away; put it back, "
                "or train in another folder"
            )
    if not path.is_file():
        raise ValueError(f"no run, weights file or pretrained model at {source}; `glimpse pretrained` lists what is shipped")
    return path
