"""A threshold that a set share of fresh values exceeds, and which of its own values do so when each is fresh to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vdu_bench.seeds import derive_seed

FOLDS = 5


@dataclass(frozen=True)
class Calibrated:
    """What `cross_calibrated` finds.

    Attributes:
        threshold: for new values: the mean of the folds' thresholds.
        beyond: bool ``[N]``, which values are above the threshold that the other folds give.
    """

    threshold: float
    beyond: NDArray[np.bool_]


def cross_calibrated(values: NDArray[np.float64], level: float) -> Calibrated:
    """The threshold below which a share `level` of values of this kind lies, calibrated in five folds.

    A fold's threshold is the quantile of the values in the four others, and its own values are held against that. Read
    against a threshold that they have set themselves, they say less than new ones would.

    The quantile is the one at place ``level (n + 1)`` of the sorted values ("weibull"; definition 6 in Hyndman & Fan
    1996): the expected share of new values above it is 1 - level whatever their distribution, as in conformal
    prediction. The common definition 7 takes place ``level (n - 1) + 1``, above which there are 1.2 % of new values
    where n is 500 and the level 0.99. Of fewer than level / (1 - level) values, none lies that far out, and the largest
    is taken.

    Args:
        values: float ``[N]``, at least one. Their folds are drawn by a generator of its own: N alone decides them.
        level: strictly between 0 and 1.

    Raises:
        ValueError: there are no values, or the level is outside (0, 1).
    """
    n = len(values)
    if n == 0 or not 0 < level < 1:
        raise ValueError(f"no threshold of {n} values at the level {level}")
    if n == 1:
        return Calibrated(float(values[0]), np.zeros(1, dtype=bool))
    order = np.random.default_rng(derive_seed(0, "calibration folds")).permutation(n)
    beyond, thresholds = np.zeros(n, dtype=bool), []
    for fold in np.array_split(order, min(FOLDS, n)):
        others = np.ones(n, dtype=bool)
        others[fold] = False
        thresholds.append(float(np.quantile(values[others], level, method="weibull")))
        beyond[fold] = values[fold] > thresholds[-1]
    return Calibrated(float(np.mean(thresholds)), beyond)
