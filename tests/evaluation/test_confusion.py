"""Worst classes and pairs of a confusion matrix, against plain loops, and the matrix as CSV."""

import csv
from pathlib import Path

import numpy as np

from glimpse.evaluation.confusion import confused_pairs, errors_by_class, write_confusion

MATRIX = np.random.default_rng(0).poisson(0.7, (30, 30)).tolist()
MATRIX[4] = [0] * 30  # a class without images
MATRIX[9] = [0] * 9 + [5] + [0] * 20  # a class without errors


def test_every_class_has_its_errors_and_the_class_predicted_most_often() -> None:
    found = {each.label: each for each in errors_by_class(MATRIX)}
    assert len(found) == 30
    for label, row in enumerate(MATRIX):
        wrong = [count if predicted != label else 0 for predicted, count in enumerate(row)]
        assert (found[label].images, found[label].errors) == (sum(row), sum(wrong))
        assert found[label].predicted == (int(np.argmax(wrong)) if any(wrong) else None)
        assert found[label].error == (100 * sum(wrong) / sum(row) if any(row) else None)


def test_classes_are_in_the_order_of_their_error_with_those_without_images_last() -> None:
    found = errors_by_class(MATRIX)
    errors = [each.error for each in found[:-1]]
    assert errors == sorted(errors, reverse=True)  # type: ignore[type-var]
    assert (found[-2].label, found[-1].label) == (9, 4)


def test_pairs_are_the_cells_off_the_diagonal_in_the_order_of_their_counts() -> None:
    pairs = confused_pairs(MATRIX)
    expected = {(i, j): MATRIX[i][j] for i in range(30) for j in range(30) if i != j and MATRIX[i][j]}
    assert {(pair.label, pair.predicted): pair.images for pair in pairs} == expected
    assert [pair.images for pair in pairs] == sorted(expected.values(), reverse=True)
    for pair in pairs:
        assert pair.share == 100 * pair.images / sum(MATRIX[pair.label])


def test_a_perfect_classifier_confuses_no_pair() -> None:
    assert confused_pairs([[3, 0], [0, 5]]) == []


def test_the_file_holds_the_whole_matrix_with_names(tmp_path: Path) -> None:
    names = [f'class, "{label}"' for label in range(30)]
    write_confusion(tmp_path / "new" / "confusion.csv", MATRIX, names)
    with (tmp_path / "new" / "confusion.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["true", *names]
    assert [row[0] for row in rows] == names
    assert [[int(cell) for cell in row[1:]] for row in rows] == MATRIX
