"""Makes large gray photographs with a small round sign to find, sorted into class folders by the digit on it.

    python reports/own-images/photographs.py FOLDER [--train 2000] [--valid 200] [--test 600]

A photograph is 1,000 x 1,000 pixels, at dusk: several of CIFAR-10's pictures, enlarged and blended, with fine texture on top. The
sign is a lit disc of about 135 pixels, 1.4 % of the picture, with a dark MNIST digit of about 60 pixels on it. The training,
validation and test photographs use other CIFAR-10 pictures and other digits. MNIST and CIFAR-10 are searched for in the folder
named by GLIMPSE_DATA, CIFAR-10 as `cifar10_subset/cifar10_subset.npz`. Photograph i of a split depends only on the split and on i.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glimpse.datasets.digits import Digits, open_digits

SIDE = 1000
DISC = (60, 75)  # radius of a sign in pixels
SPLITS = ("train", "valid", "test")

Gray = NDArray[np.float32]


def main() -> None:
    """Writes all photographs as FOLDER/SPLIT/DIGIT/NUMBER.jpg; those that exist are kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    for split, count in zip(SPLITS, (2000, 200, 600), strict=True):
        parser.add_argument(f"--{split}", type=int, default=count)
    options = parser.parse_args()
    digits, textures = open_digits("mnist"), [texture(seed) for seed in range(16)]
    with np.load(Path(os.environ["GLIMPSE_DATA"]) / "cifar10_subset" / "cifar10_subset.npz") as file:
        pictures = {"train": file["train_images"][:7000], "valid": file["train_images"][7000:], "test": file["test_images"]}
    for split in SPLITS:
        for i in range(getattr(options, split)):
            photograph, digit = photographed(split, i, getattr(digits, split), pictures[split], textures)
            path = options.folder / split / str(digit) / f"{i:05d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                photograph.save(path, quality=85)


def photographed(split: str, i: int, digits: Digits, pictures: NDArray[np.uint8], textures: list[Gray]) -> tuple[Image.Image, int]:
    """Returns photograph i of a split and the digit on its sign."""
    draw = np.random.default_rng([SPLITS.index(split), i])
    scene = background(draw, pictures, textures)
    chosen = int(draw.integers(len(digits.labels)))
    put_sign(scene, digits.images[chosen].numpy(), draw)
    return Image.fromarray((255 * scene.clip(0, 1)).round().astype(np.uint8)), int(digits.labels[chosen])


def background(draw: np.random.Generator, pictures: NDArray[np.uint8], textures: list[Gray]) -> Gray:
    """Returns a scene of enlarged pictures and a texture, shape (SIDE, SIDE), between 0 and 0.4: it is dusk."""
    coarse = 250
    scene = np.zeros((coarse, coarse), np.float32)
    for number in range(12):  # the first one fills the scene, the others cover a part of it with a soft edge
        size = coarse if number == 0 else int(draw.integers(coarse // 6, coarse // 2))
        left, top = draw.integers(0, coarse - size + 1, 2)
        picture = enlarged(Image.fromarray(pictures[draw.integers(len(pictures))]).convert("L"), size)
        edge = np.minimum(np.arange(1, size + 1), np.arange(size, 0, -1)) / (size / 5)
        weight = np.minimum(np.minimum(edge[:, None], edge), 1) if number else 1.0
        place = scene[top : top + size, left : left + size]
        place += weight * (picture - place)
    scene = (scene - scene.min()) / (np.ptp(scene) + 1e-6)
    whole = enlarged(Image.fromarray((255 * scene).astype(np.uint8)), SIDE)
    fine = np.roll(textures[draw.integers(len(textures))], draw.integers(SIDE, size=2), axis=(0, 1))
    return np.asarray(0.02 + 0.26 * whole + 0.02 * fine, np.float32).clip(0, 0.4)


def enlarged(picture: Image.Image, side: int) -> Gray:
    """Returns a gray picture at side x side pixels, 0 to 1."""
    return np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC), np.float32) / 255


def texture(seed: int) -> Gray:
    """Returns noise whose spectrum falls with the frequency, as in photographs: periodic, mean 0, standard deviation 1."""
    across, down = np.fft.rfftfreq(SIDE), np.fft.fftfreq(SIDE)[:, None]
    spectrum = np.fft.rfft2(np.random.default_rng(seed).standard_normal((SIDE, SIDE)))
    noise = np.fft.irfft2(spectrum / np.maximum(np.hypot(across, down), 1 / 64), s=(SIDE, SIDE))
    return np.asarray((noise - noise.mean()) / noise.std(), np.float32)


def put_sign(scene: Gray, glyph: NDArray[np.uint8], draw: np.random.Generator) -> None:
    """Paints a sign at a random place into a scene: a lit disc with a dark digit on it."""
    radius = draw.uniform(*DISC)
    x, y = draw.uniform(radius, SIDE - 1 - radius, 2)
    rows, columns = (slice(max(0, int(at - radius) - 2), min(SIDE, int(at + radius) + 3)) for at in (y, x))
    down, across = np.mgrid[rows, columns]
    distance = np.hypot(across - x, down - y)
    face = np.full(distance.shape, draw.uniform(0.85, 1.0), np.float32)
    size = round(1.2 * radius)  # of the 28 x 28 pixels of the digit, whose ink takes 20
    left, top = round(x - size / 2) - columns.start, round(y - size / 2) - rows.start
    part = face[top : top + size, left : left + size]
    part *= 1 - 0.9 * enlarged(Image.fromarray(glyph), size)[: part.shape[0], : part.shape[1]]
    covered = (radius - distance + 0.5).clip(0, 1)  # antialiased edge
    place = scene[rows, columns]
    place += covered * (face + 0.02 * draw.standard_normal(face.shape) - place)


if __name__ == "__main__":
    main()
