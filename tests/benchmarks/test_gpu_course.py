"""The course of benchmarks/gpu.py: the clock, what is kept, what is left; archives, processes, comparisons."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import gpu_run.cells
import numpy as np
import pytest
from gpu_run.archives import pack
from gpu_run.cells import run_cells
from gpu_run.course import Course, OutOfTime, time_limit
from gpu_run.memory import computed_gib
from gpu_run.processes import run_all
from gpu_run.sizes import MINIATURE
from gpu_run.smoke import beside, run_smoke

import vdu_bench
from vdu_bench.measured import Outcomes
from vdu_bench.records import Record, read_records

REFERENCE = Path(__file__).parents[2] / "results" / "reference"


def course(out: Path, seconds: float = 60) -> Course:
    return Course(out, seconds, {"device": "none"}, lambda _: None)


def never() -> dict[str, Any]:
    pytest.fail("it was done before, or there is no time for it")


def test_a_part_that_is_done_is_read_back(tmp_path: Path) -> None:
    first = course(tmp_path)
    with first.phase("a", 60):
        assert first.part("one, two", 1.0, lambda: {"value": 3, "unknown": float("nan")}) is not None
    again = course(tmp_path)
    with again.phase("a", 60):
        assert again.part("one, two", 1.0, never) == {"value": 3, "unknown": None}
    told = json.loads((tmp_path / "gpu.json").read_text())
    assert told["phases"]["a"]["one__two"]["result"] == {"value": 3, "unknown": None}


def test_a_part_that_would_take_too_long_is_left_and_said(tmp_path: Path) -> None:
    one = course(tmp_path, 10)
    with one.phase("a", 60):
        assert one.part("long", 11.0, never) is None
    assert "about 11 are needed" in one.not_run["a/long"]
    with one.phase("b", 2):
        assert one.part("longer than the phase", 5.0, never) is None
    assert json.loads((tmp_path / "gpu.json").read_text())["not_run"] == one.not_run


def test_estimates_follow_what_was_measured(tmp_path: Path) -> None:
    one = course(tmp_path, 100)

    def slow() -> dict[str, Any]:
        time.sleep(0.2)
        return {}

    with one.phase("a", 60):
        one.part("expected in a hundredth of its time", 0.002, slow)
        assert one.part("as far off, it does not fit", 5.0, never) is None
        assert one.part("but this does", 0.01, dict) == {}


def test_a_part_is_stopped_when_the_time_is_over_and_the_next_sitting_goes_on(tmp_path: Path) -> None:
    turns = []

    def work() -> dict[str, Any]:
        turns.append(1)
        if len(turns) == 1:
            time.sleep(10)
        return {"turns": len(turns)}

    one = course(tmp_path, 0.5)
    with one.phase("a", 60):
        assert one.part("training", 0.1, work, goes_on=True) is None
    assert "it goes on there" in one.not_run["a/training"]
    again = course(tmp_path)
    with again.phase("a", 60):
        assert again.part("training", 0.1, work, goes_on=True) == {"turns": 2}


def test_an_error_is_noted_and_the_others_go_on(tmp_path: Path) -> None:
    one = course(tmp_path)
    with one.phase("a", 60):
        assert one.part("broken", 1.0, lambda: {"value": 1 // 0}) is None
        assert one.part("whole", 1.0, dict) == {}
    assert one.failed == {"a/broken": "ZeroDivisionError: integer division or modulo by zero"}
    assert "Traceback" in (tmp_path / "errors" / "a_broken.txt").read_text()
    again = course(tmp_path)
    with again.phase("a", 60):
        assert again.part("broken", 1.0, lambda: {"value": 1}) == {"value": 1}, "it is run again"


def test_a_round_with_a_cell_that_failed_is_not_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (record, *_) = [one for one in read_records(REFERENCE) if one.row == "vdu"]
    results = vdu_bench.Results([record])
    monkeypatch.setattr(vdu_bench, "run", lambda *_, **__: results)
    (tmp_path / "models").mkdir()
    monkeypatch.setattr(gpu_run.cells, "import_prepared", lambda *_: None)
    for status in ("failed", "ok"):
        record.status, record.reason = status, "out of memory"
        one = course(tmp_path)
        with one.phase("cells", 60):
            run_cells(one, MINIATURE, "cpu", tmp_path / "store", tmp_path)
        assert any("out of memory" in why for why in one.failed.values()) == (status == "failed")
        assert ("cells" in one.results()) == (status == "ok")


def test_a_method_that_failed_the_smoke_test_fails_the_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (record, *_) = [one for one in read_records(REFERENCE) if one.row == "vdu"]
    record.status, record.reason = "failed", "out of memory"
    monkeypatch.setattr(vdu_bench, "run", lambda *_, **__: vdu_bench.Results([record]))
    for _ in ("now", "read back"):
        one = course(tmp_path)
        with one.phase("smoke", 60):
            run_smoke(one, MINIATURE, "cpu", tmp_path / "store", [])
        assert one.failed == {"smoke/digits_1/vdu": "out of memory"}


def test_an_outer_limit_outlives_an_inner_one() -> None:
    def inner_and_more() -> None:
        with time_limit(10):
            pass
        time.sleep(5)

    with pytest.raises(OutOfTime), time_limit(0.3):
        inner_and_more()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_an_archive_is_cut_into_pieces_that_tar_reads(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    content = np.random.default_rng(0).bytes(5000)
    (folder / "weights").write_bytes(content)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "models.tar.gz.007").write_bytes(b"of an earlier packing")
    pieces = pack(folder, tmp_path / "out" / "models.tar.gz", 1000)
    assert len(pieces) > 5
    assert all(one["bytes"] <= 1000 for one in pieces)
    there = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert there == [one["file"] for one in pieces]
    subprocess.run("cat models.tar.gz.* | tar xz", shell=True, check=True, cwd=tmp_path / "out")
    assert (tmp_path / "out" / "models" / "weights").read_bytes() == content


def test_processes_run_some_at_a_time_and_stop_when_told(tmp_path: Path) -> None:
    ended = run_all({name: ["sh", "-c", f"echo {name}; exit {name}"] for name in ("0", "3")}, 1, tmp_path)
    assert ended == {"0": 0, "3": 3}
    assert (tmp_path / "3.txt").read_text() == "3\n"
    mark = tmp_path / "stopped"
    code = (
        "import time, pathlib, sys\n"
        "try:\n    print('ready', flush=True); time.sleep(60)\n"
        f"except KeyboardInterrupt:\n    pathlib.Path({str(mark)!r}).touch()"
    )
    was = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in the background of a shell
    try:
        with pytest.raises(OutOfTime), time_limit(6):
            run_all({"sleeper": [sys.executable, "-c", code]}, 1, tmp_path)
    finally:
        signal.signal(signal.SIGINT, was)
    assert mark.exists(), "it was told, and waited for"


def test_the_memory_that_is_expected_is_the_table_s() -> None:
    assert computed_gib("esd", 1) == pytest.approx(4.92)
    assert computed_gib("vdu_contrast", 8) == pytest.approx(5.25 + 7 * 0.18)
    assert computed_gib("uce", 1) is None


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return [one for one in read_records(REFERENCE) if one.task == "digits_1" and one.seeds.unlearn == 0]


def test_equal_records_have_no_outcome_that_differs(records: list[Record]) -> None:
    found = beside(records, records)
    assert {"vdu", "esd", "original"} <= set(found)
    counts = [one["differ"] for cell in found.values() for one in cell["outcomes_that_differ"].values()]
    assert len(counts) > len(found)
    assert set(counts) == {0}


def test_outcomes_that_differ_are_counted(records: list[Record]) -> None:
    one = next(record for record in records if record.method == "vdu")
    name, before = next(iter(one.outcomes.items()))
    flags = before.flags.copy()
    flags[:3] = ~flags[:3]
    other = one.model_copy(update={"outcomes": {**one.outcomes, name: Outcomes.of(flags)}})
    assert beside([other], [one])["vdu"]["outcomes_that_differ"][name] == {"differ": 3, "of": before.n}
    changed = one.model_copy(update={"settings": {**one.settings, "steps": 1}})
    assert beside([changed], [one])["vdu"]["beside_cpu"] == "the CPU's record has other settings"
    assert beside([one], [])["vdu"]["beside_cpu"] == "there is no record of the CPU"
