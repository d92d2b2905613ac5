"""Built sets: cluttered digits rendered once to a folder of memory-mappable arrays with a manifest.

A killed build resumes where it stopped and ends with the same bytes. The manifest is written last; a folder without it is no set.
Dimensions: N images of S x S pixels. Positions are pixels counted from 0, x before y.
"""

import contextlib
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import torch

from glimpse.atomic import leftovers, named, write_atomically
from glimpse.datasets.batches import Split
from glimpse.datasets.built_set import (
    FORMAT,
    MANIFEST,
    PLAN,
    BuiltSet,
    inner,
    is_count,
    layout,
    read_json,
    read_set,
    sealed,
    without_digests,
)
from glimpse.datasets.catalog import DIGIT_SOURCES
from glimpse.datasets.clutter import ClutteredMNIST
from glimpse.datasets.digits import DigitSource, open_digits
from glimpse.datasets.labels import numbers
from glimpse.datasets.split_rule import SplitRule
from glimpse.digest import sha256_of_file
from glimpse.settings.clutter import ClutterRecipe

__all__ = ["CHUNK_BYTES", "Progress", "Verdict", "build", "source_at_hand", "verify"]

CHUNK_BYTES = 16 << 20
"""Bytes of images that are rendered and written between two reports of progress."""

_N_RENDERED_AGAIN = 1000
_SMALL_FILES = 1 << 16  # bytes reserved for headers, plan and manifest


class Progress(NamedTuple):
    """Progress of a build.

    Attributes:
        done: Number of images that are on the disk.
        total: Number of images in the whole set.
    """

    done: int
    total: int


@dataclass(frozen=True)
class Verdict:
    """Result of a verification that found no error.

    Attributes:
        count: Number of images.
        rendered_again: Number of images that were rendered again from the digits and compared; 0 if the digits were not available.
    """

    count: int
    rendered_again: int


def build(
    out: Path,
    source: DigitSource,
    *,
    split: Split = "test",
    count: int | None = None,
    seed: int | None = None,
    recipe: ClutterRecipe | None = None,
    device: torch.device | str = "cpu",
) -> Iterator[Progress]:
    """Writes a set to a folder: `images.npy`, `labels.npy`, `centers.npy` and `manifest.json`; yields the progress.

    An unfinished build in the folder is resumed if it has the same arguments, and replaced if it has no image yet; a finished one
    yields its end at once. The bytes depend only on the arguments.

    Args:
        out: Folder of the set: new, empty, or with a build of the same arguments.
        source: Source of the glyphs.
        split: Split of the source.
        count: Number of images; one per glyph if None. Further images follow further permutations of the glyphs.
        seed: Random seed, 0 to 2^64 - 1; `EVALUATION_SEED` for validation and test if None.
        recipe: Constants of the clutter; the authors' if None.
        device: Device that renders the images.

    Yields:
        The number of images on the disk, at the start and after each chunk.

    Raises:
        ValueError: If the folder holds something else, the set does not fit on the disk, or an argument is out of range.
        OSError: If the disk is full or the folder cannot be written; the message names the file.
    """
    digits: ClutteredMNIST = ClutteredMNIST(getattr(source, split).to(device), split, recipe, seed=seed)
    count = len(digits) if count is None else count
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    plan = _plan(digits, source, count)
    begun = _begin(out, plan)
    return _build(out, digits, plan, begun)


def verify(path: Path, source: DigitSource | None = None) -> Verdict:
    """Checks the manifest, shapes and digests of a built set and, if its digits are available, renders up to 1,000 images again.

    Args:
        path: Folder of the set.
        source: Source of the glyphs; ignored unless the set was built from the same glyphs.

    Raises:
        ValueError: If the set does not match its manifest.
    """
    built = read_set(path)
    for name, digest in built.manifest["sha256"].items():
        if sha256_of_file(path / name) != digest:
            raise ValueError(f"{path / name} was changed or damaged: its SHA-256 differs from the manifest's; build the set again")
    if source is None or source.sha256 != built.manifest["source"]["sha256"]:
        return Verdict(len(built.labels), 0)
    return Verdict(len(built.labels), _render_again(path, built, source))


