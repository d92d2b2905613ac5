"""Tiny trainings of classifiers on the command line."""

from pathlib import Path

import numpy as np
from click.testing import Result

from tests.helpers import commands

DATA = ["--digits=sklearn", "--canvas=40", "--pieces=2"]
SMALL = ["--window=4", "--hidden=8", "--features=8", "--glimpses=2"]
MODEL = ["--model=glimpse", *SMALL]
BUDGET = ["--images=320", "--batch-size=16", "--validate-every=160", "--log-every=160", "--warmup=100"]
TINY = [*MODEL, *BUDGET, "--threads=1", "--no-compile"]  # without timing steps, which a signal of a test would hit
OTHERS = {
    "glimpse": SMALL,
    "ram": [*SMALL, "--scales=2"],
    "conv": ["--filters=2", "--hidden=8"],
    "convnet": ["--filters=2"],
    "random-glimpses": SMALL,
    "spatial-transformer": ["--window=4", "--filters=2", "--features=8"],
    "search": [*SMALL, "--filters=2"],
}
"""Each model, tiny."""


def train(*options: object) -> Result:
    """Returns the result of `train-classifier` with these options."""
    return commands.invoked("train-classifier", *options)


def trained(out: Path, *options: object) -> Path:
    """Trains a classifier in a new folder, and returns the folder."""
    commands.succeeded("train-classifier", *options, "--out", out)
    return out


def refused(*options: object) -> str:
    """Returns the one line of the error of `train-classifier`."""
    return commands.refused("train-classifier", *options, after=("Training", "Resuming", "Warning", "Distorting"))


def color_file(folder: Path) -> Path:
    """Writes images in color, wider than high, of three classes, and returns the file."""
    file, draw = folder / "color.npz", np.random.default_rng(0)
    labels = np.arange(120) % 3
    images = draw.integers(0, 60, (120, 16, 24, 3), dtype=np.uint8)
    images[np.arange(120), :, :, labels] += 150  # the class is the color
    np.savez(file, images=images, labels=labels)
    return file
