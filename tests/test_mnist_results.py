"""The committed results of small-scale MNIST: whole, from one judge and one base."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vdu_bench.engine.shipped import exported
from vdu_bench.engine.store import MANIFEST, read_artifact
from vdu_bench.methods.catalog import METHODS, method_facts
from vdu_bench.records import Record, read_records
from vdu_bench.reports.layouts import render_table
from vdu_bench.tasks.loading import find_task

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results" / "mnist_small"
TASKS = ("mnist_1_small", "mnist_8_small")
REFERENCES = {"real", "original", "retrain"}


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return read_records(RESULTS)


def test_they_are_whole_and_of_one_protocol(records: list[Record]) -> None:
    cells = {(record.task, record.row, record.seeds.sample) for record in records}
    rows = {name for name in METHODS.entries() if "unconditional" in method_facts(name).supports}
    assert rows > REFERENCES
    assert cells == {(task, row, seed) for task in TASKS for row in rows for seed in (0, 1, 2)}
    for record in records:
        assert record.protocol is not None
        assert (record.protocol.scale, record.protocol.version) == ("small", find_task(record.task).protocol)
        assert record.environment["git_dirty"] is False
        if record.row not in REFERENCES:
            assert (record.settings_from, record.tuning_cost["trials"]) == ("tuned", 12)
    assert len({(r.protocol.data_fingerprint, r.protocol.judge_digest) for r in records if r.protocol}) == 1
    assert len({record.stages["base"] for record in records}) == 1


def test_the_models_beside_them_are_those_they_were_made_of(records: list[Record]) -> None:
    folders = exported(RESULTS / "models")
    assert {folder.name for folder in folders} >= {"base", "judge", "retrain_1", "retrain_8"}
    for folder in folders:
        artifact, damage = read_artifact(folder)
        assert artifact is not None, damage
    hashes = {folder.name: json.loads((folder / MANIFEST).read_text())["hash"] for folder in folders}
    for record in records:
        assert record.stages["base"] == hashes["base"]
        assert record.status == "diverged" or record.stages["judge"] == hashes["judge"]


def test_the_paper_s_table_beside_them_is_theirs(records: list[Record]) -> None:
    table = render_table(records, "paper", "markdown")
    assert "75.06" in table
    assert "68.96" in table
    assert (RESULTS / "paper.md").read_text().strip() == table.strip()
    assert (RESULTS / "paper.tex").read_text().strip() == render_table(records, "paper", "latex").strip()
