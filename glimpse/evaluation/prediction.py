"""What a classifier sees in your pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from glimpse import environment
from glimpse.datasets.picture_files import load_picture
from glimpse.evaluation.classifier import classify
from glimpse.models.base import ImageClassifier
from glimpse.models.catalog import open_classifier
from glimpse.settings.requests import Machine

__all__ = ["Prediction", "predict", "predict_pictures"]


class Prediction(NamedTuple):
    """What a classifier sees in a picture.

    Attributes:
        picture: The file.
        label: The most probable class.
        probability: Its probability after the last glimpse.
        probabilities: Those of all classes.
    """

    picture: str
    label: int
    probability: float
    probabilities: list[float]


def predict(model: str | Path, *pictures: str | Path, invert: bool = False, machine: Machine | None = None) -> list[Prediction]:
    """Returns what a trained classifier sees in each of your pictures.

    Args:
        model: A run's folder, a weights file or `pretrained:NAME`.
        pictures: Files that Pillow reads; transparent parts count as black.
        invert: Whether dark and light are swapped first: for dark digits on a light ground.
        machine: With what it computes.

    Raises:
        ValueError: If there is no such classifier, a file is no picture, or the model takes images of another size only.
    """
    machine = machine or Machine()
    environment.use_threads(machine.threads)
    classifier = open_classifier(model).to(environment.choose_device(machine.device))
    return predict_pictures(classifier, [Path(picture) for picture in pictures], invert=invert)


def predict_pictures(model: ImageClassifier, pictures: Sequence[Path], *, invert: bool = False) -> list[Prediction]:
    """Returns the model's prediction for every picture, each at its own size and by itself, on the model's device.

    Args:
        model: A trained classifier.
        pictures: Files that Pillow reads; transparent parts count as black.
        invert: Whether dark and light are to be swapped first.

    Raises:
        ValueError: If a file is no picture, or the model knows images of another size alone.
    """
    device = next(model.parameters()).device
    predictions = []
    for path in pictures:
        image = load_picture(path, model.config.channels).to(device)
        size = model.config.image_size
        if size not in (None, tuple(image.shape[2:])):
            known, there = f"{size[1]} x {size[0]}", f"{image.shape[3]} x {image.shape[2]}"
            raise ValueError(f"{path} has {there} pixels, the model takes images of {known} only: bring it to that size")
        logits = classify(model, 1 - image if invert else image, torch.zeros(1, dtype=torch.int64, device=device))
        probabilities = torch.softmax(logits[0, -1], dim=-1)
        label = int(probabilities.argmax())
        predictions.append(Prediction(str(path), label, float(probabilities[label]), probabilities.tolist()))
    return predictions
