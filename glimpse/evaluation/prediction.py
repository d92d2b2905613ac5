"""A classifier's word on a person's own pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from glimpse.datasets.picture_files import load_picture
from glimpse.evaluation.classifier import classify
from glimpse.models.catalogue import Classifier
from glimpse.models.convolutional import TwoLayerConv

__all__ = ["Prediction", "predict_pictures"]


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


def predict_pictures(model: Classifier, pictures: Sequence[Path], *, invert: bool = False) -> list[Prediction]:
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
        if isinstance(model, TwoLayerConv) and image.shape[2:] != (model.config.height, model.config.width):
            known, there = f"{model.config.width} x {model.config.height}", f"{image.shape[3]} x {image.shape[2]}"
            raise ValueError(f"{path} has {there} pixels, the model knows images of {known} alone: bring it to that size")
        with torch.no_grad():
            logits = classify(model, 1 - image if invert else image, torch.zeros(1, dtype=torch.int64, device=device))
        probabilities = torch.softmax(logits[0, -1], dim=-1)
        label = int(probabilities.argmax())
        predictions.append(Prediction(str(path), label, float(probabilities[label]), probabilities.tolist()))
    return predictions
