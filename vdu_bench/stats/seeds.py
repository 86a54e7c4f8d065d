"""One number for several seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from vdu_bench.measured import Estimate, Scale
from vdu_bench.stats._levels import TAIL
from vdu_bench.stats.quantiles import normal_isf
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

_UNCOUNTED = 100
"""The count taken where an estimate does not say its own: half a count is then half a percent."""
_FEWEST_ROWS = 3


def over_seeds(
    estimates: Sequence[Estimate],
    scale: Scale = "signed",
    pooled: Pool | None = None,
    same_units: bool = False,
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
        same_units: whether all seeds are measured on the same images or prompts (`MetricFacts.same_units`).

    Returns:
        A single estimate as it is. Of several the mean with its interval, and the sums of their n and totals (for the
        same units the largest). NaN when any of them is not finite, with a reason that says how many are not, and the
        first one's own: a seed that failed is not left out. There is no interval where nothing tells how far the values
        scatter, or where no value of a positive metric is above 0. Where some are 0, these have no place on the scale:
        the interval is then Student's t of the numbers themselves, cut off at 0.

    Raises:
        ValueError: there are no estimates.
    """
    return over_seeds_of_rows([estimates], scale, [pooled], same_units)[0]


def over_seeds_of_rows(
    rows: Sequence[Sequence[Estimate]],
    scale: Scale = "signed",
    pools: Sequence[Pool | None] | None = None,
    same_units: bool = False,
) -> list[Estimate]:
    """`over_seeds` of each row of a table, at the price of one: rows of equally many seeds are computed together.

    Args:
        rows: of each the estimates of its seeds, all of one metric.
        scale: as `over_seeds`.
        pools: what each row's `over_seeds` is given as `pooled`; None for nothing of any.
        same_units: as `over_seeds`.

    Raises:
        ValueError: a row has no estimates.
    """
    if not all(rows):
        raise ValueError("there is no seed to summarise")
    found: list[Estimate | None] = [None] * len(rows)
    alike: dict[tuple[int, int], list[int]] = {}
    for index, (row, pool) in enumerate(zip(rows, pools or [None] * len(rows), strict=True)):
        if len(row) == 1:
            found[index] = row[0]
        elif missing := [estimate for estimate in row if not math.isfinite(estimate.value)]:
            why = next((f": {estimate.reason}" for estimate in missing if estimate.reason), "")
            reason = f"no estimate for {len(missing)} of {len(row)} seeds{why}"
            found[index] = Estimate(**_counts(row, same_units), reason=reason)
        elif scale == "range":
            ends = {end: float(np.mean([getattr(one, end) for one in row])) for end in ("value", "low", "high")}
            found[index] = Estimate(**ends, **_counts(row, same_units), method=f"means over {len(row)} seeds")
        else:
            alike.setdefault((len(row), id(pool)), []).append(index)
    for indices in alike.values():
        pool = pools[indices[0]] if pools else None
        together = _together([rows[index] for index in indices], SCALES[scale], pool, same_units)
        for index, estimate in zip(indices, together, strict=True):
            found[index] = estimate
    return [estimate for estimate in found if estimate is not None]


def _counts(row: Sequence[Estimate], same_units: bool) -> dict[str, int]:
    together = max if same_units else sum
    return {name: together(getattr(estimate, name) for estimate in row) for name in ("n", "total")}


def _together(
    rows: Sequence[Sequence[Estimate]], scale: SeedScale, pool: Pool | None, same_units: bool
) -> list[Estimate]:
    """Of rows with equally many finite estimates each, two or more."""
    means = np.array([[estimate.value for estimate in row] for row in rows], dtype=np.float64).mean(axis=-1)
    placed, summary = _summary(rows, scale, same_units)
    low, high = interval(summary, pool)
    own = np.ones(len(low), dtype=bool) if pool is None else scatters_alone(summary, pool)
    shared = "noise of the samples" if pool is SAMPLES_ONLY else "scatter pooled over rows"
    seeds = len(rows[0])
    made = zip(low.tolist(), high.tolist(), own.tolist(), strict=True)
    found = []
    for row, mean, known in zip(rows, means.tolist(), placed.tolist(), strict=True):
        if not known:
            found.append(_with_zeros(row, mean, same_units))
            continue
        lower, upper, alone = next(made)
        how = "own scatter" if alone else shared
        # The interval is around the mean of what the scale can hold, and what is shown is the mean of the values.
        ends = {"low": min(lower, mean), "high": max(upper, mean)}
        method = f"{scale.words} over {seeds} seeds, {how}" + ", of the same units" * same_units
        found.append(Estimate(value=mean, **ends, **_counts(row, same_units), method=method))
    return found


