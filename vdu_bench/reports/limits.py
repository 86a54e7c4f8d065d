"""The quality limit: how much worse than the original a model may be before it counts as destroyed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from vdu_bench.measured import Better, Limit


@dataclass(frozen=True)
class Excess:
    """A number that is beyond its limit, or that is missing where the original has it."""

    metric: str
    """Its name in the records."""
    value: float
    """NaN where it could not be estimated."""
    original: float
    """The original's, at equal counts."""
    bound: float
    """The last value that would have been within the limit."""


def bound(limit: Limit, better: Better, original: float, amounts: Mapping[str, float]) -> float:
    """The last value of a metric that is within its limit; NaN where it has none, or the original's is not known.

    ``ratio``: the original's times the amount (divided by it where higher is better); ``points``: plus the amount (or
    minus).

    Args:
        limit: by which amount it is bound; empty for none.
        better: which direction is.
        original: the original's number.
        amounts: the task's, as `vdu_bench.records.Protocol.limits` has them; empty in records of protocol 1.
    """
    if not limit or limit not in amounts:
        return math.nan
    amount, worse = amounts[limit], -1.0 if better == "higher" else 1.0
    return original + worse * amount if limit == "points" else original * amount**worse


def excess(
    metric: str, limit: Limit, better: Better, value: float, original: float, amounts: Mapping[str, float]
) -> Excess | None:
    """What is beyond the limit of one metric; None where it is within, or where there is nothing to judge it by.

    A number that is missing is beyond it too: nobody can say that what could not be measured is still there.

    Args:
        metric: its name.
        limit: as `bound`, like the rest.
        better: which direction is.
        value: the row's mean.
        original: the original's.
        amounts: the task's.
    """
    last = bound(limit, better, original, amounts)
    # No comparison with NaN holds. So a missing value is never within, and a limit that is NaN is asked for first.
    within = math.isnan(last) or (value >= last if better == "higher" else value <= last)
    return None if within else Excess(metric, value, original, last)
