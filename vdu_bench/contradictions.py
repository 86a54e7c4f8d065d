"""What a record says twice has to agree: its numbers with the outcomes of its samples, its costs with what was counted.

A record is a text file that comes from anywhere, and a number in it can be changed by hand or broken on its way. This
is no seal: whoever changes numbers and outcomes together is not found out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from vdu_bench.measured import MetricResult, Outcomes, Scale

_RANGES: Mapping[Scale, tuple[float, float]] = {
    "ratio": (-math.inf, 100.0),
    "range": (-math.inf, 100.0),
    "share": (0.0, 100.0),
    "chance": (0.0, 1.0),
    "positive": (0.0, math.inf),
}
"""By scale, the lowest and the highest number of a metric; a ``signed`` one has neither."""
_SLACK = 1e-6
"""What rounding may do to a number, as a share of it, or as it is near 0."""


def contradictions(
    metrics: Mapping[str, MetricResult], outcomes: Mapping[str, Outcomes], counted: Mapping[str, float | None]
) -> Iterator[str]:
    """A clause for each thing that cannot be as the record says it.

    A number that is not known contradicts nothing, nor does one whose outcomes are missing: tables say so themselves.

    Args:
        metrics: of one record, by name.
        outcomes: by what they count.
        counted: by metric name, what the ledger and the timings of the same record say; None or NaN if not known.
    """
    for name, result in metrics.items():
        value = result.estimate.value
        if math.isnan(value):
            continue
        yield from _by_itself(name, result)
        if (found := outcomes.get(result.counts or name)) is not None:
            yield from _by_outcomes(name, result, found)
        told = counted.get(name)
        if told is not None and not math.isnan(told) and not _close(value, told):
            yield f"{name} is {value:.10g}, but what was counted or timed is {told:.10g}"


def overdrawn(regime: str, limit: int | None, forget: int, retain: int) -> Iterator[str]:
    """A clause for each kind of image of which a contestant drew more than its regime and its task allow.

    Args:
        regime: what the method was allowed.
        limit: how many forget images it could draw from; None for all of them.
        forget: distinct forget images that it drew.
        retain: distinct retained images that it drew.
    """
    if regime == "forget_only" and retain:
        yield f"the regime is forget_only, but {retain} retained images were drawn"
    if limit is not None and forget > limit:
        yield f"it could draw from {limit} forget images, but drew {forget}"


def _by_itself(name: str, result: MetricResult) -> Iterator[str]:
    found = result.estimate
    if math.isinf(found.value):
        yield f"{name} is {found.value:g}"
    lowest, highest = _RANGES.get(result.scale, (-math.inf, math.inf))
    if not lowest - _SLACK <= found.value <= highest + _SLACK:
        yield f"{name} is {found.value:.10g}, and the scale {result.scale!r} goes " + (
            f"up to {highest:g}" if math.isinf(lowest) else f"from {lowest:g} to {highest:g}"
        )
    # No comparison with NaN holds: where there is no interval, the value is in it.
    if found.value < found.low - _SLACK or found.value > found.high + _SLACK or found.low > found.high + _SLACK:
        yield f"{name} is {found.value:.10g}, outside of its own interval, {found.low:.10g} to {found.high:.10g}"


def _by_outcomes(name: str, result: MetricResult, outcomes: Outcomes) -> Iterator[str]:
    found = result.estimate
    if result.gate not in ("sampled", "against_original") or outcomes.n == 0:
        return
    if found.n not in (0, outcomes.n):
        yield f"{name} rests on {found.n} samples, but there are outcomes of {outcomes.n}"
        return
    hits = outcomes.count
    if result.gate == "sampled":
        right = 100 * hits / outcomes.n
    elif found.total > 0:
        right = 100 * (1 - hits / found.total)
    else:
        return
    if not _close(found.value, right):
        yield f"{name} is {found.value:.10g}, but the outcomes of its samples give {right:.10g}"


def _close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=_SLACK, abs_tol=_SLACK)
