"""Whether rates that were counted sample by sample differ, each from the same best one."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vdu_bench.stats.quantiles import chi2_isf, t_sf

Floats = NDArray[np.float64]

_CHANCE = 0.05
"""A pair's scatter is taken for its own where a typical pair shows as much more rarely than this."""


def separations(mean: ArrayLike, scatter: ArrayLike, sampling: ArrayLike, seeds: ArrayLike) -> Floats:
    """Two-sided p-values of "no difference" for P pairs over their seeds.

    A pair's variance is the largest of its samples', of its own seeds' and of what a typical pair's seeds scatter
    beyond their samples: two or three seeds may agree by chance. Typical is the median over the pairs: with the mean, a
    single method that scatters would make all others inseparable. Degrees of freedom: where the samples explain the
    seeds, the normal distribution is taken; a pair that scatters more than is typical has its own S - 1; the rest have
    half of those of all pairs, since a median tells less than a mean, pairs differ, and all share the best one. The
    rule is this project's; what it is worth is simulated in ``docs/protocol/tables.md``.

    Args:
        mean: of a pair's differences, float ``[P]``.
        scatter: variance of the seeds' differences around it, 0 for a single seed, ``[P]``.
        sampling: variance of one seed's difference that its finite sample explains, above 0, ``[P]``.
        seeds: S, how many a pair has, ``[P]``.

    Returns:
        float64 ``[P]``, 0..1.
    """
    mean, scatter, sampling, seeds = (np.asarray(part, dtype=np.float64) for part in (mean, scatter, sampling, seeds))
    dispersion = scatter / sampling
    typical = max(1.0, float(np.median(dispersion)))
    errors = np.sqrt(sampling * np.maximum(dispersion, typical) / seeds)
    own = np.maximum(seeds - 1, 1.0)
    scattered = (seeds > 1) & (dispersion > typical * chi2_isf(_CHANCE, own) / own)
    together = max(1.0, float((seeds - 1).sum()) / 2.0) if typical > 1.0 else np.inf
    return np.asarray(2.0 * t_sf(np.abs(mean) / errors, np.where(scattered, own, together)))
