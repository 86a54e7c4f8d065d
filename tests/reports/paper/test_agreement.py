"""How alike two columns order the methods, against orders that were planted and pairs counted by hand."""

from __future__ import annotations

import pytest
from cells import cells

from vdu_bench.records import Record
from vdu_bench.reports.paper.agreement import EXPLAINED, agreements
from vdu_bench.reports.tables.leaderboard import leaderboards

SHARES = {"vdu": 0.1, "esd": 0.3, "third": 0.5, "fourth": 0.7}


def of(task: str, seed: int = 0, **shares: float) -> list[Record]:
    """Records of four contestants, of one base model or of another."""
    records = cells({**SHARES, **shares}, task=task)
    for record in records:
        record.task_changes = {"model.training.seed": seed} if seed else {}
    return records


def said(*groups: list[Record], home: str = "digits") -> list[str]:
    boards = leaderboards([record for group in groups for record in group])
    return agreements(boards, {board.variant: home or board.task for board in boards})


@pytest.mark.parametrize(
    ("shares", "tau"),
    [
        ({}, "1.00"),
        ({"vdu": 0.7, "esd": 0.5, "third": 0.3, "fourth": 0.1}, "-1.00"),
        # Of the six pairs one is turned around: (5 - 1) / 6.
        ({"vdu": 0.3, "esd": 0.1}, "0.67"),
    ],
)
def test_planted_orders(shares: dict[str, float], tau: str) -> None:
    line, explained = said(of("digits_1"), of("digits_1", seed=1, **shares))
    assert line == (f"digits_1 and digits_1+model.training.seed=1: Kendall's tau of their orders of 4 methods is {tau}")
    assert explained == EXPLAINED


def test_who_is_beyond_the_quality_limit_comes_last() -> None:
    one, other = of("digits_1"), of("digits_1", seed=1)
    for record in [*one, *other]:
        record.protocol.limits = {"ratio": 2.0}
        distance = record.metrics["fd_judge"] = record.metrics["fd_judge"].model_copy(update={"limit": "ratio"})
        if record in other and record.method == "vdu":
            distance.estimate.value = 500.0
    # vdu goes from the first place to the last: three pairs of six are turned around.
    assert "is 0.00" in said(one, other)[0]


def test_variants_of_a_task_and_unchanged_tasks_of_a_family_are_compared_and_nothing_else() -> None:
    groups = of("digits_1"), of("digits_1", seed=1), of("digits_8")
    pairs = [line.partition(":")[0] for line in said(*groups)[:-1]]
    assert pairs == ["digits_1 and digits_1+model.training.seed=1", "digits_1 and digits_8"]
    assert said(of("digits_1"), of("digits_8"), home="") == []


def test_of_fewer_than_four_methods_nothing_is_said() -> None:
    few = [record for record in of("digits_8") if record.method != "vdu"]
    assert said(of("digits_1"), few) == []
