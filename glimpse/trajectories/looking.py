"""A trained model that looks at the images of its task, at others, or at your own pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from glimpse import environment
from glimpse.datasets.batches import Batch
from glimpse.datasets.pictures import picture_paths
from glimpse.evaluation.classifier import check_classes
from glimpse.evaluation.images import ImageQuery, TaskImages, check_images, open_task_images
from glimpse.evaluation.own_pictures import PictureReader, training_images
from glimpse.listener import Listener
from glimpse.models.base import Model
from glimpse.models.catalog import open_looking
from glimpse.models.weights import class_names, named_classes, read_facts
from glimpse.settings.positions import parse_positions
from glimpse.settings.requests import LookRequest, TrajectoryFilter, TrajectoryRequest, flag
from glimpse.trajectories.collecting import collect, look_at, matches
from glimpse.trajectories.views import UNKNOWN, Trajectories

__all__ = ["Gaze", "look_request", "opened_gaze"]

_LISTED = 5  # pictures that a description names


@dataclass(frozen=True)
class Gaze:
    """A model with the images that it looks at.

    Attributes:
        model: In evaluation mode, on its device.
        images: Those of a data set; None for pictures.
        pictures: Your own.
        positions: Which images, shape (N,), int64.
        name: What the images are, in a few words.
        glimpses: Number of steps; the model's own if None.
        listener: Receives the progress.
        reader: Reads the pictures for the model; None for images of a data set.
        class_names: Name of each class; None if they are numbers.
    """

    model: Model
    images: TaskImages | None
    pictures: tuple[Path, ...]
    positions: Tensor
    name: str
    glimpses: int | None
    listener: Listener
    reader: PictureReader | None = None
    class_names: tuple[str, ...] | None = None

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return next(self.model.parameters()).device

    @property
    def frame(self) -> tuple[int, int] | None:
        """Height and width of the digits' frame in pixels, None where unknown."""
        return None if self.images is None else self.images.frame

    def first(self, count: int) -> "Gaze":
        """Returns the model with the first images alone."""
        return replace(self, positions=self.positions[:count])

    def found(self, count: int | None, chosen: TrajectoryFilter, *, patches: bool) -> Iterator[Trajectories]:
        """Yields trajectories, a few hundred at a time, until there are enough.

        Args:
            count: Number of images at most; None for all.
            chosen: Which of them are taken.
            patches: Whether to keep what was seen through the windows.

        Raises:
            ValueError: If the filter is for a model that classifies, or the images have a class that the model does not have.
            FailedPictures: If pictures cannot be used, at the end.
        """
        gaze = self.first(count) if count is not None and chosen.only is None else self
        left, seen = len(gaze.positions) if count is None else count, 0
        with self.listener.progress("Looking", len(gaze.positions)) as advance:
            for part in gaze.parts(patches=patches):
                seen += len(part)
                if chosen.only is not None:
                    part = part.rows(matches(part, chosen.only, chosen.margin))
                part = part.rows(torch.arange(min(left, len(part))))
                left -= len(part)
                if len(part):
                    yield part
                advance(seen)
                if left == 0:
                    break
        self.conclude()

    def conclude(self) -> None:
        """Warns of pictures that are unlike the training images.

        Raises:
            FailedPictures: If pictures could not be used.
        """
        if self.reader is not None:
            self.reader.warn(self.listener)
            self.reader.raise_failures()

    def parts(self, *, patches: bool = False) -> Iterator[Trajectories]:
        """Yields the trajectories of all images, in their order; of pictures one at a time, since they may differ in size.

        Pictures that cannot be used are left out and noted in the reader's `failures`.

        Raises:
            ValueError: If the images have a class that the model does not have.
        """
        if self.images is None:
            found = (self._at_picture(i, patches) for i in self.positions.tolist())
            yield from (part for part in found if part is not None)
            return
        for part in collect(self.model, self.images.data, self.positions, glimpses=self.glimpses, patches=patches):
            if part.probabilities is not None:
                check_classes(self.model, part.labels)
            yield replace(part, class_names=self.class_names)

    def _at_picture(self, i: int, patches: bool) -> Trajectories | None:
        """Returns the trajectory of a picture, which does not depend on the others; None if it cannot be used."""
        assert self.reader is not None
        image = self.reader.try_read(self.pictures[i])
        if image is None:
            return None
        batch = Batch(image, torch.tensor([UNKNOWN]), torch.full((1, 2), torch.nan))
        on_device = Batch(*(field.to(self.device) for field in batch))
        found = look_at(self.model, on_device, torch.zeros(1, dtype=torch.int64), glimpses=self.glimpses, patches=patches)
        return replace(found, index=torch.tensor([i]), names=(self.pictures[i].name,), class_names=self.class_names)


