"""Labels in every spelling against the classes they stand for."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from glimpse.datasets.labels import Labels, class_names


def read(array: Any) -> tuple[list[str], list[int]]:
    """Returns the names of the classes and the class of each image."""
    labels = Labels.of(np.asarray(array), "labels")
    names = class_names([labels])
    return list(names), labels.classes(names, "labels").tolist()


@pytest.mark.parametrize(
    ("array", "names", "classes"),
    [
        ([2, 0, 1], ["0", "1", "2"], [2, 0, 1]),
        ([10, 1, 9], ["1", "9", "10"], [2, 0, 1]),
        ([-1, 1, 1], ["-1", "1"], [0, 1, 1]),
        ([100_000, 3, 3], ["3", "100000"], [1, 0, 0]),
        ([2.0, 0.0, 2.0], ["0", "2"], [1, 0, 1]),
        (np.array([0, 255], np.uint8), ["0", "255"], [0, 1]),
        ([True, False, True], ["0", "1"], [1, 0, 1]),
        ([[3], [5]], ["3", "5"], [0, 1]),
        ([[3, 5]], ["3", "5"], [0, 1]),
        ([[0, 0, 1], [1, 0, 0]], ["0", "2"], [1, 0]),
        (np.eye(3, dtype=np.float32)[[2, 1, 1]], ["1", "2"], [1, 0, 0]),
        (np.eye(2, dtype=bool), ["0", "1"], [0, 1]),
        (["cat", "ant", "cat"], ["ant", "cat"], [1, 0, 1]),
        (["10", "9", "1"], ["1", "9", "10"], [2, 1, 0]),
        (["07", "7", "1"], ["07", "1", "7"], [0, 2, 1]),
        ([b"caf\xc3\xa9", b"bar"], ["bar", "café"], [1, 0]),
        (np.array(["b", b"a", 3], dtype=object), ["3", "a", "b"], [2, 1, 0]),
        (np.array([3, 1.0, np.int64(3)], dtype=object), ["1", "3"], [1, 0, 1]),
    ],
)
def test_every_spelling_gives_classes_in_sorted_order(array: Any, names: list[str], classes: list[int]) -> None:
    assert read(array) == (names, classes)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([0.5, 1]), "must be classes, got fractions such as 0.5"),
        (np.array([0.0, np.nan, 1, np.nan]), r"missing \(NaN\) for 2 of 4 images"),
        (np.array([0, np.inf]), "fractions such as inf"),
        (np.array([1e300, 0]), "fractions such as 1e"),
        (np.array(["cat", None], dtype=object), "missing for 1 of 2 images"),
        (np.array(["cat", float("nan")], dtype=object), "missing for 1 of 2 images"),
        (np.array([{}, []], dtype=object), "must be integers or strings, got dict"),
        (np.array([[0.2, 0.8], [1, 0]]), "not one-hot"),
        (np.array([[1, 1], [1, 0]]), "not one-hot"),
        (np.array([["a", "b"], ["c", "d"]]), "one string for each image"),
        (np.zeros((2, 2, 2)), "got shape"),
        (np.array(0), "got shape"),
        (np.array([2**63], dtype=np.uint64), "larger than"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), "must be integers or strings, got datetime64"),
        (np.array([1j]), "must be integers or strings, got complex"),
    ],
)
def test_what_is_no_class_is_refused_with_the_reason(array: NDArray[Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^labels .*{message}"):
        Labels.of(array, "labels")


def test_the_classes_of_several_parts_are_those_of_their_images_together() -> None:
    parts = [Labels.of(np.array(values), "labels") for values in ([10, 2], [9, 2])]
    names = class_names(parts)
    assert names == ("2", "9", "10")
    assert [part.classes(names, "labels").tolist() for part in parts] == [[2, 0], [1, 0]]
    mixed = class_names([Labels.of(np.array(["b"]), "labels"), Labels.of(np.array([7]), "labels")])
    assert mixed == ("7", "b")


def test_given_names_keep_their_order_and_lose_those_without_an_image() -> None:
    shoes = Labels.of(np.array([2, 0, 2]), "labels", ["T-shirt", "Dress", "Boot"])
    assert class_names([shoes, shoes]) == ("T-shirt", "Boot")
    assert shoes.at(np.array([1])).present == ["T-shirt"]
    with pytest.raises(ValueError, match="has 3, but names for 0 to 2 only"):
        Labels.of(np.array([3]), "labels", ["T-shirt", "Dress", "Boot"])


def test_unknown_labels_are_no_class() -> None:
    assert Labels.unknown(3).classes(["a", "b"], "labels").tolist() == [-1, -1, -1]
    assert class_names([Labels.unknown(3)]) == ()


def test_a_label_as_large_as_it_gets_takes_no_memory() -> None:
    names, classes = read(np.array([2**62, 0, 2**62]))
    assert (names, classes) == (["0", str(2**62)], [1, 0, 1])


def test_long_names_of_classes_are_cut_off_in_messages() -> None:
    with pytest.raises(ValueError, match=r"the model has classes 9{57}\.\.\., dog, the images have cat") as error:
        Labels.of(np.array(["cat"]), "here").classes(("9" * 5000, "dog"), "here")
    assert len(str(error.value)) < 200
