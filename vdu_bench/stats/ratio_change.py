"""How far a ratio of two counts moved, over the same initial noise before and after."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_CELLS = (2, 2, 2, 2)


def joint_counts(old_hits: Bools, old_base: Bools, new_hits: Bools, new_base: Bools) -> Ints:
    """How many samples show each combination of four indicators.

    Args:
        old_hits: bool ``[n]``; element i of all four belongs to the same initial noise.
        old_base: bool ``[n]``, what `old_hits` are counted against: the original's hits for PUL, all True for a rate.
        new_hits: bool ``[n]``, after the change.
        new_base: bool ``[n]``, after the change.

    Returns:
        int64 ``[2, 2, 2, 2]``, an axis for each argument in this order, index 1 where the indicator is True.

    Raises:
        ValueError: an array is not bool or not one-dimensional, the lengths differ, or there are no samples.
    """
    flags = (old_hits, old_base, new_hits, new_base)
    if any(flag.dtype != np.bool_ or flag.ndim != 1 for flag in flags) or len({len(flag) for flag in flags}) != 1:
        raise ValueError("the four indicators are bool arrays [n] of one length")
    if len(old_hits) == 0:
        raise ValueError("there are no samples")
    index = old_hits.astype(np.uint8)
    for flag in flags[1:]:
        index += index
        index += flag
    return np.bincount(index, minlength=16).reshape(_CELLS).astype(np.int64)


def ratio_change(counts: ArrayLike, seeds: int = 1) -> tuple[Floats, Floats]:
    """``hits_new / base_new - hits_old / base_old``, and the sampling variance of that change.

    The variance is the delta method's: each sample's influence on the change, ``(h' - r' b') / B' - (h - r b) / B``
    with hit h and base b (0 or 1), the ratio r of their counts, and the base's count B, squared and summed. With one
    base for both sides it depends on the samples whose hits differ, and on no others, as McNemar's test does. After
    Bonett & Price ("Adjusted Wald confidence interval for a difference of binomial proportions based on paired data",
    Journal of Educational and Behavioral Statistics 37, 2012), a pair that moved either way is added, so that few
    changes are no certainty; it is spread over the seeds.

    Args:
        counts: int ``[..., 2, 2, 2, 2]`` as from `joint_counts`.
        seeds: over how many seeds the change will be averaged.

    Returns:
        Two float64 ``[...]``: the change, and its variance; NaN where a base count is 0.
    """
    counts = np.asarray(counts, dtype=np.float64)
    old_hit, old_in, new_hit, new_in = np.indices(_CELLS, dtype=np.float64)
    old_hits, old_base, new_hits, new_base = (_total(counts * flag) for flag in (old_hit, old_in, new_hit, new_in))
    with np.errstate(divide="ignore", invalid="ignore"):
        old_ratio, new_ratio = old_hits / old_base, new_hits / new_base
        influence = (new_hit - new_ratio * new_in) / new_base - (old_hit - old_ratio * old_in) / old_base
        added = (1.0 / old_base**2 + 1.0 / new_base**2) / seeds
        change, variance = new_ratio - old_ratio, _total(counts * influence**2) + added
    defined = np.isfinite(change) & np.isfinite(variance)
    change, variance = (np.where(defined, number, np.nan)[..., 0, 0, 0, 0] for number in (change, variance))
    return change, variance


def _total(counts: Floats) -> Floats:
    """Over the sixteen cells, ``[..., 1, 1, 1, 1]``."""
    total: Floats = counts.sum(axis=(-4, -3, -2, -1), keepdims=True)
    return total
