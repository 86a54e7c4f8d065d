"""How well one number tells two groups apart: the area under the curve, with DeLong's interval."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm, rankdata

from vdu_bench.measured import Estimate
from vdu_bench.stats._levels import TAIL

Floats = NDArray[np.float64]


def area_under_curve(positives: Floats, negatives: Floats) -> Estimate:
    """The chance that a positive's score is above a negative's, a tie for half: Mann and Whitney's U over m n.

    Its variance is that of DeLong, DeLong & Clarke-Pearson ("Comparing the areas under two or more correlated
    receiver operating characteristic curves", Biometrics 44, 1988, eq. 6), by ranks: with V_i the share of negatives
    below positive i, and W_j that of positives above negative j,

        v = var(V) / m + var(W) / n.

    The interval is normal on the logit's scale, ``logit(A) +- z sqrt(v) / (A (1 - A))``, so that it stays inside 0..1
    (Pepe, "The statistical evaluation of medical tests for classification and prediction", 2003, section 5.2.4).

    Args:
        positives: float ``[m]``, independent scores, high ones where it is sure.
        negatives: float ``[n]``, likewise.

    Returns:
        A plain number 0..1, n the scores of both; without an interval where the groups do not overlap, or neither's
        scores vary.

    Raises:
        ValueError: fewer than two of either, or one that is not finite.
    """
    z = float(norm.isf(TAIL))
    if min(len(positives), len(negatives)) < 2 or not all(np.isfinite(one).all() for one in (positives, negatives)):
        raise ValueError("an area takes at least two finite scores of either group")
    m, n = len(positives), len(negatives)
    together = rankdata(np.concatenate([positives, negatives]))
    below = (together[:m] - rankdata(positives)) / n
    above = 1 - (together[m:] - rankdata(negatives)) / m
    area = float(below.mean())
    variance = float(below.var(ddof=1)) / m + float(above.var(ddof=1)) / n
    if variance == 0 or not 0 < area < 1:
        why = "the groups do not overlap" if area in (0.0, 1.0) else "the scores do not vary"
        return Estimate(value=area, n=m + n, method=f"no interval: {why}")
    margin = z * math.sqrt(variance) / (area * (1 - area))
    low, high = (float(expit(logit(area) + side * margin)) for side in (-1, 1))
    return Estimate(value=area, low=low, high=high, n=m + n, method="DeLong, on the logit's scale")
