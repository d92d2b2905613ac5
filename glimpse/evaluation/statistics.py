"""Uncertainty of errors: intervals over images or seeds, a test of two models, a correction for multiple tests.

References:
    Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages", 1947,
    Psychometrika 12(2).
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927, JASA 22(158).
    S. Holm, "A simple sequentially rejective multiple test procedure", 1979, Scandinavian Journal of Statistics 6(2).
"""

import math
import statistics
from collections.abc import Sequence

__all__ = ["holm", "mcnemar", "t_interval", "wilson_interval"]


def wilson_interval(errors: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    r"""Returns the Wilson score interval of a proportion.

    Its ends are the two proportions p from which the observed one is exactly z standard deviations away:

    .. math:: (\hat p - p)^2 = z^2 \, p (1 - p) / n

    Args:
        errors: Number of errors, from 0 to n.
        n: Number of images, at least 1.
        confidence: Coverage, between 0 and 1.

    Returns:
        Low and high, fractions in 0 to 1, around errors / n.

    Raises:
        ValueError: If an argument is out of its range.

    >>> [round(100 * share, 2) for share in wilson_interval(336, 10_000)]
    [3.02, 3.73]
    """
    from scipy.stats import binomtest

    if n < 1 or not 0 <= errors <= n:
        raise ValueError(f"errors must be from 0 to n and n at least 1, got {errors} of {n}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence}")
    interval = binomtest(errors, n).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def t_interval(errors: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    r"""Returns the confidence interval of a mean error over seeds, by Student's t distribution.

    .. math:: \bar e \pm t_{n-1} \, s / \sqrt n

    Args:
        errors: Errors of at least two seeds in percent.
        confidence: Coverage, between 0 and 1.

    Returns:
        Low and high in percent, clipped to 0 to 100.

    Raises:
        ValueError: If there are fewer than two errors.

    >>> [round(end, 3) for end in t_interval([3.0, 3.2, 3.4])]
    [2.703, 3.697]
    """
    from scipy.stats import t

    if len(errors) < 2:
        raise ValueError(f"an interval over seeds requires at least 2 errors, got {len(errors)}")
    mean, spread = statistics.fmean(errors), statistics.stdev(errors)
    half = float(t.ppf((1 + confidence) / 2, len(errors) - 1)) * spread / math.sqrt(len(errors))
    return max(0.0, mean - half), min(100.0, mean + half)


def mcnemar(only_first: int, only_second: int) -> float:
    """Returns the two-sided p-value of McNemar's exact test, a binomial test on the images that only one model misclassifies.

    Args:
        only_first: Number of images that only the first model misclassifies.
        only_second: Number of images that only the second model misclassifies.

    Returns:
        A probability; 1 if there are no such images.

    Raises:
        ValueError: If a count is negative.

    >>> mcnemar(1, 5)
    0.21875
    """
    from scipy.stats import binomtest

    if min(only_first, only_second) < 0:
        raise ValueError(f"counts must not be negative, got {only_first} and {only_second}")
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second, 0.5).pvalue)


def holm(p: Sequence[float]) -> list[float]:
    """Returns p-values corrected by Holm's step-down procedure, in the given order.

    The k-th smallest of m p-values is multiplied by m - k + 1, and the results are made nondecreasing and clipped to 1.

    Args:
        p: p-values in 0 to 1, m of them.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected, largest = [0.0] * len(p), 0.0
    for rank, index in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        largest = max(largest, min(1.0, (len(p) - rank) * p[index]))
        corrected[index] = largest
    return corrected
