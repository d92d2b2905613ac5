"""Pairs of digits against a plain loop over their words, and their places and partners against uniform frequencies."""

from pathlib import Path

import numpy as np
import pytest
import torch

from glimpse.datasets.batches import EVALUATION_SEED, Split
from glimpse.datasets.counter import STREAMS, permutation, words
from glimpse.datasets.digits import Digits
from glimpse.datasets.two_digit import CANVAS, TwoDigits

DRAW = np.random.default_rng(0)
DIGITS = Digits(torch.from_numpy(DRAW.integers(0, 256, (12, 28, 28), dtype=np.uint8)), torch.arange(12), "made up")
POINTS = Digits(torch.zeros(40, 28, 28, dtype=torch.uint8), torch.arange(40), "made up")
POINTS.images[torch.arange(40), 0, 0] = torch.arange(1, 41, dtype=torch.uint8)  # the corner identifies the digit


@pytest.mark.parametrize(("split", "offset"), [("train", 0), ("valid", 1), ("test", 2)])
def test_images_are_the_two_digits_added_and_clipped_at_one(split: Split, offset: int) -> None:
    pairs = TwoDigits(DIGITS, split, seed=9, binarized=False)
    seed = 9 if split == "train" else EVALUATION_SEED
    found = pairs.batch(torch.arange(24))
    assert found.images.shape == (24, 1, 60, 60)
    for position in range(24):
        epoch, index = (position // 12 if split == "train" else 0), position % 12
        first = int(permutation(seed, STREAMS["order"] + offset, epoch, 12)[index])
        drawn = words(seed, STREAMS["two-digit"] + offset, epoch, torch.tensor([index]), 5)[0].tolist()
        expected = np.zeros((60, 60))
        for digit, left, top in ((first, drawn[0], drawn[1]), (drawn[4] * 12 >> 32, drawn[2], drawn[3])):
            x, y = left * 33 >> 32, top * 33 >> 32
            expected[y : y + 28, x : x + 28] += DIGITS.images[digit].numpy() / 255
        assert np.allclose(found.images[position, 0].numpy(), expected.clip(max=1), rtol=0, atol=1e-6)
    assert found.labels.tolist() == [-1] * 24
    assert found.centers.isnan().all()


def test_places_and_partners_are_uniform_and_the_first_digit_comes_once_an_epoch() -> None:
    pairs = TwoDigits(POINTS, "train", binarized=False)
    images = torch.cat([batch.images for batch in pairs.batches(400, stop=40 * 250)])[:, 0]
    rows, columns = (images > 0).nonzero()[:, 1:].T
    for place in (rows, columns):
        assert (place.min(), place.max()) == (0, CANVAS - 28)
        counts = place.bincount(minlength=33).double()
        assert ((counts - counts.mean()) ** 2 / counts.mean()).sum() < 62.5  # chi squared of 32 degrees, 1 in 1000
    epochs = (images.double().sum(dim=(1, 2)) * 255).round().view(250, 40).sum(dim=1)
    partners = epochs - sum(range(1, 41))  # the sum over the epoch's 40 second digits
    deviation = ((40**2 - 1) / 12 * 40) ** 0.5
    assert abs(float(partners.mean()) - 40 * 20.5) < 4 * deviation / 250**0.5
    assert 0.8 < float(partners.std()) / deviation < 1.2


def test_training_images_are_new_every_epoch_and_test_images_are_not() -> None:
    for split, fresh in (("train", True), ("test", False)):
        pairs = TwoDigits(DIGITS, split)  # type: ignore[arg-type]
        epochs = [{image.numpy().tobytes() for image in pairs.batch(torch.arange(start, start + 12)).images} for start in (0, 12)]
        assert (epochs[0] == epochs[1]) is not fresh
        assert set(pairs.batch(torch.arange(12)).images.flatten().tolist()) == {0, 1}


def test_an_image_does_not_depend_on_the_batch_it_comes_in() -> None:
    pairs = TwoDigits(DIGITS, "train", seed=2)
    assert torch.equal(
        torch.cat([batch.images for batch in pairs.batches(30, stop=30)]),
        torch.cat([batch.images for batch in pairs.batches(7, stop=30)]),
    )


@pytest.mark.gpu
def test_the_gpu_makes_the_same_images() -> None:
    cpu, gpu = (TwoDigits(DIGITS.to(device), "train").batch(torch.arange(30)).images for device in ("cpu", "cuda"))
    assert gpu.is_cuda
    assert torch.equal(cpu, gpu.cpu())


def test_the_real_set_has_as_many_pairs_as_there_are_digits(mnist_folder: Path) -> None:
    from glimpse.datasets.generative import open_generative

    data = open_generative("two-digit", data_dir=mnist_folder, binarization="none")
    assert data.record()["sizes"] == {"train": 50_000, "valid": 10_000, "test": 10_000}
    ink = data.test.batch(torch.arange(500)).images.sum(dim=(1, 2, 3))
    single = open_generative("dynamic-mnist", data_dir=mnist_folder, binarization="none").test.batch(torch.arange(500))
    one = single.images.sum(dim=(1, 2, 3))
    assert 1.7 < float(ink.mean() / one.mean()) < 2.1  # twice the ink, less the clipping at 1
    with pytest.raises(ValueError, match="two-digit takes no crop"):
        open_generative("two-digit", data_dir=mnist_folder, crop=(50, 50))
