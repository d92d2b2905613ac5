"""Your own images as the data of a new or a resumed training."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from glimpse.datasets.class_counts import check_classes
from glimpse.datasets.classification import ClassifierData, file_data
from glimpse.datasets.labeled_images import DataParts, open_data
from glimpse.datasets.labels import numbers
from glimpse.datasets.split_rule import SplitRule
from glimpse.listener import Listener
from glimpse.settings.classifier import ClassifierSettings
from glimpse.settings.requests import FormChoice, TrainingImageChoice

__all__ = ["new_own_images", "note_extent", "refuse_moved", "resumed_own_images"]

_LOOKED_AT = 100  # images that tell the range of all
_LARGE = 5  # images of this many times the extent of a look are large
_DARK = 0.25  # brightest value of images that seem to be scaled wrongly


def new_own_images(
    images: TrainingImageChoice, base: Mapping[str, Any], rule: SplitRule, seed: int, device: torch.device, listener: Listener
) -> DataParts:
    """Returns the images of a new training, all of them readable and enough of each class.

    Args:
        images: Choice of the images; those of another run if it has none.
        base: Record of the data of another run whose settings are used, else empty.
        rule: Rule that divides images without parts.
        seed: Seed of the order of the training images.
        device: Device of the images.
        listener: Hears the numbers of images of each class, and warnings.

    Raises:
        FileNotFoundError: If there is nothing at the path.
        ValueError: If the images cannot be read, are not recognized or do not suffice to train and validate on.
    """
    form = images.form.over(FormChoice.of_record(base)) if base.get("kind") == "file" else images.form
    source = images.data if images.data is not None else _path_of(base)
    parts = open_data(source, form=form, device=device, shuffle_seed=seed, split=rule, listener=listener)
    _read(parts, listener)
    check_classes(parts, listener)
    _check_range(parts, listener)
    return parts


def note_extent(model: ClassifierSettings, shape: Sequence[int], listener: Listener) -> None:
    """Notes that the region which a look covers is small compared with your own images, if the model has such looks.

    Args:
        model: Settings of the model; one with looks has an `extent` in pixels.
        shape: Channels, height and width of the images.
        listener: Hears the note.
    """
    extent, side = getattr(model, "extent", None), max(shape[1:])
    if extent is not None and side >= _LARGE * extent:
        listener.note(f"A look covers {extent:g} of {side} pixels: if the object is larger, choose more with --extent")


def resumed_own_images(
    data: Any, identity: Mapping[str, Any], seed: int, device: torch.device, listener: Listener
) -> ClassifierData:
    """Returns the images that a run was started with.

    Args:
        data: Path or object to take them from; that in the record if None.
        identity: Record of the run's data.
        seed: Seed of the order of the training images.
        device: Device of the images.
        listener: Hears progress.

    Raises:
        FileNotFoundError: If there is nothing at the path.
        ValueError: If the images cannot be read, or a label is none of the run's classes.
    """
    source = data if data is not None else _path_of(identity)
    if isinstance(source, Path):
        refuse_moved(source, "--data")
    parts = open_data(
        source,
        form=FormChoice.of_record(identity),
        device=device,
        shuffle_seed=seed,
        split=SplitRule.of_record(identity),
        class_names=identity.get("class_names") or numbers(identity["n_classes"]),
    )
    _read(parts, listener)
    return file_data(parts, identity.get("class_weights"))


def refuse_moved(path: Path, option: str) -> None:
    """Raises FileNotFoundError if a file that a run was started with does not exist."""
    if not path.exists():
        raise FileNotFoundError(f"{path}, which the run was started with, does not exist: if it was moved, name it with {option}")


def _path_of(record: Mapping[str, Any]) -> Path:
    """Returns the path of the images of a run.

    Raises:
        ValueError: If they were an object of Python.
    """
    if record["path"] is None:
        raise ValueError(f"the run was trained on {record['form']}, which is no file: give it as data")
    return Path(record["path"])


def _check_range(parts: DataParts, listener: Listener) -> None:
    """Warns if the training images use only the darkest part of the range, as numbers from 0 to 16 do in place of 0 to 255."""
    if parts.train is None:
        return
    rows = torch.linspace(0, len(parts.train) - 1, min(_LOOKED_AT, len(parts.train))).long()
    brightest = max(float(parts.train.batch(row[None]).images.max()) for row in rows)
    if brightest <= _DARK:
        listener.warn(
            f"{parts.name}: the brightest pixel of {len(rows)} training images is {255 * brightest:.0f} of 255, nearly black: "
            "if that is white, scale the images to 0 to 255 or 0 to 1 first"
        )


def _read(parts: DataParts, listener: Listener) -> None:
    """Reads all pictures to train and validate on, so that broken ones are named now."""
    for part in (parts.train, parts.valid):
        if part is not None:
            part.read_all(listener)
