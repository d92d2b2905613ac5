"""What a classifier sees in your pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from glimpse import environment
from glimpse.evaluation.classifier import classify
from glimpse.models.base import ImageClassifier
from glimpse.models.catalog import open_classifier
from glimpse.settings.requests import Machine

__all__ = ["Prediction", "load_picture", "predict", "predict_pictures"]


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


def load_picture(path: Path, channels: int) -> Tensor:
    """Returns a picture as a tensor of shape (1, channels, H, W) in 0 to 1: grey for one channel, else red, green and blue.

    Raises:
        ValueError: If the file is no picture that can be read, or there are neither one nor three channels.
    """
    if channels not in (1, 3):
        raise ValueError(f"pictures have 1 or 3 channels, the model was trained on {channels}")
    try:
        with Image.open(path) as opened:
            picture = ImageOps.exif_transpose(opened)
            if picture.mode.startswith("I"):  # 16 bits a pixel, which Pillow's conversion would cut off at 255
                grey = np.asarray(picture, dtype=np.float32) / 65535
                pixels = np.stack([grey] * channels, axis=2)  # (H, W, channels)
            else:
                flat = Image.alpha_composite(Image.new("RGBA", picture.size, "black"), picture.convert("RGBA"))
                eight_bits = np.asarray(flat.convert("L" if channels == 1 else "RGB"), dtype=np.float32)
                pixels = (eight_bits / 255).reshape(*eight_bits.shape[:2], channels)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, OSError) and error.filename is not None:  # the file, not what is in it
            raise
        raise ValueError(f"{path} is no picture that can be read ({error})") from error
    if picture.mode == "F" or not 0 <= pixels.min() <= pixels.max() <= 1:
        raise ValueError(f"{path} has pixels of mode {picture.mode}; give a picture with 8 or 16 bits a pixel")
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].contiguous()


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