def opened_gaze(
    request: TrajectoryRequest, chosen: TrajectoryFilter, listener: Listener | None = None, *, task_of: str | None = None
) -> Gaze:
    """Returns a model and the requested images.

    Args:
        request: Which model, which images.
        chosen: Which of them are taken, for their name.
        listener: Receives progress, notes and warnings.
        task_of: The run whose images they are, where the model is one of its weights files.

    Raises:
        ValueError: If there is no such model, it has no windows, or the images or an option do not fit it.
        FileNotFoundError: If the images are not available.
    """
    listener, selection = listener or Listener(), request.selection
    facts = read_facts(request.model)
    environment.use_threads(request.machine.threads)
    device = environment.choose_device(request.machine.device)
    model = open_looking(request.model).to(device)
    if (model.config.samples or 0) > 1:
        listener.note(f"One of {model.config.samples} sampled sequences is shown; `glimpse evaluate` averages over all of them.")
    kept = f", {chosen.only} ones" if chosen.only else ""
    if selection.pictures:
        _check_pictures(request, chosen)
        paths, config = picture_paths(selection.pictures), model.config
        reader = PictureReader(config.channels, training_images(facts, config.image_size), selection.handling, config.image_size)
        positions, name = torch.arange(len(paths)), _listed(paths) + kept
        return Gaze(model, None, paths, positions, name, request.glimpses, listener, reader, named_classes(facts))
    images = open_task_images(
        ImageQuery(
            task_of or request.model,
            facts["task"],
            request.images,
            selection.split,
            device,
            listener,
            class_names=class_names(facts),
        )
    )
    check_images(images, model.config.channels, model.config.image_size)
    positions = torch.tensor(parse_positions(selection.indices, len(images.data)), dtype=torch.int64)
    name = _named(images.description) + kept
    return Gaze(model, images, (), positions, name, request.glimpses, listener, class_names=named_classes(facts))


def look_request(request: LookRequest, listener: Listener | None = None) -> Iterator[Trajectories]:
    """Yields trajectories, a few hundred images at a time; the model and the images are opened now.

    Args:
        request: Which model, which images.
        listener: Receives progress, notes and warnings.

    Raises:
        ValueError: If there is no such model, it has no windows, or the images or an option do not fit it.
        FileNotFoundError: If the images are not available.
    """
    gaze = opened_gaze(request.looked, request.filter, listener)
    return gaze.found(request.looked.count, request.filter, patches=request.pixels)


def _check_pictures(request: TrajectoryRequest, chosen: TrajectoryFilter) -> None:
    """Raises ValueError if the request does not fit your own pictures, whose classes are unknown."""
    selection = request.selection
    asked = {"data": request.images.data, "split": selection.split if selection.split != "test" else None}
    others = [name for name, value in (asked | {"indices": selection.indices}).items() if value is not None]
    wrong = [flag(name) for name in (*others, *request.images.generated)]
    if chosen.only in ("right", "wrong"):
        wrong = wrong or [f"--only {chosen.only}"]
    if wrong:
        raise ValueError(f"--image brings pictures whose class is unknown: leave out {', '.join(wrong)}")


def _listed(paths: Sequence[Path]) -> str:
    """Returns the names of pictures, of many the first ones.

    >>> _listed([Path("a.png"), Path("b.png")])
    'a.png, b.png'
    """
    more = f" and {len(paths) - _LISTED:,} more" if len(paths) > _LISTED else ""
    return ", ".join(path.name for path in paths[:_LISTED]) + more


def _named(description: dict[str, Any]) -> str:
    """Returns in a few words what images a description stands for."""
    if description["kind"] == "generative":
        return f"{description['name']}, {description['split']}"
    if description["kind"] == "file":
        return f"{Path(description['path']).name}, {description['part']}"
    recipe = description["recipe"]
    size = f"{recipe['canvas']}x{recipe['canvas']}, {recipe['pieces']} pieces"
    return f"cluttered {description['digits']}, {size}, {description['split']}"
