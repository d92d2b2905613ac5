"""Predictions of a trained classifier for your pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from glimpse import environment
from glimpse.datasets.pictures import picture_paths
from glimpse.evaluation.classifier import classify
from glimpse.evaluation.own_pictures import PictureReader, TrainingImages, training_images
from glimpse.listener import Listener
from glimpse.models.base import ImageClassifier
from glimpse.models.catalog import open_classifier
from glimpse.models.weights import class_names, read_facts
from glimpse.settings.requests import PictureHandling, PredictionRequest, from_options

__all__ = ["Prediction", "predict", "predict_pictures", "predict_request"]


class Prediction(NamedTuple):
    """Prediction of a classifier for a picture.

    Attributes:
        picture: Path of the picture.
        label: Most probable class.
        probability: Probability of that class after the last glimpse.
        probabilities: Probabilities of all K classes after the last glimpse.
        name: Name of the most probable class; its number if it has no name.
    """

    picture: str
    label: int
    probability: float
    probabilities: list[float]
    name: str


def predict(model: str | Path, *pictures: str | Path, listener: Listener | None = None, **options: Any) -> list[Prediction]:
    """Returns the predictions of a trained classifier for your pictures.

    Args:
        model: Folder of a run, weights file or `pretrained:NAME`.
        pictures: Files in a format that Pillow reads, and folders that stand for the pictures in them. Transparent parts are black,
            or white if the visible parts are dark.
        listener: Hears progress, and warnings of pictures that are unlike the training images.
        options: Options of `glimpse predict` by name: `stretch`, `invert`, `resize`, `pad`, `device`, `threads`.

    Raises:
        TypeError: If there is no such option.
        ValueError: If there is no such classifier, or a folder holds no pictures.
        FailedPictures: If a file cannot be read, is not a picture or is blank, or has another size than the model requires; raised
            at the end, with the predictions for the other pictures as `results`.
    """
    return predict_request(from_options(PredictionRequest, {"model": str(model), "pictures": pictures, **options}), listener)


def predict_request(request: PredictionRequest, listener: Listener | None = None) -> list[Prediction]:
    """Returns the predictions of a trained classifier as requested; see `predict`.

    Args:
        request: Model, pictures and their handling.
        listener: Hears progress, and warnings of pictures that are unlike the training images.

    Raises:
        ValueError: If there is no such classifier, or a folder holds no pictures.
        FailedPictures: If one or several of the pictures cannot be used, at the end.
    """
    pictures = picture_paths(request.pictures)
    facts = read_facts(request.model)
    environment.use_threads(request.machine.threads)
    model = open_classifier(request.model).to(environment.choose_device(request.machine.device))
    required = model.config.image_size
    reader = PictureReader(model.config.channels, training_images(facts, required), request.handling, required)
    return predict_pictures(model, pictures, reader, listener, class_names(facts))


def predict_pictures(
    model: ImageClassifier,
    pictures: Sequence[Path],
    reader: PictureReader | None = None,
    listener: Listener | None = None,
    names: Sequence[str] | None = None,
) -> list[Prediction]:
    """Returns the predictions of a model for pictures, one picture at a time at its own size, on the model's device.

    Args:
        model: Trained classifier in evaluation mode.
        pictures: Files in a format that Pillow reads.
        reader: Reads the pictures for the model; None to read them as they are.
        listener: Hears progress, and warnings of pictures that are unlike the training images.
        names: Name of each class; the numbers from 0 if None.

    Raises:
        FailedPictures: If one or several of the pictures cannot be used, at the end.
    """
    names = names or [str(label) for label in range(model.config.classes)]
    if reader is None:
        reader = PictureReader(model.config.channels, TrainingImages(), PictureHandling(), model.config.image_size)
    listener, device = listener or Listener(), next(model.parameters()).device
    shown = listener if len(pictures) > 1 else Listener()  # no progress of a single picture
    predictions = []
    with shown.progress("Predicting", len(pictures), unit="pictures") as advance:
        for done, path in enumerate(pictures, start=1):
            image = reader.try_read(path)
            if image is not None:
                logits = classify(model, image.to(device), torch.zeros(1, dtype=torch.int64, device=device))
                probabilities = torch.softmax(logits[0, -1], dim=-1)
                label = int(probabilities.argmax())
                chance = float(probabilities[label])
                predictions.append(Prediction(str(path), label, chance, probabilities.tolist(), names[label]))
            advance(done)
    reader.warn(listener)
    reader.raise_failures(predictions)
    return predictions
