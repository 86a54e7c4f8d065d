"""A folder is there as a whole or not at all, and a disk that takes no more is told by the folder."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors import SafetensorError

from vdu_bench.errors import UserError
from vdu_bench.writing import filling, replacing_folder, writing_to

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def tree(folder: Path) -> dict[str, str]:
    return {file.relative_to(folder).as_posix(): file.read_text() for file in folder.rglob("*") if file.is_file()}


def fill(folder: Path, names: str, error: Exception | None = None) -> None:
    with filling(folder) as place:
        for name in names:
            (place / name).write_text(f"new {name}")
        if error is not None:
            raise error


def test_a_folder_that_is_not_there_appears_as_a_whole(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space"):
        fill(tmp_path / "deep" / "folder", "ab", FULL)
    assert list((tmp_path / "deep").iterdir()) == []
    fill(tmp_path / "deep" / "folder", "ab")
    assert tree(tmp_path) == {"deep/folder/a": "new a", "deep/folder/b": "new b"}


def test_a_folder_that_is_there_keeps_what_is_not_written_again(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old a")
    (tmp_path / "z").write_text("old z")
    with pytest.raises(OSError, match="No space"):
        fill(tmp_path, "ab", FULL)
    assert tree(tmp_path) == {"a": "old a", "z": "old z"}
    fill(tmp_path, "ab")
    assert tree(tmp_path) == {"a": "new a", "b": "new b", "z": "old z"}
    assert not any(path.is_dir() for path in tmp_path.iterdir())


@pytest.mark.parametrize("there", [False, True])
def test_what_a_kill_left_is_in_nobody_s_way(there: bool, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    left = folder / ".partial" if there else tmp_path / ".folder.partial"
    left.mkdir(parents=True)
    (left / "half").write_text("half")
    fill(folder, "a")
    assert tree(tmp_path) == {"folder/a": "new a"}


def test_a_folder_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    fill(folder, "ab")

    def replace(error: Exception | None = None) -> None:
        with replacing_folder(folder) as place:
            (place / "c").write_text("c")
            if error is not None:
                raise error

    with pytest.raises(OSError, match="No space"):
        replace(FULL)
    assert tree(tmp_path) == {"folder/a": "new a", "folder/b": "new b"}
    replace()
    assert tree(tmp_path) == {"folder/c": "c"}
    assert list(tmp_path.iterdir()) == [folder]


ERRORS: dict[str, tuple[Callable[[Path], Exception], str]] = {
    "full": (lambda _: FULL, "No space left on device"),
    "of safetensors": (
        lambda _: SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
        "No space left on device",
    ),
    "of a folder that is copied": (
        lambda place: shutil.Error([("a", str(place / "a"), "[Errno 28] No space left on device: 'a'")]),
        "No space left on device",
    ),
    "closed": (lambda place: PermissionError(errno.EACCES, "Permission denied", str(place / "x")), "Permission denied"),
    "closed above": (
        lambda place: PermissionError(errno.EACCES, "Permission denied", str(place.parent)),
        "Permission denied",
    ),
    "closed beside": (
        lambda place: PermissionError(errno.EACCES, "Permission denied", str(place.parent / f".{place.name}.partial")),
        "Permission denied",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_the_line_names_the_folder_and_the_mend(name: str, tmp_path: Path) -> None:
    error, why = ERRORS[name]
    with pytest.raises(UserError) as caught, writing_to(tmp_path / "out", "--out"):
        raise error(tmp_path / "out")
    told = str(caught.value)
    assert told == f"cannot write to --out {tmp_path / 'out'}: {why}; free some room, or name another"


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(errno.EACCES, "Permission denied", "/elsewhere/data"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "x"),
        SafetensorError("Error while deserializing header: invalid"),
    ],
)
def test_what_cannot_be_read_is_another_error(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(type(error)), writing_to(tmp_path):
        raise error
