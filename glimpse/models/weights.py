"""Trained weights as safetensors files: reading them runs no code, and their bytes depend only on the training.

References:
    The safetensors format: github.com/huggingface/safetensors. Only one metadata key is written, since the format orders several at
    random.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from glimpse import pretrained
from glimpse.atomic import write_atomically

__all__ = ["WEIGHTS", "class_names", "find_weights", "kept_weights", "load_weights", "named_classes", "read_facts", "save_weights"]

WEIGHTS = "model.safetensors"
"""Name of the weights file in a run's folder."""

_KEY = "glimpse"


def save_weights(path: Path, weights: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Writes weights atomically, with the facts that are needed to rebuild and evaluate the model.

    Args:
        path: File to write.
        weights: Tensors by name.
        facts: In JSON's types: `model`, the name of the class; `config`, its settings; `task`, the data that it was trained on.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(weights.items())}
    write_atomically(path, save(tensors, metadata={_KEY: json.dumps(facts, sort_keys=True)}))


def load_weights(source: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Returns weights and the facts stored with them.

    Args:
        source: A run's folder, a weights file or `pretrained:NAME`.

    Raises:
        ValueError: If there are no weights, or the file was not written by this package.
        OSError: If the file cannot be read.
    """
    with _opened(source) as (file, facts):
        return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118 (the file is no mapping)


def read_facts(source: str | Path) -> dict[str, Any]:
    """Returns the facts stored with weights, without reading the weights; arguments and errors as `load_weights`."""
    with _opened(source) as (_, facts):
        return facts


@contextlib.contextmanager
def _opened(source: str | Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Context with a weights file and its facts."""
    path = find_weights(source)
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {}).get(_KEY, "null"))
            if not isinstance(facts, dict) or not {"model", "config", "task"} <= facts.keys() or "kind" not in facts["task"]:
                raise ValueError(f"its metadata have no description of the model under the key {_KEY!r}")
            yield file, facts
    except (SafetensorError, ValueError) as error:
        way = "copy the file again, or train again"
        raise ValueError(f"{path} does not contain weights written by glimpse ({error}): {way}") from error


def named_classes(facts: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Returns the names of a classifier's classes from the facts stored with its weights; None if they are numbers."""
    names = facts["task"].get("class_names")
    return None if names is None else tuple(names)


def class_names(facts: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Returns the names of a classifier's classes from the facts stored with its weights: the numbers from 0 if it has none.

    Args:
        facts: Those of `load_weights`.

    Returns:
        One name for each class; None for a model that does not classify.
    """
    count = facts["config"].get("classes")
    if count is None:
        return None
    return tuple(facts["task"].get("class_names") or map(str, range(count)))


def kept_weights(folder: Path) -> dict[int, Path]:
    """Returns the weights files that a run saved during training, by the number of images seen, in ascending order.

    Args:
        folder: Folder of the run.

    Returns:
        Paths by number of images; empty if the folder has no such files or does not exist.
    """
    files = (folder / "checkpoints").glob("weights-*.safetensors")
    return dict(sorted((int(path.stem.partition("-")[2]), path) for path in files))


def find_weights(source: str | Path) -> Path:
    """Returns the path of the weights file of a run's folder, of `pretrained:NAME`, or of the file itself.

    Raises:
        ValueError: If there is no such file.
    """
    if isinstance(source, str) and source.startswith(pretrained.PREFIX):
        return pretrained.find(source)
    path = Path(source)
    if path.is_dir():
        path = path / WEIGHTS
        if not path.is_file():
            raise ValueError(
                f"{path.parent} holds no {WEIGHTS}: no run has finished a validation there, or the file was removed; restore it, "
                "or train in another folder"
            )
    if not path.is_file():
        raise ValueError(f"no run, weights file or pretrained model at {source}; `glimpse pretrained` lists what is shipped")
    return path
