"""Where the records of a folder of results lie."""

from __future__ import annotations

import os
from fnmatch import filter as matching
from pathlib import Path

from vdu_bench.errors import UserError
from vdu_bench.packed import PACKED


def run_files(folder: Path) -> list[Path]:
    """The files that hold a run's records, sorted: ``records/**/seed*.json``, and `PACKED`, which is many in one."""
    return sorted([*_within(folder / "records", "seed*.json"), *folder.glob(PACKED)])


def record_files(folder: Path) -> list[Path]:
    """Those of a run's folder (`run_files`), or all under any other one."""
    if (folder / "records").is_dir() or (folder / PACKED).is_file():
        return run_files(folder)
    return sorted([*_within(folder, "seed*.json"), *_within(folder, PACKED)])


def whose(file: Path) -> Path:
    """The folder of results that a file is in."""
    return next((above.parent for above in file.parents if above.name == "records"), file.parent)


def _within(folder: Path, pattern: str) -> list[Path]:
    """The files of a name at any depth, behind links too. Raises UserError for a folder that cannot be read."""

    def unread(error: OSError) -> None:
        # That there is none is for the caller to say.
        if Path(error.filename) != folder or folder.exists():
            raise UserError(f"cannot read {error.filename}: {error.strerror}") from error

    found = []
    for place, folders, names in os.walk(folder, followlinks=True, onerror=unread):
        # A link to a folder around itself has no end.
        folders[:] = [name for name in folders if not _around(Path(place, name))]
        found += [Path(place, name) for name in matching(names, pattern)]
    return found


def _around(folder: Path) -> bool:
    return folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve())
