"""What the regression gate tests: each metric's losses, cell by cell."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from vdu_bench.errors import flat
from vdu_bench.measured import MetricFacts, Outcomes
from vdu_bench.metrics.catalog import METRICS, metric_facts
from vdu_bench.probes.catalog import PROBES, is_attack
from vdu_bench.records import Record
from vdu_bench.reports.gate.pairing import Notice, Pair, seeds_words
from vdu_bench.reports.gate.tolerances import Tolerance
from vdu_bench.reports.outcomes import Originals, originals, paired_counts
from vdu_bench.stats.leak import NOTHING_TO_LEAK, THE_WRONG_WAY
from vdu_bench.stats.ratio_change import ratio_change

Floats = NDArray[np.float64]
Sides = Sequence[Originals]

NEVER = ("timed", "never")
"""The gates of metrics that are not tested."""

EVALUATIONS = "evaluations"
"""The unit of what `Record.evaluations_vary` is about."""

_BY_SCATTER = {"gate": "scatter", "tolerance": "10%"}


@dataclass(frozen=True)
class GatedMetric:
    """One metric's losses in one task and method; all numbers but `scale` in the metric's unit."""

    task: str
    """With its variant."""
    method: str
    family: str
    """Of the task: scatter is pooled over what shares data, model and judge."""
    metric: str
    facts: MetricFacts
    """As the reference has them, so that no change loosens its own gate; a count that its method says the seed decides
    is gated by scatter."""
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
    anew: NDArray[np.bool_]
    """Which seeds' cells are not the same to the bit in all that was measured: chance had a part in these alone."""

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
    pairs: Sequence[Pair],
    reference: Sequence[Record],
    records: Sequence[Record],
    tolerances: Mapping[str, Tolerance],
    allow_missing: bool = False,
) -> tuple[list[GatedMetric], list[Notice]]:
    """A test for each gated metric of each task and method, over the pairs that were measured on both sides.

    Args:
        pairs: sorted by task and method.
        reference: the blessed records, with the original's outcomes that PUL is counted against.
        records: the new ones, likewise.
        tolerances: by metric; the metric's own for the rest.
        allow_missing: whether attacks that only the reference's models were put under are reported without failing.

    Returns:
        The tests, and a notice for each metric of a cell that can no longer be estimated, for each row that has numbers
        where its reference has none, and for each task whose models were put under fewer attacks.
    """
    blessed, ours = (originals(one_set) for one_set in (reference, records))
    # Where the new records lack an original, the reference's stands in: both are of one base, as `pair_cells` has seen.
    sides = [blessed, {**blessed, **ours}]
    tests: list[GatedMetric] = []
    notices: list[Notice] = []
    not_run: dict[str, set[str]] = {}
    for _, group in groupby(pairs, key=lambda pair: (pair.new.variant, pair.new.row)):
        measured = [pair for pair in group if pair.old.status == pair.new.status == "ok"]
        for metric in _gated(measured):
            asked = []
            for pair in measured:
                if _unasked(pair, metric):
                    not_run.setdefault(pair.new.variant, set()).update(pair.old.probes.keys() - pair.new.probes.keys())
                else:
                    asked.append(pair)
            kept, lost = _with_values(asked, metric)
            notices += lost
            if kept:
                tests.append(_make(kept, metric, tolerances.get(metric), sides))
        notices += _unblessed(measured)
    for variant, probes in not_run.items():
        text = f"{', '.join(sorted(probes))}: not run for the new records, and what they show is not compared"
        notices.append(Notice(variant, "missing", text, worse=not allow_missing))
    return tests, notices


def _unasked(pair: Pair, metric: str) -> bool:
    """Whether the new cell lacks a metric because its model was put under fewer attacks: nobody has to ask for one."""
    lacks = metric not in pair.new.metrics and _has_value(pair.old, metric)
    gone = pair.old.probes.keys() - pair.new.probes
    if not lacks or not gone or _facts(pair.old, metric).group != "robustness":
        return False
    # An installed metric knows its probe; of one that is not installed the record alone does.
    probe = metric_facts(metric).probe if metric in METRICS.entries() else _facts(pair.old, metric).probe
    if probe in pair.old.probes and (is_attack(probe) or probe not in PROBES.entries()):
        return probe in gone
    # What is measured wherever there is any attack, such as a distance to the retrained model, goes with the last one.
    return not any(map(is_attack, pair.new.probes))


def gated_metrics(records: Iterable[Record]) -> set[str]:
    """Names of the metrics that the gate looks at."""
    return {name for record in records for name, facts in record.metrics.items() if is_gated(facts)}


