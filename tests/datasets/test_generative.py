"""Generative sets: order, binarization and crops against loops and frequencies, and the choice of a set by name."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glimpse.datasets import folders
from glimpse.datasets.batches import Split
from glimpse.datasets.generative import GenerativeData, open_generative
from glimpse.datasets.pixel_sets import Images, StoredImages, binarize

COLORS = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (20, 3, 9, 11), dtype=np.uint8))


def numbered(count: int, split: Split = "train", *, seed: int = 0) -> StoredImages:
    """Returns images of one pixel, whose value is their number."""
    return StoredImages(Images.unlabeled(torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1)), split, seed=seed)


def numbers(images: StoredImages, start: int, stop: int) -> list[int]:
    return (images.batch(torch.arange(start, stop)).images.flatten() * 255).round().int().tolist()


# Order


def test_every_training_epoch_uses_all_images_in_its_own_order() -> None:
    images = numbered(50)
    epochs = [numbers(images, 50 * epoch, 50 * epoch + 50) for epoch in range(3)]
    assert all(sorted(epoch) == list(range(50)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in [*epochs, list(range(50)), numbers(numbered(50, seed=1), 0, 50)]}) == 5


@pytest.mark.parametrize("split", ["valid", "test"])
def test_validation_and_test_come_in_one_mixed_order_whatever_the_seed(split: Split) -> None:
    images = numbered(100, split)
    first = numbers(images, 0, 100)
    assert sorted(first) == list(range(100))
    assert first == numbers(images, 100, 200) == numbers(numbered(100, split, seed=7), 0, 100)
    assert abs(sum(first[:25]) / 25 - 49.5) < 4 * 28.9 / math.sqrt(25)  # in a file grouped by class it would be 12


@pytest.mark.parametrize("split", ["train", "valid"])
def test_an_image_does_not_depend_on_the_batch_it_comes_in(split: Split) -> None:
    images = StoredImages(Images.unlabeled(COLORS), split, seed=3, binarized=True, crop=(5, 6))
    whole = torch.cat([batch.images for batch in images.batches(40, stop=40)])
    assert torch.equal(whole, torch.cat([batch.images for batch in images.batches(7, stop=40)]))
    images.set_epoch(1)
    assert torch.equal(images[19][0], whole[39])


def test_a_batch_is_in_the_unit_range_with_its_labels_and_unknown_centers() -> None:
    images = StoredImages(Images(COLORS, torch.arange(20) % 7), "train")
    batch = images.batch(torch.arange(20))
    assert (batch.images.dtype, batch.labels.dtype, batch.centers.dtype) == (torch.float32, torch.int64, torch.float32)
    for image, label in zip(batch.images, batch.labels, strict=True):
        (item,) = (i for i in range(20) if np.allclose(COLORS[i].numpy() / 255, image.numpy(), rtol=0, atol=1e-7))
        assert label == item % 7
    assert batch.centers.shape == (20, 2)
    assert batch.centers.isnan().all()


@pytest.mark.gpu
def test_the_gpu_makes_the_same_images() -> None:
    for split in ("train", "test"):
        parts = [
            StoredImages(Images.unlabeled(COLORS), split, seed=3, binarized=True, crop=(5, 6), device=device)
            for device in ("cpu", "cuda")
        ]
        cpu, gpu = (part.batch(torch.arange(60)).images for part in parts)
        assert gpu.is_cuda
        assert torch.equal(cpu, gpu.cpu())


# Binarization


def test_a_pixel_is_one_as_often_as_its_value_says() -> None:
    count, values = 4000, torch.arange(256, dtype=torch.uint8)
    drawn = binarize(
        values.view(1, 1, 16, 16).repeat(count, 1, 1, 1), 5, 100, torch.zeros(count, dtype=torch.int64), torch.arange(count)
    )
    assert set(drawn.flatten().tolist()) == {0, 255}
    share, expected = (drawn == 255).double().mean(dim=0).flatten(), values.double() / 255
    assert (float(share[0]), float(share[255])) == (0, 1)
    deviation = (share - expected)[1:255] / (expected * (1 - expected) / count).sqrt()[1:255]
    assert deviation.abs().max() < 4.5  # of 254 normal deviates
    assert abs(deviation.square().mean() - 1) < 4.5 * math.sqrt(2 / 254)


def test_training_bits_are_drawn_afresh_at_each_visit_and_those_of_validation_once() -> None:
    gray = Images.unlabeled(torch.full((6, 1, 20, 20), 128, dtype=torch.uint8))
    fresh_in: dict[Split, bool] = {"train": True, "valid": False, "test": False}
    for split, fresh in fresh_in.items():
        images = StoredImages(gray, split, binarized=True)
        first, second = images.batch(torch.arange(6)).images, images.batch(torch.arange(6, 12)).images
        assert torch.equal(first, second) is not fresh
        assert torch.equal(first, StoredImages(gray, split, seed=1, binarized=True).batch(torch.arange(6)).images) is not fresh
        agreement = (first.flatten(1)[0] == first.flatten(1)[1]).double().mean()
        assert abs(agreement - 0.5) < 4 * 0.5 / 20  # two images share no randomness
    valid, test = StoredImages(gray, "valid", binarized=True), StoredImages(gray, "test", binarized=True)
    assert not torch.equal(valid.batch(torch.arange(6)).images, test.batch(torch.arange(6)).images)


# Crops


def test_every_crop_is_a_part_of_its_image_and_all_places_are_equally_likely() -> None:
    place = torch.arange(6 * 8, dtype=torch.uint8).view(1, 1, 6, 8)
    images = StoredImages(Images.unlabeled(place), "train", crop=(4, 5))
    crops = (images.batch(torch.arange(2400)).images * 255).round().int()
    corners = crops[:, 0, 0, 0]
    expected = torch.stack([place[0, 0, c // 8 : c // 8 + 4, c % 8 : c % 8 + 5] for c in corners.tolist()])
    assert torch.equal(crops[:, 0], expected.int())
    counts = corners.bincount(minlength=48).view(6, 8)
    assert counts[3:].sum() == counts[:, 4:].sum() == 0  # a crop of 4 x 5 fits at 3 x 4 places
    assert ((counts[:3, :4].double() - 200) ** 2 / 200).sum() < 31.3  # chi squared of 11 degrees, 1 in 1000


@pytest.mark.parametrize("split", ["valid", "test"])
def test_validation_and_test_are_cropped_in_the_middle(split: Split) -> None:
    images = StoredImages(Images.unlabeled(COLORS), split, crop=(5, 7))
    found = {image.numpy().tobytes() for image in (images.batch(torch.arange(20)).images * 255).round().byte()}
    assert found == {image[:, 2:7, 2:9].contiguous().numpy().tobytes() for image in COLORS}


@pytest.mark.parametrize("crop", [(10, 5), (5, 12), (0, 5), (5, -1)])
def test_a_crop_that_is_not_inside_the_image_is_refused(crop: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=rf"a crop of {crop[0]} x {crop[1]} cannot be cut from images of 9 x 11"):
        StoredImages(Images.unlabeled(COLORS), "train", crop=crop)


# Sets by name


def test_scikit_learns_digits_are_binarized_with_their_classes_and_record_what_they_are() -> None:
    data = open_generative("digits", seed=4)
    batch = data.valid.batch(torch.arange(300))
    assert (data.channels, data.height, data.width) == batch.images.shape[1:] == (1, 28, 28)
    assert set(batch.images.flatten().tolist()) == {0, 1}
    assert all(29 <= count <= 31 for count in batch.labels.bincount(minlength=10).tolist())
    record = json.loads(json.dumps(data.record()))
    assert record["sizes"] == {"train": 1197, "valid": 300, "test": 300}
    expected = {"kind": "generative", "name": "digits", "source": "digits", "path": None, "binarization": "dynamic", "seed": 4}
    assert expected.items() <= record.items()
    assert (record["shape"], record["is_subset"], record["note"]) == ([1, 28, 28], False, None)


def test_intensities_are_kept_on_request_and_the_seed_then_sets_only_the_order() -> None:
    data = open_generative("digits", binarization="none", seed=4)
    assert len(set(data.train.batch(torch.arange(100)).images.flatten().tolist())) > 100
    assert (data.binarization, data.record()["seed"]) == ("none", None)


@pytest.mark.usefixtures("small_mnist")
def test_dynamic_mnist_has_mnists_split_and_its_intensities_as_probabilities(
    tmp_path: Path, lay_out: Callable[..., object]
) -> None:
    lay_out(tmp_path, "mnist")
    data = open_generative("dynamic-mnist", data_dir=tmp_path)
    assert data.record()["sizes"] == {"train": 25, "valid": 5, "test": 12}
    raw = np.fromfile(tmp_path / "MNIST/raw/train-images-idx3-ubyte", dtype=np.uint8)[16:].reshape(30, -1) / 255
    visits = torch.cat([batch.images for batch in data.train.batches(250, stop=25 * 200)]).flatten(1).double().numpy()
    nearest = ((raw[:25] ** 2).sum(axis=1) - 2 * visits @ raw[:25].T).argmin(axis=1)  # the item of each visit
    assert np.bincount(nearest, minlength=25).tolist() == [200] * 25
    mean = np.stack([visits[nearest == item].mean(axis=0) for item in range(25)])
    assert np.abs(mean - raw[:25]).max() < 5.5 * math.sqrt(0.25 / 200)  # of 19,600 frequencies


@pytest.mark.usefixtures("small_mnist")
def test_auto_selects_mnist_if_found_and_else_scikit_learns_digits_and_states_why(
    tmp_path: Path, lay_out: Callable[..., object]
) -> None:
    without = open_generative(download=False)
    assert (without.name, without.source) == ("digits", "digits")
    assert without.reason is not None
    assert "binarized-mnist is not in" in without.reason
    assert "mnist is not in" in without.reason.replace("binarized-mnist", "")
    lay_out(tmp_path, "mnist")
    found = open_generative(data_dir=tmp_path)
    assert (found.name, found.path) == ("dynamic-mnist", str(tmp_path))
    assert found.reason == f"binarized-mnist is not in {tmp_path}, {folders.cache_folder()}"


@pytest.mark.parametrize("name", ["dynamic-mnist", "two-digit", "binarized-mnist", "svhn", "svhn-32", "cifar10"])
def test_a_set_that_is_nowhere_is_one_line_with_a_remedy(name: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"is not in .*(take|use) ") as caught:
        open_generative(name, data_dir=tmp_path, download=False)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("minst", {}, "no set called 'minst', and no such folder: choose auto, binarized-mnist, "),
        ("digits", {"binarization": "fixed"}, "binarization must be one of dynamic, none, got 'fixed'"),
        ("digits", {"size": (8, 8)}, "digits takes no size"),
        ("digits", {"size": (0, 8)}, r"size must be a height and a width of at least 1, got \(0, 8\)"),
        ("digits", {"crop": (30, 8)}, "a crop of 30 x 8 cannot be cut from images of 28 x 28"),
        ("digits", {"seed": -1}, r"seed must be in 0 to 2\^64 - 1, got -1"),
    ],
)
def test_incompatible_options_are_refused(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_generative(name, **options)  # type: ignore[arg-type]


def test_a_missing_data_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere to look for data in"):
        open_generative("digits", data_dir=tmp_path / "nowhere")


@pytest.mark.usefixtures("small_mnist")
def test_a_record_opens_the_same_set_again(tmp_path: Path, lay_out: Callable[..., object]) -> None:
    lay_out(tmp_path, "mnist")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(5):
        Image.fromarray(np.full((4, 4), 40 * number, dtype=np.uint8)).save(pictures / f"{number}.png")

    def opened(name: str) -> GenerativeData:
        return open_generative(name, data_dir=tmp_path)

    for name in ("auto", "dynamic-mnist", "two-digit", "digits", str(pictures)):
        first = opened(name)
        again = opened(first.record()["source"])
        assert again.record() | {"reason": None} == first.record() | {"reason": None}
        assert torch.equal(again.train.batch(torch.arange(4)).images, first.train.batch(torch.arange(4)).images)
