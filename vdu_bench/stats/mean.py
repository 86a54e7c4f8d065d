"""The mean of independent measurements."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from vdu_bench.measured import Estimate
from vdu_bench.stats._levels import TAIL


def mean_with_t_interval(values: NDArray[np.float64]) -> Estimate:
    """The mean of float ``[N]``, N at least 2, with Student's t interval; the measurements are independent.

    Raises:
        ValueError: there are fewer than two, or one is not finite.
    """
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
        raise ValueError(f"a mean with an interval takes at least two finite numbers, not {list(values.shape)}")
    mean = float(values.mean())
    margin = float(t.isf(TAIL, len(values) - 1)) * float(values.std(ddof=1)) / math.sqrt(len(values))
    return Estimate(value=mean, low=mean - margin, high=mean + margin, n=len(values), method="Student's t")
