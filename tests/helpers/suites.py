"""A suite of tiny models on scikit-learn's digits, its runs, and their errors by a plain loop."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from glimpse.datasets.catalog import DIGIT_SOURCES
from glimpse.datasets.clutter import ClutteredMNIST
from glimpse.datasets.digits import open_digits
from glimpse.models.catalog import open_classifier
from glimpse.settings.clutter import ClutterRecipe
from glimpse.settings.suites import Entry, Suite

RECIPE = ClutterRecipe(canvas=40, pieces=2)
TRAINING = {"batch_size": 32, "log_every": 160}
TINY = Suite(
    RECIPE.canvas,
    RECIPE.pieces,
    (
        Entry("glimpse-2", "tuned", 320, TRAINING | {"window": 4, "hidden": 8, "features": 8, "glimpses": 2}),
        Entry("conv", "conv", 330, TRAINING | {"filters": 2, "hidden": 8}),
    ),
    seeds=(0, 1),
    validate_every=160,
    digits="sklearn",
)


@contextmanager
def quick_trainings() -> Iterator[None]:
    """Context that leaves out the pictures of training and reads the digits once, which take longer than these trainings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glimpse.training.classifier.ClassifierPlan.picture", lambda self, model, data: None)
        digits = open_digits("sklearn")
        patch.setitem(DIGIT_SOURCES, "sklearn", replace(DIGIT_SOURCES["sklearn"], open=lambda request: digits))
        yield


def wrong_one_by_one(source: Path) -> list[bool]:
    """Returns for every test image whether the model of a run misclassifies it, one image at a time."""
    model = open_classifier(source)
    with torch.no_grad():
        return [int(model(image[None])[0][0, -1].argmax()) != label for image, label in _images_one_by_one()]


@functools.cache
def _images_one_by_one() -> list[tuple[torch.Tensor, int]]:
    """Returns the test images with their classes."""
    data = ClutteredMNIST(open_digits("sklearn").test, "test", RECIPE)
    return [(image, int(label)) for image, label, _ in (data[index] for index in range(len(data)))]
