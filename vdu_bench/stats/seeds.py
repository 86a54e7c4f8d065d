"""One number for several seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from scipy.stats import norm

from vdu_bench.measured import Estimate, Scale
from vdu_bench.stats._levels import tail
from vdu_bench.stats.scales import SCALES, SeedScale
from vdu_bench.stats.scatter import (
    SAMPLES_ONLY,
    Floats,
    Pool,
    SeedMeans,
    interval,
    pool_scatter,
    scatters_alone,
    seed_means,
)

_OWN_TAIL = tail(0.95)  # of the estimates' own intervals
_UNCOUNTED = 100
"""The count taken where an estimate does not say its own: half a count is then half a percent."""
_FEWEST_ROWS = 3


def over_seeds(
    estimates: Sequence[Estimate], scale: Scale = "signed", pooled: Pool | None = None, level: float = 0.95
) -> Estimate:
    """The mean over seeds, with an interval that stays inside the metric's range and contains it.

    It is made on the metric's scale (`vdu_bench.stats.scales`) around the mean's place there, by the rule of
    `vdu_bench.stats.scatter.interval`: never narrower than the seeds' samples alone make it, which the seeds' own
    intervals tell. It is about the mean over all seeds that might have been drawn. A few seeds cannot tell of a
    collapse that happens to one in five: no interval of theirs covers what they have not seen.

    Args:
        estimates: one for each seed, all of one metric, with 95 % intervals of their own where they have them.
        scale: `MetricFacts.scale`. Of ``range``, whose ends are no interval, value and ends are averaged.
        pooled: what the table's rows say of the metric's scatter, as from `pooled_scatter`; None for nothing;
            `SAMPLES_ONLY` where seeds differ in their samples alone.
        level: confidence level, strictly between 0 and 1.

    Returns:
        A single estimate as it is. For several: mean, interval, the sums of their n and totals. NaN when any of them
        is not finite, with a reason that says how many and the first one's own: a seed that failed is not left out.
        Without an interval where nothing tells how far the values scatter, or none of a positive metric is above 0.

    Raises:
        ValueError: there are no estimates, or the level is outside (0, 1).
    """
    tail(level)
    if not estimates:
        raise ValueError("there is no seed to summarise")
    if len(estimates) == 1:
        return estimates[0]
    seeds = len(estimates)
    n, total = (sum(getattr(estimate, name) for estimate in estimates) for name in ("n", "total"))
    missing = [estimate for estimate in estimates if not math.isfinite(estimate.value)]
    if missing:
        why = next((f": {estimate.reason}" for estimate in missing if estimate.reason), "")
        return Estimate(n=n, total=total, reason=f"no estimate for {len(missing)} of {seeds} seeds{why}")
    mean = float(np.mean([estimate.value for estimate in estimates]))
    if scale == "range":
        low, high = (float(np.mean([getattr(estimate, end) for estimate in estimates])) for end in ("low", "high"))
        return Estimate(value=mean, low=low, high=high, n=n, total=total, method=f"means over {seeds} seeds")
    row = _summary(estimates, SCALES[scale])
    if row is None:
        return Estimate(value=mean, n=n, total=total, method="no interval: no seed is above 0")
    low, high = map(float, interval(row, pooled, level))
    shared = "noise of the samples" if pooled is SAMPLES_ONLY else "scatter pooled over rows"
    how = "own scatter" if pooled is None or scatters_alone(row, pooled) else shared
    # The row's mean is that of what the scale can hold; the one that is shown is the values'.
    return Estimate(
        value=mean,
        low=min(low, mean),
        high=max(high, mean),
        n=n,
        total=total,
        method=f"{row.scale.words} over {seeds} seeds, {how}",
    )


def pooled_scatter(rows: Iterable[Sequence[Estimate]], scale: Scale) -> Pool | None:
    """How far a metric's seeds typically scatter, over the rows of one table that scatter for the same cause.

    Args:
        rows: the estimates of each row's seeds. Rows of a single seed or with a number missing say nothing.
        scale: `MetricFacts.scale`.

    Returns:
        None where fewer than three rows tell, or the metric has no scale to pool on.
    """
    if scale == "range":
        return None
    told = [row for row in rows if len(row) > 1 and all(math.isfinite(estimate.value) for estimate in row)]
    found = [summary for row in told if (summary := _summary(row, SCALES[scale])) is not None]
    if len(found) < _FEWEST_ROWS:
        return None
    return pool_scatter(
        [float(row.own) for row in found], [float(row.sampling) for row in found], [row.seeds for row in found]
    )


def _summary(estimates: Sequence[Estimate], scale: SeedScale) -> SeedMeans | None:
    """None where no value has a place on the scale."""
    values = np.array([estimate.value for estimate in estimates], dtype=np.float64)
    totals = np.array([estimate.total or estimate.n or _UNCOUNTED for estimate in estimates], dtype=np.float64)
    if scale is SCALES["positive"]:
        if not (values > 0).any():
            return None
        # A zero has no logarithm; it is taken for half of the smallest number that was seen.
        values = np.maximum(values, 0.5 * values[values > 0].min())
    return seed_means(values, totals, _sampling(estimates, values, totals, scale), scale)


def _sampling(estimates: Sequence[Estimate], values: Floats, totals: Floats, scale: SeedScale) -> Floats:
    """The variance on the scale behind each estimate's own interval, float64 ``[S]``; zeros where none has one.

    From the longer side: at an end of the range the other one has no length. Those without an interval are taken to be
    as uncertain as the others.
    """
    sides = []
    for end in ("low", "high"):
        ends = np.array([getattr(estimate, end) for estimate in estimates], dtype=np.float64)
        outside = ends <= 0 if scale is SCALES["positive"] else np.zeros(len(ends), dtype=bool)
        known = np.isfinite(ends) & ~outside
        length = scale.forward(np.where(known, ends, values), totals) - scale.forward(values, totals)
        sides.append(np.where(known, np.abs(length), np.nan))
    known = np.asarray(~np.isnan(sides).all(axis=0))
    if not known.any():
        return np.zeros(len(values))
    errors = np.max(np.nan_to_num(sides), axis=0) / norm.isf(_OWN_TAIL)
    return np.where(known, errors**2, float((errors[known] ** 2).mean()))
