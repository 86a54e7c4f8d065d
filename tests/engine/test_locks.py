"""Locks between processes: a wait is told, and a file system without locks is named."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from vdu_bench.engine import locks
from vdu_bench.engine.inventory import remove
from vdu_bench.engine.store import Store
from vdu_bench.errors import NoRoom
from vdu_bench.tuning.journal import opened

SPEC = {"family": "f"}


def lock_of(root: Path) -> Path:
    """The lock file of the one artifact that a store was ever asked for."""
    (file,) = (root / "locks").iterdir()
    return file


def test_a_wait_is_told_and_told_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "FIRST", 0.1)
    monkeypatch.setattr(locks, "AGAIN", 0.1)
    Store(tmp_path).build("kind", SPEC, lambda _: {})
    held = FileLock(lock_of(tmp_path))
    held.acquire()
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if len(said) == 2:
            held.release()

    # Asked for anew, since what is there is found without a lock.
    assert Store(tmp_path, say=say).build("kind", SPEC, lambda _: {}, rebuild=True)[1]
    assert len(said) == 2
    assert said[0] == said[1]
    assert said[0].startswith(f"waiting for another process: it holds {lock_of(tmp_path)} ")
    assert not held.is_locked, "the lock was let go of"
    FileLock(lock_of(tmp_path)).acquire(timeout=0)


def test_ctrl_c_ends_a_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "FIRST", 0.1)
    Store(tmp_path).build("kind", SPEC, lambda _: {})

    def stop(_: str) -> None:
        raise KeyboardInterrupt

    with FileLock(lock_of(tmp_path)), pytest.raises(KeyboardInterrupt):
        Store(tmp_path, say=stop).build("kind", SPEC, lambda _: {}, rebuild=True)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, None])
def test_a_file_system_without_locks_is_named(
    number: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Store(tmp_path).build("kind", SPEC, lambda _: {})[0].folder

    def lacking(*_: Any, **__: Any) -> None:
        # Older versions of filelock say so by NotImplementedError.
        raise NotImplementedError if number is None else OSError(number, os.strerror(number))

    monkeypatch.setattr("filelock.FileLock.acquire", lacking)
    with pytest.raises(NoRoom, match=f"the file system of {tmp_path / 'locks'} has no locks .*: kind-.*by --store"):
        Store(tmp_path).build("kind", SPEC, lambda _: {}, rebuild=True)
    with pytest.raises(NoRoom, match="has no locks"):
        remove(folder)
    assert folder.exists()
    pytest.importorskip("optuna", reason="the extra 'tune' is not installed")
    with (
        pytest.raises(NoRoom, match=f"the file system of {tmp_path} has .* by --out"),
        opened(tmp_path / "search.journal", {}, {}, 0),
    ):
        pass
