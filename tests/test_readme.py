"""What the README says is true."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from vdu_bench.cli import main
from vdu_bench.records import read_records

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
REFERENCE = ROOT / "results" / "reference"


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
    record = json.loads((tmp_path / "out/records/tiny/weight_decayed_ascent/seed0.json").read_text())
    assert record["status"] == "ok"
    assert record["ledger"]["forget_images"] > 0


def test_every_file_it_points_to_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_the_table_is_the_reference_leaderboard() -> None:
    leaderboard = (REFERENCE / "leaderboard.md").read_text()
    shown = README.split("--out results/reference -->\n")[1].split("<!-- end -->")[0]
    rows = [line for line in shown.splitlines() if line.startswith("|")]
    assert len(rows) == 2 * 8
    assert all(row in leaderboard.splitlines() for row in rows)


def test_the_reference_is_whole() -> None:
    records = read_records(REFERENCE)
    cells = {(record.task, record.method, record.seeds.sample) for record in records}
    methods = ("original", "retrain", "vdu", "esd", "finetune", "gradient_ascent")
    assert cells == {(t, m, s) for t in ("digits_1", "digits_8") for m in methods for s in (0, 1, 2)}
    assert {record.status for record in records} == {"ok"}
    assert {record.protocol.samples for record in records if record.protocol} == {2000}


def test_the_reference_shows_what_the_suite_promises_of_vdu() -> None:
    records = [record for record in read_records(REFERENCE) if record.task == "digits_1"]

    def value(method: str, seed: int, metric: str) -> float:
        (record,) = [r for r in records if r.method == method and r.seeds.sample == seed]
        return record.metrics[metric].estimate.value

    for seed in (0, 1, 2):
        assert value("vdu", seed, "pul") >= 60
        assert value("vdu", seed, "fd_judge") <= value("original", seed, "fd_judge")
        assert value("vdu", seed, "junk_rate") <= 10
