"""What lies in a store: artifacts, what runs left behind, and what of it nothing needs any more. Without torch."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from vdu_bench.engine.locks import acquired
from vdu_bench.engine.store import MANIFEST
from vdu_bench.errors import UserError
from vdu_bench.plain_json import parsed
from vdu_bench.records import Record, read_record
from vdu_bench.spec import digest_of

OF_CELLS = ("unlearned", "external", "images", "losses", "readings", "second_readings", "record")
"""Kinds that a cell leaves, in seconds or minutes. The others are shared by many cells, and may have taken hours."""

UNFINISHED = (".partial", ".damaged")
"""What stands in the names of folders that no run finished, or that were found damaged."""

HOUR = 3600.0

READ = ("readings", "second_readings")
"""Kinds whose own spec tells nothing; that of the images they were read in does."""

OTHERS = ("original_", "retrain_")
"""How a record's names of stages begin where these belong to another row."""

FORMS: dict[str, type] = {"hash": str, "files": dict, "spec": dict, "kind": str}
"""What a manifest has at least, each of its type."""

TOLD = ("family", "method", "probe", "name", "without", "forget", "seed", "snapshots")
"""What of a stage's spec says in a line what it is."""


@dataclass(frozen=True)
class Kept:
    """An artifact in a store.

    Attributes:
        kind: of its stage.
        folder: where it lies.
        manifest: as the store wrote it.
        size: of its files, in bytes.
        made: when, in seconds since 1970.
    """

    kind: str
    folder: Path
    manifest: dict[str, Any]
    size: int
    made: float

    @property
    def address(self) -> str:
        """As records name it."""
        return str(self.manifest["hash"])

    @property
    def digest(self) -> str:
        """sha256 over its files' checksums: what later stages name it by."""
        return digest_of(self.manifest["files"])

    @property
    def spec(self) -> dict[str, Any]:
        """All that decides it."""
        return dict(self.manifest["spec"])

    @property
    def title(self) -> str:
        """Such as ``method vdu, seed 0``; of a model from elsewhere, what it was read as."""
        return self._told(TOLD)

    def title_in(self, cell: str) -> str:
        """A title to stand beside the name of its cell: what that name does not say."""
        return ", ".join(filter(None, (cell, self._told(("probe", "name")))))

    @property
    def _own(self) -> str:
        facts = self.manifest.get("facts")
        return str(facts.get("own", "")) if isinstance(facts, dict) else ""

    def _told(self, names: Iterable[str]) -> str:
        spec = self.spec
        told = [f"{name} {spec[name]}" for name in names if isinstance(spec.get(name), str | int)]
        if self.kind == "external":
            told += filter(None, [self._own, f"sha256 {str(spec.get('sha256', ''))[:12]}"])
        return ", ".join(told)


def inventory(root: Path, kind: str = "") -> list[Kept]:
    """The artifacts of a store, by kind and age; of one kind alone where it is named. Damaged ones are left out."""
    found = []
    for file in root.glob(f"*/*/{MANIFEST}"):
        if kind not in ("", file.parent.parent.name):
            continue
        if any(mark in file.parent.name for mark in UNFINISHED):
            continue
        # A run may remove one meanwhile, and what cannot be read is for the store to make again.
        with suppress(OSError, ValueError):
            manifest = parsed(file.read_bytes())
            if isinstance(manifest, dict) and all(isinstance(manifest.get(key), form) for key, form in FORMS.items()):
                artifact = Kept(manifest["kind"], file.parent, manifest, size_of(file.parent), file.stat().st_mtime)
                found.append(artifact)
    return sorted(found, key=lambda artifact: (artifact.kind, artifact.made, artifact.folder.name))


