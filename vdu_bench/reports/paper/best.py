"""The best group of a table's column: its best contestant, and those that a paired test does not separate from it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vdu_bench.records import Record
from vdu_bench.reports.gate.outcomes import BY_SAMPLES, originals, paired_counts
from vdu_bench.reports.tables.leaderboard import Column, Leaderboard
from vdu_bench.stats.holm import holm
from vdu_bench.stats.losses import Losses, summarise, two_sided
from vdu_bench.stats.ratio_change import ratio_change
from vdu_bench.stats.separation import separations

ALPHA = 0.05

Floats = NDArray[np.float64]
Test = Literal["noise", "seeds", "none"]


@dataclass(frozen=True)
class BestGroup:
    """Who is best in a column."""

    methods: frozenset[str]
    """The best contestant by its mean, and those not separable from it; empty where nothing could be tested."""
    test: Test
    """Paired over the initial noise and the seeds, over the seeds alone, or not at all."""
    why: str = ""
    """Why there is no better test than this one; empty for the metric's own."""


def best_group(board: Leaderboard, column: Column, records: Sequence[Record]) -> BestGroup:
    """Compare each contestant with the best one, at 95 % after Holm's adjustment over these comparisons.

    References and external checkpoints do not compete, nor does a method that diverged or failed with a seed. What is
    gated by its samples, as PUL is, is compared sample by sample over the initial noise that all methods share, with
    the scatter of the seeds where that is larger (`vdu_bench.stats.ratio_change`, `vdu_bench.stats.separation`);
    another metric, or one whose outcomes are missing, by a t test over the paired seeds. How often the truly best
    contestant is in the group is simulated in ``docs/protocol.md``.

    Args:
        board: of one variant.
        column: one of its columns, with a direction.
        records: those that the board was made from.
    """
    means = {
        row.method: row.estimates[column.name].value
        for row in board.rows
        if row.role == "contestant" and column.name in row.estimates
    }
    means = {method: mean for method, mean in means.items() if math.isfinite(mean)}
    if len(means) < 2:
        return BestGroup(frozenset(), "none", "fewer than two contestants have a number")
    best = (max if column.better == "higher" else min)(means, key=means.__getitem__)
    others = [method for method in means if method != best]
    competing = {
        method: {record.seeds.sample: record for record in records if record.row == method} for method in means
    }
    sampled = column.gate in BY_SAMPLES
    by_noise = _by_noise(competing, best, others, column.name, records) if sampled else None
    p_values = _by_seeds(competing, best, others, column.name) if by_noise is None else by_noise
    if np.isnan(p_values).any():
        return BestGroup(frozenset(), "none", "the test takes two seeds that each contestant shares with the best")
    kept = [method for method, p_value in zip(others, holm(p_values), strict=True) if p_value >= ALPHA]
    missing = sampled and by_noise is None
    return BestGroup(
        frozenset([best, *kept]),
        "seeds" if by_noise is None else "noise",
        "compared over seeds alone, since outcomes of samples or the original's records are missing" if missing else "",
    )


def _by_noise(
    competing: Mapping[str, Mapping[int, Record]],
    best: str,
    others: Sequence[str],
    metric: str,
    records: Sequence[Record],
) -> Floats | None:
    """Two-sided p-values of equal values, ``[others]``; None where a sample's outcome is not known."""
    bases = originals(records)
    found = []
    for other in others:
        seeds = _shared(competing, best, other)
        pairs = [(competing[best][seed], competing[other][seed]) for seed in seeds]
        counts = [paired_counts(one.metrics[metric], one, two, bases, bases) for one, two in pairs]
        known = [count for count in counts if count is not None]
        if not known or len(known) < len(counts):
            return None
        change, variance = ratio_change(np.stack(known), len(seeds))
        found.append((*summarise(100.0 * change, 100.0**2 * variance), len(seeds)))
    mean, scatter, sampling, shared = (np.array(part, dtype=np.float64) for part in zip(*found, strict=True))
    return separations(mean, scatter, sampling, shared)


def _by_seeds(competing: Mapping[str, Mapping[int, Record]], best: str, others: Sequence[str], metric: str) -> Floats:
    """Two-sided p-values of the paired t test, ``[others]``; NaN where fewer than two seeds are shared."""
    p_values = np.full(len(others), math.nan)
    for index, other in enumerate(others):
        seeds = _shared(competing, best, other)
        if len(seeds) < 2:
            continue
        values = [
            [competing[method][seed].metrics[metric].estimate.value for seed in seeds] for method in (best, other)
        ]
        mean, scatter, _ = summarise(np.subtract(values[1], values[0]))
        p_values[index] = two_sided(Losses(mean[None], scatter[None], None, np.array([len(seeds)])))[0]
    return p_values


def _shared(competing: Mapping[str, Mapping[int, Record]], best: str, other: str) -> list[int]:
    return sorted(competing[best].keys() & competing[other].keys())
