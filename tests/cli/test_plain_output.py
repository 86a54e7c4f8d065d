"""What a terminal or a pipe cannot encode has something plain in its place."""

from __future__ import annotations

import ast
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vdu_bench.cli import plain_output
from vdu_bench.cli.plain_output import PLAIN, make_output_plain

ROOT = Path(__file__).parents[2]


def test_a_stream_of_another_encoding_takes_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    for encoding, expected in (
        ("utf-8", "pul \u2191 \u00b1 3 \u2192 \u00e9 \u4eba"),
        ("cp1252", "pul ^ \u00b1 3 -> \u00e9 ?"),
        ("ascii", "pul ^ +/- 3 -> e ?"),
    ):
        streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
        monkeypatch.setattr(plain_output.sys, "stdout", streams[0])
        monkeypatch.setattr(plain_output.sys, "stderr", streams[1])
        make_output_plain()
        for stream in streams:
            stream.write("pul \u2191 \u00b1 3 \u2192 \u00e9 \u4eba")
            stream.flush()
            assert stream.buffer.getvalue().decode(encoding) == expected  # type: ignore[attr-defined]
        streams[0].write("\udc80")  # a file's name that is no text
        streams[0].flush()


def test_every_sign_that_the_suite_prints_has_a_plain_one() -> None:
    found = set()
    for file in (ROOT / "vdu_bench").rglob("*.py"):
        if file.name == "formats.py" and file.parent.name == "gate":
            continue  # it has the limits of what XML may hold
        strings = (node.value for node in ast.walk(ast.parse(file.read_bytes())) if isinstance(node, ast.Constant))
        found |= {
            character for text in strings if isinstance(text, str) for character in text if not character.isascii()
        }
    lost = {character for character in found if plain_output._plain(character) == "?"}
    assert lost == set()
    assert all(text.isascii() for text in PLAIN.values())


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_the_command_prints_its_tables_there(encoding: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-m", "vdu_bench", "list", "metrics"]
    found = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert "pul" in found.stdout.decode(encoding)
    assert found.stderr == b""


def test_a_reader_that_has_gone_is_no_traceback() -> None:
    command = f"{sys.executable} -m vdu_bench list metrics --format json"
    found = subprocess.run(["bash", "-c", f"{command} | true"], capture_output=True, check=True)
    assert b"Traceback" not in found.stderr
