"""What a run is worth to a search, by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
from planted_search import record

from vdu_bench.errors import UserError
from vdu_bench.tasks.task import QualityLimit, Task
from vdu_bench.tasks.tuning import Tuning
from vdu_bench.tuning.judging import FAR, Judged, distance_of, judge, refused

TUNING = Tuning(most_evaluations=1000)


@pytest.fixture
def task(tiny_task: Task) -> Task:
    return tiny_task.model_copy(update={"quality": QualityLimit(ratio=1.5, points=10)})


def judged(task: Task, taken: int = 0, status: Any = "ok", tuning: Tuning = TUNING, **values: float) -> Judged:
    original = {"pul_strict": 0.0, "pul": 0.0, "fd_judge": 20.0, "junk_rate": 3.0}
    found = {"pul_strict": 80.0, "pul": 90.0, "fd_judge": 25.0, "junk_rate": 4.0} | values
    return judge(record(task, "vdu", 100, found, status, taken), record(task, "original", 100, original), tuning)


@pytest.mark.parametrize(
    ("values", "beyond"),
    [
        ({}, 0),
        ({"fd_judge": 30.0, "junk_rate": 13.0, "taken": 1000}, 0),
        ({"fd_judge": 45.0}, 0.5),  # of 30 allowed
        ({"junk_rate": 18.0}, 0.5),  # of 10 points allowed
        ({"taken": 1500}, 0.5),
        ({"fd_judge": 45.0, "junk_rate": 33.0, "taken": 1100}, 2.0),
        ({"fd_judge": math.nan}, math.inf),
        ({"pul_strict": math.nan}, math.inf),
    ],
)
def test_how_far_beyond_the_furthest_limit(task: Task, values: dict[str, Any], beyond: float) -> None:
    found = judged(task, **values)
    assert found.beyond == pytest.approx(beyond)
    assert found.kept == (beyond == 0)
    assert ("beyond the limit" in found.reason) == (beyond > 0)
    assert Judged.of(found.plain()).score("higher") == found.score("higher")


def test_runs_are_worth_more_the_better_they_are(task: Task) -> None:
    order = [
        judged(task, pul_strict=95.0),
        judged(task, pul_strict=80.0),
        judged(task, pul_strict=-300.0),
        judged(task, pul_strict=100.0, fd_judge=30.0001),
        judged(task, pul_strict=0.0, fd_judge=33.0),
        refused(1500, TUNING),
        judged(task, fd_judge=1e9),
        judged(task, pul_strict=math.nan),
        judged(task, status="diverged"),
    ]
    worth = [found.score("higher") for found in order]
    assert worth == sorted(worth, reverse=True)
    assert len(set(worth)) == len(worth)
    assert worth[:3] == [95.0, 80.0, -300.0]
    assert worth[3] < -FAR


def test_an_objective_may_be_small_as_well(task: Task) -> None:
    tuning = Tuning(objective="junk_rate")
    few, many = (judged(task, tuning=tuning, junk_rate=rate) for rate in (1.0, 2.0))
    assert few.score("lower") == -1.0 > many.score("lower")


def test_objectives_that_cannot_be_searched_for(task: Task) -> None:
    with pytest.raises(UserError, match=r"tuning.objective: 'kid' is no metric of tiny with a direction: fd_judge, "):
        judged(task, tuning=Tuning(objective="kid"))
    nothing = record(task, "original", 100, {"pul_strict": math.nan})
    with pytest.raises(UserError, match="not known even of the original"):
        judge(record(task, "vdu", 100, {"pul_strict": 1.0}), nothing, TUNING)


def test_the_distance_is_the_first_one(task: Task) -> None:
    assert distance_of(record(task, "original", 100, {"pul": 0.0, "fid_inception": 1.0, "fd_judge": 1.0})) == "fd_judge"
    assert distance_of(record(task, "original", 100, {"pul": 0.0})) == ""


@pytest.mark.parametrize("seeds", [{"seed": 0}, {"finalist_seeds": [101, 5]}, {"finalist_seeds": [100, 101]}])
def test_no_seed_of_a_result_is_used(seeds: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="seed"):
        Tuning(**seeds)
