"""The best of a table's column: its best contestant, and those that a paired test does not tell from it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vdu_bench.measured import Better, Gate
from vdu_bench.records import Record
from vdu_bench.reports.counted_seeds import measured_with
from vdu_bench.reports.outcomes import BY_SAMPLES, Originals, originals, paired_counts
from vdu_bench.stats.holm import holm
from vdu_bench.stats.ratio_change import ratio_change

ALPHA = 0.05

ON_SAME_UNITS = "on images or prompts that all seeds share, whose choice is no part of the test"
"""What is said of a metric with `MetricFacts.same_units`: no record has its outcomes by image."""

Floats = NDArray[np.float64]
Test = Literal["noise", "seeds", "none"]


@dataclass(frozen=True)
class BestGroup:
    """Who is best in a column."""

    best: str = ""
    """The contestant with the best mean; empty where fewer than two compete."""
    tied: frozenset[str] = frozenset()
    """The others that cannot be told from it: those that a test does not separate, or that no test was possible of."""
    test: Test = "none"
    """Paired over the initial noise and the seeds, over the seeds alone, or not at all."""
    why: str = ""
    """Why there is no better test than this one; empty for the metric's own."""


@dataclass(frozen=True)
class Rivals:
    """The records of a table as its columns' comparisons need them: a table has many columns."""

    by_row: Mapping[str, Mapping[int, Record]]
    """By row and sample seed."""
    originals: Originals
    counted: Mapping[str, frozenset[int]]
    """By metric, the seeds that its means are over."""

    @classmethod
    def of(cls, records: Sequence[Record]) -> Rivals:
        """Those of one variant, with the original's."""
        found: dict[str, dict[int, Record]] = {}
        for record in records:
            found.setdefault(record.row, {})[record.seeds.sample] = record
        return cls(found, originals(records), measured_with([list(row.values()) for row in found.values()]))


def best_group(
    metric: str,
    better: Better,
    gate: Gate,
    means: Mapping[str, float],
    rivals: Rivals,
    same_units: bool = False,
) -> BestGroup:
    """Compare each contestant with the best one, at 95 % after Holm's adjustment over these comparisons.

    What is gated by its samples, as PUL is, is compared sample by sample over the initial noise that all methods share,
    with the scatter of the seeds where that is larger (`vdu_bench.stats.ratio_change`,
    `vdu_bench.stats.separation`); another metric, or one whose outcomes are missing, by a t test over the paired seeds.
    How often the truly best contestant is in the group is simulated in ``docs/protocol/tables.md``. What is never gated
    has no best: it is read off what another metric is tested by, or is not known of those that are beyond its range.

    Args:
        metric: its name in the records.
        better: which direction is.
        gate: how a loss of it is tested.
        means: of those that compete, by row, as the table shows them; what is not finite does not compete.
        rivals: of the records that the means are of, and the original's.
        same_units: whether all seeds are measured on the same images or prompts, which the test then is about.
    """
    means = {method: mean for method, mean in means.items() if math.isfinite(mean)}
    if better == "none" or gate == "never" or len(means) < 2:
        return BestGroup()
    best = (max if better == "higher" else min)(sorted(means), key=means.__getitem__)
    others = [method for method in means if method != best]
    competing = {
        method: {
            seed: record
            for seed, record in rivals.by_row.get(method, {}).items()
            if metric in record.metrics and seed in rivals.counted[metric]
        }
        for method in means
    }
    sampled = gate in BY_SAMPLES
    by_noise = _by_noise(competing, best, others, metric, rivals.originals) if sampled else None
    p_values = _by_seeds(competing, best, others, metric) if by_noise is None else by_noise
    known = np.isfinite(p_values)
    adjusted = np.ones(len(others))
    adjusted[known] = holm(p_values[known])
    tied = frozenset(method for method, p_value in zip(others, adjusted, strict=True) if p_value >= ALPHA)
    test: Test = "noise" if by_noise is not None else "seeds" if known.any() else "none"
    why = _why(test, sampled, same_units, [others[index] for index in np.flatnonzero(~known)])
    return BestGroup(best, tied, test, why)


def _why(test: Test, sampled: bool, same_units: bool, untested: Sequence[str]) -> str:
    if test == "none":
        return "not tested, which takes two seeds that a contestant shares with the best"
    if untested:
        seeds = "a seed that is" if test == "noise" else "two seeds that are"
        return f"{', '.join(untested)} not tested, which takes {seeds} shared with the best"
    if sampled and test == "seeds":
        return "compared over seeds alone, since outcomes of samples or the original's records are missing"
    return f"compared {ON_SAME_UNITS}" if same_units else ""


def _by_noise(
    competing: Mapping[str, Mapping[int, Record]],
    best: str,
    others: Sequence[str],
    metric: str,
    bases: Originals,
) -> Floats | None:
    """Two-sided p-values of equal values, ``[others]``; NaN of who shares no seed with the best. None where a sample's
    outcome is not known, or nobody shares one."""
    # Both bring scipy, a second to import, which a table without a contest can do without.
    from vdu_bench.stats.losses import summarise
    from vdu_bench.stats.separation import separations

    found: dict[str, NDArray[np.int64]] = {}
    for other in others:
        pairs = [(competing[best][seed], competing[other][seed]) for seed in _shared(competing, best, other)]
        counts = [paired_counts(one.metrics[metric], one, two, bases, bases) for one, two in pairs]
        known = [count for count in counts if count is not None]
        if len(known) < len(counts):
            return None
        if known:
            found[other] = np.stack(known)
    p_values = np.full(len(others), math.nan)
    # Who shares no seed with the best is not tested, by whatever test.
    tested = [place for place, other in enumerate(others) if other in found]
    if not tested:
        return None
    mean, scatter, sampling, shared = (np.empty(len(others)) for _ in range(4))
    for seeds, some in _alike([len(found[others[place]]) for place in tested]):
        places = [tested[one] for one in some]
        change, variance = ratio_change(np.stack([found[others[place]] for place in places]), seeds)
        summary = summarise(100.0 * change, 100.0**2 * variance)
        mean[places], scatter[places], shared[places] = *summary[:2], seeds
        sampling[places] = summary[2]
    p_values[tested] = separations(mean[tested], scatter[tested], sampling[tested], shared[tested])
    return p_values


def _by_seeds(competing: Mapping[str, Mapping[int, Record]], best: str, others: Sequence[str], metric: str) -> Floats:
    """Two-sided p-values of the paired t test, ``[others]``; NaN where fewer than two seeds are shared."""
    from vdu_bench.stats.losses import Losses, summarise, two_sided

    p_values = np.full(len(others), math.nan)
    shared = [_shared(competing, best, other) for other in others]
    for count, places in _alike(list(map(len, shared))):
        if count < 2:
            continue
        old, new = (
            [[competing[name][seed].metrics[metric].estimate.value for seed in shared[place]] for place, name in pairs]
            for pairs in ([(place, best) for place in places], [(place, others[place]) for place in places])
        )
        mean, scatter, _ = summarise(np.subtract(new, old))
        # Each pair is tested alone, and nothing pooled over them.
        p_values[places] = two_sided(Losses(mean[:, None], scatter[:, None], None, np.array([count])))[:, 0]
    return p_values


def _alike(counts: Sequence[int]) -> list[tuple[int, list[int]]]:
    """The places of each number, so that those of equally many seeds are computed together."""
    return [(one, [place for place, count in enumerate(counts) if count == one]) for one in sorted(set(counts))]


def _shared(competing: Mapping[str, Mapping[int, Record]], best: str, other: str) -> list[int]:
    return sorted(competing[best].keys() & competing[other].keys())
