"""PUL, the share of forget-class generations that went away."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta, norm

from vdu_bench.measured import Estimate
from vdu_bench.stats._levels import TAIL
from vdu_bench.stats._pairs import count_pairs

NO_HITS_BEFORE = "the model made none of the forget class before, so no share of it can go away"

Floats = NDArray[np.float64]


def pul(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> Estimate:
    """``PUL = 100 * (1 - n_after / n_before)`` in percent, over the same initial noise before and after.

    At most 100; negative when the model makes more of the forget class than before. The interval is that of a ratio
    of two correlated proportions: the hybrid of Bonett & Price ("Confidence intervals for a ratio of binomial
    proportions based on paired data", Statistics in Medicine 25, 2006; recommended in Fagerland, Lydersen & Laake,
    "Recommended tests and confidence intervals for paired binomial proportions", Statistics in Medicine 33, 2014),
    which combines a one-sample interval for either proportion at a level that accounts for their correlation. The
    one-sample interval here is Clopper-Pearson's instead of Wilson's. Where nothing is left after, high is 100 and
    low is the exact binomial bound (Clopper-Pearson for 0 survivors out of n_before).

    Why not the delta method on the log ratio, ``Var = (only_before + only_after) / (n_before * n_after)``: it covers
    well in the middle, but as little as 18 % of the time where few generations changed (its variance is 0 where
    none did), and 90 % for PUL 20, 200 samples, a rate of 10 % before and no new hits. Over a grid of 1,140 settings
    (200..2,000 samples, rates of 5..90 % before, PUL -100..100, 0..20 new hits expected), the smallest simulated
    coverage of a nominal 95 % interval was 18 % (delta method), 86 % (Wilson limits) and 94 % (these limits).

    Args:
        before: bool ``[n]``, whether the original's sample shows the forget class.
        after: bool ``[n]``, the same for the unlearned model's sample from the same initial noise.

    Returns:
        An estimate in percent with n pairs; NaN with a reason when nothing was hit before.

    Raises:
        ValueError: not two bool arrays of one length, or no pairs.
    """
    pairs = count_pairs(before, after)
    if pairs.before == 0:
        return Estimate(n=pairs.n, reason=NO_HITS_BEFORE)
    low, high = _ratio_limits(pairs.both, pairs.only_before, pairs.only_after)
    exact = pairs.after == 0
    return Estimate(
        value=100.0 * (1.0 - pairs.after / pairs.before),
        low=100.0 * (1.0 - float(high)),
        high=100.0 * (1.0 - float(low)),
        n=pairs.n,
        total=pairs.before,
        method="Clopper-Pearson, none left" if exact else "Bonett-Price hybrid, Clopper-Pearson limits",
    )


def _ratio_limits(both: ArrayLike, only_before: ArrayLike, only_after: ArrayLike) -> tuple[Floats, Floats]:
    """Lower and upper limit of p_after / p_before; int counts that broadcast, with at least one hit before."""
    both, only_before, only_after = (np.asarray(count, dtype=np.float64) for count in (both, only_before, only_after))
    n_before, n_after = both + only_before, both + only_after
    # Pairs without a hit on either side carry no information about the ratio.
    informative = both + only_before + only_after
    ratio_error = np.sqrt((only_before + only_after + 2) / ((n_before + 1) * (n_after + 1)))
    before_error, after_error = (
        np.sqrt((1 - (hits + 1) / (informative + 2)) / (hits + 1)) for hits in (n_before, n_after)
    )
    # Were both one-sample intervals taken at the nominal level, their combination would be far too wide.
    adjusted = norm.sf(norm.isf(TAIL) * ratio_error / (before_error + after_error))
    before_low, before_high = _clopper_pearson(n_before, informative, adjusted)
    after_low, after_high = _clopper_pearson(n_after, informative, adjusted)
    _, survivors_high = _clopper_pearson(n_after, n_before, np.full_like(n_before, TAIL))
    return after_low / before_high, np.where(n_after == 0, survivors_high, after_high / before_low)


def _clopper_pearson(hits: Floats, n: Floats, side: Floats) -> tuple[Floats, Floats]:
    # A beta distribution needs positive parameters; the limits there are 0 and 1.
    low = np.where(hits > 0, beta.ppf(side, np.maximum(hits, 1), n - hits + 1), 0.0)
    high = np.where(hits < n, beta.isf(side, hits + 1, np.maximum(n - hits, 1)), 1.0)
    return low, high
