"""`.npz` files with the names, layouts and ranges in the wild against the arrays in them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glimpse.datasets.forms.found import Undecided
from glimpse.datasets.labeled_images import DataParts, open_data
from glimpse.settings.requests import FormChoice
from tests.datasets.forms.conftest import COLOR, GRAY, LABELS

Opens = Callable[..., DataParts]
Saved = Callable[..., Path]
ONE_HOT = np.eye(4)[LABELS]


@pytest.mark.parametrize(
    "arrays",
    [
        {"X": GRAY, "y": LABELS},
        {"data": GRAY.reshape(40, 81), "target": LABELS.astype(float)},
        {"images": GRAY, "labels": ONE_HOT, "index": np.arange(40), "mean": np.float64(3)},
        {"arr_0": GRAY, "arr_1": LABELS},
        {"faces": GRAY, "who": LABELS.astype(str)},
        {"images": GRAY.transpose(1, 2, 0), "labels": LABELS},  # as in MATLAB
        {"images": GRAY.reshape(40, 81).T, "labels": LABELS[None]},
        {"images": GRAY[:, None], "labels": LABELS},
        {"images": GRAY.astype(np.int64), "labels": LABELS},
        {"images": GRAY.astype(np.float32), "labels": LABELS},
        {"images": GRAY / 255, "labels": LABELS},
        {"images": GRAY.astype(np.uint16) * 257, "labels": LABELS},
        {"x_train": GRAY[:30], "y_train": LABELS[:30], "x_test": GRAY[30:], "y_test": LABELS[30:]},
        {"trainX": GRAY[:30], "trainY": ONE_HOT[:30], "testX": GRAY[30:], "testY": ONE_HOT[30:]},
        {"images": GRAY[:30], "labels": LABELS[:30], "X_test": GRAY[30:], "y_test": LABELS[30:]},
    ],
)
def test_the_forms_in_the_wild_are_the_same_images_and_labels(saved: Saved, opens_as: Opens, arrays: dict[str, Any]) -> None:
    opens_as(saved(**arrays), form=".npz")


def test_channels_are_first_or_last(saved: Saved, opens_as: Opens) -> None:
    for images in (COLOR, COLOR.transpose(0, 3, 1, 2), COLOR.transpose(1, 2, 3, 0)):
        opens_as(saved(images=images, labels=LABELS), COLOR)


def test_black_and_white_images_are_not_nearly_black(saved: Saved, opens_as: Opens) -> None:
    bits = GRAY > 128
    for images in (bits, bits.astype(np.uint8), bits.astype(int), bits.astype(float)):
        opens_as(saved(images=images, labels=LABELS), bits * np.uint8(255))
    parts = {"X_train": bits[:30].astype(np.uint8), "y_train": LABELS[:30], "X_test": GRAY[30:], "y_test": LABELS[30:]}
    opens_as(saved(**parts), np.concatenate([bits[:30].astype(np.uint8), GRAY[30:]]))


def test_a_validation_part_has_the_same_spellings(saved: Saved) -> None:
    for name in ("val", "valid", "validation", "dev"):
        arrays = {f"x_{name}": GRAY[30:], f"y_{name}": LABELS[30:], "x_train": GRAY[:30], "y_train": LABELS[:30]}
        data = open_data(saved(**arrays))
        assert {part: len(images) for part, images in data.parts.items()} == {"train": 30, "valid": 10}


def test_names_of_the_classes_come_with_numbers_as_labels(saved: Saved, opens_as: Opens) -> None:
    names = np.array(["ant", "bee", "cat", "dog"])
    data = opens_as(saved(data=GRAY, target=LABELS, target_names=names), labels=names[LABELS])
    assert data.class_names == ("ant", "bee", "cat", "dog")


@pytest.mark.parametrize("name", ["images", "arr_0"])
def test_images_without_any_labels_need_some(saved: Saved, name: str) -> None:
    with pytest.raises(
        Undecided, match=rf"no labels for {name}; found {name} \(uint8 40 x 9 x 9\): give an array of labels with it"
    ):
        open_data(saved(**{name: GRAY}))


TWO: dict[str, Any] = {"images": GRAY, "fine_labels": LABELS, "coarse_labels": LABELS // 2}
FOUR: dict[str, Any] = {"arr_0": GRAY[:30], "arr_1": LABELS[:30], "arr_2": GRAY[30:], "arr_3": LABELS[30:]}


def test_a_question_lists_what_was_found_and_two_options_settle_it(saved: Saved, opens_as: Opens) -> None:
    with pytest.raises(Undecided, match=r"coarse_labels and fine_labels may both be the labels; found .* fine_labels \(int64 40\)"):
        open_data(saved(**TWO))
    opens_as(saved(**TWO), labels_key="fine_labels")
    opens_as(saved(**TWO), labels=LABELS // 2, labels_key="coarse_labels")
    with pytest.raises(Undecided, match=r"found arr_0 \(uint8 30 x 9 x 9\), .*--images-key and --labels-key"):
        open_data(saved(**FOUR))
    opens_as(saved(**FOUR), GRAY[30:], LABELS[30:], images_key="arr_2", labels_key="arr_3")
    with pytest.raises(Undecided, match="no array 'pixels'; found arr_0"):
        opens_as(saved(**FOUR), images_key="pixels")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X_train": GRAY}, "no labels for X_train; found X_train"),
        ({"labels": LABELS}, "which array holds the images is not clear; found labels"),
        ({"images": GRAY, "labels": LABELS[:-1]}, "40 images in images but 39 labels in labels"),
        ({"images": GRAY[..., None, None], "labels": LABELS}, r"must be \(N, H, W\), .* got \(40, 9, 9, 1, 1\)"),
        ({"images": GRAY[:, :5, :1].reshape(40, 5), "labels": LABELS}, r"square rows \(N, S \* S\), got \(40, 5\)"),
        ({"images": GRAY[:0], "labels": LABELS[:0]}, "is empty"),
        ({"images": GRAY * 0.5, "labels": LABELS}, "must be in 0 to 1 if it is float, got 0 to 127.5; divide 0 to 255 by 255"),
        ({"images": GRAY / 127.5 - 1, "labels": LABELS}, r"got -1 to 1; -1 to 1 becomes 0 to 1 by \(x \+ 1\) / 2"),
        ({"images": (GRAY / 255 - 0.5) / 0.29, "labels": LABELS}, "is standardized .*undo it"),
        ({"images": np.where(GRAY > 250, np.nan, 0.5), "labels": LABELS}, "missing values"),
        ({"images": GRAY.astype(np.uint16) * 16, "labels": LABELS}, "must be in 0 to 255 if it is integers, got 0 to 4080"),
        ({"images": GRAY.astype(int) - 3, "labels": LABELS}, "got -3 to 252"),
        ({"images": GRAY.astype(complex), "labels": LABELS}, "which array holds the images is not clear"),
        (
            {"images": GRAY, "labels": np.array(["a", "b"] * 20, dtype=object)},
            r"Python objects, which are not read; .*astype\(str\)",
        ),
        ({"X_train": GRAY, "y_train": LABELS, "X_test": COLOR, "y_test": LABELS}, "images of different shapes"),
    ],
)
def test_arrays_that_are_no_images_and_labels_are_refused_with_the_reason(
    saved: Saved, arrays: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=rf"own\.npz: .*{message}") as caught:
        open_data(saved(**arrays))
    assert "pickle" not in str(caught.value)


def test_arrays_have_the_size_that_they_have(saved: Saved) -> None:
    with pytest.raises(ValueError, match="holds images of 9 x 9: only pictures are brought to the size 20 x 20"):
        open_data(saved(images=GRAY, labels=LABELS), form=FormChoice(size=(20, 20)))
