"""The committed searches: they chose the best of their runs, and the task files carry just what they found."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from vdu_bench.methods.catalog import METHODS, method_facts
from vdu_bench.tasks.loading import find_task
from vdu_bench.tasks.task import Task

TUNED = Path(__file__).parent.parent / "results" / "tuned"
CARRIED = {
    "digits_1": ("digits_8",),
    "faces_eyeglasses": ("faces_hats", "faces_bangs"),
    "mnist_1_small": ("mnist_8_small",),
}
"""The tasks that were searched on, and those that take what was found as it is."""
SEARCHES = sorted(TUNED.glob("*/*.json"))


def id_of(file: Path) -> str:
    return f"{file.parent.name}/{file.stem}"


@pytest.mark.parametrize("name", CARRIED)
def test_every_method_of_a_task_was_searched(name: str) -> None:
    kind = find_task(name).model.kind
    facts = map(method_facts, METHODS.entries())
    supporting = {method.name for method in facts if kind in method.supports and method.role == "contestant"}
    assert {file.stem for file in SEARCHES if file.parent.name == name} == supporting


@pytest.mark.parametrize("file", SEARCHES, ids=id_of)
def test_the_task_file_carries_what_was_found(file: Path) -> None:
    found = json.loads(file.read_text())
    assert (found["task"], found["method"]) == (file.parent.name, file.stem)
    for name in (file.parent.name, *CARRIED[file.parent.name]):
        task, method = find_task(name), file.stem
        kept = {key: value for key, value in found["settings of the task"].items() if key not in found["search"]}
        assert task.method_settings[method] == kept | found["chosen"]["settings"]
        assert task.settings_from[method] == "tuned"
        assert task.tuning_cost[method].model_dump() == found["cost"]
    assert found["search"].keys() == found["chosen"]["settings"].keys()


@pytest.mark.parametrize("file", SEARCHES, ids=id_of)
def test_the_best_mean_that_keeps_the_limits_was_chosen(file: Path) -> None:
    found, task = json.loads(file.read_text()), find_task(file.parent.name)
    rows = list(csv.DictReader(file.with_suffix(".csv").read_text().splitlines()))
    trials, again = [row for row in rows if row["is"] == "trial"], defaultdict(list)
    for row in rows[len(trials) :]:
        again[int(row["trial"])].append(row)
    assert (len(trials), len(again)) == of_the_task(task)
    assert sum(int(row["evaluations"]) for row in rows) == found["cost"]["evaluations"]
    best = max(sorted(again), key=lambda trial: rank(again[trial]))  # of equal ones the first
    assert found["chosen"]["trial"] == best
    assert {row["is"] for row in again[best]} == {"chosen"}
    assert found["chosen"]["within_limits"] == keeps_the_limits(again[best])
    settings = {
        key: float(value) for key, value in found["chosen"]["settings"].items() if not isinstance(value, (str, bool))
    }
    assert {key: float(trials[best][key]) for key in settings} == pytest.approx(settings)


def of_the_task(task: Task) -> tuple[int, int]:
    assert task.tuning is not None
    return task.tuning.trials, task.tuning.finalists


def keeps_the_limits(runs: list[Mapping[str, Any]]) -> bool:
    return all(row["status"] == "ok" and float(row["beyond"]) <= 0 for row in runs)


def rank(runs: list[Mapping[str, Any]]) -> tuple[bool, float]:
    """Better is larger: within the limits by what was forgotten, else the less far beyond them."""
    assert [row["seed"] for row in runs] == ["101", "102", "103"]
    if keeps_the_limits(runs):
        return True, sum(float(row["pul_strict"]) for row in runs) / 3
    return False, -sum(float(row["beyond"]) for row in runs)
