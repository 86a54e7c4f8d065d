"""One number for several seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import t

from vdu_bench.measured import Estimate
from vdu_bench.stats._levels import tail


def over_seeds(estimates: Sequence[Estimate], level: float = 0.95) -> Estimate:
    """The mean over seeds with Student's t interval (Student, "The probable error of a mean", Biometrika 6, 1908).

    The interval rests on the spread of the seeds' values, which holds everything that differs from seed to seed,
    and assumes that they scatter normally. The seeds' own intervals are not used: each describes one seed's samples
    only. It is not clipped to the metric's range.

    Args:
        estimates: one for each seed, all of one metric.
        level: confidence level, strictly between 0 and 1.

    Returns:
        A single estimate as it is. For several: mean, interval, and the sum of their n. NaN when any of
        them is not finite, with a reason that says how many and the first one's own: a seed that failed is not left
        out.

    Raises:
        ValueError: there are no estimates, or the level is outside (0, 1).
    """
    side = tail(level)
    if not estimates:
        raise ValueError("there is no seed to summarise")
    if len(estimates) == 1:
        return estimates[0]
    seeds = len(estimates)
    n = sum(estimate.n for estimate in estimates)
    missing = [estimate for estimate in estimates if not math.isfinite(estimate.value)]
    if missing:
        why = next((f": {estimate.reason}" for estimate in missing if estimate.reason), "")
        return Estimate(n=n, reason=f"no estimate for {len(missing)} of {seeds} seeds{why}")
    values = np.array([estimate.value for estimate in estimates], dtype=np.float64)
    mean = float(values.mean())
    margin = float(t.isf(side, seeds - 1)) * float(values.std(ddof=1)) / math.sqrt(seeds)
    return Estimate(value=mean, low=mean - margin, high=mean + margin, n=n, method=f"t over {seeds} seeds")
