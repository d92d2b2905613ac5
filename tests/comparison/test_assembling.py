"""Models assembled as rows, with tests of every pair, next to published results."""

import math
from dataclasses import replace
from typing import Any

import pytest

from glimpse.comparison.assembling import first_at_or_below
from glimpse.evaluation.published import counterpart, published_classification
from glimpse.evaluation.statistics import holm, mcnemar, t_interval, wilson_interval
from glimpse.settings.classifier import ClassifierSettings
from glimpse.settings.convolutional import ConvConfig, ConvNetConfig
from glimpse.settings.glimpse_classifier import ClassifierConfig
from glimpse.settings.ram import RAMConfig
from glimpse.settings.spatial_transformer import SpatialTransformerConfig
from tests.helpers.comparisons import CLUTTERED, LABELS, compared, progress, trained


def test_the_images_to_an_error_are_those_of_the_first_validation_at_or_below_it() -> None:
    rows = progress(9.0, 3.5, 4.0, 3.0)
    assert first_at_or_below(rows, 3.5) == (200, 4.0)
    assert first_at_or_below(rows, 3.4) == (400, 8.0)
    assert first_at_or_below(rows, 2.9) is None
    assert first_at_or_below([], 50.0) is None


def test_runs_that_differ_only_in_their_seed_are_one_row_in_the_order_of_seeds() -> None:
    config = ClassifierConfig()
    found = compared([trained("b", config, range(40), 1), trained("a", config, range(30), 0)])
    (row,) = found.rows
    assert (row.seeds, row.errors, row.sources) == ((0, 1), (3.0, 4.0), ("a", "b"))
    assert row.error == 3.5
    assert row.deviation == pytest.approx(math.sqrt(0.5))
    assert row.interval == t_interval([3.0, 4.0])
    assert found.pairs == ()


def test_one_seed_has_wilsons_interval() -> None:
    (row,) = compared([trained("a", ClassifierConfig(), range(30))]).rows
    assert row.interval == pytest.approx([100 * end for end in wilson_interval(30, 1000)])
    assert row.deviation is None


@pytest.mark.parametrize("other", [{"training": {"images": 7}}, {"run": None, "seed": 1}])
def test_other_settings_or_models_without_a_run_are_other_rows(other: dict[str, Any]) -> None:
    one = trained("one", ClassifierConfig(), range(30), 0, training={"images": 5})
    two = trained("two", ClassifierConfig(), range(40), **{"seed": 1} | other)
    names = [row.model for row in compared([one, two]).rows]
    assert len(set(names)) == 2
    if "training" in other:
        assert names == ["glimpse 8 of 12x12, images=5", "glimpse 8 of 12x12, images=7"]


def test_the_same_settings_and_seed_twice_are_two_rows_named_by_their_folders() -> None:
    found = compared([trained("here", ClassifierConfig(), range(30)), trained("there", ClassifierConfig(), range(40))], size=(9, 9))
    assert [row.model for row in found.rows] == ["glimpse 8 of 12x12, here", "glimpse 8 of 12x12, there"]


def test_pairs_are_tested_on_the_images_that_one_of_the_first_seeds_gets_wrong() -> None:
    models = [
        trained("c", ClassifierConfig(), range(500), 1),
        trained("a", ClassifierConfig(), range(30), 0),
        trained("b", ConvConfig(), range(20, 60)),
        trained("d", ConvNetConfig(), range(25)),
    ]
    found = compared(models)
    counts = [(pair.first, pair.second, pair.only_first, pair.only_second) for pair in found.pairs]
    glimpse = "glimpse 8 of 12x12"
    assert counts == [(glimpse, "conv", 20, 30), (glimpse, "convnet", 5, 0), ("conv", "convnet", 35, 20)]
    assert [pair.p for pair in found.pairs] == [mcnemar(20, 30), mcnemar(5, 0), mcnemar(35, 20)]
    assert [pair.p_holm for pair in found.pairs] == holm([pair.p for pair in found.pairs])


def test_models_measured_on_other_images_or_none_are_refused() -> None:
    one = trained("a", ClassifierConfig(), range(30))
    with pytest.raises(ValueError, match="a and b were measured on other test images"):
        compared([one, replace(one, source="b", labels=LABELS[::-1])])
    with pytest.raises(ValueError, match="at least one model"):
        compared([])


def test_rates_are_medians_and_the_published_error_counts_only_when_every_seed_reached_it() -> None:
    config = ClassifierConfig()
    both = [trained(str(seed), config, range(30), seed, progress=progress(9.0, *[3.36] * (seed + 1))) for seed in range(2)]
    (row,) = compared(both, CLUTTERED).rows
    assert row.training_rate == pytest.approx((501.5 + 502) / 2)
    assert row.reached == ((200, 4.0), (200, 4.0))
    assert row.when_reached == (200, 4.0)
    assert row.trained_on == "cpu, 1 thread, bf16, compiled"
    (row,) = compared([both[0], replace(both[1], progress=progress(9.0))], CLUTTERED).rows
    assert row.reached == ((200, 4.0), None)
    assert row.when_reached is None


# Published


@pytest.mark.parametrize(
    ("config", "error"),
    [
        (ClassifierConfig(), 3.36),
        (ClassifierConfig(glimpses=4), 4.18),
        (ClassifierConfig(encoder="none", parametrization="paper", supervision="last", sigma=1.0), 3.36),
        (ClassifierConfig(scales=4), None),
        (ClassifierConfig(glimpses=6), None),
        (ClassifierConfig(window=8), None),
        (ClassifierConfig(parametrization="random"), None),
        (RAMConfig(), 8.11),
        (RAMConfig(glimpses=4, test_samples=10), 9.41),
        (RAMConfig(glimpses=6), 11.58),
        (RAMConfig(window=8), None),
        (ConvConfig(), 14.35),
        (ConvNetConfig(), 0.92),
        (SpatialTransformerConfig(), None),
    ],
)
def test_a_model_is_shown_only_with_the_published_error_of_its_kind(config: ClassifierSettings, error: float | None) -> None:
    found = compared([trained("a", config, range(30))], CLUTTERED)
    (row,) = found.rows
    assert (row.published.error_percent if row.published else None) == error
    assert len(found.published_only) == len(CLUTTERED) - (error is not None)


def test_the_values_read_of_a_published_row_match_its_description() -> None:
    for row, side in [(row, 100) for row in CLUTTERED] + [(row, 60) for row in published_classification(60, 4, "mnist")]:
        whole = "whole image" in row.note
        assert (row.values_read == side * side) == whole
        if "glimpses" in row.model:
            assert f"{row.glimpses} glimpses" in row.model
        if "12x12" in row.model:
            assert row.glimpses is not None
            scales = next((n for n in (3, 4) if f"{n} scales" in row.model), 1)
            assert row.values_read == row.glimpses * 144 * scales
        elif not whole:
            assert row.values_read is None
    assert counterpart((), "ram", glimpses=8, values_read=4608) is None


def test_a_model_with_other_windows_or_scales_is_shown_without_a_published_number() -> None:
    for canvas, pieces, scales, error in ((100, 8, 4, 8.11), (60, 4, 3, 4.04)):
        rows = published_classification(canvas, pieces, "mnist")
        found = [counterpart(rows, "ram", glimpses=8, values_read=8 * 144 * n) for n in range(1, 6)]
        assert [None if row is None else row.error_percent for row in found] == [
            error if n == scales else None for n in range(1, 6)
        ]
