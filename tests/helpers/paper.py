"""DRAW's equations as printed (Gregor et al., 2015), in NumPy: i, a and centers count from 1."""

import math

import numpy as np


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def paper_window(raw: np.ndarray, n: int, width: int, height: int) -> tuple[float, float, float, float, float]:
    """Returns g_X, g_Y, delta, sigma and gamma of eqs. 21-24; at n = 1, where eq. 24 divides by zero, delta of two filters."""
    g_x = (width + 1) / 2 * (raw[0] + 1)
    g_y = (height + 1) / 2 * (raw[1] + 1)
    delta = (max(width, height) - 1) / max(n - 1, 1) * math.exp(raw[3])
    return g_x, g_y, delta, math.sqrt(math.exp(raw[2])), math.exp(raw[4])


def paper_filters(g: float, delta: float, sigma: float, n: int, size: int) -> np.ndarray:
    """Returns F of eqs. 19, 20, 25 and 26, shape (n, size); the largest exponent is subtracted, which cancels in Z."""
    filters = np.zeros((n, size))
    for i in range(1, n + 1):
        mu = g + delta * (i - n / 2 - 0.5)
        exponents = [-((a - mu) ** 2) / (2 * sigma**2) for a in range(1, size + 1)]
        filters[i - 1] = [math.exp(exponent - max(exponents)) for exponent in exponents]
        filters[i - 1] /= filters[i - 1].sum()
    return filters