def source_at_hand(path: Path, digits: str | None = None, data_dir: Path | None = None) -> DigitSource | None:
    """Returns the glyphs that a set was built from, None if they are not on this machine; nothing is downloaded.

    Args:
        path: Folder of the set.
        digits: Name or path of the source; that in the manifest if None. Needed for a set built from your own file.
        data_dir: Folder to search first.

    Raises:
        FileNotFoundError: If `digits` is given and not found.
        ValueError: If `digits` is given and the set was built from other glyphs, or the folder is not a built set.
    """
    built_from = read_set(path).manifest["source"]
    kind, seed = SplitRule.of_record(built_from)
    if digits is not None:
        named_source = open_digits(digits, data_dir=data_dir, seed=seed, split=kind, download=False)
        if named_source.sha256 != built_from["sha256"]:
            raise ValueError(f"{path} was not built from {digits}: the SHA-256 in its {MANIFEST} differs")
        return named_source
    entry = DIGIT_SOURCES.get(built_from["name"])
    if entry is None or not entry.is_named:
        return None
    try:
        return open_digits(built_from["name"], data_dir=data_dir, seed=seed, download=False)
    except FileNotFoundError:
        return None


def _render_again(path: Path, built: BuiltSet, source: DigitSource) -> int:
    manifest, count = built.manifest, len(built.labels)
    recipe = ClutterRecipe(**manifest["recipe"])
    digits = ClutteredMNIST(getattr(source, manifest["split"]), manifest["split"], recipe, seed=manifest["seed"])
    facts = {"frame": list(digits.digits.images.shape[1:])} | {key: source.record()[key] for key in ("n_classes", "sizes")}
    for key, value in facts.items():
        if (manifest if key == "frame" else manifest["source"])[key] != value:
            raise ValueError(f"{path / MANIFEST} is damaged: {key} is not {value}, as of its digits; build the set again")
    rows = np.unique(np.linspace(0, count - 1, min(count, _N_RENDERED_AGAIN)).astype(np.int64))
    for chosen in np.array_split(rows, 1 + len(rows) // 100):
        rendered = digits.render(torch.from_numpy(chosen))
        for name, again in zip(("images", "labels", "centers"), rendered, strict=True):
            if not np.array_equal(again.numpy(), getattr(built, name)[chosen]):
                raise ValueError(f"{path}: {name} among {chosen[0]} to {chosen[-1]} are not what the recipe renders")
    return len(rows)


def _plan(digits: ClutteredMNIST, source: DigitSource, count: int) -> dict[str, Any]:
    """Returns everything that the bytes of a set depend on, in JSON's types."""
    whole = source.record()
    record = {key: whole[key] for key in ("name", "n_classes", "seed", "sha256", "sizes")}
    if source.split is not None:  # your own digits
        record |= {"split": source.split}
    if source.class_names != numbers(source.n_classes):
        record |= {"class_names": whole["class_names"]}
    return {
        "format": FORMAT,
        "split": digits.split,
        "count": count,
        "seed": digits.seed,
        "recipe": asdict(digits.recipe),
        "frame": list(digits.digits.images.shape[1:]),
        "source": record,
    }


def _begin(out: Path, plan: dict[str, Any]) -> int:
    """Prepares the folder of a build and returns the number of images that it holds already."""
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; name a new folder")
    if not _nearest(out).is_dir():
        raise ValueError(f"{out} cannot be made because {_nearest(out)} is a file; name another folder")
    finished, begun = read_json(out / MANIFEST), read_json(out / PLAN)
    if finished is not None:
        _refuse_other(out, without_digests(finished), plan)
        return int(plan["count"])
    if begun is not None and begun.get("done") != 0:
        _refuse_other(out, begun.get("plan"), plan)
        if not is_count(begun.get("done"), high=plan["count"]):
            raise ValueError(f"{out / PLAN} is damaged; remove the folder and build the set again")
        _refuse_too_large(out, plan)
        return int(begun["done"])
    if begun is None and out.exists() and set(out.iterdir()) - set(leftovers(out)):
        raise ValueError(f"{out} is not empty and holds no build to resume; name a new folder")
    _refuse_too_large(out, plan)
    out.mkdir(parents=True, exist_ok=True)
    _write_json(out / PLAN, {"plan": plan, "done": 0})
    return 0


def _nearest(path: Path) -> Path:
    """Returns the path itself, or its nearest parent that exists."""
    return next(place for place in (path, *path.parents) if place.exists())


def _refuse_too_large(out: Path, plan: dict[str, Any]) -> None:
    arrays = layout(plan)
    needed = sum(dtype.itemsize * math.prod(shape) for dtype, shape in arrays.values()) + _SMALL_FILES
    there = sum((out / name).stat().st_size for name in arrays if (out / name).exists())
    free = shutil.disk_usage(_nearest(out)).free
    if needed - there > free:
        raise ValueError(f"{out}: the set needs {(needed - there) / 1e9:,.3f} GB more, the disk has {free / 1e9:,.3f} GB free")


def _refuse_other(out: Path, there: object, plan: dict[str, Any]) -> None:
    if there == plan:
        return
    old: dict[str, Any] = _flat(there) if isinstance(there, dict) else {}
    differing = [f"{key} {old.get(key)}, not {value}" for key, value in _flat(plan).items() if old.get(key) != value]
    raise ValueError(f"{out} holds a set with other options ({'; '.join(differing[:3])}); name a new folder")


def _flat(plan: dict[str, Any]) -> dict[str, Any]:
    """Returns the plan with its inner keys at the top level."""
    origin = {f"source {key}": value for key, value in inner(plan, "source").items()}
    outer = {key: value for key, value in plan.items() if key not in ("recipe", "source")}
    return {**outer, **inner(plan, "recipe"), **origin}


def _build(out: Path, digits: ClutteredMNIST, plan: dict[str, Any], begun: int) -> Iterator[Progress]:
    total = int(plan["count"])
    yield Progress(begun, total)
    if (out / MANIFEST).exists():
        with contextlib.suppress(OSError):  # a finished set may be on a disk that is read-only
            (out / PLAN).unlink()
        return
    chunk = max(1, CHUNK_BYTES // digits.recipe.canvas**2)
    with contextlib.ExitStack() as opened:
        files = {name: opened.enter_context(_open_array(out / name, *array, begun)) for name, array in layout(plan).items()}
        for start in range(begun, total, chunk):
            stop = min(start + chunk, total)
            _append(out, files, digits, torch.arange(start, stop))
            _write_json(out / PLAN, {"plan": plan, "done": stop})
            yield Progress(stop, total)
    _write_json(out / MANIFEST, sealed(plan | {"sha256": {name: sha256_of_file(out / name) for name in files}}))
    (out / PLAN).unlink()


@contextlib.contextmanager
def _open_array(path: Path, dtype: np.dtype[Any], shape: tuple[int, ...], begun: int) -> Iterator[BinaryIO]:
    """Context of an array's file, open after its first `begun` rows; later rows are cut off."""
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    with named(path), path.open("r+b" if begun else "wb") as file:  # a full disk may show only when the file is closed
        np.lib.format.write_array_header_1_0(file, header)  # replaces an equal one, if any
        end = file.tell() + begun * dtype.itemsize * math.prod(shape[1:])
        if end > file.seek(0, os.SEEK_END):
            raise ValueError(f"{path} is shorter than the build wrote it; remove the folder and build the set again")
        file.seek(end)
        file.truncate()
        yield file


def _append(out: Path, files: Mapping[str, BinaryIO], digits: ClutteredMNIST, positions: torch.Tensor) -> None:
    """Renders and writes the images at these positions, and waits until they are on the disk."""
    step = max(1, len(positions) // 8)  # rendering needs many times the memory of the images
    for start in range(0, len(positions), step):
        for (name, file), array in zip(files.items(), digits.render(positions[start : start + step]), strict=True):
            values = array.cpu().numpy()
            with named(out / name):
                file.write(values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes())
    for name, file in files.items():
        with named(out / name):
            file.flush()
            os.fsync(file.fileno())


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_atomically(path, json.dumps(content, indent=2).encode())
