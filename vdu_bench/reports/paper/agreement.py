"""Whether one column orders the methods as another does: on another base, or on another class of the same data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

from vdu_bench.reports.tables.leaderboard import Leaderboard

FEWEST = 4
"""Methods that two columns must share: of three, chance orders one time in six alike."""

EXPLAINED = (
    "Kendall's tau: 1 the same order by forgetting, 0 no more alike than by chance; "
    "who is beyond the quality limit comes last"
)


def agreements(boards: Sequence[Leaderboard], home: Mapping[str, str]) -> list[str]:
    """For each two that compare, Kendall's tau-b between their orders of the contestants, as sentences.

    Compared are variants of one task, and unchanged tasks of one family. The order is that of the table: by the first
    metric of forgetting, and who is beyond the quality limit comes last, all of them alike.

    Args:
        boards: of the variants.
        home: by variant, its family.
    """
    found = []
    for one, other in combinations(boards, 2):
        alike = home[one.variant] == home[other.variant] and one.variant == one.task and other.variant == other.task
        if not alike and one.task != other.task:
            continue
        left, right = _standing(one), _standing(other)
        shared = sorted(left.keys() & right.keys())
        if len(shared) < FEWEST:
            continue
        tau = _tau([left[name] for name in shared], [right[name] for name in shared])
        if math.isfinite(tau):
            places = f"{one.variant} and {other.variant}"
            found.append(f"{places}: Kendall's tau of their orders of {len(shared)} methods is {tau:.2f}")
    return [*found, EXPLAINED] if found else []


def _standing(board: Leaderboard) -> dict[str, float]:
    axis = next(iter(board.on_axis("forgetting")), None)
    if axis is None:
        return {}
    values = {
        row.method: row.estimates[axis.name].value
        for row in board.rows
        if row.role == "contestant" and row.status == "ok" and axis.name in row.estimates
    }
    last = {method: -math.inf for method in values if method in board.destroyed}
    return {method: value for method, value in (values | last).items() if not math.isnan(value)}


def _tau(left: Sequence[float], right: Sequence[float]) -> float:
    # It takes a second to import, which a table without a pair need not wait for.
    from scipy.stats import kendalltau

    return float(kendalltau(left, right).statistic)
