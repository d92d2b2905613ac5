"""Your own glyphs in `.npz` files: their parts, their split by a seed, and errors of unsuitable files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from glimpse.datasets.counter import permutation
from glimpse.datasets.digits import DigitSource, open_digits


def own_glyphs(count: int, *, side: int = 9) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Returns glyphs whose first pixel is their number."""
    images = np.random.default_rng(count).integers(0, 256, (count, side, side), dtype=np.uint8)
    images[:, 0, 0] = np.arange(count)
    return images, np.arange(count) % 3


def numbers(source: DigitSource) -> list[list[int]]:
    return [part.images[:, 0, 0].tolist() for part in (source.train, source.valid, source.test)]


def test_a_file_is_split_by_seed(tmp_path: Path, save_npz: Callable[..., str]) -> None:
    images, labels = own_glyphs(107)
    file = save_npz(images=images, labels=labels)
    source = open_digits(file, seed=1)
    train, valid, test = numbers(source)
    assert [np.bincount(part.labels).tolist() for part in (source.train, source.valid, source.test)] == [
        [28, 28, 27],
        [4, 4, 4],
        [4, 4, 4],
    ]
    assert sorted(train + valid + test) == list(range(107))
    for part in (source.train, source.valid, source.test):
        for image, label in zip(part.images, part.labels, strict=True):
            assert np.array_equal(image, images[int(image[0, 0])])
            assert int(label) == labels[int(image[0, 0])]
    assert open_digits(file, seed=1).sha256 == source.sha256
    assert numbers(open_digits(file, seed=2))[2] != test
    assert (source.name, source.n_classes, source.seed, source.path) == ("file", 3, 1, str(tmp_path / "own.npz"))


def test_earlier_runs_keep_their_random_split(save_npz: Callable[..., str]) -> None:
    images, labels = own_glyphs(107)
    source = open_digits(save_npz(images=images, labels=labels), seed=1, split="legacy")
    order = permutation(1, 64, 0, 107).tolist()
    assert numbers(source) == [sorted(order[:87]), sorted(order[87:97]), sorted(order[97:])]


def test_digits_have_the_names_of_their_labels(save_npz: Callable[..., str]) -> None:
    images, labels = own_glyphs(60)
    source = open_digits(save_npz(images=images, labels=np.array(["one", "two", "three"])[labels]))
    assert source.class_names == ("one", "three", "two")
    assert source.test.labels.tolist() == [[0, 2, 1][number % 3] for number in numbers(source)[2]]
    assert source.record()["class_names"] == ["one", "three", "two"]


def test_a_file_keeps_its_own_splits(save_npz: Callable[..., str]) -> None:
    x, y = own_glyphs(60)
    three = {
        "X_train": x[:30],
        "y_train": y[:30],
        "X_valid": x[30:40],
        "y_valid": y[30:40],
        "X_test": x[40:],
        "y_test": y[40:, None],
    }
    assert numbers(open_digits(save_npz(**three))) == [list(range(30)), list(range(30, 40)), list(range(40, 60))]
    two = {name: array for name, array in three.items() if "valid" not in name}
    one = {name: array for name, array in two.items() if "test" not in name}
    assert [len(part) for part in numbers(open_digits(save_npz(**one)))] == [24, 3, 3]
    plain = {"images": x[:30], "labels": y[:30], "X_test": x[40:], "y_test": y[40:]}
    for arrays in (two, plain):
        source = open_digits(save_npz(**arrays))
        train, valid, test = numbers(source)
        assert (sorted(train + valid), test) == (list(range(30)), list(range(40, 60)))
        assert np.bincount(source.valid.labels).tolist() == [1, 1, 1]
        older = numbers(open_digits(save_npz(**arrays), split="legacy"))
        assert older == [list(range(27)), [27, 28, 29], list(range(40, 60))]


def test_float_glyphs_are_rounded_to_eight_bits(save_npz: Callable[..., str]) -> None:
    images, labels = own_glyphs(20)
    as_float = open_digits(save_npz(images=images.reshape(20, -1) / 255, labels=labels))
    assert as_float.sha256 == open_digits(save_npz(images=images, labels=labels)).sha256


X, Y = own_glyphs(20)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X_train": X}, "no labels for X_train"),
        ({"images": X, "labels": Y[:-1]}, "20 images in images but 19 labels in labels"),
        ({"images": X[:, :, :4, None, None], "labels": Y}, r"must be \(N, H, W\)"),
        ({"images": X[:, :3, :1].reshape(20, 3), "labels": Y}, r"square rows \(N, S \* S\), got \(20, 3\)"),
        ({"images": np.stack([X] * 3, axis=-1), "labels": Y}, "digits must be gray, got 3 channels"),
        ({"images": X[:0], "labels": Y[:0]}, "is empty"),
        ({"images": X.astype(np.int64) * 9, "labels": Y}, r"must be in 0 to 255 if it is integers, got .*astype\('uint8'\)"),
        ({"images": np.where(X > 250, np.nan, 0.5), "labels": Y}, "missing values"),
        ({"images": X / 255 - 0.1, "labels": Y}, "got -0.1 to 0.9"),
        ({"images": X, "labels": Y / 2}, "labels must be classes, got fractions such as 0.5"),
        ({"images": X, "labels": np.eye(20)[:, :10].astype(int)}, r"labels has shape \(20, 10\), but its rows are not one-hot"),
        ({"images": X[:9], "labels": Y[:9]}, "at least 10 glyphs are needed for a split of 80/10/10, got 9"),
        ({"X_test": X, "y_test": Y}, "need a training part"),
        ({"X_train": X, "y_train": Y, "X_valid": X, "y_valid": Y}, "need a test part too"),
        ({"X_train": X, "y_train": Y, "X_test": X[:, 1:], "y_test": Y}, "images of different shapes"),
        ({"images": np.array([{}] * 20), "labels": Y}, "Python objects, which are not read"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_the_reason(
    save_npz: Callable[..., str], arrays: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        open_digits(save_npz(**arrays))


def test_a_file_of_another_format_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file .*none\.npz"):
        open_digits(str(tmp_path / "none.npz"))
    for content in (b"", b"PK\x03\x04 broken", b"text"):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(ValueError, match=r"bad\.npz: not a \.npz file"):
            open_digits(str(tmp_path / "bad.npz"))
    np.save(tmp_path / "one.npy", X)
    with pytest.raises(ValueError, match=r"one\.npy: no labels for one; found one"):
        open_digits(str(tmp_path / "one.npy"))


def test_digits_come_in_every_form_that_data_comes_in(tmp_path: Path) -> None:
    for number, (image, label) in enumerate(zip(*own_glyphs(60), strict=True)):
        (tmp_path / str(label)).mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / str(label) / f"{number:02}.png")
    source = open_digits(str(tmp_path))
    assert (source.name, source.digits, source.n_classes) == ("file", str(tmp_path), 3)
    assert sorted(sum(numbers(source), [])) == list(range(60))  # noqa: RUF017


def test_a_record_is_json_and_opens_the_same_again(save_npz: Callable[..., str]) -> None:
    images, labels = own_glyphs(50)
    for opened in (open_digits("sklearn"), open_digits(save_npz(images=images, labels=labels), seed=9)):
        record: dict[str, Any] = json.loads(json.dumps(opened.record()))
        again = open_digits(record["digits"], seed=record["seed"] or 0)
        assert again.record() == record
        assert record["sizes"] == {
            "train": len(opened.train.labels),
            "valid": len(opened.valid.labels),
            "test": len(opened.test.labels),
        }
