"""What the README says is true."""

from __future__ import annotations

import json
import re
import sys
from functools import cache
from pathlib import Path

import pytest

from vdu_bench.cli.main import main
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


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_method_in_the_readme_runs(tiny_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vdu_bench.methods.catalog import METHODS

    METHODS.entries()
    monkeypatch.setattr(METHODS, "_entries", dict(METHODS._entries))
    (snippet,) = blocks("python")
    assert len(snippet.strip().splitlines()) <= 25
    (tmp_path / "my_method.py").write_text(snippet)
    monkeypatch.setattr(
        sys,
        "argv",
        [
            *("vdu-bench", "run", "-q", "--task", str(tiny_file), "--methods", "my_method"),
            *("--set", "my_method.steps=2", "--plugin", str(tmp_path / "my_method.py")),
            *("--store", str(tmp_path / "store"), "--out", str(tmp_path / "out")),
        ],
    )
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 0
    record = json.loads((tmp_path / "out/records/tiny/my_method+steps=2/seed0.json").read_text())
    assert record["status"] == "ok"
    assert record["ledger"]["forget_images"] > 0


def test_every_file_it_points_to_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


@cache
def reference() -> list[Record]:
    return read_records(REFERENCE)


@cache
def boards() -> dict[str, Leaderboard]:
    return {board.variant: board for board in leaderboards(reference())}


def test_the_tables_are_the_reference_leaderboard() -> None:
    leaderboard = (REFERENCE / "leaderboard.md").read_text()
    shown = README.split("--out results/reference -->\n")[1].split("<!-- end -->")[0]
    rows = [line for line in shown.splitlines() if line.startswith("|")]
    # Of each table the head, the line below it, and all of its rows.
    assert len(rows) == sum(2 + len(board.rows) for board in boards().values())
    assert all(row in leaderboard.splitlines() for row in rows)


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
