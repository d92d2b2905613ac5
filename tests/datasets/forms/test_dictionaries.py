"""Dictionaries against the arrays in them: named arrays, and data sets whose items are dictionaries."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits
from torch.utils.data import ConcatDataset, Dataset, Subset

import glimpse.datasets
from glimpse.datasets.forms.found import Undecided
from glimpse.datasets.labeled_images import DataParts, open_data
from glimpse.settings.requests import FormChoice
from tests.datasets.forms.conftest import COLOR, GRAY, LABELS

Opens = Callable[..., DataParts]
NAMES = ["ant", "bee", "cat", "dog"]
TEXTS = np.array(NAMES)[LABELS]
PICTURES = [Image.fromarray(image) for image in COLOR]
TENSORS = torch.from_numpy(COLOR).permute(0, 3, 1, 2)
KIND = "a dictionary of arrays"


class Items(Dataset[Any]):
    """Items that a function makes of their number."""

    def __init__(self, item: Callable[[int], Any]) -> None:
        self.item = item

    def __len__(self) -> int:
        return len(LABELS)

    def __getitem__(self, index: int) -> Any:
        return self.item(index)


@pytest.mark.parametrize(
    "arrays",
    [
        {"images": GRAY, "labels": LABELS},
        {"X": GRAY.reshape(40, 81), "y": LABELS.tolist()},
        {"x_train": GRAY[:30], "y_train": LABELS[:30], "x_test": GRAY[30:], "y_test": LABELS[30:]},
        {"train": {"image": GRAY[:30], "label": LABELS[:30]}, "test": {"image": GRAY[30:], "label": LABELS[30:]}},
        {"train": (GRAY[:30], LABELS[:30]), "test": {"image": GRAY[30:], "label": LABELS[30:]}},
        {"pixel_values": torch.from_numpy(GRAY)[:, None] / 255, "labels": torch.from_numpy(LABELS)},
        {"images": GRAY.tolist(), "target": np.eye(4)[LABELS], "DESCR": "gray", "frame": None, "seed": 3},
        {0: LABELS, 1: GRAY},
    ],
)
def test_named_arrays_are_read_by_their_names(arrays: Any, opens_as: Opens) -> None:
    opens_as(arrays)


def test_named_arrays_in_color_and_labels_as_strings_are_read(opens_as: Opens) -> None:
    for images in (TENSORS, TENSORS.float().requires_grad_() / 255, PICTURES, [*COLOR], [*TENSORS]):
        opens_as({"images": images, "label": TEXTS.tolist()}, COLOR, TEXTS, form=KIND)
    opens_as({"images": COLOR, "label": TEXTS.astype(object)}, COLOR, TEXTS)


def test_the_names_of_the_classes_come_from_the_dictionary(opens_as: Opens) -> None:
    assert opens_as({"data": GRAY, "target": LABELS, "target_names": NAMES}, labels=TEXTS).class_names == tuple(NAMES)
    parts = {"train": {"x": GRAY[:30], "y": LABELS[:30]}, "test": {"x": GRAY[30:], "y": LABELS[30:]}, "class_names": NAMES}
    opens_as(parts, labels=TEXTS)


def test_the_bunch_of_scikit_learn_and_an_opened_archive_are_read(opens_as: Opens, saved: Callable[..., Any]) -> None:
    bunch = load_digits()
    data = open_data(bunch)
    found = data.evaluation[1].batch(torch.arange(1797))
    assert found.labels.tolist() == bunch.target.tolist()
    assert torch.equal(found.images[:, 0], torch.from_numpy(bunch.images).float() / 255)
    with np.load(saved(images=GRAY, labels=LABELS)) as archive:
        opens_as(archive, form=KIND)


def test_names_that_decide_nothing_are_a_question_that_the_keys_answer(opens_as: Opens) -> None:
    arrays = {"before": GRAY, "after": 255 - GRAY, "kind": LABELS, "mood": LABELS[::-1].copy()}
    with pytest.raises(Undecided, match=r"which array holds the images is not clear; found before \(uint8 40 x 9 x 9\), after"):
        glimpse.datasets.open(arrays)
    opens_as(arrays, 255 - GRAY, LABELS[::-1], images_key="after", labels_key="mood")
    with pytest.raises(Undecided, match=r"no labels for images; found images .*: give an array of labels with it"):
        open_data({"images": GRAY})


def test_lists_whose_rows_differ_are_named() -> None:
    with pytest.raises(ValueError, match="a dictionary of arrays: images is no array: its rows differ in shape or type"):
        open_data({"images": [[1, 2], [3]], "labels": [0, 1]})
    with pytest.raises(ValueError, match="a dictionary of arrays: y is missing for 1 of 40 images"):
        open_data({"x": GRAY, "y": [None, *TEXTS[1:]]})
    with pytest.raises(ValueError, match="a dictionary of arrays: 40 images in x but 39 labels in y"):
        open_data({"x": GRAY, "y": LABELS[1:]})


@pytest.mark.parametrize(
    "item",
    [
        lambda i: {"image": PICTURES[i], "label": LABELS[i]},
        lambda i: {"pixel_values": TENSORS[i], "labels": torch.tensor(LABELS[i]), "idx": i},
        lambda i: {"id": i, "img": COLOR[i], "mask": GRAY[i], "target": np.eye(4)[LABELS[i]]},
        lambda i: {"x": TENSORS[i] / 255, "y": LABELS[i : i + 1]},
    ],
)
def test_items_that_are_dictionaries_are_read_by_their_keys(item: Callable[[int], Any], opens_as: Opens) -> None:
    opens_as(Items(item), COLOR, form="a data set of torch")
    opens_as([item(i) for i in range(40)], COLOR, form="a data set of torch")
    opens_as({"train": Subset(Items(item), range(30)), "test": Subset(Items(item), range(30, 40))}, COLOR)


def test_labels_of_items_may_be_strings_and_other_keys_are_given(opens_as: Opens) -> None:
    items = Items(lambda i: {"before": COLOR[i], "after": PICTURES[i], "fine": LABELS[i] // 2, "coarse": TEXTS[i]})
    with pytest.raises(Undecided, match="which column holds the images is not clear; found before, after, fine, coarse"):
        open_data(items)
    with pytest.raises(Undecided, match="which column holds the labels is not clear; found before, fine, coarse"):
        open_data(items, form=FormChoice(images_key="after"))
    opens_as(items, COLOR, TEXTS, images_key="after", labels_key="coarse")
    with pytest.raises(Undecided, match="no column 'color'"):
        glimpse.datasets.open(items, images_key="color")


def test_the_names_of_a_subset_are_those_of_its_data_set(opens_as: Opens) -> None:
    whole = Items(lambda i: (PICTURES[i], int(LABELS[i])))
    whole.classes = NAMES  # type: ignore[attr-defined]
    opens_as(Subset(Subset(whole, range(40)), range(40)), COLOR, TEXTS)
    opens_as(ConcatDataset([Subset(whole, range(7)), Subset(whole, range(7, 40))]), COLOR)


def test_items_that_differ_from_the_first_one_are_named() -> None:
    def at(number: int, other: Any) -> Dataset[Any]:
        return Items(lambda i: other if i == number else {"image": GRAY[i], "label": LABELS[i]})

    with pytest.raises(ValueError, match="item 7 has no 'image' and 'label', but is a dictionary of image, weight"):
        open_data(at(7, {"image": GRAY[7], "weight": 1}))
    with pytest.raises(ValueError, match="item 3 has no 'image' and 'label', but is tuple"):
        open_data(at(3, (GRAY[3], 1)))
    with pytest.raises(ValueError, match=r"items must be \(image, label\) or dictionaries such as .*, got Tensor"):
        open_data(Items(lambda i: torch.from_numpy(GRAY[i])))
    with pytest.raises(ValueError, match="the labels differ in shape"):
        open_data(Items(lambda i: {"image": GRAY[i], "label": np.zeros(1 + i)}))


def gray_of(data: DataParts) -> NDArray[Any]:
    """Returns all images of a set without parts, shape (N, H, W), 0 to 255."""
    part = data.evaluation[1]
    return np.asarray(255 * part.batch(torch.arange(len(part))).images[:, 0]).round()


def test_pictures_of_different_sizes_in_a_dictionary_are_brought_to_one() -> None:
    pictures = [Image.fromarray(GRAY[0]), *(Image.fromarray(image[:5]) for image in GRAY[1:])]
    with pytest.raises(ValueError, match="a dictionary of arrays: image: the images differ in size"):
        open_data({"image": pictures, "label": LABELS})
    data = glimpse.datasets.open({"image": pictures, "label": LABELS}, size=(9, 9), fit="pad")
    assert np.array_equal(gray_of(data)[0], GRAY[0])
