"""Whether losses are larger than is tolerated, and than chance explains: the statistics of gate and paper table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vdu_bench.stats._levels import TAIL
from vdu_bench.stats.quantiles import chi2_isf, t_isf, t_sf

Floats = NDArray[np.float64]

_CHANCE = 0.01
"""A cell's scatter is taken for its seeds' own where samples alone scatter them as far more rarely than this."""
_POOLS_CHANCE = 0.2
"""The same for the scatter of all cells together."""
_GAP = 100.0
"""So many times the mean variance of all cells that scatter less is a gap; beyond it a cell says nothing of others."""


@dataclass(frozen=True)
class Losses:
    """One metric's losses in T cells, each summarised over its seeds: arrays ``[..., T]``. Gains are negative."""

    mean: Floats
    """Over the seeds."""
    scatter: Floats
    """Variance of the seeds' losses around their mean (n - 1 in the denominator); 0 for a single seed."""
    sampling: Floats | None
    """Variance of one seed's loss that its finite sample explains, averaged over the seeds; None where unknown."""
    seeds: NDArray[np.int64]
    """How many seeds each cell has, ``[T]``."""


def summarise(losses: ArrayLike, variances: ArrayLike | None = None) -> tuple[Floats, Floats, Floats | None]:
    """`Losses.mean`, `.scatter` and `.sampling` out of one cell's seeds.

    Args:
        losses: float ``[..., S]``, a loss for each of S seeds.
        variances: float ``[..., S]``, the sampling variance of each; None where unknown.

    Raises:
        ValueError: there is no seed.
    """
    losses = np.asarray(losses, dtype=np.float64)
    if losses.ndim == 0 or losses.shape[-1] == 0:
        raise ValueError("a loss takes at least one seed")
    scatter = np.var(losses, axis=-1, ddof=1) if losses.shape[-1] > 1 else np.zeros(losses.shape[:-1])
    sampling = None if variances is None else np.mean(np.asarray(variances, dtype=np.float64), axis=-1)
    return np.mean(losses, axis=-1), np.asarray(scatter), sampling


def standard_errors(losses: Losses) -> tuple[Floats, Floats]:
    """Standard error of each mean loss, and the degrees of freedom of the t distribution it is read with.

    Two or three seeds say next to nothing about their scatter: a t test of two degrees of freedom, adjusted for forty
    tests, would want a t of 20. So scatter is pooled over the T cells, and each cell is given the largest variance
    there is evidence for (this project's rule; its false-alarm rate and power are simulated, see
    ``docs/protocol/gate.md``). With the cell's scatter s, its sampling variance v, and S seeds:

    - Where v is known, the variance is ``max(v, s, v * pooled(s / v))``. That is never less than what the samples
      explain, so it is read with the normal distribution, with two exceptions. Where s is beyond the 99 % quantile of
      what samples alone would show, ``v * chi2(S - 1) / (S - 1)``, the seeds are the sample, and their S - 1 degrees of
      freedom count. Where the pool as a whole is beyond the 80 % quantile, the pool's degrees of freedom count. The
      bound for a pool is the lower one, since a pool may be a single cell, which has no others to rely on.
    - Where v is not known, the variance is ``max(s, pooled(s))``, read with the pool's degrees of freedom, or with
      S - 1 for a cell that is left out of the pool.

    Left out are cells that lie beyond a gap: their variance is over 100 times the mean of all cells that scatter less.
    Otherwise one method that broke down in one seed would hide what others lost in all of theirs. The half of the cells
    that scatter least always stays in. Where the cells of a pool scatter to different degrees, it has fewer degrees of
    freedom than its seeds, ``(sum f x)^2 / sum f x^2`` with ``f = S - 1`` and x the cell's s, or s / v (Satterthwaite,
    "An approximate distribution of estimates of variance components", Biometrics Bulletin 2, 1946).

    Args:
        losses: of one metric, without cells that are the same to the bit on both sides. These were not drawn anew, and
            say nothing of how far the others scatter.

    Returns:
        Two float64 ``[..., T]``; NaN and 0 where nothing is known (no sampling variances, and a seed for each cell).
    """
    freedom = np.asarray(losses.seeds - 1, dtype=np.float64)
    if losses.sampling is None:
        pool = _pool(losses.scatter, freedom, 0.0)
        variance = np.maximum(losses.scatter, pool.mean)
        errors = np.sqrt(variance / losses.seeds) if freedom.any() else np.full_like(losses.mean, np.nan)
        return errors, np.where(pool.left_out, freedom, pool.freedom)
    dispersion = losses.scatter / losses.sampling
    pool = _pool(dispersion, freedom, 1.0)
    inflation = np.maximum(1.0, np.maximum(dispersion, pool.mean))
    errors = np.sqrt(losses.sampling * inflation / losses.seeds)
    together = np.where(pool.mean > _by_chance(pool.seeds, _POOLS_CHANCE), pool.freedom, np.inf)
    return errors, np.where(dispersion > _by_chance(freedom, _CHANCE), freedom, together)


