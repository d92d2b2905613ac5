"""Images that a trained generator reconstructs or is compared with: those of a set, or your pictures."""

from collections.abc import Sequence
from typing import NamedTuple, get_args

import torch
from torch import Tensor

from glimpse.datasets.generative import GenerativeData
from glimpse.datasets.pictures import picture_paths
from glimpse.datasets.pixel_sets import PixelSet
from glimpse.evaluation.images import ImageQuery, open_training_images
from glimpse.evaluation.own_pictures import PictureReader, training_images
from glimpse.generation.opened import OpenGenerator
from glimpse.settings.positions import parse_positions
from glimpse.settings.requests import ImageChoice, ImageSelection, SetChoice, Split, flag

__all__ = ["SelectedImages", "open_set", "part_of", "selected_images"]

_MOST_NAMED = 12  # maximum number of positions in a title


class SelectedImages(NamedTuple):
    """Images with a short description.

    Attributes:
        images: Shape (N, C, H, W), 0 to 1, on the generator's device.
        names: Description for titles: the set and the positions, or the files.
    """

    images: Tensor
    names: str


def open_set(generator: OpenGenerator, choice: SetChoice) -> GenerativeData:
    """Returns the set that a generator was trained on, or the one that the choice names.

    Raises:
        ValueError: If the set is unknown, has changed since the training, or has images of another size than the generator's.
        FileNotFoundError: If the set is not available.
    """
    images = ImageChoice(data=choice.data, data_dir=choice.data_dir)
    query = ImageQuery(generator.source, generator.task, images, device=generator.device, listener=generator.listener)
    data = open_training_images(query)
    _check_size(data.name, (data.channels, data.height, data.width), generator)
    return data


def part_of(data: GenerativeData, split: Split) -> PixelSet:
    """Returns the test or the validation part of a set.

    Raises:
        ValueError: If there is no such part.
    """
    if split not in get_args(Split):
        raise ValueError(f"split must be {' or '.join(get_args(Split))}, got {split!r}")
    return data.test if split == "test" else data.valid


def selected_images(
    generator: OpenGenerator, selection: ImageSelection, choice: SetChoice, count: int | None = None
) -> SelectedImages:
    """Returns images of a set, or your pictures.

    Args:
        generator: The generator.
        selection: Selection of images.
        choice: Set to select from.
        count: Maximum number of images; None for all.

    Raises:
        ValueError: If there are no such images, or they are of another size than the generator's.
        OSError: If a file cannot be read.
    """
    if selection.pictures:
        return _pictures(generator, selection, choice, count)
    data = open_set(generator, choice)
    part = part_of(data, selection.split)
    positions = parse_positions(selection.indices, len(part))[:count]
    named = " " + ", ".join(map(str, positions)) if len(positions) <= _MOST_NAMED else ""
    images = part.batch(torch.tensor(positions, dtype=torch.int64)).images
    return SelectedImages(images, f"{data.name}, {selection.split} images{named}")


def _pictures(generator: OpenGenerator, selection: ImageSelection, choice: SetChoice, count: int | None) -> SelectedImages:
    """Returns pictures from files."""
    others = [flag(name) for name, value in (("data", choice.data), ("indices", selection.indices)) if value is not None]
    if others:
        raise ValueError(f"--image brings its own pictures: leave out {', '.join(others)}")
    config, paths = generator.model.config, picture_paths(selection.pictures)[:count]
    size = (config.height, config.width)
    reader = PictureReader(
        config.channels, training_images({"task": generator.task}, size), selection.handling, size, refuses_blank=False
    )
    pictures = [reader.read(path) for path in paths]
    reader.warn(generator.listener)
    return SelectedImages(torch.cat(pictures).to(generator.device), ", ".join(path.name for path in paths))


def _check_size(name: object, shape: Sequence[int], generator: OpenGenerator) -> None:
    """Raises ValueError unless a shape (C, H, W) is the generator's."""
    config = generator.model.config
    has, draws = (
        f"{width} x {height} pixels in {channels} channel{'s' if channels > 1 else ''}"
        for channels, height, width in (shape, (config.channels, config.height, config.width))
    )
    if has != draws:
        raise ValueError(f"{name} has {has}, the model draws {draws}: give images of that size")