def titles(root: Path, artifacts: Iterable[Kept]) -> dict[str, str]:
    """By address, a line on each artifact: its cell, where a finished record of the store names it; else its title.

    Args:
        root: of the store.
        artifacts: those that are asked about.
    """
    cells: dict[str, list[str]] = {}
    for record in inventory(root, "record"):
        # What cannot be read is for the store to make again.
        with suppress(OSError, UserError):
            found = read_record(record.folder / "record.json")
            own = [address for name, address in found.stages.items() if not name.startswith(OTHERS)]
            for address in (record.address, *own):
                cells.setdefault(address, []).append(found.cell_name)
    images = {one.digest: one for one in inventory(root, "images")}
    lines = {}
    for artifact in artifacts:
        drawn = images.get(str(artifact.spec.get("images"))) if artifact.kind in READ else None
        of = drawn or artifact
        owners = cells.get(of.address, []) if of.kind in OF_CELLS else []
        more = f" and {len(owners) - 1} more" * (len(owners) > 1)
        lines[artifact.address] = of.title_in(owners[0] + more) if owners else of.title
    return lines


def size_of(place: Path) -> int:
    """The size of a file, or of all files below a folder, in bytes."""
    total = 0
    for file in (place, *place.rglob("*")):
        with suppress(OSError):
            total += 0 if file.is_dir() or file.is_symlink() else file.stat().st_size
    return total


def unfinished(root: Path) -> list[Path]:
    """The folders that a run which was killed left half made, or that were set aside as damaged."""
    return sorted(place for mark in UNFINISHED for place in root.glob(f"*/*{mark}*") if place.is_dir())


def half_written(root: Path) -> list[Path]:
    """The files of running states that a process which was killed had not finished writing.

    One that was written to within the last hour may be another process's, which writes it just now.
    """
    found = []
    for file in root.glob("running/**/.*.tmp"):
        with suppress(OSError):
            if file.is_file() and file.stat().st_mtime < time.time() - HOUR:
                found.append(file)
    return sorted(found)


def unneeded(artifacts: Iterable[Kept], records: Iterable[Record] | None, before: float | None) -> list[Kept]:
    """Artifacts of cells that may go. Those of the other kinds always stay.

    Args:
        artifacts: all of a store.
        records: what these rest on stays: the stages that they name, and what was read of the images among them. None:
            no record says what may go.
        before: what was made later stays, in seconds since 1970; None: no time says what may go.
    """
    artifacts = list(artifacts)
    needed = set() if records is None else set(_needed(artifacts, records))
    return [
        artifact
        for artifact in artifacts
        if artifact.kind in OF_CELLS
        and artifact.address not in needed
        and (before is None or artifact.made < before)
        and not (records is None and before is None)
    ]


def _needed(artifacts: list[Kept], records: Iterable[Record]) -> Iterator[str]:
    named = {address for record in records for address in record.stages.values()}
    yield from named
    images = {artifact.digest for artifact in artifacts if artifact.kind == "images" and artifact.address in named}
    for artifact in artifacts:
        if artifact.kind in READ and images & _texts(artifact.spec):
            yield artifact.address
        if artifact.kind == "record" and _stages(artifact) <= named:
            yield artifact.address


def _texts(spec: dict[str, Any]) -> set[str]:
    return {value for value in spec.values() if isinstance(value, str)}


def _stages(artifact: Kept) -> set[str]:
    """The stages that a finished record names; one that cannot be read names none that is needed."""
    try:
        record = parsed((artifact.folder / "record.json").read_bytes())
        return set(record["stages"].values())
    except (OSError, ValueError, LookupError, AttributeError, TypeError):
        return {""}


def remove(place: Path) -> bool:
    """Remove an artifact, what is left of one, or a file that was half written; False where a process is making it.

    Raises OSError, and NoRoom where the store's file system has no locks.
    """
    if place.is_file():
        place.unlink()
        return True
    root, kind = place.parent.parent, place.parent.name
    lock = root / "locks" / f"{kind}-{place.name.partition('.')[0]}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    own = FileLock(lock)
    if not acquired(own, 0):
        return False
    try:
        # Renamed first: a kill in the middle of removing must not leave half of it under its name.
        doomed = place.with_name(f"{place.name.partition('.')[0]}.damaged.removed")
        if place != doomed:
            shutil.rmtree(doomed, ignore_errors=True)
            place.rename(doomed)
        shutil.rmtree(doomed)
    finally:
        own.release()
    return True
