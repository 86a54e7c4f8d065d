"""Files are written whole or not at all, and never through what somebody else put in the way."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from vdu_bench import files
from vdu_bench.files import replacing, require_writable, write_atomically


def test_a_link_in_the_way_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "kept"
    kept.write_text("mine")
    # Whoever could guess the name, as of a process id.
    monkeypatch.setattr(files.secrets, "token_hex", lambda _: "guessed")
    for name in ("guessed", str(os.getpid())):
        (tmp_path / f".out.{name}.tmp").symlink_to(kept)
    with pytest.raises(FileExistsError):
        write_atomically(tmp_path / "out", b"theirs")
    assert kept.read_text() == "mine"
    monkeypatch.undo()
    write_atomically(tmp_path / "out", b"theirs")
    assert (tmp_path / "out").read_bytes() == b"theirs"
    assert kept.read_text() == "mine"


@pytest.mark.skipif(os.name != "posix", reason="there are no such permissions")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_are_as_the_umask_has_them(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        file = write_atomically(tmp_path / "out", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == mode


def test_nothing_is_left_where_the_writing_broke_off(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"old")

    def broken_off() -> None:
        with replacing(tmp_path / "out") as temporary:
            temporary.write_bytes(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken_off()
    require_writable(tmp_path, "--out")
    assert [file.name for file in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").read_bytes() == b"old"
