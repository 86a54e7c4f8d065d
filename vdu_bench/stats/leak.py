"""How much of what an attack brings back was there all along."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vdu_bench.measured import Estimate
from vdu_bench.stats._levels import TAIL
from vdu_bench.stats.quantiles import t_isf

Floats = NDArray[np.float64]

NOTHING_TO_LEAK = (
    "under this attack the original and a model that never knew the concept cannot be told apart, so no share of what "
    "lies between them can leak"
)

THE_WRONG_WAY = (
    "under this attack a model that never knew the concept shows it more often than the original, so there is nothing "
    "of it that can leak"
)

TOO_FEW = "a leak takes two samples"


def leak(method: Floats, retrained: Floats, original: Floats) -> Estimate:
    """``(m - r) / (o - r)``: 0 where a method's model gives as much as one that never knew, 1 as much as the original.

    m, r and o are the mean rates under one attack, over the same noise. The interval is Fieller's ("Some problems in
    interval estimation", Journal of the Royal Statistical Society B 16, 1954) for the ratio of the means of the paired
    differences x_i = m_i - r_i and y_i = o_i - r_i: with ``q = t(N - 1)^2``, all l with
    ``(mean(x) - l mean(y))^2 <= q s^2(x - l y) / N``. A sample that moved either way is added to both variances, so
    that few changes are no certainty. Where the denominator's own interval, by the same rule, holds 0, the one of l has
    no end on one side at least, and the ratio is not known.

    Args:
        method: float ``[N]``, the share of looks at sample i that show the concept, 0..1; one of the method's model.
        retrained: the same of the model that never knew the concept, from the same noise.
        original: the same of the base.

    Returns:
        A plain number, n samples. NaN with a reason where the denominator cannot be told from 0, as of a single sample,
        or is below 0: the scale would be upside down.

    Raises:
        ValueError: not three arrays of one length of at least 1, or a number outside 0..1.
    """
    rates = [np.asarray(values, dtype=np.float64) for values in (method, retrained, original)]
    if len({values.shape for values in rates}) != 1 or rates[0].ndim != 1 or len(rates[0]) < 1:
        raise ValueError("rates are three arrays [N] of one length, at least 1")
    if any(not ((values >= 0) & (values <= 1)).all() for values in rates):
        raise ValueError("rates are shares, 0..1")
    m, r, o = rates
    n = len(m)
    if n < 2:
        return Estimate(n=n, reason=TOO_FEW)
    x, y = m - r, o - r
    q = float(t_isf(TAIL, n - 1)) ** 2
    # One sample of each kind that moved by 1 either way: 2 / n^2 in the variance of a mean.
    added = 2.0 / n**2
    var_x, var_y = (float(values.var(ddof=1)) / n + added for values in (x, y))
    cov = float(np.cov(x, y, ddof=1)[0, 1]) / n
    mean_x, mean_y = float(x.mean()), float(y.mean())
    if mean_y**2 <= q * var_y:
        return Estimate(n=n, reason=NOTHING_TO_LEAK)
    if mean_y < 0:
        return Estimate(n=n, reason=THE_WRONG_WAY)
    value = mean_x / mean_y
    # (mean_x - l mean_y)^2 = q (var_x - 2 l cov + l^2 var_y), a parabola in l that opens upwards.
    a, b, c = mean_y**2 - q * var_y, mean_x * mean_y - q * cov, mean_x**2 - q * var_x
    root = float(np.sqrt(max(b**2 - a * c, 0.0)))
    return Estimate(value=value, low=(b - root) / a, high=(b + root) / a, n=n, method="Fieller")
