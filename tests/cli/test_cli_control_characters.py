"""What stands in somebody else's files moves no cursor, whichever command names it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import bad_file, cli

from vdu_bench.engine.progress import Progress
from vdu_bench.engine.store import MANIFEST, Store

EVIL = "a\x1b]0;owned\x07\x1b[2Jb\n::error::c"


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    out, err = capsys.readouterr()
    assert "owned" in out + err
    for sign in ("\x1b", "\x07", "\n::error"):
        assert sign not in out + err
    return out + err


def test_of_a_pipeline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad_file(tmp_path, "model_index.json", json.dumps({"_class_name": EVIL}))
    cli("evaluate", "--task", "digits_1", "--checkpoint", tmp_path, "--store", tmp_path / "store", code=2)
    assert "is a a?]0;owned" in shown(capsys)


def test_of_a_task_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = bad_file(tmp_path, "mine.yaml", f"extends: digits_1\nname: mine\n{json.dumps(EVIL)}: 1\n")
    cli("show", file, code=2)
    shown(capsys)


def test_of_a_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = Store(tmp_path).build("base", {"family": EVIL}, lambda _: {})[0]
    cli("store", "ls", "--store", tmp_path)
    shown(capsys)
    file = made.folder / MANIFEST
    file.write_text(json.dumps(json.loads(file.read_text()) | {"kind": EVIL}))
    cli("store", "du", "--store", tmp_path)
    shown(capsys)


def test_of_a_line_of_progress(capsys: pytest.CaptureFixture[str]) -> None:
    Progress().say(EVIL.replace("\n", " "))
    shown(capsys)
