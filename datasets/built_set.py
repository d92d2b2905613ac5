"""Reads built sets: the manifest of a folder written by `glimpse dataset build`, and its arrays.

Dimensions: N images of S x S pixels. Positions are pixels counted from 0, x before y.
"""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glimpse.datasets.array_files import ArrayFile, read_array
from glimpse.datasets.batches import SPLIT_OFFSETS
from glimpse.datasets.labels import numbers
from glimpse.digest import sha256_of_bytes
from glimpse.settings.base import short
from glimpse.settings.clutter import ClutterRecipe

__all__ = [
    "FORMAT",
    "MANIFEST",
    "PLAN",
    "BuiltSet",
    "inner",
    "is_count",
    "layout",
    "read_json",
    "read_set",
    "sealed",
    "without_digests",
]

FORMAT = "glimpse cluttered digits, version 1"
"""Value of the field `format` of a manifest."""

MANIFEST = "manifest.json"
"""Name of the file that describes a set; it is written last."""

PLAN = "building.json"
"""Name of the file with the arguments of an unfinished build and the number of images on the disk; removed after the manifest."""

_SEAL = "manifest_sha256"  # sets of earlier versions have none
_FIELDS = {"format", "split", "count", "seed", "recipe", "frame", "source", "sha256", _SEAL}


class BuiltSet(NamedTuple):
    """A built set, with its labels and centers in memory and its images in the file.

    Attributes:
        images: Shape (N, S, S), uint8.
        labels: Shape (N,), int64.
        centers: Center (x, y) of each digit's frame in pixels, shape (N, 2), float32.
        manifest: Recipe, seed, source and digests.
    """

    images: ArrayFile
    labels: NDArray[np.int64]
    centers: NDArray[np.float32]
    manifest: dict[str, Any]

    @property
    def frame(self) -> tuple[int, int]:
        """Height and width of the digits' frame in pixels."""
        height, width = self.manifest["frame"]
        return height, width

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of each class of the digits; the numbers from 0 if they have no names."""
        return tuple(self.manifest["source"].get("class_names") or numbers(1 + int(self.labels.max())))


def read_set(path: Path) -> BuiltSet:
    """Returns a built set without reading its images.

    Raises:
        ValueError: If the folder is not a built set, or its manifest or an array is not what a build writes.
    """
    manifest = read_json(path / MANIFEST)
    if manifest is None or manifest.get("format") != FORMAT:
        hint = "its build did not finish: run it again" if (path / PLAN).exists() else f"no {MANIFEST} of 'dataset build'"
        raise ValueError(f"{path} is not a built set ({hint})")
    _check_manifest(path / MANIFEST, manifest)
    arrays = {name: _array(path / name, *form) for name, form in layout(manifest).items()}
    built = BuiltSet(arrays["images.npy"], arrays["labels.npy"], arrays["centers.npy"], manifest)
    n_classes, last = manifest["source"]["n_classes"], manifest["recipe"]["canvas"] - 1
    if not 0 <= built.labels.min() <= built.labels.max() < n_classes:
        wrong = f"{built.labels.min()} to {built.labels.max()}, expected 0 to {n_classes - 1}"
        raise ValueError(f"{path / 'labels.npy'} is damaged: it holds labels of {wrong}; build the set again")
    if not ((built.centers >= 0) & (built.centers <= last)).all():  # true for NaN too
        raise ValueError(f"{path / 'centers.npy'} is damaged: it holds positions outside 0 to {last}; build the set again")
    return built


def layout(plan: dict[str, Any]) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
    """Returns the type and shape of every array of a set, by file name."""
    count, side = plan["count"], plan["recipe"]["canvas"]
    return {
        "images.npy": (np.dtype("u1"), (count, side, side)),
        "labels.npy": (np.dtype("<i8"), (count,)),
        "centers.npy": (np.dtype("<f4"), (count, 2)),
    }


def sealed(manifest: dict[str, Any]) -> dict[str, Any]:
    """Returns a manifest with the digest of its fields."""
    return manifest | {_SEAL: _digest(manifest)}


def without_digests(manifest: dict[str, Any]) -> dict[str, Any]:
    """Returns the fields of a manifest that were known before the build."""
    return {key: value for key, value in manifest.items() if key not in ("sha256", _SEAL)}


def read_json(path: Path) -> dict[str, Any] | None:
    """Returns the object in a JSON file, None if there is no such file.

    Raises:
        ValueError: If the file cannot be read, or holds something else.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, OSError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} does not hold a JSON object")
    return content


def inner(content: dict[str, Any], key: str) -> dict[str, Any]:
    """Returns the object at a key, an empty one if there is none."""
    value = content.get(key)
    return value if isinstance(value, dict) else {}


def is_count(value: object, *, low: int = 0, high: float = math.inf) -> bool:
    """Returns whether a value is an integer in a range, its ends included."""
    return type(value) is int and low <= value <= high


def _array(path: Path, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Any:
    """Returns the images as a file, other arrays in memory."""
    try:
        array = ArrayFile(path) if len(shape) == 3 else read_array(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read ({error}); build the set again") from error
    if array.dtype != dtype or array.shape != shape:
        raise ValueError(f"{path} holds {array.dtype} {array.shape}, expected {dtype} {shape}, as in the manifest")
    return array


def _check_manifest(path: Path, manifest: dict[str, Any]) -> None:
    """Checks that a manifest has the fields that a build writes."""
    recipe, source, frame = inner(manifest, "recipe"), inner(manifest, "source"), manifest.get("frame")
    fields = {
        "count": is_count(manifest.get("count"), low=1),
        "split": isinstance(manifest.get("split"), str) and manifest["split"] in SPLIT_OFFSETS,
        "seed": is_count(manifest.get("seed"), high=2**64 - 1),
        "frame": isinstance(frame, list) and len(frame) == 2 and all(is_count(side, low=1) for side in frame),
        "recipe": recipe.keys() == asdict(ClutterRecipe()).keys()
        and all(map(is_count, recipe.values()))
        and is_count(recipe["canvas"], low=1),
        "source": isinstance(source.get("name"), str)
        and isinstance(source.get("sha256"), str)
        and is_count(source.get("n_classes"), low=1)
        and all(map(is_count, inner(source, "sizes").values()))
        and (source.get("seed", "") is None or is_count(source.get("seed"), high=2**64 - 1))
        and source.get("split") in (None, "stratified", "legacy")
        and _are_names(source.get("class_names"), source.get("n_classes")),
    }
    fields["sha256"] = all(fields.values()) and inner(manifest, "sha256").keys() == layout(manifest).keys()
    wrong = [key for key, is_right in fields.items() if not is_right] + sorted(manifest.keys() - _FIELDS)
    if wrong:
        raise ValueError(f"{path} is damaged: {short(wrong[0])} is missing or not what 'dataset build' writes; build the set again")
    if manifest.get(_SEAL, _digest(manifest)) != _digest(manifest):
        raise ValueError(f"{path} is damaged: a field was changed, the manifest's own SHA-256 differs; build the set again")


def _are_names(names: object, count: object) -> bool:
    return names is None or (isinstance(names, list) and len(names) == count and all(isinstance(name, str) for name in names))


def _digest(manifest: dict[str, Any]) -> str:
    fields = {key: value for key, value in manifest.items() if key != _SEAL}
    return sha256_of_bytes(json.dumps(fields, sort_keys=True).encode())
