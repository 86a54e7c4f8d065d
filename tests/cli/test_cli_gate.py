"""`check` and `bless` as a user and a CI meet them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from cells import cells, write
from commands import cli

REFERENCE = Path(__file__).parents[2] / "results" / "reference"


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(cells(), tmp_path_factory.mktemp("reference"))


@pytest.fixture(scope="module")
def worse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(cells({"vdu": 0.9}), tmp_path_factory.mktemp("worse"))


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_copy_passes(reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(reference, tmp_path / "new")
    cli("check", "--reference", reference, "--records", tmp_path / "new")
    assert capsys.readouterr().out.startswith("gate passed: 19 numbers of 4 rows compared")


def test_a_copy_of_the_committed_reference_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All of it: digits and portraits, records of every schema that there is."""
    shutil.copytree(REFERENCE, tmp_path / "new")
    cli("check", "--reference", REFERENCE, "--records", tmp_path / "new")
    assert "gate passed" in capsys.readouterr().out


def test_a_loss_is_exit_1_with_a_table(reference: Path, worse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(reference)
    cli("check", "--reference", reference, "--records", worse, code=1)
    out = capsys.readouterr().out
    assert out.startswith("Worse\n")
    assert "digits_1/vdu" in out
    assert "gate failed" in out
    assert contents(reference) == before


def test_a_tolerance_is_read(reference: Path, worse: Path) -> None:
    cli("check", "--reference", reference, "--records", worse, "--tolerance", "pul=80")
    cli("check", "--reference", reference, "--records", worse, "--tolerance", "pul=100%", "--tolerance", "junk_rate=0")


def test_missing_cells_fail_unless_allowed(reference: Path, tmp_path: Path) -> None:
    new = write([record for record in cells() if record.method != "esd"], tmp_path)
    cli("check", "--reference", reference, "--records", new, code=1)
    cli("check", "--reference", reference, "--records", new, "--allow-missing")


def test_formats_go_to_standard_output_alone(reference: Path, worse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ("check", "--reference", reference, "--records", worse, "--format")
    cli(*command, "json", code=1)
    assert json.loads(capsys.readouterr().out)["passed"] is False
    cli(*command, "github", code=1)
    assert capsys.readouterr().out.startswith("::error title=vdu-bench check digits_1/vdu::pul ")
    cli(*command, "junit", code=1)
    assert ElementTree.fromstring(capsys.readouterr().out).get("failures") == "1"


@pytest.mark.parametrize("format", ["terminal", "json", "github", "junit"])
def test_output_gets_the_format_and_the_terminal_its_report(
    reference: Path, worse: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], format: str
) -> None:
    command = ("check", "--reference", reference, "--records", worse, "--format", format)
    cli(*command, "--output", tmp_path / "deep" / "gate", code=1)
    assert "gate failed" in capsys.readouterr().out
    text = (tmp_path / "deep" / "gate").read_text()
    cli(*command, code=1)
    if format != "terminal":  # which fits the width of what it is printed to
        assert capsys.readouterr().out == text
    assert "vdu" in text


def test_bless_then_check_passes(
    reference: Path, worse: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(reference, tmp_path / "reference")
    cli("bless", "--reference", tmp_path / "reference", "--records", worse)
    said = capsys.readouterr().out
    assert "digits_1/vdu/seed0: pul 75.2381 -> 10\n" in said
    assert said.count(" pul ") == 3
    cli("check", "--reference", tmp_path / "reference", "--records", worse)
    assert not (tmp_path / "reference" / "leaderboard.md").exists()
    again = ("--reports", "--store", tmp_path / "store")
    cli("bless", "--reference", tmp_path / "reference", "--records", worse, *again)
    assert "digits_1/vdu" not in (said := capsys.readouterr().out), "nothing has changed but the reports"
    assert str(tmp_path / "reference" / "leaderboard.md") in said
    assert "| vdu" in (tmp_path / "reference" / "leaderboard.md").read_text()


MISTAKES = {
    "no records": (["check", "--records", "nowhere"], "nowhere is not a folder of records"),
    "no reference": (["check", "--reference", "nowhere"], "there is no reference at nowhere"),
    "an empty folder": (["check", "--records", "empty"], "no records under"),
    "itself": (["check", "--records", "reference"], "are the same folder"),
    "an unknown metric": (["check", "--tolerance", "fd_juge=5%"], "did you mean 'fd_judge'"),
    "a metric that is not gated": (["check", "--tolerance", "unlearn_seconds=5%"], "unlearn_seconds is never gated"),
    "no number": (["check", "--tolerance", "fd_judge=much"], "'much' is not a number"),
    "an output that cannot be written": (["check", "--output", "file/gate.xml"], "cannot write to --output"),
    "another protocol": (["check", "--records", "other"], "sampler.steps is 50, in the reference 20"),
    "another version": (["check", "--records", "newer"], "are of protocol 9, the reference of protocol"),
    "a mix of versions": (["check", "--records", "mixed"], "the records are of several protocols"),
    "not a record": (["check", "--records", "broken"], "seed0.json is not a record of schema 4"),
    "bless: no records": (["bless", "--records", "nowhere"], "nowhere is not a folder of records"),
    "bless: itself": (["bless", "--records", "reference"], "are the same folder"),
    "bless: not a record": (["bless", "--records", "broken"], "seed0.json is not a record of schema 4"),
    "bless: a mix of versions": (["bless", "--records", "newer"], "several protocols"),
    "bless: a mix": (["bless", "--records", "other"], "--prune"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_exit_2_and_nothing_written(
    mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(cells(), Path("reference"))
    write(cells(), Path("new"))
    other = cells(seeds=[0])
    for record in other:
        assert record.protocol is not None
        record.protocol.sampler["steps"] = 50
    write(other, Path("other"))
    newer = cells(seeds=[0])
    for record in newer:
        assert record.protocol is not None
        record.protocol.version = 9
    write(newer, Path("newer"))
    write([*newer, *cells(task="digits_8")], Path("mixed"))
    write(cells(), Path("broken"))
    Path("broken/records/digits_1/vdu/seed0.json").write_text("{}")
    Path("empty").mkdir()
    Path("file").touch()
    before = contents(tmp_path)
    (command, *arguments), words = MISTAKES[mistake]
    given = {"--reference": "reference", "--records": "new"}
    given |= dict(zip(arguments[::2], arguments[1::2], strict=True))
    cli(command, *(word for pair in given.items() for word in pair), code=2)
    said = capsys.readouterr()
    assert words in said.err
    assert said.err.startswith("vdu-bench: ")
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert contents(tmp_path) == before


@pytest.mark.parametrize("command", ["check", "bless"])
def test_the_new_records_have_to_be_named(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    cli(command, code=2)
    assert "--records" in capsys.readouterr().err
