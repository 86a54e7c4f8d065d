"""Which runs a sweep is made of."""

from __future__ import annotations

import pytest

from vdu_bench.engine.sweep import sweep_variants, swept_on, swept_settings
from vdu_bench.errors import UserError
from vdu_bench.tasks.task import Task


def test_each_method_declares_its_strength_and_references_have_none() -> None:
    assert swept_settings(["original", "vdu", "esd"], None) == {"vdu": "steps", "esd": "steps"}
    assert swept_settings(["vdu"], "gamma") == {"vdu": "gamma"}
    with pytest.raises(UserError, match="no method to sweep among original"):
        swept_settings(["original"], None)


def test_the_grid_is_around_the_task_s_own_value_and_inside_the_range(tiny_task: Task) -> None:
    task = tiny_task.model_copy(update={"method_settings": {"vdu": {"steps": 40}}})
    swept = {"vdu": "steps"}
    assert [one["steps"] for one in sweep_variants(task, swept, None, {})["vdu"]] == [10, 20, 40, 80, 160]
    # The tiny task's two steps leave one, two, four and eight.
    assert [one["steps"] for one in sweep_variants(tiny_task, swept, None, {})["vdu"]] == [1, 2, 4, 8]
    (found,) = sweep_variants(task, {"vdu": "gamma"}, None, {"vdu": [{"gamma": 0.4}]}).values()
    assert [one["gamma"] for one in found] == [0.1, 0.2, 0.4, 0.8], "four times 0.4 is out of range"


def test_values_go_with_every_variant(tiny_task: Task) -> None:
    own = {"vdu": [{"gamma": 0.1}, {"gamma": 0.9}]}
    found = sweep_variants(tiny_task, {"vdu": "steps", "esd": "steps"}, [5, 9], own)
    assert found["vdu"] == [{"gamma": gamma, "steps": steps} for gamma in (0.1, 0.9) for steps in (5, 9)]
    assert found["esd"] == [{"steps": 5}, {"steps": 9}]


def test_mistakes_are_named(tiny_task: Task) -> None:
    for values in (None, [1]):
        with pytest.raises(UserError, match="vdu has no setting 'stepz'"):
            sweep_variants(tiny_task, {"vdu": "stepz"}, values, {})
    with pytest.raises(UserError, match="vdu.steps=0"):
        sweep_variants(tiny_task, {"vdu": "steps"}, [0], {})
    with pytest.raises(UserError, match="vdu.weights is 'auto', which no grid goes around: give --values"):
        sweep_variants(tiny_task, {"vdu": "weights"}, None, {})
    with pytest.raises(UserError, match="settings are given for 'esd'"):
        sweep_variants(tiny_task, {"vdu": "steps"}, None, {"esd": [{"steps": 3}]})


def test_all_stands_for_what_can_be_swept(tiny_task: Task) -> None:
    swept = swept_settings(["all"], None)
    assert {"vdu", "esd", "finetune"} <= set(swept)
    assert not {"original", "retrain", "real"} & set(swept)
    assert set(swept_settings(["all"], "gamma")) < set(swept)
    here = swept_on(tiny_task, swept, ["all"], "forget_only")
    assert "vdu" in here
    assert not {"finetune", "concept_ablation"} & set(here)
    assert swept_on(tiny_task, {"finetune": "steps"}, ["finetune"], "forget_only") == {"finetune": "steps"}
