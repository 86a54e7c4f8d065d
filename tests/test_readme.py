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

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
REFERENCE = ROOT / "results" / "reference"
DIGITS, FACES = ("digits_1", "digits_8"), ("faces_hats", "faces_eyeglasses", "faces_bangs")
TASKS = DIGITS + FACES


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
            *("vdu-bench", "run", "-q", "--task", str(tiny_file), "--methods", "weight_decayed_ascent"),
            *("--set", "weight_decayed_ascent.steps=2", "--plugin", str(tmp_path / "my_method.py")),
            *("--store", str(tmp_path / "store"), "--out", str(tmp_path / "out")),
        ],
    )
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 0
    record = json.loads((tmp_path / "out/records/tiny/weight_decayed_ascent+steps=2/seed0.json").read_text())
    assert record["status"] == "ok"
    assert record["ledger"]["forget_images"] > 0


def test_every_file_it_points_to_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_the_tables_are_the_reference_leaderboard() -> None:
    leaderboard = (REFERENCE / "leaderboard.md").read_text()
    shown = README.split("--out results/reference -->\n")[1].split("<!-- end -->")[0]
    rows = [line for line in shown.splitlines() if line.startswith("|")]
    assert len(rows) == len(TASKS) * 8
    assert all(row in leaderboard.splitlines() for row in rows)


@cache
def reference() -> list[Record]:
    return read_records(REFERENCE)


def test_the_reference_is_whole() -> None:
    records = reference()
    cells = {(record.task, record.method, record.seeds.sample) for record in records}
    methods = ("original", "retrain", "vdu", "esd", "finetune", "gradient_ascent")
    assert cells == {(t, m, s) for t in TASKS for m in methods for s in (0, 1, 2)}
    assert {record.status for record in records} == {"ok"}
    for record in records:
        assert record.protocol is not None
        assert record.protocol.samples == (2000 if record.task in DIGITS else 400)
        assert record.environment["git_dirty"] is False


def value(task: str, method: str, seed: int, metric: str) -> float:
    (record,) = [r for r in reference() if (r.task, r.method, r.seeds.sample) == (task, method, seed)]
    return record.metrics[metric].estimate.value


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_reference_shows_what_the_suite_promises_of_vdu(seed: int) -> None:
    assert value("digits_1", "vdu", seed, "pul") >= 60
    assert value("digits_1", "vdu", seed, "fd_judge") <= value("digits_1", "original", seed, "fd_judge")
    assert value("digits_1", "vdu", seed, "junk_rate") <= 10


@pytest.mark.parametrize("method", ["vdu", "esd"])
def test_prompted_methods_forget_and_keep_the_rest_on_two_tasks_of_three(method: str) -> None:
    def mean(task: str, who: str, metric: str) -> float:
        return sum(value(task, who, seed, metric) for seed in (0, 1, 2)) / 3

    good = [
        task
        for task in FACES
        if mean(task, method, "pul") >= 60
        and mean(task, method, "retain_accuracy") >= mean(task, "original", "retain_accuracy") - 10
    ]
    assert len(good) >= 2
