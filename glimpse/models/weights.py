"""Trained weights as safetensors files: reading them runs no code, and their bytes depend only on the training.

References:
    The safetensors format: github.com/huggingface/safetensors. Only one metadata key is written, since the format orders several at
    random.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from safetensors.torch import load, save
from torch import Tensor

from glimpse import pretrained
from glimpse.atomic import write_atomically
from glimpse.digest import sha256_of_bytes
from glimpse.models.tensors import MOST_WEIGHT, check_values
from glimpse.settings.record import DIGEST, check_facts

__all__ = ["WEIGHTS", "class_names", "find_weights", "kept_weights", "load_weights", "named_classes", "read_facts", "save_weights"]

WEIGHTS = "model.safetensors"
"""Name of the weights file in a run's folder."""

_KEY = "glimpse"
_NO_DIGEST = "0" * 64  # in place of the digest while it is computed
_LONGEST_HEADER = 2**24  # bytes; that of a model here has some thousands
_REMEDY = "copy the file again, or train again"


def save_weights(path: Path, weights: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Writes weights atomically, with the facts that are needed to rebuild and evaluate the model.

    The metadata also hold the SHA-256 of the whole file with 64 zeros in place of the digest.

    Args:
        path: File to write.
        weights: Tensors by name.
        facts: In JSON's types: `model`, the name of the class; `config`, its settings; `task`, the data that it was trained on.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(weights.items())}
    content = save(tensors, metadata={_KEY: json.dumps({**facts, DIGEST: _NO_DIGEST}, sort_keys=True)})
    write_atomically(path, content.replace(_NO_DIGEST.encode(), sha256_of_bytes(content).encode(), 1))


def load_weights(source: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Returns weights and the facts stored with them.

    Digests are checked: that of the file, if it has one, and that of a shipped model. All values are finite and below 10^9.

    Args:
        source: A run's folder, a weights file or `pretrained:NAME`.

    Raises:
        ValueError: If there are no weights, the file was not written by this package, or it is damaged.
        OSError: If the file cannot be read.
    """
    path = find_weights(source)
    with path.open("rb") as file:
        facts = _read_facts(path, file)
        file.seek(0)
        content = file.read()
    _check_digests(source, path, content, facts.pop(DIGEST, None))
    try:
        weights = load(content)
    except Exception as error:  # damage raises many types of errors
        raise _foreign(path, error) from error
    try:
        check_values(weights, MOST_WEIGHT)
    except ValueError as error:
        raise ValueError(f"{path} holds weights that cannot be used ({error}): {_REMEDY}") from error
    return weights, facts


def read_facts(source: str | Path) -> dict[str, Any]:
    """Returns the facts stored with weights, without reading the weights; arguments and errors as `load_weights`."""
    path = find_weights(source)
    with path.open("rb") as file:
        facts = _read_facts(path, file)
    facts.pop(DIGEST, None)
    return facts


def _read_facts(path: Path, file: BinaryIO) -> dict[str, Any]:
    """Returns the facts in the header of a weights file, which is 8 bytes with its length and an object in JSON."""
    try:
        length = int.from_bytes(file.read(8), "little")
        if length > _LONGEST_HEADER:
            raise ValueError("it has no header")
        header = json.loads(file.read(length))
        metadata = header.get("__metadata__") if isinstance(header, dict) else None
        text = metadata.get(_KEY) if isinstance(metadata, dict) else None
        if not isinstance(text, str):
            raise ValueError(f"its metadata have no description of the model under the key {_KEY!r}")
        facts: dict[str, Any] = json.loads(text)
        check_facts(facts)
    except (ValueError, RecursionError) as error:
        raise _foreign(path, error) from error
    return facts


def _foreign(path: Path, error: Exception) -> ValueError:
    """Returns the error of a file without weights that this package wrote."""
    return ValueError(f"{path} does not contain weights written by glimpse ({' '.join(str(error).split())}): {_REMEDY}")


def _check_digests(source: str | Path, path: Path, content: bytes, stored: str | None) -> None:
    """Raises ValueError if the content of a file differs from its stored digest, or from that of a shipped model."""
    shipped = pretrained.digest_of(source) if isinstance(source, str) and source.startswith(pretrained.PREFIX) else None
    blank = content if stored is None else content.replace(stored.encode(errors="replace"), _NO_DIGEST.encode(), 1)
    if stored not in (None, sha256_of_bytes(blank)) or shipped not in (None, sha256_of_bytes(content)):
        remedy = "install the package again" if shipped else _REMEDY
        raise ValueError(f"{path} is damaged (its content differs from its digest): {remedy}")


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
    files = {path.stem.partition("-")[2]: path for path in (folder / "checkpoints").glob("weights-*.safetensors")}
    return dict(sorted((int(count), path) for count, path in files.items() if count.isdecimal()))


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
