"""Whether two methods differ, over the noise that they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from vdu_bench.stats._levels import tail
from vdu_bench.stats._pairs import count_pairs

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PairedDifference:
    """The difference between two rates over the same initial noise, in percentage points."""

    difference: float
    """Rate after minus rate before, -100..100."""
    low: float
    """Lower end of the interval."""
    high: float
    """Upper end of the interval."""
    p_value: float
    """Two-sided, of no difference; below 1 - level exactly when the interval leaves out 0."""
    n: int
    """Pairs over all seeds."""


def paired_difference(
    before: Sequence[NDArray[np.bool_]], after: Sequence[NDArray[np.bool_]], level: float = 0.95
) -> PairedDifference:
    """Compares two rates (of two methods, or of a method before and after a change), seed by seed.

    The variance is McNemar's, out of the discordant pairs alone. Seeds are strata: the rates may differ from seed to
    seed, pairs are formed within a seed, and each seed weighs by its pairs. Test and interval are one statistic, the
    adjusted Wald interval of Bonett & Price ("Adjusted Wald confidence interval for a difference of binomial
    proportions based on paired data", Journal of Educational and Behavioral Statistics 37, 2012), which adds one pair
    to either discordant cell; with several seeds, that one pair is spread evenly over them (this project's
    extension). It therefore speaks of these seeds; how far seeds scatter is not in it.

    Args:
        before: for each seed a bool array ``[n_seed]``.
        after: likewise; element i belongs to the same initial noise as element i of `before`.
        level: confidence level, strictly between 0 and 1.

    Raises:
        ValueError: the number of seeds or a seed's lengths differ, an array is not bool, there are no seeds or no
            pairs in one, or the level is outside (0, 1).
    """
    side = tail(level)
    if len(before) != len(after) or not before:
        raise ValueError(f"the seeds are the same on both sides and at least one: {len(before)} and {len(after)}")
    seeds = [count_pairs(first, second) for first, second in zip(before, after, strict=True)]
    n = sum(seed.n for seed in seeds)
    difference = sum(seed.only_after - seed.only_before for seed in seeds) / n
    centre, error = _adjusted_wald(
        [seed.only_before for seed in seeds], [seed.only_after for seed in seeds], [seed.n for seed in seeds]
    )
    margin = float(norm.isf(side)) * float(error)
    return PairedDifference(
        difference=100.0 * difference,
        low=100.0 * max(-1.0, float(centre) - margin),
        high=100.0 * min(1.0, float(centre) + margin),
        p_value=float(2.0 * norm.sf(abs(centre) / error)),
        n=n,
    )


def holm(p_values: ArrayLike) -> Floats:
    """P-values adjusted for testing all of them at once, in the order given.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979: the
    k-th smallest of m is multiplied by m - k + 1, kept from falling below the one before it, and capped at 1. Holds
    the family-wise error under any dependence.

    Args:
        p_values: float ``[m]``, each 0..1; m may be 0.

    Returns:
        float64 ``[m]``, each 0..1 and no smaller than its raw value.

    Raises:
        ValueError: not one-dimensional, or a value is NaN or outside 0..1.
    """
    raw = np.asarray(p_values, dtype=np.float64)
    if raw.ndim != 1 or not ((raw >= 0.0) & (raw <= 1.0)).all():
        raise ValueError("p-values are a one-dimensional array of numbers in 0..1")
    order = np.argsort(raw, kind="stable")
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(raw[order] * np.arange(len(raw), 0, -1)))
    return adjusted


def _adjusted_wald(only_before: ArrayLike, only_after: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    """Centre and standard error of the difference, as shares; counts ``[..., seeds]`` in, ``[...]`` out."""
    only_before, only_after, n = (np.asarray(count, dtype=np.float64) for count in (only_before, only_after, n))
    seeds = n.shape[-1]
    total = n.sum(axis=-1) + 2.0
    change = (only_after - only_before) / (n + 2.0 / seeds)
    discordant = (only_before + only_after).sum(axis=-1) + 2.0
    # Within a stratum: what all seeds have in common is no error. The sum never reaches `discordant` - 2.
    between = ((n + 2.0 / seeds) * change**2).sum(axis=-1)
    return (only_after - only_before).sum(axis=-1) / total, np.sqrt(discordant - between) / total
