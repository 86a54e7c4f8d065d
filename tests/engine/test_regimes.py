"""A command in several data regimes: references once, and what a regime forbids is left out of that one alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from vdu_bench.engine.cells import Cell, expand
from vdu_bench.engine.regimes import expand_regimes
from vdu_bench.errors import UserError
from vdu_bench.methods.regime import REGIMES, Regime
from vdu_bench.tasks.task import Task

FRAME = ["original", "retrain", "real"]


def cells(
    task: Task, methods: Sequence[str], regimes: Sequence[Regime], seeds: Sequence[int] = (0,), **settings: dict
) -> tuple[list[Cell], list[str]]:
    return expand_regimes([task], methods, seeds, regimes, {name: [own] for name, own in settings.items()}, "cpu")


def test_one_regime_is_what_it_was(tiny_task: Task) -> None:
    for regime in REGIMES:
        assert cells(tiny_task, ["all"], [regime]) == expand([tiny_task], ["all"], (0,), regime, {}, "cpu")
    with pytest.raises(UserError, match="finetune cannot run on tiny: it needs retain_images, which --regime"):
        cells(tiny_task, ["finetune"], ["forget_only"])


def test_references_come_once_and_contestants_in_each_regime(tiny_task: Task) -> None:
    made, left_out = cells(tiny_task, ["vdu", "esd"], REGIMES, seeds=(0, 1))
    assert left_out == []
    rows = [
        *FRAME,
        *("vdu+regime=forget_only", "esd+regime=forget_only"),
        *("vdu+regime=forget_and_retain", "esd+regime=forget_and_retain"),
        *("vdu", "esd"),
    ]
    assert [cell.name for cell in made] == [f"tiny/{row}/seed{seed}" for row in rows for seed in (0, 1)]
    assert {cell.regime for cell in made if cell.method in FRAME} == {"full"}


def test_a_method_is_left_out_of_the_regimes_that_forbid_it_and_that_is_said_once(tiny_task: Task) -> None:
    made, left_out = cells(tiny_task, ["vdu", "finetune"], ["full", "forget_only"], finetune={"steps": 3})
    names = [cell.name.split("/")[1] for cell in made]
    assert names == [*FRAME, "vdu", "finetune+steps=3", "vdu+regime=forget_only"]
    assert left_out == ["finetune is left out of forget_only: it needs retain_images"]
    made, left_out = cells(tiny_task, ["finetune"], REGIMES)
    assert [cell.regime for cell in made if cell.method == "finetune"] == ["forget_and_retain", "full"]


def test_all_says_of_each_regime_what_it_forbids_and_once_what_none_allows(tiny_task: Task) -> None:
    elsewhere = tiny_task.model_copy(update={"base": "somebody/something"})
    made, left_out = cells(elsewhere, ["all"], ["forget_only", "full"])
    assert [line for line in left_out if "finetune" in line] == [
        "tiny: finetune is left out: it needs retain_images, which --regime forget_only forbids"
    ]
    assert len([line for line in left_out if "retrain is left out" in line]) == 1
    assert [cell.regime for cell in made if cell.method == "finetune"] == ["full"]


def test_one_name_is_not_for_several_regimes(tiny_task: Task) -> None:
    with pytest.raises(UserError, match="--name mine: there are 2 regimes"):
        expand_regimes([tiny_task], ["vdu"], (0,), ["forget_only", "full"], {}, "cpu", None, "mine")
