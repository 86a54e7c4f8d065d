"""The regression gate: what got worse against the reference, by how much, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vdu_bench.records import Record
from vdu_bench.reports.gate.losses import GatedMetric, gate_metrics
from vdu_bench.reports.gate.pairing import Notice, pair_cells
from vdu_bench.reports.gate.quality import newly_destroyed
from vdu_bench.reports.gate.tolerances import Tolerance
from vdu_bench.stats.holm import holm
from vdu_bench.stats.losses import Losses, margins, p_values, summarise

ALPHA = 0.05
"""How often, at most, the whole gate may fail by chance."""

Kind = Literal["same", "better", "unsure", "worse"]


@dataclass(frozen=True)
class Verdict:
    """One metric of one task and method, over the seeds that both sets have."""

    task: str
    """With its variant."""
    method: str
    metric: str
    label: str
    """The metric's full name."""
    unit: str
    seeds: tuple[int, ...]
    old: float
    """The reference's mean over these seeds."""
    new: float
    loss: float
    """By how much it got worse, in the metric's unit; negative for a gain."""
    margin: float
    """Half the width of the loss's 95 % interval; NaN where there is none."""
    tolerance: Tolerance
    p_value: float
    """That of no loss beyond the tolerance (where better: of no gain), adjusted for all tests; NaN without a test."""
    kind: Kind
    """``unsure``: a loss beyond the tolerance, on average, that chance may explain."""


@dataclass(frozen=True)
class Comparison:
    """What the gate found."""

    verdicts: tuple[Verdict, ...]
    """By task, method and metric."""
    notices: tuple[Notice, ...]

    def of_kind(self, kind: Kind) -> list[Verdict]:
        """The verdicts of one kind."""
        return [verdict for verdict in self.verdicts if verdict.kind == kind]

    @property
    def passed(self) -> bool:
        """Whether nothing got worse."""
        return not self.of_kind("worse") and not any(notice.worse for notice in self.notices)


def compare(
    reference: Sequence[Record],
    records: Sequence[Record],
    tolerances: Mapping[str, Tolerance] | None = None,
    allow_missing: bool = False,
) -> Comparison:
    """Test each gated metric of each task and method for a loss beyond its tolerance.

    Rates that are counted sample by sample are tested against the noise of those samples, paired over the initial noise
    (`vdu_bench.stats.ratio_change`), other metrics against the scatter of the paired seeds (`vdu_bench.stats.losses`);
    costs that are counted, and the other metrics of a single seed, are held to the tolerance alone. Seeds that are the
    same to the bit count in the mean, and not in the test: beside four of them a fifth that collapsed would pass for
    scatter. The p-values are adjusted by Holm's method over all numbers that changed at all.

    Args:
        reference: the blessed records.
        records: the new ones.
        tolerances: by metric; each metric's own for the rest.
        allow_missing: whether a cell or an attack that only the reference has is reported without failing.

    Raises:
        UserError: the records do not compare (see `pair_cells`).
    """
    pairs, notices = pair_cells(reference, records, allow_missing)
    tests, lost = gate_metrics(pairs, reference, records, tolerances or {}, allow_missing)
    return Comparison(tuple(_judge(tests)), (*newly_destroyed(pairs), *notices, *lost))


def _judge(tests: Sequence[GatedMetric]) -> list[Verdict]:
    worse, better, widths = (np.full(len(tests), math.nan) for _ in range(3))
    pools: dict[tuple[str, str, bool], list[int]] = {}
    for index, test in enumerate(tests):
        if test.facts.gate != "counted" and not test.identical:
            pools.setdefault((test.metric, test.family, test.variances is None), []).append(index)
    for indices in pools.values():
        pool = [tests[index] for index in indices]
        scales = np.array([test.scale for test in pool])
        # Seeds that are the same to the bit were not drawn anew: their loss is 0, and chance had no part in it.
        shares = np.array([test.anew.mean() for test in pool])
        allowed = np.array([test.allowed for test in pool]) / scales / shares
        losses = _summary(pool, scales)
        worse[indices] = p_values(losses, allowed)
        better[indices] = p_values(replace(losses, mean=-losses.mean), allowed)
        widths[indices] = margins(losses) * scales * shares
    tested = np.array([not test.identical for test in tests], dtype=np.bool_) & np.isfinite(worse)
    for values in (worse, better):
        values[tested] = holm(values[tested])
        values[~tested] = math.nan
    return [_verdict(test, *numbers) for test, *numbers in zip(tests, worse, better, widths, strict=True)]


def _summary(tests: Sequence[GatedMetric], scales: NDArray[np.float64]) -> Losses:
    parts = [
        summarise(
            test.losses[test.anew] / scale, None if test.variances is None else test.variances[test.anew] / scale**2
        )
        for test, scale in zip(tests, scales, strict=True)
    ]
    sampling = [part[2] for part in parts if part[2] is not None]
    return Losses(
        mean=np.array([part[0] for part in parts]),
        scatter=np.array([part[1] for part in parts]),
        sampling=np.array(sampling) if sampling else None,
        seeds=np.array([test.anew.sum() for test in tests]),
    )


def _verdict(test: GatedMetric, worse: float, better: float, width: float) -> Verdict:
    loss = float(test.losses.mean())
    kind: Kind = "same"
    if test.identical:
        width = math.nan
    elif math.isnan(worse):
        kind = "worse" if loss > test.allowed else "better" if -loss > test.allowed else "same"
    elif worse < ALPHA:
        kind = "worse"
    elif better < ALPHA:
        kind = "better"
    elif loss > test.allowed:
        kind = "unsure"
    return Verdict(
        task=test.task,
        method=test.method,
        metric=test.metric,
        label=test.facts.label,
        unit=test.facts.unit,
        seeds=test.seeds,
        old=float(test.old.mean()),
        new=float(test.new.mean()),
        loss=loss,
        margin=float(width),
        tolerance=test.tolerance,
        p_value=float(better if kind == "better" else worse),
        kind=kind,
    )
