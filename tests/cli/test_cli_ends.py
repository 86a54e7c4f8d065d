"""Commands that something else ends: a plug-in's exit, a full disk; one line, and never a status of 0."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vdu_bench.cli import main as command
from vdu_bench.errors import UserError
from vdu_bench.registry import Entry, import_plugin


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (SystemExit(0), 1, "ended the command by exit(0)"),
        (SystemExit("bye"), 1, "ended the command by exit(bye)"),
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/results/a.json"),
            2,
            "cannot write /results/a.json: No space",
        ),
        (OSError(errno.EROFS, os.strerror(errno.EROFS)), 2, "cannot write a file: Read-only"),
        (
            PermissionError(errno.EACCES, os.strerror(errno.EACCES), ".a.tmp", None, "/results/a.csv"),
            2,
            "no access to /results/a.csv: Permission denied; is it another account's, or open in another program?",
        ),
        (
            PermissionError(errno.EPERM, os.strerror(errno.EPERM), "/results/a.csv"),
            2,
            "no access to /results/a.csv: Operation not permitted; is it",
        ),
    ],
)
def test_the_command_says_what_ended_it(
    error: BaseException, status: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def app(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(command, "app", app)
    with pytest.raises(SystemExit) as caught:
        command.main()
    assert caught.value.code == status
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("arguments", ["['run', '--help']", "['show', 'vdu']"])
def test_a_reader_that_has_gone_is_no_fault(arguments: str) -> None:
    script = f"import sys; sys.argv[1:] = {arguments}; from vdu_bench.cli.main import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        told = process.stderr.read()
    assert told == ""
    assert process.returncode == 1


def test_another_error_of_the_system_is_a_bug_and_shown_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def app(*_: object, **__: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file", "x")

    monkeypatch.setattr(command, "app", app)
    with pytest.raises(FileNotFoundError):
        command.main()


@pytest.mark.parametrize("statement", ["raise SystemExit", "import sys; sys.exit(0)", "exit(3)"])
def test_a_plug_in_that_exits_is_named(statement: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "leaving.py"
    file.write_text(f"{statement}\n")
    with pytest.raises(UserError, match=r"plug-in .*leaving\.py fails to import: SystemExit"):
        import_plugin(file)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match="fails to import: SystemExit"):
        Entry("mine", "leaving:Mine").load()