def _with_zeros(row: Sequence[Estimate], mean: float, same_units: bool) -> Estimate:
    """For a row of a positive metric that is 0 with some seeds, or with all: a zero has no logarithm."""
    if not mean:
        return Estimate(value=mean, **_counts(row, same_units), method="no interval: no seed is above 0")
    (found,) = _together([row], SCALES["signed"], None, same_units)
    return found.model_copy(update={"low": max(0.0, found.low), "method": f"{found.method}; some are 0"})


def pooled_scatter(rows: Iterable[Sequence[Estimate]], scale: Scale, same_units: bool = False) -> Pool | None:
    """How far a metric's seeds typically scatter, over the rows of one table that scatter for the same cause.

    Args:
        rows: the estimates of each row's seeds. Rows of a single seed or with a number missing say nothing.
        scale: `MetricFacts.scale`.
        same_units: as `over_seeds`.

    Returns:
        None where fewer than three rows tell, or the metric has no scale to pool on.
    """
    if scale == "range":
        return None
    told = [row for row in rows if len(row) > 1 and all(math.isfinite(estimate.value) for estimate in row)]
    found = [
        _summary([row for row in told if len(row) == seeds], SCALES[scale], same_units)[1]
        for seeds in sorted({len(row) for row in told})
    ]
    if sum(len(rows.own) for rows in found) < _FEWEST_ROWS:
        return None
    own, sampling = (np.concatenate([getattr(rows, part) for rows in found]) for part in ("own", "sampling"))
    return pool_scatter(own, sampling, np.repeat([rows.seeds for rows in found], [len(rows.own) for rows in found]))


def _summary(
    rows: Sequence[Sequence[Estimate]], scale: SeedScale, same_units: bool
) -> tuple[NDArray[np.bool_], SeedMeans]:
    """Which of R rows with S estimates each have a place on the scale, bool ``[R]``, and a summary of those.

    A zero has none where values are positive.
    """
    values = np.array([[estimate.value for estimate in row] for row in rows], dtype=np.float64)
    totals = np.array([[one.total or one.n or _UNCOUNTED for one in row] for row in rows], dtype=np.float64)
    ends = np.array([[(estimate.low, estimate.high) for estimate in row] for row in rows], dtype=np.float64)
    placed: NDArray[np.bool_] = np.ones(len(rows), dtype=bool)
    if scale is SCALES["positive"]:
        placed = np.asarray((values > 0).all(axis=-1))
        values, totals, ends = values[placed], totals[placed], ends[placed]
    return placed, seed_means(values, totals, _sampling(ends, values, totals, scale), scale, same_units)


def _sampling(ends: Floats, values: Floats, totals: Floats, scale: SeedScale) -> Floats:
    """The variance on the scale behind each estimate's own interval, float64 ``[R, S]``; zeros in a row without any.

    From the longer side: at an end of the range the other one has no length. Those without an interval are taken to be
    as uncertain as the others of their row. `ends` are float64 ``[R, S, 2]``.
    """
    outside = ends <= 0 if scale is SCALES["positive"] else np.zeros(ends.shape, dtype=bool)
    there = np.isfinite(ends) & ~outside
    places, counts = values[..., None], totals[..., None]
    lengths = np.abs(scale.forward(np.where(there, ends, places), counts) - scale.forward(places, counts))
    known = there.any(axis=-1)
    variances = (np.where(there, lengths, 0.0).max(axis=-1) / normal_isf(TAIL)) ** 2
    usual = variances.sum(axis=-1, keepdims=True) / np.maximum(1, known.sum(axis=-1, keepdims=True))
    return np.where(known, variances, usual)
