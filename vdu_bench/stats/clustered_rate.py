"""One rate, where several looks at one sample are not independent."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, norm, t

from vdu_bench.measured import Estimate
from vdu_bench.stats._levels import TAIL


def clustered_rate(hits: NDArray[np.bool_]) -> Estimate:
    """The share of hits in percent, over samples that are each looked at several times.

    Its interval is that of Korn & Graubard ("Confidence intervals for proportions with small expected number of
    positive counts estimated from survey data", Survey Methodology 24, 1998): Clopper and Pearson's limits at the
    number of independent samples that would have the same variance,

        n* = p (1 - p) / v * (z / t(N - 1))^2,  v = sum_i (m_i - p)^2 / (N (N - 1)) + p (1 - p) / (N (1 + k)),

    with m_i the share of hits in row i, at most the number of all looks; where all rows agree, n* is N. The second term
    of v is ours. There k is the number of rows that have a hit, or of those that have a miss where these are fewer. Few
    such rows show little of how rows scatter, and the term allows for one more that is all hits or all misses.

    Args:
        hits: bool ``[N, L]``: N independent samples, L looks at each.

    Returns:
        An estimate in percent, n the looks; without an interval for a single sample.

    Raises:
        ValueError: not bool ``[N, L]`` with at least one of each.
    """
    if hits.dtype != np.bool_ or hits.ndim != 2 or not hits.size:
        raise ValueError(f"hits are bool [N, L], not {hits.dtype} {list(hits.shape)}")
    rows, looks = hits.shape
    means = hits.mean(1)
    rate = float(means.mean())
    if rows == 1 and looks > 1:
        return Estimate(value=100.0 * rate, n=hits.size, method="no interval from a single sample")
    effective = float(rows)
    variance = float(means.var(ddof=1)) / rows if rows > 1 else 0.0
    # Without scatter the rows say no more than themselves; with one look each they are independent trials.
    if variance > 0 and looks > 1:
        rare = min(int(hits.any(1).sum()), int((~hits).any(1).sum()))
        variance += rate * (1 - rate) / (rows * (1 + rare))
        few = (float(norm.isf(TAIL)) / float(t.isf(TAIL, rows - 1))) ** 2
        effective = min(rate * (1 - rate) / variance * few, float(hits.size))
    found = rate * effective
    low = 0.0 if rate == 0 else float(beta.ppf(TAIL, found, effective - found + 1))
    high = 1.0 if rate == 1 else float(beta.isf(TAIL, found + 1, effective - found))
    method = "Clopper-Pearson" if looks == 1 else f"Korn-Graubard, {math.floor(effective)} independent samples"
    return Estimate(value=100.0 * rate, low=100.0 * low, high=100.0 * high, n=hits.size, method=method)
