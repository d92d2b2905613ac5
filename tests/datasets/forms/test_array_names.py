"""Names of arrays in the wild against what they mean."""

import pytest

from glimpse.datasets.forms.array_names import Vocabulary, part_named

MEANINGS = {
    (
        "train",
        "images",
    ): "X_train x_train Xtrain trainX train/x images/train train_set_x_orig trainImages train_data Xtr trainv train",
    ("train", "labels"): "y_train ytrain trainY train/y labels/train train_set_y trainLabels train_label ytr trainlab",
    ("valid", "images"): "X_valid x_val valX validation_images X_dev val/images",
    ("valid", "labels"): "y_valid y_val val_labels dev_y",
    ("test", "images"): "X_test Xtest testX test/x test_images testData Xte test",
    ("test", "labels"): "y_test ytest test_labels yte test/labels",
    ("all", "images"): "X x images imgs data features affNISTdata.image deep/er/images",
    ("all", "labels"): "Y y labels target targets label class affNISTdata.label_int",
    ("all", "class names"): "label_names class_names target_names list_classes",
    ("all", ""): "arr_0 latest testimony contrast trains index fine_labels y_coarse mean train_index vec trans",
}


@pytest.mark.parametrize(
    ("name", "part", "holds"), [(name, *meaning) for meaning, names in MEANINGS.items() for name in names.split()]
)
def test_names_in_the_wild_are_understood(name: str, part: str, holds: str) -> None:
    assert Vocabulary().understood(name) == (part, holds)


def test_a_given_name_stands_for_images_or_labels_in_every_part() -> None:
    words = Vocabulary("x_train", "fine_y_train")
    assert words.understood("x_test") == ("test", "images")
    assert words.understood("fine_y_test") == ("test", "labels")
    assert words.understood("coarse_y_train").holds == words.understood("images").holds == ""
    assert Vocabulary("faces").understood("train/faces") == ("train", "images")


def test_folders_and_values_name_parts() -> None:
    assert [part_named(name) for name in ("Train", "val", "TESTING", "cat", "")] == ["train", "valid", "test", None, None]
