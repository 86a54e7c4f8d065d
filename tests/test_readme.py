"""What the README says is true, and the results that it shows are whole."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from vdu_bench.engine.code import OUR_TARGETS
from vdu_bench.methods.catalog import METHODS as METHOD_CATALOG
from vdu_bench.records import Record, read_records
from vdu_bench.reports.tables.leaderboard import Leaderboard, leaderboards
from vdu_bench.tasks.loading import find_task

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
REFERENCE = ROOT / "results" / "reference"
DIGITS, FACES = ("digits_1", "digits_8"), ("faces_hats", "faces_eyeglasses", "faces_bangs")
TASKS = DIGITS + FACES
SEEDS = {**dict.fromkeys(DIGITS, range(5)), **dict.fromkeys(FACES, range(3))}
METHODS = {"original", "retrain", "real", "vdu", "esd", "finetune", "gradient_ascent"}
"""Those that are in every task's table, whatever comes beside them."""


def test_it_is_short_and_has_the_two_commands_that_ci_types() -> None:
    assert len(README.splitlines()) < 150
    typed = (ROOT / ".ci" / "run").read_text()
    for command in ("pip install . && vdu-bench run --task digits_1 --methods vdu,esd", "pip install tox && tox"):
        assert f"```sh\n{command} " in README
        assert f"\n{command}" in typed


@cache
def reference() -> list[Record]:
    return read_records(REFERENCE)


@cache
def boards() -> dict[str, Leaderboard]:
    return {board.variant: board for board in leaderboards(reference())}


def test_the_reference_is_whole() -> None:
    assert set(boards()) == set(TASKS)
    for name, board in boards().items():
        assert {row.method for row in board.rows} >= METHODS
        seeds = {row.seeds for row in board.rows}
        assert len(seeds) == 1, f"{name}: every row has the same seeds"
        assert set(seeds.pop()) == set(SEEDS[name])
    assert {record.status for record in reference()} == {"ok"}
    for record in reference():
        task = find_task(record.task)
        assert record.protocol is not None
        assert (record.protocol.version, record.protocol.samples) == (task.protocol, task.samples)
        assert record.environment["git_dirty"] is False


def value(task: str, method: str, metric: str) -> float:
    (row,) = [row for row in boards()[task].rows if row.method == method]
    return row.estimates[metric].value


def test_the_reference_shows_what_the_suite_promises_of_vdu() -> None:
    assert value("digits_1", "vdu", "pul") >= 60
    assert "vdu" not in boards()["digits_1"].destroyed, "it is within the quality limit"


def test_some_prompted_method_forgets_and_keeps_the_rest_on_two_tasks_of_three() -> None:
    def good(task: str, method: str) -> bool:
        kept = value(task, method, "retain_accuracy") >= value(task, "original", "retain_accuracy") - 10
        return value(task, method, "pul") >= 60 and kept

    found = {
        row.method: [task for task in FACES if good(task, row.method)]
        for row in boards()[FACES[0]].rows
        if row.role == "contestant"
    }
    assert max(map(len, found.values())) >= 2, found


def test_as_many_methods_are_told_as_there_are() -> None:
    # Other tests leave methods of their own in the catalog.
    ours = [
        method
        for name, method in METHOD_CATALOG.working().items()
        if METHOD_CATALOG.entry(name).target.startswith(OUR_TARGETS)
    ]
    contestants = [method for method in ours if method.role == "contestant"]
    assert len(ours) - len(contestants) == 3
    assert f"- **Methods**: {len(contestants)}, VDU among them, and three reference rows." in README
    comparison = (ROOT / "docs" / "comparison.md").read_text()
    assert f"| {len(contestants)}, and 3 reference rows |" in comparison
