"""One rate, with an exact interval."""

from __future__ import annotations

from scipy.stats import binomtest

from vdu_bench.measured import Estimate
from vdu_bench.stats._levels import LEVEL


def proportion(hits: int, n: int) -> Estimate:
    """The share of hits in percent (0..100), with its Clopper-Pearson interval.

    Clopper & Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
    Biometrika 26, 1934. Chosen over Wilson's score interval because its coverage is at least the nominal 95 % for every
    rate and every n, where Wilson's dips below for rates next to 0 and 100: there forget rates, junk rates and
    targeted prompts end up. The price is an interval that is somewhat too wide.

    Args:
        hits: how many of the samples are hits, 0..n.
        n: how many samples there are.

    Raises:
        ValueError: n is not positive, or hits is outside 0..n.
    """
    if n <= 0:
        raise ValueError(f"a proportion needs at least one sample, not {n}")
    if not 0 <= hits <= n:
        raise ValueError(f"{hits} hits out of {n} samples")
    interval = binomtest(int(hits), int(n)).proportion_ci(confidence_level=LEVEL, method="exact")
    return Estimate(
        value=100.0 * hits / n,
        low=100.0 * float(interval.low),
        high=100.0 * float(interval.high),
        n=int(n),
        method="Clopper-Pearson",
    )
