"""Comparing models on your own images: of one set brought to different sizes, and on images that none was trained on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import glimpse
from glimpse.comparison.calls import compare
from glimpse.datasets.labeled_images import open_data
from glimpse.evaluation.statistics import mcnemar
from glimpse.models.catalog import open_classifier
from glimpse.settings.requests import FormChoice
from glimpse.training.calls import train_classifier
from tests.helpers.suites import TRAINING

TINY: dict[str, Any] = {"window": 4, "hidden": 8, "features": 8, "glimpses": 2, "images": 64} | TRAINING
ON: dict[str, Any] = {"device": "cpu", "threads": 1}


def drawn(folder: Path, names: str = "abc", count: int = 20) -> Path:
    """Writes pictures of 16 x 20 pixels into class folders; in each class another row is bright."""
    draw = np.random.default_rng(0)
    for place, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            picture = draw.integers(0, 120, (16, 20), dtype=np.uint8)
            picture[3 * place : 3 * place + 3] += 100
            Image.fromarray(picture).save(folder / name / f"{number:02}.png")
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn(tmp_path_factory.mktemp("photos") / "set")


@pytest.fixture(scope="module")
def runs(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Returns runs on the pictures in their own size and in two others, and one on other pictures of the same classes."""
    folder = tmp_path_factory.mktemp("runs")
    wanted: dict[str, dict[str, Any]] = {
        "whole": {},
        "small": {"size": (8, 10), "fit": "resize"},
        "square": {"size": (12, 12)},
        "others": {"data": drawn(folder / "other-photos", count=10)},
        "numbers": {"data": drawn(folder / "two-photos", "ab", 10)},
    }
    for name, options in wanted.items():
        train_classifier(**{"data": photos} | ON | TINY | options, out=folder / name)
    return {name: folder / name for name in wanted}


def wrong(run: Path, data: Path, size: tuple[int, int] | None, fit: Any) -> list[bool]:
    """Returns which test images a model gets wrong, one after the other."""
    images = open_data(data, form=FormChoice(size, fit)).test
    model = open_classifier(run)
    assert images is not None
    found = []
    for i in range(len(images)):
        batch = images.batch(torch.tensor([i]))
        with torch.no_grad():
            found.append(int(model(batch.images)[0][0, -1].argmax()) != int(batch.labels))
    return found


def test_one_set_in_different_sizes_is_one_task(runs: dict[str, Path], photos: Path) -> None:
    found = compare(runs["whole"], runs["small"], runs["square"], **ON)
    expected = [
        wrong(runs["whole"], photos, None, None),
        wrong(runs["small"], photos, (8, 10), "resize"),
        wrong(runs["square"], photos, (12, 12), None),
    ]
    assert [row.error for row in found.rows] == pytest.approx([100 * np.mean(each) for each in expected])
    first, second = np.array(expected[0]), np.array(expected[1])
    pair = found.pairs[0]
    assert (pair.only_first, pair.only_second) == (int((first & ~second).sum()), int((second & ~first).sum()))
    assert pair.p == mcnemar(pair.only_first, pair.only_second)
    assert [row.model.partition(", ")[2] for row in found.rows] == ["size=16x20", "size=8x10", "size=12x12"]
    assert found.n == 6


def test_models_of_the_same_classes_are_compared_on_other_images(runs: dict[str, Path], tmp_path: Path) -> None:
    elsewhere = drawn(tmp_path / "elsewhere", count=7)
    found = compare(runs["whole"], runs["others"], data=elsewhere, **ON)
    assert (found.n, found.conditions.data) == (21, str(elsewhere))
    for row, name in zip(found.rows, ("whole", "others"), strict=True):
        assert row.error == pytest.approx(glimpse.evaluate(runs[name], data=elsewhere, threads=1).result.as_dict()["error"])


def test_models_of_other_images_or_classes_are_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="compare models of one task, or on images of your own with --data"):
        compare(runs["whole"], runs["others"], **ON)
    data = drawn(tmp_path / "elsewhere", count=3)
    with pytest.raises(ValueError, match=r"has the classes a, b, c, .*numbers a, b: compare models of the same classes"):
        compare(runs["whole"], runs["numbers"], data=data, **ON)
    with pytest.raises(ValueError, match="--data goes with runs, not with a --suite"):
        compare(suite="plain-28", data=data)
    with pytest.raises(ValueError, match="measured on other test images"):  # one was trained on most of them
        compare(runs["whole"], runs["others"], data=runs["others"].with_name("other-photos"), **ON)
