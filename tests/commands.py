"""The command line, run inside the tests' own process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from vdu_bench.cli.main import main


def cli(*arguments: str | Path, code: int = 0) -> None:
    """Run the command and check its exit code."""
    old = sys.argv
    sys.argv = ["vdu-bench", *map(str, arguments)]
    try:
        with pytest.raises(SystemExit) as stop:
            main()
    finally:
        sys.argv = old
    assert stop.value.code == code


def bad_file(folder: Path, name: str, content: str) -> Path:
    """Write a file that is somehow wrong; returns it."""
    file = folder / name
    file.write_text(content)
    return file
