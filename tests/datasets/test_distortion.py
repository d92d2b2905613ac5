"""Distorted digits compared with a plain loop, and their dependence on seed, copy and digit."""

import contextlib
import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from glimpse.datasets.batches import unit_range
from glimpse.datasets.classification import cluttered_data
from glimpse.datasets.counter import words
from glimpse.datasets.digits import Digits, digit_source
from glimpse.datasets.distortion import distorted, with_distortions
from glimpse.listener import Advance, Listener
from glimpse.settings.clutter import ClutterRecipe


def glyphs(count: int, height: int = 28, width: int = 28) -> Tensor:
    """Returns seeded glyphs with smooth blobs."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 1, height // 4, width // 4, generator=generator) ** 3
    fine = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")[:, 0]
    return (255 * fine / fine.amax()).to(torch.uint8)


def plain(image: np.ndarray, drawn: list[float]) -> np.ndarray:
    """Returns a distorted glyph, pixel by pixel, for uniform values: rotation, shear, two scales, then the knots."""
    height, width = image.shape
    knots_y, knots_x = ([4.5 * k for k in range(-2, math.ceil(length / 4.5) + 2)] for length in (height, width))
    normal = np.array([float(torch.special.ndtri(torch.tensor(number, dtype=torch.float64))) for number in drawn[4:]])
    field = normal.reshape(2, len(knots_y), len(knots_x))
    turn, shear = 0.2 * (2 * drawn[0] - 1), 0.15 * (2 * drawn[1] - 1)
    scale_x, scale_y = (0.87 * (1.15 / 0.87) ** number for number in drawn[2:4])
    made = np.zeros_like(image)
    for row in range(height):
        for column in range(width):
            over_y = np.array([math.exp(-((row - knot) ** 2) / (2 * 4.5**2)) for knot in knots_y])
            over_x = np.array([math.exp(-((column - knot) ** 2) / (2 * 4.5**2)) for knot in knots_x])
            weight = np.outer(over_y, over_x) / math.sqrt((over_y**2).sum() * (over_x**2).sum())
            x, y = column - (width - 1) / 2, row - (height - 1) / 2
            from_x = (
                scale_x * math.cos(turn) * x + (shear - math.sin(turn)) * y + (width - 1) / 2 + 1.25 * (weight * field[0]).sum()
            )
            from_y = math.sin(turn) * x + scale_y * math.cos(turn) * y + (height - 1) / 2 + 1.25 * (weight * field[1]).sum()
            value = 0.0
            for i in range(height):
                for j in range(width):
                    value += max(0, 1 - abs(from_y - i)) * max(0, 1 - abs(from_x - j)) * image[i, j]
            made[row, column] = round(value)
    return made


def test_a_distorted_glyph_equals_a_plain_loop() -> None:
    images = glyphs(3, 12, 16)
    made = distorted(images, seed=5, copy=2)
    knots = (math.ceil(12 / 4.5) + 4) * (math.ceil(16 / 4.5) + 4)
    for index in (0, 2):
        drawn = (words(5, 116, 2, torch.tensor([index]), 4 + 2 * knots)[0].double() + 0.5) / 2**32
        expected = plain(images[index].numpy().astype(np.float64), drawn.tolist())
        assert np.abs(made[index].numpy().astype(float) - expected).max() <= 2  # positions are rounded to 1/256 px
        assert not torch.equal(made[index], images[index])


def test_a_copy_depends_only_on_seed_copy_and_digit() -> None:
    images = glyphs(1100)
    made = distorted(images, seed=3, copy=1)
    assert made.dtype == torch.uint8
    assert torch.equal(made, distorted(images, seed=3, copy=1))
    assert torch.equal(made[:7], distorted(images[:7], seed=3, copy=1))
    assert torch.equal(made[1000], distorted(images[:1001], seed=3, copy=1)[1000])
    for other in ({"seed": 4, "copy": 1}, {"seed": 3, "copy": 2}):
        assert not torch.equal(made, distorted(images, **other))
    same = distorted(images[:1].expand(5, -1, -1), seed=3, copy=1)
    assert len({row.numpy().tobytes() for row in same}) == 5, "every digit has a different distortion"


def test_the_displacement_has_the_documented_standard_deviation() -> None:
    ramp = torch.arange(5, 245, 8, dtype=torch.uint8)[:28].expand(
        4000, 28, 28
    )  # its brightness encodes the source column in steps of 1/8 px
    made = distorted(ramp, seed=0, copy=0).double()
    center = made[:, 13:15, 13:15].mean(dim=(1, 2))
    shift = (center - ramp[0, 13:15, 13:15].double().mean()) / 8
    assert float(shift.std()) == pytest.approx(1.25, rel=0.06)  # 4 standard errors, plus the smoothing by the mean of four pixels
    assert abs(float(shift.mean())) < 0.1


@pytest.mark.gpu
def test_copies_are_the_same_on_a_gpu() -> None:
    images = glyphs(500)
    assert torch.equal(distorted(images.cuda(), seed=1, copy=0).cpu(), distorted(images, seed=1, copy=0))


class _Progress(Listener):
    """Listener that records the progress."""

    def __init__(self) -> None:
        self.done: list[int] = []

    @contextlib.contextmanager
    def progress(self, title: str, total: int, *, unit: str = "images") -> Iterator[Advance]:
        yield lambda done: self.done.append(done)
        assert self.done[-1] == total


def test_copies_follow_the_originals_and_have_their_labels() -> None:
    digits, listener = Digits(glyphs(6), torch.arange(6), "toy"), _Progress()
    more = with_distortions(digits, 2, seed=1, listener=listener)
    assert more.labels.tolist() == [*range(6)] * 3
    assert torch.equal(more.images[:6], digits.images)
    for copy in range(2):
        assert torch.equal(more.images[6 + 6 * copy : 12 + 6 * copy], distorted(digits.images, seed=1, copy=copy))
    assert listener.done == [6, 12]
    assert with_distortions(digits, 0, seed=1) is digits


def test_only_training_digits_are_distorted_and_the_record_has_the_number_of_copies() -> None:
    part = Digits(glyphs(6), torch.arange(6), "toy")
    source = digit_source("toy", (part, part, part))
    recipe = ClutterRecipe(canvas=28, pieces=0)
    data = cluttered_data(source, recipe, seed=1, device=torch.device("cpu"), distort=3)
    assert (len(data.train), len(data.valid)) == (24, 6)
    assert data.record["distort"] == 3
    shown = {image.numpy().tobytes() for image in data.train.batch(torch.arange(24)).images[:, 0]}
    for copy in range(3):
        copies = unit_range(distorted(part.images, seed=1, copy=copy))
        assert {image.numpy().tobytes() for image in copies} <= shown
    with pytest.raises(ValueError, match="distort must be at least 0, got -1"):
        cluttered_data(source, recipe, seed=1, device=torch.device("cpu"), distort=-1)
