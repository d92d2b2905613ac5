"""Whether a difference in error is more than chance: an interval over seeds, a test of two models, a correction for many tests.

References:
    Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages", 1947,
    Psychometrika 12(2).
    S. Holm, "A simple sequentially rejective multiple test procedure", 1979, Scandinavian Journal of Statistics 6(2).
"""

import math
import statistics
from collections.abc import Sequence

__all__ = ["holm", "mcnemar", "t_interval"]


def t_interval(errors: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    r"""Returns the interval of a mean over seeds by Student's t distribution, in percent.

    .. math:: \bar e \pm t_{n-1} \, s / \sqrt n

    Args:
        errors: Errors in percent of at least two seeds.
        confidence: Coverage, between 0 and 1.

    Returns:
        Low and high, kept in 0 to 100.

    Raises:
        ValueError: If there are fewer than two errors.

    >>> [round(end, 3) for end in t_interval([3.0, 3.2, 3.4])]
    [2.703, 3.697]
    """
    from scipy.stats import t

    if len(errors) < 2:
        raise ValueError(f"an interval over seeds takes at least 2 of them, got {len(errors)}")
    mean, spread = statistics.fmean(errors), statistics.stdev(errors)
    half = float(t.ppf((1 + confidence) / 2, len(errors) - 1)) * spread / math.sqrt(len(errors))
    return max(0.0, mean - half), min(100.0, mean + half)


def mcnemar(only_first: int, only_second: int) -> float:
    """Returns the two-sided p value of McNemar's exact test: a binomial test of the images that only one of two models gets wrong.

    Args:
        only_first: Images that only the first gets wrong.
        only_second: Images that only the second gets wrong.

    Returns:
        A probability; 1 where no image tells the two apart.

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
    """Returns p values corrected by Holm's step-down procedure, in the order given.

    The k-th smallest of m is multiplied by m - k + 1, kept at most 1 and at least as large as those before it.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected, largest = [0.0] * len(p), 0.0
    for rank, index in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        largest = max(largest, min(1.0, (len(p) - rank) * p[index]))
        corrected[index] = largest
    return corrected
