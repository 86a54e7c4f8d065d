"""A checkout has the committed bytes, also where git is told to change line ends, as on Windows."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from vdu_bench.engine.shipped import exported
from vdu_bench.engine.store import read_artifact

ROOT = Path(__file__).parents[1]


def _git(folder: Path, *arguments: str) -> None:
    known = ("-c", "user.name=n", "-c", "user.email=n@example.org")
    subprocess.run(["git", "-C", str(folder), *known, *arguments], capture_output=True, check=True)


def test_a_checkout_with_other_line_ends_has_assets_that_are_whole(tmp_path: Path) -> None:
    if not (ROOT / ".gitattributes").is_file():
        pytest.skip("no checkout")
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    # A repository of its own: what is not committed yet counts, and a source archive has no history.
    _git(here, "init")
    shutil.copy(ROOT / ".gitattributes", here)
    shutil.copytree(ROOT / "vdu_bench" / "assets", here / "assets", ignore=shutil.ignore_patterns("__pycache__"))
    _git(here, "add", ".")
    _git(here, "commit", "-m", "all")
    _git(tmp_path, "clone", "-c", "core.autocrlf=true", "here", "there")
    folders = exported(there / "assets")
    assert len(folders) == len(exported(ROOT / "vdu_bench" / "assets")) > 0
    assert {folder.name: damage for folder in folders if (damage := read_artifact(folder)[1])} == {}
    assert (there / "assets" / "faces" / "manifest.json").read_bytes() == (
        ROOT / "vdu_bench" / "assets" / "faces" / "manifest.json"
    ).read_bytes()
