"""A ~ for the home folder, where no shell made it one: as in --out=~/found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from commands import cli

from vdu_bench.api.place import store_at
from vdu_bench.errors import UserError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_of_a_search(home: Path, tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("optuna", reason="the extra 'tune' is not installed")
    asked: list[Path] = []

    def searched(searches: list[Any], *_: object) -> list[Any]:
        asked.extend(search.out for search in searches)
        return []

    monkeypatch.setattr("vdu_bench.tuning.jobs.run_searches", searched)
    cli("tune", "--task", tiny_file, "--methods", "esd", "--store", home / "store", "--quiet", "--out=~/found")
    assert asked == [home / "found"]


def test_of_a_page(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def written(records: list[Path], out: Path, *_: object) -> Path:
        del records
        out.mkdir()
        (out / "index.html").write_text("a page")
        return out / "index.html"

    monkeypatch.setattr("vdu_bench.reports.page.page.write_page", written)
    cli("page", "anything", "--store", home / "store", "--out=~/site")
    assert capsys.readouterr().out.startswith(f"{home / 'site' / 'index.html'} (")


def test_of_a_model_that_is_taken_out(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("vdu_bench.records.read_record", lambda file: file)
    monkeypatch.setattr("vdu_bench.engine.export.models.export_model", lambda record, _, to, form: (record, to, form))
    cli("export", "~/seed0.json", "~/model", "--store", home / "store")
    assert capsys.readouterr().out.strip() == str((home / "seed0.json", home / "model", "pipeline"))


def test_of_what_is_read(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Arguments that may be several, and options that name a folder."""
    cli("table", "~/none", code=2)
    assert str(home / "none") in capsys.readouterr().err
    cli("check", "--records=~/new", "--reference", home / "old", code=2)
    assert "~" not in capsys.readouterr().err
    cli("plot", "~no-such-user/results", code=2)
    assert "~no-such-user/results" in capsys.readouterr().err


def test_of_a_task_file(home: Path, tiny_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where its own name has a comma in it."""
    for name in ("mine.yaml", "mine, too.yaml"):
        (home / name).write_text(tiny_file.read_text())
        cli("run", f"--task=~/{name}", "--methods", "original", "--store", home / "store", "--dry-run")
        assert "tiny" in capsys.readouterr().out
    cli("run", "--task=~/none.yaml", "--methods", "original", code=2)
    assert str(home / "none.yaml") in capsys.readouterr().err


def test_of_a_user_without_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in a container that is run under a number that no account has."""
    pwd = pytest.importorskip("pwd", reason="Windows knows its users otherwise")

    def unknown(number: int) -> None:
        raise KeyError(number)

    for name in ("HOME", "XDG_CACHE_HOME", "VDU_BENCH_STORE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    cli("store", "du", code=2)
    said = "there is no home folder to keep a store in: name one by --store or VDU_BENCH_STORE"
    assert said in capsys.readouterr().err
    with pytest.raises(UserError, match=said):
        store_at(None)
    monkeypatch.setenv("VDU_BENCH_STORE", str(tmp_path))
    cli("store", "du")
    assert store_at(None).root == tmp_path