class _Pool(NamedTuple):
    """How far the seeds of T cells scatter together; ``[..., 1]`` but for `left_out`."""

    mean: Floats
    freedom: Floats
    """What the mean is read with; that of all cells where none scatters."""
    seeds: Floats
    """The degrees of freedom of the cells that are in it, added."""
    left_out: NDArray[np.bool_]
    """Cells that lie beyond a gap, ``[..., T]``."""


def _pool(scatter: Floats, freedom: Floats, least: float) -> _Pool:
    """The mean over the cells but those beyond a gap, which is measured from a mean variance of `least` or more."""
    left_out = np.zeros(scatter.shape, dtype=np.bool_)
    several = np.flatnonzero(freedom > 0.0)
    order = several[np.argsort(scatter[..., several], axis=-1)]
    left_out_in_order = _far_out(np.take_along_axis(scatter, order, axis=-1), freedom[order], least)
    np.put_along_axis(left_out, order, left_out_in_order, axis=-1)
    counted = np.where(left_out, 0.0, freedom)
    weighted, squares = (np.sum(counted * power, axis=-1, keepdims=True) for power in (scatter, scatter**2))
    total = counted.sum(axis=-1, keepdims=True)
    pools_freedom = np.array(total)
    np.divide(weighted**2, squares, out=pools_freedom, where=squares > 0.0)
    return _Pool(weighted / np.maximum(total, 1.0), pools_freedom, total, left_out)


def _far_out(scatter: Floats, freedom: Floats, least: float) -> NDArray[np.bool_]:
    """Which cells, in the order of their scatter, lie beyond the first gap above the half that scatters least."""
    far = np.zeros(scatter.shape, dtype=np.bool_)
    if scatter.shape[-1] > 1:
        calmer = np.cumsum(freedom * scatter, axis=-1)[..., :-1] / np.cumsum(freedom, axis=-1)[..., :-1]
        gaps = scatter[..., 1:] > _GAP * np.maximum(least, calmer)
        gaps[..., : (scatter.shape[-1] + 1) // 2 - 1] = False
        far[..., 1:] = np.logical_or.accumulate(gaps, axis=-1)
    return far


def _by_chance(freedom: ArrayLike, chance: float) -> Floats:
    """How far seeds may scatter beyond their sampling variance, as a ratio; infinite without a degree of freedom."""
    freedom = np.asarray(freedom, dtype=np.float64)
    several = np.maximum(freedom, 1.0)
    return np.where(freedom > 0.0, chi2_isf(chance, several) / several, np.inf)


def p_values(losses: Losses, tolerance: ArrayLike = 0.0) -> Floats:
    """One-sided, of "no loss larger than the tolerance", for each cell.

    Args:
        losses: of one metric.
        tolerance: float ``[T]`` or a number, the largest loss that does not count, in the unit of the losses.

    Returns:
        float64 ``[..., T]``, 0..1; NaN where nothing is known about chance, and the tolerance has to decide alone.
    """
    errors, freedom = standard_errors(losses)
    beyond = losses.mean - np.asarray(tolerance, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = beyond / errors
    certain = (errors == 0.0) & np.isfinite(beyond)
    ratio = np.where(certain, np.where(beyond > 0.0, np.inf, -np.inf), ratio)
    return np.where(freedom > 0, t_sf(ratio, np.maximum(freedom, 1.0)), np.nan)


def two_sided(losses: Losses) -> Floats:
    """P-values of "no difference", for each cell: float64 ``[..., T]``, 0..1; NaN as in `p_values`."""
    forth, back = p_values(losses), p_values(replace(losses, mean=-losses.mean))
    return np.minimum(1.0, 2.0 * np.minimum(forth, back))


def margins(losses: Losses) -> Floats:
    """Half the width of each mean loss's two-sided interval, float64 ``[..., T]``; NaN where there is none."""
    errors, freedom = standard_errors(losses)
    return np.where(freedom > 0, t_isf(TAIL, np.maximum(freedom, 1.0)) * errors, np.nan)
