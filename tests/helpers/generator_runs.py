"""Tiny trainings of generators on the command line, and their images."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.helpers import commands

SMALL = ["--hidden=16", "--latent=4"]
MODEL = ["--glimpses=2", "--read=3", "--write=3", *SMALL]
FEW = ["--images=32", "--batch-size=16"]
LEARNING = ["--glimpses=2", "--read=5", "--write=5", "--hidden=32", "--latent=8", "--data=digits", "--images=3200"]
LEARNING += ["--batch-size=16", "--validate-every=800", "--log-every=400", "--beta-warmup=1000", "--warmup=160"]
LEARNING += ["--averaging=320", "--learning-rate=0.02"]


def train(*options: object) -> Path:
    """Trains a generator with options that end in `--out` and a folder, and returns the folder."""
    commands.succeeded("train-generator", "--threads=1", *options)
    return Path(str(options[-1]))


def refused(*arguments: object) -> str:
    """Returns the one line of the error of a command, without warnings."""
    return commands.refused(*arguments, after=("Warning",))


def numbers(*arguments: object) -> dict[str, Any]:
    """Returns the object that `evaluate --json` prints."""
    return commands.printed_json("evaluate", "--threads=1", *arguments)


def color_file(folder: Path, shape: tuple[int, ...] = (7, 9, 3), count: int = 60, seed: int = 0) -> Path:
    """Writes random images, and returns the file."""
    file = folder / f"images-{seed}.npz"
    np.savez(file, images=np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8))
    return file


def pictures(folder: Path, size: tuple[int, int] = (9, 7)) -> Path:
    """Writes 40 random pictures in color, and returns their folder."""
    draw = np.random.default_rng(0)
    (folder / "pictures").mkdir()
    for number in range(40):
        pixels = draw.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "pictures" / f"{number}.png")
    return folder / "pictures"
