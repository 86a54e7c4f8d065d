"""Quantiles and tails of the distributions that tables need, from scipy's special functions.

``scipy.stats`` has them too, checked and in every form. To import it takes a second, and each call of a quantile some
0.1 ms: a page of thousands of rows asks for many.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]


def normal_isf(upper: float) -> float:
    """Where the upper tail of the standard normal distribution begins that has this probability, within (0, 1)."""
    return -float(special.ndtri(upper))


def t_isf(upper: ArrayLike, freedom: ArrayLike) -> Floats:
    """The same of Student's t, float64 ``[...]``; `freedom` is above 0, and infinite for the normal distribution."""
    upper, freedom = np.asarray(upper, dtype=np.float64), np.asarray(freedom, dtype=np.float64)
    finite = np.isfinite(freedom)
    return -np.where(finite, special.stdtrit(np.where(finite, freedom, 1.0), upper), special.ndtri(upper))


def t_sf(at: ArrayLike, freedom: ArrayLike) -> Floats:
    """The probability that Student's t lies above `at`, float64 ``[...]``; `freedom` as of `t_isf`, `at` any number."""
    at, freedom = np.asarray(at, dtype=np.float64), np.asarray(freedom, dtype=np.float64)
    finite = np.isfinite(freedom)
    return np.where(finite, special.stdtr(np.where(finite, freedom, 1.0), -at), special.ndtr(-at))


def chi2_isf(upper: ArrayLike, freedom: ArrayLike) -> Floats:
    """Where the upper tail of chi-squared begins that has this probability, float64 ``[...]``; `freedom` above 0."""
    freedom, upper = np.asarray(freedom, dtype=np.float64), np.asarray(upper, dtype=np.float64)
    return np.asarray(special.chdtri(freedom, upper), dtype=np.float64)


def chi2_ppf(lower: ArrayLike, freedom: ArrayLike) -> Floats:
    """Where its lower tail ends that has this probability, float64 ``[...]``."""
    freedom, lower = np.asarray(freedom, dtype=np.float64), np.asarray(lower, dtype=np.float64)
    return 2.0 * np.asarray(special.gammaincinv(0.5 * freedom, lower), dtype=np.float64)
