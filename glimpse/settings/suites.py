"""Suites of models to train and compare on one task.

Published results of the tasks are in `glimpse.evaluation.published`. Nothing here imports torch, so that suites are listed
immediately.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

__all__ = ["SUITES", "Entry", "Suite"]


@dataclass(frozen=True)
class Entry:
    """A model of a suite.

    Attributes:
        name: Name, unique in the suite; the prefix of the names of its runs' folders.
        preset: Preset of `glimpse train-classifier`.
        images: Training budget in images.
        settings: Settings of the model or its training that override those of the preset.
    """

    name: str
    preset: str
    images: int
    settings: Mapping[str, int | float | str | bool] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Suite:
    """A suite of models to compare on one task.

    Attributes:
        canvas: Side of the images in pixels.
        pieces: Number of distractors per image.
        entries: The models.
        seeds: Seeds; every model is trained from each of them.
        validate_every: Images between validations, the resolution of the number of images to a given error.
        digits: Source of the digits.
        distort: Number of distorted copies of every training digit; None for those of each preset.
    """

    canvas: int
    pieces: int
    entries: tuple[Entry, ...]
    seeds: tuple[int, ...] = (0,)
    validate_every: int = 50_000
    digits: str = "mnist"
    distort: int | None = None


def _entries(
    images: int,
    *,
    ram_glimpses: tuple[int, ...],
    window: int = 12,
    scales: int,
    ram_anneal: int = 150_000,
    convnet_images: int = 0,
) -> tuple[Entry, ...]:
    """Returns the models of a suite, with the budgets of the task and the retina and annealing of RAM on it."""
    retina = {"window": window, "scales": scales}
    ram = retina | {"policy_anneal": ram_anneal}
    equal_sight = (Entry(f"glimpse-8-scales-{scales}", "tuned", images, {"glimpses": 8} | retina),) if scales > 1 else ()
    return (
        Entry("search-8", "search", images, {"glimpses": 8, "window": window}),
        Entry("glimpse-8", "tuned", images, {"glimpses": 8, "window": window}),
        Entry("glimpse-4", "tuned", images, {"glimpses": 4, "window": window}),
        *equal_sight,
        *(Entry(f"ram-{glimpses}", "ram", images, {"glimpses": glimpses} | ram) for glimpses in ram_glimpses),
        Entry("random-glimpses-8", "random-glimpses", images, {"glimpses": 8, "window": window}),
        Entry("conv", "conv", images),
        Entry("convnet", "convnet", convnet_images or images),
        Entry("spatial-transformer", "spatial-transformer", images, {"window": window}),
    )


_CLUTTERED = _entries(1_000_000, ram_glimpses=(8, 4), scales=4, ram_anneal=800_000, convnet_images=300_000)
_DISTORTED = _entries(600_000, ram_glimpses=(8,), scales=1, ram_anneal=300_000)

SUITES = {
    "cluttered-100": Suite(100, 8, _CLUTTERED, seeds=(0, 1, 2)),
    "distorted-100": Suite(100, 8, _DISTORTED, distort=12),
    "cluttered-60": Suite(60, 4, _entries(300_000, ram_glimpses=(8, 6, 4), scales=3)),
    "translated-60": Suite(60, 0, _entries(300_000, ram_glimpses=(8, 4), scales=3)),
    "plain-28": Suite(28, 0, _entries(300_000, ram_glimpses=(8, 4), window=8, scales=1)),
}
"""Suites of `glimpse compare --suite` by name.

The windows and scales of RAM are those of its paper on each task. With the smaller budgets, the noise of its policy is annealed
over half of the budget (reports/comparison).
"""
