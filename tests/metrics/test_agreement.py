"""What a second judge says of the numbers about forgetting."""

from __future__ import annotations

import dataclasses
import math

import pytest
from planted import evidence, readings, sampled, shown

from vdu_bench.metrics.agreement import NO_SECOND, JudgeAgreement, PULRange
from vdu_bench.metrics.evidence import Evidence, SecondReadings
from vdu_bench.metrics.forgetting import PUL
from vdu_bench.tasks.task import Task

BEFORE = shown("hat", "hat", "hat", "hat", "beard", "")
AFTER = shown("hat", "", "beard", "", "beard", "")


def judged_twice(task: Task, before: list[str], after: list[str]) -> Evidence:
    """Four hats of six, and one after, by the task's judge; as given by the second one."""
    sides = [readings(BEFORE), readings(AFTER)]
    found = evidence(task, *(sampled(side, side) for side in sides))
    other = dataclasses.replace(found.judge, name="other")
    return dataclasses.replace(found, second=SecondReadings(other, shown(*before), shown(*after)))


def test_the_range_is_of_the_judges_and_the_value_the_first_one_s(tiny_faces_task: Task) -> None:
    e = judged_twice(tiny_faces_task, ["hat", "hat", "", "", "", ""], ["hat", "", "", "", "", ""])
    found = PULRange().compute(e).estimate
    assert (found.value, found.low, found.high, found.n) == (75, 50, 75, 6)
    assert found.value == PUL().compute(e).estimate.value
    assert "no interval" in found.method
    assert "planted and other" in found.method


def test_it_may_lie_above_too(tiny_faces_task: Task) -> None:
    e = judged_twice(tiny_faces_task, ["hat", "hat", "", "", "", ""], [""] * 6)
    found = PULRange().compute(e).estimate
    assert (found.value, found.low, found.high) == (75, 75, 100)


def test_agreement_counts_the_model_s_own_samples(tiny_faces_task: Task) -> None:
    # Of the first, the second and the last two they say the same; what else an image shows does not matter.
    e = judged_twice(tiny_faces_task, [""] * 6, ["hat beard", "", "hat", "hat", "", ""])
    found = JudgeAgreement().compute(e).estimate
    assert found.value == pytest.approx(100 * 4 / 6)
    assert 0 < found.low < found.value < found.high < 100


def test_a_judge_that_saw_none_before_has_no_range(tiny_faces_task: Task) -> None:
    found = PULRange().compute(judged_twice(tiny_faces_task, [""] * 6, [""] * 6)).estimate
    assert math.isnan(found.value)
    assert found.reason.startswith("other: the model made none")


def test_without_a_second_judge_there_is_neither(tiny_faces_task: Task) -> None:
    e = dataclasses.replace(judged_twice(tiny_faces_task, [""] * 6, [""] * 6), second=None)
    for metric in (PULRange(), JudgeAgreement()):
        found = metric.compute(e).estimate
        assert math.isnan(found.value)
        assert found.reason == NO_SECOND
