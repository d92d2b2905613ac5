"""The confusion matrix that `glimpse evaluate` shows: whole if it fits into 80 columns, else its worst classes and pairs."""

import csv
from pathlib import Path

import numpy as np
import pytest

from glimpse.settings.glimpse_classifier import ClassifierConfig
from tests.helpers.commands import printed_json, refused, succeeded
from tests.helpers.weights import untrained, written, written_generator

NAMES = [f"species number {label:03d} of the northern hemisphere" for label in range(200)]


def many(tmp_path: Path, count: int, names: list[str] | None = None) -> list[object]:
    """Returns the arguments that evaluate a model of this number of classes on noise."""
    config = ClassifierConfig(glimpses=2, window=4, hidden=6, features=5, classes=count)
    task = {"kind": "file", "sha256": ""} | ({} if names is None else {"class_names": names})
    weights = written(tmp_path / "model.safetensors", untrained(config), task)
    pixels = np.random.default_rng(0).integers(0, 256, (2 * count, 8, 8), dtype=np.uint8)
    labels = np.arange(2 * count) % count
    np.savez(tmp_path / "noise.npz", X_test=pixels, y_test=labels if names is None else np.array(names)[labels])
    return ["evaluate", weights, "--data", tmp_path / "noise.npz", "--threads", 1]


@pytest.mark.parametrize("names", [None, NAMES])
def test_of_200_classes_the_worst_are_shown_in_80_columns(tmp_path: Path, names: list[str] | None) -> None:
    arguments = many(tmp_path, 200, names)
    result, found = succeeded(*arguments), printed_json(*arguments)
    lines = result.stdout.splitlines()
    assert max(map(len, lines[lines.index("Highest error, 10 of 200 classes") : -1])) <= 80
    assert len(lines) < 50
    assert "--csv FILE writes the whole confusion matrix." in result.stderr
    assert len(found["confusion"]) == 200
    start = next(i for i, line in enumerate(lines) if line.startswith("Confused most often")) + 2
    counts = sorted((n for i, row in enumerate(found["confusion"]) for j, n in enumerate(row) if i != j), reverse=True)
    assert [int(line.split()[-2]) for line in lines[start : start + 10]] == counts[:10]


def test_the_whole_matrix_of_many_classes_goes_into_a_file(tmp_path: Path) -> None:
    arguments = many(tmp_path, 200, NAMES)
    result = succeeded(*arguments, "--csv", tmp_path / "confusion.csv")
    assert f"Wrote {tmp_path / 'confusion.csv'}" in result.stderr
    assert "--csv FILE" not in result.stderr
    with (tmp_path / "confusion.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["true", *NAMES]
    assert [[int(cell) for cell in row[1:]] for row in rows] == printed_json(*arguments)["confusion"]


@pytest.mark.parametrize("count", [2, 10])
def test_a_few_classes_are_a_matrix_with_their_names(tmp_path: Path, count: int) -> None:
    names = [f"c{label}" for label in range(count)]
    arguments = many(tmp_path, count, names)
    result, found = succeeded(*arguments), printed_json(*arguments)
    lines = [line.split() for line in result.stdout.splitlines()]
    start = lines.index(["true", *names])
    assert lines[start + 1 : start + 1 + count] == [
        [name, *map(str, row)] for name, row in zip(names, found["confusion"], strict=True)
    ]
    assert "--csv" not in result.stderr


def test_a_diagnosis_of_many_classes_has_the_worst_twenty_by_name(tmp_path: Path) -> None:
    result = succeeded(*many(tmp_path, 200, NAMES), "--diagnose", "--figure", tmp_path / "figure.png")
    lines = result.stdout.splitlines()
    start = lines.index("Highest error, 20 of 200 classes")
    assert lines[start + 2].startswith("species number 000 ...")
    assert (tmp_path / "figure.png").stat().st_size > 1000


def test_the_matrix_is_for_classifiers_and_a_csv(tmp_path: Path) -> None:
    draw = written_generator(tmp_path / "draw.safetensors")
    assert refused("evaluate", draw, "--csv", tmp_path / "x.csv") == "--csv is for a classifier: a generator makes no errors"
    assert "--csv writes a .csv file" in refused(*many(tmp_path, 3), "--csv", tmp_path / "x.txt")
