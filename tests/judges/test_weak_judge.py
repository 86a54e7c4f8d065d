"""A judge that does not see what is to be forgotten is warned of, however rare the concept is."""

from __future__ import annotations

import pytest
import torch

from vdu_bench.engine.stages.judge import weak_judge
from vdu_bench.judges.classifier.judge import Judge
from vdu_bench.judges.classifier.network import SmallCNN
from vdu_bench.tasks.task import Task


def judge_of(confusion: list[list[int]], names: tuple[str, ...], exclusive: bool, task: Task) -> Judge:
    shape = (1, 8, 8)
    network = SmallCNN(1, (8, 8), len(names) + 1, 1, 2)
    return Judge("planted", network, names, task.judge, shape, exclusive, torch.tensor(confusion))


def asking(task: Task, forget: str, least: float | None) -> Task:
    return task.model_copy(update={"forget": forget, "judge_accuracy": least})


# True negatives, false positives, false negatives, true positives of the attributes.
BLIND = [[980, 0, 20, 0], [600, 0, 0, 400]]
SEEING = [[976, 4, 0, 20], [600, 0, 0, 400]]


def test_a_judge_that_is_blind_to_a_rare_attribute(tiny_task: Task) -> None:
    blind = judge_of(BLIND, ("hat", "beard"), False, tiny_task)
    assert blind.accuracy == pytest.approx(0.98), "by which nothing is wrong"
    (warning,) = weak_judge(asking(tiny_task, "hat", 0.95), blind)
    assert warning == (
        "the judge sees 'hat' in 0 of the 20 held-out images that show it and in 0 of the 980 others, and the task "
        "asks for 95.00% right of either: numbers that rest on it are not to be trusted"
    )
    assert weak_judge(asking(tiny_task, "beard", 0.95), blind) == [], "the other attribute it sees"
    assert weak_judge(asking(tiny_task, "hat", None), blind) == [], "nothing was asked for"
    assert weak_judge(asking(tiny_task, "hat", 0.95), judge_of(SEEING, ("hat", "beard"), False, tiny_task)) == []


def test_few_images_do_not_make_a_judge_weak(tiny_task: Task) -> None:
    # 18 of 20: up to 98.8 % by the interval's upper end.
    few = judge_of([[980, 0, 2, 18]], ("hat",), False, tiny_task)
    assert weak_judge(asking(tiny_task, "hat", 0.98), few) == []
    many = judge_of([[98000, 0, 200, 1800]], ("hat",), False, tiny_task)
    assert len(weak_judge(asking(tiny_task, "hat", 0.98), many)) == 1


def test_a_class_is_counted_against_the_others_and_none(tiny_task: Task) -> None:
    # Of 0: 40 right, 8 taken for 1, 2 for none; of 1: 45 right, 5 taken for 0.
    judge = judge_of([[40, 8, 2], [5, 45, 0]], ("0", "1"), True, tiny_task)
    assert judge.seen("0") == (40, 50, 45, 50)
    assert judge.seen("1") == (45, 50, 42, 50)
    assert judge.accuracy == pytest.approx(0.85)
    assert [
        line.partition(" held-out")[0] for line in weak_judge(asking(tiny_task, "0", 0.96), judge, "second judge")
    ] == [
        "the second judge names 85.00% of the",
        "the second judge sees '0' in 40 of the 50",
    ]


def test_no_held_out_image_of_the_concept(tiny_task: Task) -> None:
    judge = judge_of([[1000, 0, 0, 0], [600, 0, 0, 400]], ("hat", "beard"), False, tiny_task)
    assert weak_judge(asking(tiny_task, "hat", 0.95), judge) == [
        "no held-out image shows 'hat', so nothing tells whether the judge sees it"
    ]


def test_the_shipped_judges_see_what_their_tasks_forget() -> None:
    from vdu_bench.engine.shipped import ASSETS
    from vdu_bench.tasks.loading import find_task

    for name in ("digits_1", "digits_8", "faces_eyeglasses", "faces_hats", "faces_bangs"):
        task = asking(find_task(name), find_task(name).forget, 0.98)
        for kind in ("judge", "second_judge"):
            folder = ASSETS / task.family / kind
            assert weak_judge(task, Judge.load(folder), kind) == [], (name, kind)
