"""The published numbers are those of the papers and appear next to no other task."""

import subprocess
import sys

import pytest

from glimpse.evaluation.published import published_classification, published_generation


def errors(canvas: int, pieces: int, digits_source: str = "mnist") -> dict[tuple[str, str], float]:
    """Returns the published errors by source and model."""
    return {(row.source, row.model): row.error_percent for row in published_classification(canvas, pieces, digits_source)}


def test_the_large_canvas_has_all_of_draws_table_1() -> None:
    draw = {model: error for (source, model), error in errors(100, 8).items() if source == "DRAW, Table 1"}
    assert draw == {
        "convolutional, 2 layers": 14.35,
        "RAM, 4 glimpses, 12x12, 4 scales": 9.41,
        "RAM, 8 glimpses, 12x12, 4 scales": 8.11,
        "differentiable RAM, 4 glimpses, 12x12": 4.18,
        "differentiable RAM, 8 glimpses, 12x12": 3.36,
    }


def test_the_small_canvas_has_the_numbers_of_ram() -> None:
    assert list(errors(60, 4).values()) == [28.58, 11.96, 8.09, 4.96, 4.08, 4.04]


def test_second_hand_numbers_are_marked() -> None:
    for row in (*published_classification(100, 8, "mnist"), *published_classification(60, 4, "mnist")):
        assert row.source in ("DRAW, Table 1", "public reproduction") or "second-hand" in row.note


def test_models_that_see_the_whole_image_are_marked() -> None:
    for row in (*published_classification(100, 8, "mnist"), *published_classification(60, 4, "mnist")):
        if row.model.startswith(("convolutional", "fully connected", "dynamic")):
            assert "whole image" in row.note


@pytest.mark.parametrize("source", ["sklearn", "fashion-mnist", "emnist-digits", "file", "auto", ""])
def test_other_digits_are_never_compared_with_a_paper(source: str) -> None:
    assert published_classification(100, 8, source) == ()
    assert published_classification(60, 4, source) == ()


@pytest.mark.parametrize(("canvas", "pieces"), [(100, 4), (60, 8), (100, 0), (28, 0), (101, 8)])
def test_another_canvas_or_clutter_is_never_compared_with_a_paper(canvas: int, pieces: int) -> None:
    assert published_classification(canvas, pieces, "mnist") == ()


def test_binarized_mnist_has_all_of_draws_table_2() -> None:
    rows = published_generation("binarized-mnist", "fixed", "bernoulli")
    table = [(row.relation, row.value) for row in rows if row.source == "DRAW, Table 2"]
    exact = [("=", 88.33), ("=", 85.10), ("=", 84.68)]
    estimates = [("~", 84.62), ("~", 84.55), ("~", 86.60), ("~", 85.51), ("~", 84.13)]
    bounds = [("<=", 88.30), ("<=", 88.30), ("<=", 87.72), ("<=", 87.40), ("<=", 80.97)]
    assert sorted(table) == sorted(exact + estimates + bounds)
    assert [row.value for row in rows if row.model == "DRAW" and row.source == "DRAW, Table 2"] == [80.97]
    assert [row.value for row in rows if row.model == "DRAW without attention"] == [87.40]
    for row in rows:
        assert (row.source == "DRAW, Table 2") != ("second-hand" in row.note)


def test_cifar10_has_bits_per_dimension_read_second_hand() -> None:
    rows = published_generation("cifar10", "none", "logistic")
    assert {row.model: row.value for row in rows} == {"DRAW": 4.13, "ConvDRAW": 3.58}
    assert all("second-hand; bits per dimension" in row.note for row in rows)


@pytest.mark.parametrize(
    "task",
    [
        ("binarized-mnist", "dynamic", "bernoulli"),
        ("binarized-mnist", "fixed", "logistic"),
        ("dynamic-mnist", "dynamic", "bernoulli"),
        ("digits", "dynamic", "bernoulli"),
        ("pictures", "fixed", "bernoulli"),
        ("cifar10", "none", "bernoulli"),
        ("cifar10", "dynamic", "bernoulli"),
        ("svhn-32", "none", "logistic"),
        ("svhn", "none", "bernoulli"),
    ],
)
def test_bounds_on_other_sets_or_likelihoods_are_never_compared_with_a_paper(task: tuple[str, str, str]) -> None:
    assert published_generation(*task) == ()


def test_the_rows_are_loaded_without_torch() -> None:
    code = "import sys, glimpse.evaluation.published; assert not {'torch', 'matplotlib', 'sklearn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
