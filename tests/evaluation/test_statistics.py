"""Tests of significance against closed forms, numerical integration and the published procedures."""

import math

import numpy as np
import pytest
from scipy import integrate, special

from glimpse.evaluation.statistics import holm, mcnemar, t_interval


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("errors", [(50.0, 50.4), (33.0, 33.2, 33.7), (10.0, 11.0, 9.0, 10.5, 12.0)])
def test_the_interval_over_seeds_holds_students_share_of_his_distribution(errors: tuple[float, ...], confidence: float) -> None:
    low, high = t_interval(errors, confidence)
    n, mean = len(errors), sum(errors) / len(errors)
    deviation = math.sqrt(sum((error - mean) ** 2 for error in errors) / (n - 1))
    assert (low + high) / 2 == pytest.approx(mean)
    quantile = (high - mean) / (deviation / math.sqrt(n))
    factor = math.gamma(n / 2) / (math.sqrt((n - 1) * math.pi) * math.gamma((n - 1) / 2))
    inside, _ = integrate.quad(lambda t: factor * (1 + t * t / (n - 1)) ** (-n / 2), -quantile, quantile)
    assert inside == pytest.approx(confidence, abs=1e-6)


def test_two_seeds_have_the_interval_of_cauchys_distribution() -> None:
    low, high = t_interval([3.0, 4.0])
    assert high - 3.5 == pytest.approx(math.tan(math.pi * 0.475) * 0.5)
    assert low == 0.0  # an error is not negative


def test_one_seed_has_no_interval_over_seeds() -> None:
    with pytest.raises(ValueError, match="at least 2 errors, got 1"):
        t_interval([3.0])


@pytest.mark.parametrize("counts", [(0, 1), (3, 3), (1, 5), (10, 2), (46, 21), (0, 12)])
def test_mcnemar_sums_the_binomial_terms_that_are_as_unlikely(counts: tuple[int, int]) -> None:
    n = sum(counts)
    terms = [math.comb(n, k) for k in range(n + 1)]
    expected = sum(term for term in terms if term <= terms[counts[0]]) / 2**n
    assert mcnemar(*counts) == mcnemar(*counts[::-1]) == pytest.approx(expected)
    tail = special.bdtr(min(counts), n, 0.5)
    assert mcnemar(*counts) == pytest.approx(min(1.0, 2 * tail))


def test_mcnemar_finds_no_difference_without_discordant_images_and_refuses_negative_counts() -> None:
    assert mcnemar(0, 0) == 1.0
    with pytest.raises(ValueError, match="got -1 and 2"):
        mcnemar(-1, 2)


def test_holm_rejects_what_the_step_down_procedure_rejects_at_every_level() -> None:
    draw = np.random.default_rng(0)
    for _ in range(50):
        p = (draw.random(6) ** 4).tolist()
        corrected = holm(p)
        for level in (0.01, 0.05, 0.2):
            rejected = set()
            for k, index in enumerate(sorted(range(6), key=lambda i: p[i])):
                if p[index] > level / (6 - k):
                    break
                rejected.add(index)
            assert {i for i in range(6) if corrected[i] <= level} == rejected
    assert holm([]) == []
