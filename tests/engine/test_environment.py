"""Which commit a record names: that of the code that runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

from vdu_bench.engine.environment import git_state


def git(folder: Path, *arguments: str) -> str:
    known = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
    done = subprocess.run(["git", "-C", str(folder), *known, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def checkout(folder: Path) -> Path:
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    return folder


def test_it_is_the_one_of_when_the_process_began(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "package")
    began = git_state(folder)
    assert began == {"git_commit": git(folder, "rev-parse", "HEAD"), "git_dirty": False}
    (folder / "__init__.py").write_text("new = 1")
    git(folder, "commit", "-am", "second")
    assert git(folder, "rev-parse", "HEAD") != began["git_commit"]
    assert git_state(folder) == began


def test_a_change_makes_it_dirty_and_an_installed_copy_has_none(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "package")
    (folder / "__init__.py").write_text("new = 1")
    assert git_state(folder)["git_dirty"] is True
    (folder / "installed").mkdir()
    (folder / "installed" / "__init__.py").write_text("")
    assert git_state(folder / "installed") == {"git_commit": None, "git_dirty": None}
