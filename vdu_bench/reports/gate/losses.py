"""What the regression gate tests: each metric's losses, cell by cell."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from vdu_bench.records import MetricResult, Record
from vdu_bench.reports.gate.outcomes import original_hits, outcomes
from vdu_bench.reports.gate.pairing import Notice, Pair
from vdu_bench.reports.gate.tolerances import OTHERWISE, Tolerance
from vdu_bench.stats.ratio_change import joint_counts, ratio_change

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bases = Mapping[tuple[str, int], Bools]

COUNTED = ("unlearn_forward", "unlearn_backward", "training_images")
"""Costs without chance: the tolerance alone decides."""

TIMED = ("unlearn_seconds", "unlearn_peak_memory", "sampling_throughput")
"""Costs that depend on the machine and its other work: never gated."""

SAMPLED = {"pul": "forget", "forget_rate": "forget", "junk_rate": "junk"}
"""Metrics in percent that are counted sample by sample, and the outcomes that they count."""


@dataclass(frozen=True)
class GatedMetric:
    """One metric's losses in one task and method; all numbers but `scale` in the metric's unit."""

    task: str
    """With its variant."""
    method: str
    metric: str
    description: MetricResult
    """For the label and the unit."""
    seeds: tuple[int, ...]
    """The seeds that both sides have; arrays are ``[seeds]``."""
    old: Floats
    """The reference's estimates."""
    new: Floats
    losses: Floats
    """By how much each seed got worse; a gain is negative."""
    variances: Floats | None
    """Of the losses, as far as finite samples explain them; None where samples are not known one by one."""
    tolerance: Tolerance
    identical: bool
    """Whether estimates and outcomes are the same to the bit."""

    @property
    def allowed(self) -> float:
        """The loss that is tolerated, in the metric's unit."""
        return self.tolerance.of(float(self.old.mean()))

    @property
    def scale(self) -> float:
        """What losses are divided by before the scatter of several cells is pooled.

        Of a metric whose tolerance is relative, the mean of both sides: that treats them alike, so that without a
        change losses are as likely as gains.
        """
        size = float((np.abs(self.old) + np.abs(self.new)).mean() / 2.0)
        return size if self.tolerance.relative and size > 0 else 1.0


def gate_metrics(
    pairs: Sequence[Pair], reference: Sequence[Record], records: Sequence[Record], tolerances: Mapping[str, Tolerance]
) -> tuple[list[GatedMetric], list[Notice]]:
    """A test for each gated metric of each task and method, over the pairs that were measured on both sides.

    Args:
        pairs: sorted by task and method.
        reference: the blessed records, which hold the original's outcomes that PUL is counted against.
        records: the new ones, likewise.
        tolerances: by metric; `OTHERWISE` for the rest.

    Returns:
        The tests, and a notice for each metric of a cell that can no longer be estimated.
    """
    bases = [original_hits(one_set) for one_set in (reference, records)]
    tests: list[GatedMetric] = []
    notices: list[Notice] = []
    for _, group in groupby(pairs, key=lambda pair: (pair.new.variant, pair.new.method)):
        measured = [pair for pair in group if pair.old.status == pair.new.status == "ok"]
        for metric in _gated(measured):
            kept, lost = _with_values(measured, metric)
            notices += lost
            if kept:
                tests.append(_make(kept, metric, tolerances.get(metric, OTHERWISE), bases))
    return tests, notices


def gated_metrics(records: Iterable[Record]) -> set[str]:
    """Names of the metrics that the gate looks at."""
    names = {name for record in records for name, result in record.metrics.items() if result.better != "none"}
    return names - {*TIMED, "pul_corrected"}  # the latter is read off the same outcomes as PUL


def _gated(pairs: Sequence[Pair]) -> list[str]:
    names = gated_metrics(record for pair in pairs for record in (pair.old, pair.new))
    if any(_has_value(pair.old, "pul") for pair in pairs):
        names.discard("forget_rate")  # the same outcomes; PUL does not take a change of the original for the method's
    if any(pair.new.method == "original" for pair in pairs):
        names -= {"pul", "forget_rate"}  # it was not told to forget
    return sorted(names)


def _with_values(pairs: Sequence[Pair], metric: str) -> tuple[list[Pair], list[Notice]]:
    """The pairs with the metric on both sides, and a notice for each that had it before and has it no longer."""
    kept, lost = [], []
    for pair in pairs:
        if not _has_value(pair.old, metric):
            continue
        if _has_value(pair.new, metric):
            kept.append(pair)
            continue
        result = pair.new.metrics.get(metric)
        reason = (result.estimate.reason or "no reason given") if result else "not measured"
        lost.append(Notice(pair.new.cell_name, "metric", f"no {metric} any more: {reason}", worse=True))
    return kept, lost


def _has_value(record: Record, metric: str) -> bool:
    return metric in record.metrics and math.isfinite(record.metrics[metric].estimate.value)


def _make(pairs: Sequence[Pair], metric: str, tolerance: Tolerance, bases: Sequence[Bases]) -> GatedMetric:
    first = pairs[0].new
    old, new = (
        np.array([record.metrics[metric].estimate.value for record in side])
        for side in ([pair.old for pair in pairs], [pair.new for pair in pairs])
    )
    identical = bool(np.array_equal(old, new))
    losses, variances = (new - old) * (1 if first.metrics[metric].better == "lower" else -1), None
    counts = [_counts(pair, metric, bases) for pair in pairs]
    if metric in SAMPLED and all(count is not None for count in counts):
        name = SAMPLED[metric]
        identical = identical and all(pair.old.outcomes[name] == pair.new.outcomes[name] for pair in pairs)
        change, variance = ratio_change(np.stack([count for count in counts if count is not None]), len(pairs))
        if np.isfinite(variance).all():
            # More survivors or more junk is worse, and PUL falls by as much as the ratio of survivors rises.
            losses, variances = 100.0 * change, 100.0**2 * variance
    return GatedMetric(
        first.variant,
        first.method,
        metric,
        first.metrics[metric],
        tuple(pair.new.seeds.sample for pair in pairs),
        old,
        new,
        losses,
        variances,
        tolerance,
        identical,
    )


def _counts(pair: Pair, metric: str, bases: Sequence[Bases]) -> Ints | None:
    """How old and new outcomes go together; None where a side lacks what it takes."""
    if metric not in SAMPLED:
        return None
    flags = []
    for record, hits in zip((pair.old, pair.new), bases, strict=True):
        found = outcomes(record, SAMPLED[metric])
        if found is None:
            return None
        base = hits.get((record.variant, record.seeds.sample)) if metric == "pul" else np.ones_like(found)
        if base is None:
            return None
        flags += [found, base]
    return joint_counts(*flags)
