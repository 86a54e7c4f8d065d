"""Intervals of means over few seeds: from the seeds' own scatter, their samples' noise, and a table's other rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vdu_bench.stats._levels import TAIL
from vdu_bench.stats.quantiles import chi2_isf, chi2_ppf, normal_isf, t_isf
from vdu_bench.stats.scales import SeedScale

Floats = NDArray[np.float64]

_MORE, _LESS = 0.05, 0.005
"""A row's scatter is taken for its own where the seeds of a typical row scatter as much, or as little, more rarely than
this. The bound on too little is stricter, since an error there makes an interval too narrow."""


@dataclass(frozen=True)
class Pool:
    """What the rows of one table say of how far seeds scatter."""

    variance: Floats
    """Between seeds, on the metric's scale, beyond what their samples explain; `[...]`."""
    freedom: float
    """The degrees of freedom that it is read with."""


SAMPLES_ONLY = Pool(np.zeros(()), np.inf)
"""Of rows whose seeds draw other samples of the same model: their samples explain the scatter, until it is too much."""


@dataclass(frozen=True)
class SeedMeans:
    """Means over S seeds, and what is known of how they scatter on a scale: float64 ``[...]`` but for `seeds`."""

    mean: Floats
    """The arithmetic mean of the values, which is what is shown."""
    total: Floats
    """The sum of the seeds' totals."""
    own: Floats
    """Variance of one seed, as its row's seeds scatter; 0 for a single one."""
    sampling: Floats
    """Variance of one seed that its samples explain, averaged over the seeds; 0 where it is not known."""
    sampling_of_mean: Floats
    """Variance of the mean that all seeds' samples explain together; 0 where it is not known."""
    common: Floats
    """Variance that all seeds share, so that their mean does not average it out."""
    seeds: int
    scale: SeedScale


def seed_means(
    values: ArrayLike, totals: ArrayLike, sampling: ArrayLike, scale: SeedScale, same_units: bool = False
) -> SeedMeans:
    """Summarise the last axis.

    A seed's own scatter is the larger of two: the variance of its values on the scale, and what the delta method says
    of the mean's place there, since the mean of skewed values scatters more than that of their logarithms. What samples
    explain is taken at the counts of all seeds together, and not averaged: ten samples without a hit say more than one.

    Args:
        values: float ``[..., S]``, finite.
        totals: the counts that they are of, above 0, ``[..., S]``.
        sampling: the variance on the scale of each value that its samples explain, ``[..., S]``; 0 where unknown.
        scale: of the metric.
        same_units: whether all seeds are measured on the same images or prompts. What samples explain is then common to
            them, and no part of their scatter.
    """
    values, totals, sampling = (np.asarray(part, dtype=np.float64) for part in (values, totals, sampling))
    seeds = values.shape[-1]
    mean, total = values.mean(axis=-1), totals.max(axis=-1) if same_units else totals.sum(axis=-1)
    own = np.zeros_like(mean)
    if seeds > 1:
        spread = scale.forward(values, totals).var(axis=-1, ddof=1)
        own = np.maximum(spread, values.var(axis=-1, ddof=1) * scale.slope(mean, total) ** 2)
        own = np.where(np.ptp(values, axis=-1) == 0.0, 0.0, own)  # no rounding where nothing varies
    common = sampling.mean(axis=-1) if same_units else np.zeros_like(mean)
    sampling = np.zeros_like(sampling) if same_units else sampling
    factor = (sampling / scale.noise(values, totals)).mean(axis=-1)
    # Where the noise does not depend on the count, the mean over the seeds averages it.
    fewer = 1.0 if scale.counts else 1.0 / seeds
    return SeedMeans(
        mean=mean,
        total=total,
        own=own,
        sampling=sampling.mean(axis=-1),
        sampling_of_mean=factor * scale.noise(mean, total) * fewer,
        common=common,
        seeds=seeds,
        scale=scale,
    )


def pool_scatter(own: ArrayLike, sampling: ArrayLike, seeds: ArrayLike) -> Pool:
    """What is typical of R rows, by the median: a mean would let one row that collapsed widen all others.

    A row's variance between seeds is its scatter over the median of chi2(S - 1) / (S - 1), less what its samples
    explain. Half of all degrees of freedom count, since a median tells less than a mean and rows do differ.

    Args:
        own: the rows' `SeedMeans.own`, ``[..., R]``.
        sampling: their `SeedMeans.sampling`, ``[..., R]``.
        seeds: how many each has, above 1, ``[R]``.
    """
    freedom = np.asarray(seeds, dtype=np.float64) - 1.0
    usual = chi2_ppf(0.5, freedom) / freedom
    between = np.median(np.asarray(own) / usual - np.asarray(sampling), axis=-1)
    return Pool(np.maximum(0.0, between), max(1.0, float(freedom.sum()) / 2.0))


def scatters_alone(row: SeedMeans, pool: Pool) -> NDArray[np.bool_]:
    """Whether a row's seeds scatter far more or far less than is typical and its samples explain: bool ``[...]``.

    Seeds that do not differ at all are no evidence: they may be counts that are too coarse.
    """
    freedom = row.seeds - 1
    if freedom == 0:
        return np.zeros_like(row.own, dtype=bool)
    typical = (row.sampling + pool.variance) / freedom
    more, less = row.own > typical * chi2_isf(_MORE, freedom), row.own < typical * chi2_ppf(_LESS, freedom)
    return np.asarray(more | (less & (row.own > 0.0)))


def interval(row: SeedMeans, pool: Pool | None) -> tuple[Floats, Floats]:
    """Lower and upper end, float64 ``[...]`` each, around the place of the mean on its scale.

    Without a pool, Student's t of the row's own scatter decides, or the normal distribution of what its samples explain
    where that is wider. The same holds for a row that scatters far more or far less than is typical (`scatters_alone`).
    For the others the variance is the larger of two: their own, and what their samples explain plus the typical
    scatter. It is read with the pool's degrees of freedom, since a few seeds cannot tell their own scatter, and may
    agree by chance. The rule is this project's; its coverage is simulated in the tests and stated in
    ``docs/protocol/uncertainty.md``. What is common to all seeds is added to any of these as an independent error.
    """
    freedom = max(1, row.seeds - 1)
    sampled = normal_isf(TAIL) * np.sqrt(row.sampling_of_mean)
    own = row.own / row.seeds
    reach = np.maximum(sampled, t_isf(TAIL, freedom) * np.sqrt(own))
    if pool is not None:
        variance = np.maximum(own, row.sampling_of_mean + pool.variance / row.seeds)
        shared = t_isf(TAIL, max(freedom, pool.freedom)) * np.sqrt(variance)
        reach = np.where(scatters_alone(row, pool), reach, shared)
    reach = np.hypot(reach, normal_isf(TAIL) * np.sqrt(row.common))
    centre = row.scale.forward(row.mean, row.total)
    one, other = (row.scale.back(centre + sign * reach, row.total) for sign in (-1.0, 1.0))
    one, other = np.where(reach == 0.0, row.mean, one), np.where(reach == 0.0, row.mean, other)
    # A ratio's scale runs the other way; and rounding may put an end on the wrong side of its own mean.
    return np.minimum(np.minimum(one, other), row.mean), np.maximum(np.maximum(one, other), row.mean)
