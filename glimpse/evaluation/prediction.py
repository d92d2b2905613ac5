"""Predictions of a trained classifier for your pictures."""

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
    """Prediction of a classifier for a picture.

    Attributes:
        picture: Path of the picture.
        label: Most probable class.
        probability: Probability of that class after the last glimpse.
        probabilities: Probabilities of all K classes after the last glimpse.
    """

    picture: str
    label: int
    probability: float
    probabilities: list[float]


def predict(model: str | Path, *pictures: str | Path, invert: bool = False, machine: Machine | None = None) -> list[Prediction]:
    """Returns the predictions of a trained classifier for your pictures.

    Args:
        model: Folder of a run, weights file or `pretrained:NAME`.
        pictures: Files in a format that Pillow reads; transparent parts are black.
        invert: Whether to swap dark and light first, for dark digits on a light background.
        machine: Device and threads.

    Raises:
        OSError: If a file cannot be read.
        ValueError: If there is no such classifier, a file is not a picture, or the model requires images of another size.
    """
    machine = machine or Machine()
    environment.use_threads(machine.threads)
    classifier = open_classifier(model).to(environment.choose_device(machine.device))
    return predict_pictures(classifier, [Path(picture) for picture in pictures], invert=invert)


def predict_pictures(model: ImageClassifier, pictures: Sequence[Path], *, invert: bool = False) -> list[Prediction]:
    """Returns the predictions of a model for pictures, one picture at a time at its own size, on the model's device.

    Args:
        model: Trained classifier in evaluation mode.
        pictures: Files in a format that Pillow reads; transparent parts are black.
        invert: Whether to swap dark and light first.

    Raises:
        OSError: If a file cannot be read.
        ValueError: If a file is not a picture, or the model requires images of another size.
    """
    device = next(model.parameters()).device
    predictions = []
    for path in pictures:
        image = load_picture(path, model.config.channels).to(device)
        size = model.config.image_size
        if size not in (None, tuple(image.shape[2:])):
            wanted, found = f"{size[1]} x {size[0]}", f"{image.shape[3]} x {image.shape[2]}"
            raise ValueError(f"{path} has {found} pixels, the model requires {wanted}: resize it")
        logits = classify(model, 1 - image if invert else image, torch.zeros(1, dtype=torch.int64, device=device))
        probabilities = torch.softmax(logits[0, -1], dim=-1)
        label = int(probabilities.argmax())
        predictions.append(Prediction(str(path), label, float(probabilities[label]), probabilities.tolist()))
    return predictions
