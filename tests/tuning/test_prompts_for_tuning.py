"""A task with prompts is tuned on those that are neither given nor judged, and on nothing else that results show."""

from __future__ import annotations

import pytest

from vdu_bench.engine.usage import told, usage
from vdu_bench.errors import UserError
from vdu_bench.metrics.catalog import METRICS
from vdu_bench.tasks.loading import catalog, find_task, with_overrides
from vdu_bench.tasks.prompts import PromptSpec
from vdu_bench.tasks.task import Task


@pytest.mark.parametrize("name", ["faces_hats", "faces_eyeglasses", "faces_bangs"])
def test_other_prompts_are_asked_and_the_same_are_told(name: str) -> None:
    task = find_task(name)
    tuned = task.for_tuning()
    assert task.prompts is not None
    assert tuned.prompts is not None
    assert tuned.prompts.cycled("forget", 4) == list(task.prompts.tuning)
    assert tuned.prompts.retain == task.prompts.tuning_retain
    judged_or_told = {*task.prompts.forget, *task.prompts.retain, *task.prompts.concept, *task.prompts.kept}
    assert not judged_or_told & {*tuned.prompts.forget, *tuned.prompts.retain}
    # What decides the unlearned model is the same; what decides its samples is not.
    assert told(tuned) == told(task)
    assert usage(tuned) != usage(task)
    assert tuned.prompts.judged_captions == task.prompts.judged_captions
    # It is a task as any other: written out and read again the same.
    assert PromptSpec.model_validate(tuned.prompts.model_dump()) == tuned.prompts
    assert Task.model_validate(tuned.model_dump()).digest() == tuned.digest()


def test_prompts_for_tuning_are_still_of_the_given_half() -> None:
    prompts = find_task("faces_hats").for_tuning().prompts
    assert prompts is not None
    with pytest.raises(ValueError, match="forget: 'a portrait with a hat' begins with a subject of the judged half"):
        PromptSpec.model_validate(prompts.model_dump() | {"forget": ["a portrait with a hat"]})


def test_nothing_is_drawn_but_what_the_search_reads() -> None:
    for name in ("digits_1", "faces_eyeglasses", "mnist_1_small"):
        task = find_task(name)
        tuned = task.for_tuning()
        measured = {name: metric for name, metric in METRICS.working().items() if metric.applies(tuned)}
        assert {metric.probe for metric in measured.values()} == {"", "samples"}
        limited = {name for name, metric in METRICS.working().items() if metric.applies(task) and metric.limit}
        assert {task.tuning.objective, *limited} <= measured.keys()
        assert (tuned.second_judge, tuned.clip, tuned.inception) == (None, None, None)
        assert tuned.samples == task.tuning.samples
        assert tuned.limits == task.limits


def test_a_task_that_is_tuned_on_has_another_name_and_address() -> None:
    task = with_overrides(find_task("digits_1"), {"sampler": {"steps": 5}})
    tuned = task.for_tuning()
    assert tuned.changes == {"sampler.steps": 5, "tuning": True}
    assert task.changes == {"sampler.steps": 5}
    assert tuned.digest() != task.digest()


def test_a_task_without_prompts_for_tuning_says_so(tiny_faces_task: Task) -> None:
    with pytest.raises(UserError, match="tiny_hats cannot be tuned on: its prompts lack tuning"):
        tiny_faces_task.for_tuning()


def test_the_catalog_has_the_budgets() -> None:
    budgets = {
        name: (tuning.trials, tuning.samples, tuning.finalists, tuning.finalist_seeds, tuning.most_evaluations)
        for name, task in catalog().items()
        if name in ("digits_1", "faces_eyeglasses", "mnist_1_small")
        for tuning in [task.tuning]
    }
    seeds = (101, 102, 103)
    assert budgets == {
        "digits_1": (20, 1000, 5, seeds, 40_000),
        "faces_eyeglasses": (12, 200, 3, seeds, 40_000),
        "mnist_1_small": (12, 500, 3, seeds, 40_000),
    }