def is_gated(facts: MetricFacts) -> bool:
    """Whether the gate looks at a metric at all."""
    return facts.better != "none" and facts.gate not in NEVER


def _gated(pairs: Sequence[Pair]) -> list[str]:
    facts = {name: result for pair in pairs for name, result in pair.old.metrics.items() if is_gated(result)}
    if any(pair.new.method == "original" for pair in pairs):
        # It was not told to forget.
        facts = {name: result for name, result in facts.items() if result.group != "forgetting"}
    valued = {name for pair in pairs for name in pair.old.metrics if _has_value(pair.old, name)}
    return sorted(name for name, result in facts.items() if result.covered_by not in valued)


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
        reason = flat(result.estimate.reason or "no reason given") if result else "not measured"
        # That an attack no longer tells original and retrained model apart is about them, and no loss of this one's.
        worse = reason not in (NOTHING_TO_LEAK, THE_WRONG_WAY)
        lost.append(Notice(pair.new.cell_name, "metric", f"no {metric} any more: {reason}", worse=worse))
    return kept, lost


def _unblessed(pairs: Sequence[Pair]) -> list[Notice]:
    """A notice of what a row is not held against: numbers that its reference lacks."""
    found: dict[tuple[str, ...], list[int]] = {}
    for pair in pairs:
        # The reference's models were not put under this attack, so nobody expects a number.
        names = [
            name
            for name in _gated([Pair(pair.new, pair.new)])
            if _has_value(pair.new, name)
            and not _has_value(pair.old, name)
            and pair.new.metrics[name].probe in ("", "samples", *pair.old.probes)
        ]
        if names:
            found.setdefault(tuple(names), []).append(pair.new.seeds.sample)
    return [
        Notice(
            f"{pairs[0].new.variant}/{pairs[0].new.row}",
            "metric",
            f"not gated, since the reference has no number of it: {', '.join(names)} ({seeds_words(seeds)})",
        )
        for names, seeds in found.items()
    ]


def _has_value(record: Record, metric: str) -> bool:
    return metric in record.metrics and math.isfinite(record.metrics[metric].estimate.value)


def _make(pairs: Sequence[Pair], metric: str, tolerance: Tolerance | None, sides: Sides) -> GatedMetric:
    first = pairs[0].new
    facts = _facts(pairs[0].old, metric)
    old, new = (
        np.array([record.metrics[metric].estimate.value for record in side])
        for side in ([pair.old for pair in pairs], [pair.new for pair in pairs])
    )
    identical = bool(np.array_equal(old, new))
    losses, variances = (new - old) * (1 if facts.better == "lower" else -1), None
    counts = [paired_counts(facts, pair.old, pair.new, *sides) for pair in pairs]
    known = [count for count in counts if count is not None]
    anew = np.array([not _same_bits(pair) for pair in pairs])
    if len(known) == len(pairs):
        identical = identical and all(_outcomes(pair.old, facts) == _outcomes(pair.new, facts) for pair in pairs)
        change, variance = ratio_change(np.stack(known), max(1, int(anew.sum())))
        if np.isfinite(variance).all():
            # What is forgotten falls by as much as the ratio of what is left rises.
            rises = facts.gate == "against_original" or facts.better == "lower"
            losses, variances = (100.0 if rises else -100.0) * change, 100.0**2 * variance
    return GatedMetric(
        first.variant,
        first.row,
        first.family,
        metric,
        facts,
        tuple(pair.new.seeds.sample for pair in pairs),
        old,
        new,
        losses,
        variances,
        tolerance or Tolerance.parse(facts.tolerance),
        identical,
        # Where the original changed, so did what a cell of the same bits is held against.
        anew | (losses != 0.0),
    )


def _same_bits(pair: Pair) -> bool:
    """Whether a cell's model came out as it was: all that both sides measured of it, whatever it took."""
    old, new = pair.old, pair.new
    names = [name for name in old.metrics.keys() & new.metrics.keys() if old.metrics[name].group != "cost"]
    before, now = ([side.metrics[name].estimate.value for name in names] for side in (old, new))
    counted = old.outcomes.keys() & new.outcomes.keys()
    return np.array_equal(before, now, equal_nan=True) and all(
        old.outcomes[one] == new.outcomes[one] for one in counted
    )


def _facts(reference: Record, metric: str) -> MetricFacts:
    facts = reference.metrics[metric]
    if facts.gate == "counted" and facts.unit == EVALUATIONS and reference.evaluations_vary:
        return facts.model_copy(update=_BY_SCATTER)
    return facts


def _outcomes(record: Record, facts: MetricFacts) -> Outcomes:
    return record.outcomes[facts.counts]
