"""What is said of the classes of a set before a training, and which sets are refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glimpse.datasets.class_counts import check_classes, check_digits
from glimpse.datasets.digits import open_digits
from glimpse.datasets.labeled_images import open_data
from glimpse.listener import Listener


class Hearing(Listener):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def checked(folder: Path, **labels: Any) -> Hearing:
    """Returns what is heard of a file with a part of images for each name of labels."""
    arrays: dict[str, Any] = {}
    for name, values in labels.items():
        values = np.asarray(values)
        arrays |= {f"y_{name}": values, f"X_{name}": np.zeros((len(values), 5, 6), dtype=np.uint8)}
    np.savez(folder / "own.npz", **arrays)
    heard = Hearing()
    check_classes(open_data(folder / "own.npz"), heard)
    return heard


def test_the_classes_and_the_split_are_said(tmp_path: Path) -> None:
    heard = checked(tmp_path, train=np.repeat(["ant", "bee"], [30, 20]))
    assert heard.notes == [
        f"{tmp_path / 'own.npz'}: 50 images of 5 x 6 pixels in gray, 2 classes: ant (30), bee (20).",
        "Held out a tenth of each class for validation and another for testing (--split-seed 0): 40 to train on, 5 for validation,"
        " 5 for testing.",
    ]
    assert heard.warnings == []


def test_many_classes_are_said_in_one_line(tmp_path: Path) -> None:
    heard = checked(tmp_path, train=np.arange(400) % 200, valid=np.arange(200), test=np.arange(200))
    assert "200 classes of 4 images each" in heard.notes[0]
    assert heard.notes[1] == "Its own parts: 400 to train on, 200 for validation, 200 for testing."


def test_a_part_of_the_file_that_lacks_classes_is_said(tmp_path: Path) -> None:
    heard = checked(tmp_path, train=np.repeat([0, 1, 2], 10), valid=np.full(5, 2), test=np.repeat([0, 3], 5))
    assert heard.warnings == [
        f"{tmp_path / 'own.npz'}: no images to train on of 1 of 4 classes: 3",
        f"{tmp_path / 'own.npz'}: no images for validation of 3 of 4 classes: 0, 1, 3",
        f"{tmp_path / 'own.npz'}: no images for testing of 2 of 4 classes: 1, 2",
    ]


def test_imbalance_is_said_with_the_error_of_the_largest_class(tmp_path: Path) -> None:
    (warning,) = checked(tmp_path, train=np.repeat([0, 1], [900, 100]), valid=[0, 1], test=[0, 1]).warnings
    assert "class 0 has 9 times as many training images as 1" in warning
    assert "always answers 0 has an error of 10.0 %" in warning
    assert checked(tmp_path, train=np.repeat([0, 1], [400, 100]), valid=[0, 1], test=[0, 1]).warnings == []


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([*range(10)] * 6 + [255], r"class 255 has only one image, of 61 images in 11 classes: 0 \(6\)"),
        (np.arange(300), "300 of 300 classes .* have only one image"),
        (np.full(30, 4), "all images have the label 4; at least two classes"),
    ],
)
def test_classes_that_cannot_be_learned_and_validated_are_refused(tmp_path: Path, labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked(tmp_path, train=labels)


def test_your_own_digits_are_checked_likewise(tmp_path: Path) -> None:
    images, labels = np.zeros((40, 9, 9), dtype=np.uint8), np.arange(40) % 2
    np.savez(tmp_path / "own.npz", images=images, labels=labels)
    heard = Hearing()
    check_digits(open_digits(str(tmp_path / "own.npz")), heard)
    assert heard.notes[0].endswith("own.npz: 40 images of 9 x 9 pixels in gray, 2 classes: 0 (20), 1 (20).")
    assert heard.notes[1] == "Held out a tenth of each class (--split-seed 0): 32 to train on, 4 for validation, 4 for testing."
    labels[0] = 255
    np.savez(tmp_path / "own.npz", images=images, labels=labels)
    with pytest.raises(ValueError, match="class 255 has only one image"):
        check_digits(open_digits(str(tmp_path / "own.npz")), heard)
    heard = Hearing()
    check_digits(open_digits("sklearn"), heard)
    assert heard.notes == []
