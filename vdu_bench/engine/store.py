"""A content-addressed store of stages on disk.

A stage is found by its address, the sha256 of its kind and spec (which names its inputs by their digests). It is built
in a temporary folder, checksummed and renamed into place, so that what is found whole was finished; a lock keeps two
processes off one stage.

Three words for identity: the *address* of a stage is known before it is made; the *digest* of an artifact is that of
its content; a *stamp* (`vdu_bench.files.stamp`) is taken of files that are not read.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from safetensors import SafetensorError

from vdu_bench.engine.locks import locked
from vdu_bench.errors import NoRoom, UserError
from vdu_bench.files import digest_of_file
from vdu_bench.plain_json import parsed
from vdu_bench.spec import digest_of
from vdu_bench.writing import refused

MANIFEST = "manifest.json"

HOST = re.sub(r"[^A-Za-z0-9-]", "-", platform.node())[:32]
"""This machine, as a part of names."""


@dataclass(frozen=True)
class Artifact:
    """A finished stage: a folder, and the manifest that describes it.

    Attributes:
        folder: where its files are.
        manifest: ``kind``, ``spec``, ``hash``, ``files`` (name to sha256), ``facts`` (what the making found out) and,
            where several processes shared a run, ``run``, its name.
    """

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the making found out: logs, timings."""
        return self.manifest["facts"]

    @property
    def kind(self) -> str:
        """What it is: ``base``, ``retrain``, ``unlearned``, ..."""
        return self.manifest["kind"]

    @property
    def address(self) -> str:
        """sha256 of kind and spec: where it is looked for."""
        return self.manifest["hash"]

    @property
    def digest(self) -> str:
        """sha256 over the files' checksums: what later stages name this one by."""
        return digest_of(self.manifest["files"])


def address(kind: str, spec: Mapping[str, Any]) -> str:
    """sha256 of a stage's kind and spec; ``hash`` in its manifest."""
    return digest_of({"kind": kind, "spec": spec})


class Store:
    """Artifacts under a folder, backed by read-only ones that ship with the package.

    Args:
        root: the folder; made when something is first written.
        shipped: artifact folders by address, used where the store itself has none.
        say: called with a line when something is worth knowing (a damaged artifact, a lock that another process holds).
    """

    def __init__(
        self, root: Path, shipped: Mapping[str, Path] | None = None, say: Callable[[str], None] = lambda _: None
    ) -> None:
        self.root = root
        self._shipped = dict(shipped or {})
        self._say = say

    def find(self, kind: str, spec: Mapping[str, Any]) -> Artifact | None:
        """The artifact, whole and checked, or None. A damaged one of the store's own stays until it is made again.

        Raises UserError where the store may not be read.
        """
        key = address(kind, spec)
        own = self._folder(kind, key)
        with self._reading():
            artifact, _ = read_artifact(own) if own.exists() else (None, "")
        if artifact is not None:
            return artifact
        if key in self._shipped:
            artifact, damage = read_artifact(self._shipped[key])
            if artifact is not None:
                return artifact
            self._say(f"{kind} {self._shipped[key]} of the installed package is damaged ({damage}); it is made again")
        return None

    def at(self, kind: str, key: str) -> Artifact | None:
        """The artifact at an address, as records name it; whole and checked, or None. Nothing is removed.

        Raises UserError where the store may not be read.
        """
        with self._reading():
            for folder in (self._folder(kind, key), self._shipped.get(key)):
                if folder is not None and folder.exists():
                    artifact, damage = read_artifact(folder)
                    if artifact is not None and artifact.address == key:
                        return artifact
                    self._say(f"{kind} {folder} is damaged ({damage or 'it is of another address'})")
        return None

    def spec_at(self, kind: str, key: str) -> Mapping[str, Any] | None:
        """What decided the artifact at an address, as its manifest tells, which is not checked; None without one."""
        for folder in (self._folder(kind, key), self._shipped.get(key)):
            if folder is not None:
                with suppress(OSError, ValueError, KeyError, TypeError):
                    spec: Mapping[str, Any] = parsed((folder / MANIFEST).read_bytes())["spec"]
                    return spec
        return None

    def build(
        self,
        kind: str,
        spec: Mapping[str, Any],
        make: Callable[[Path], Mapping[str, Any]],
        rebuild: bool = False,
        run: str = "",
    ) -> tuple[Artifact, bool]:
        """The artifact, found or made, and whether it was made now.

        Args:
            kind: the stage's kind.
            spec: everything that decides what is made, as plain data.
            make: fills the folder it is given, and returns the facts (plain data) for the manifest.
            rebuild: make it even if it is there.
            run: whose rebuilding it is: what the same run, another process of it, has made is not made again. Empty for
                one that is alone.
        """
        if (artifact := self._there(kind, spec, rebuild, run)) is not None:
            return artifact, False
        key = address(kind, spec)
        final = self._folder(kind, key)
        with self._writing(), self._locked(kind, key):
            # Another process may have made it while this one waited for the lock.
            if (artifact := self._there(kind, spec, rebuild, run)) is not None:
                return artifact, False
            if not rebuild and final.exists():
                self._say(f"{kind} {key[:12]} in the store is damaged ({read_artifact(final)[1]}); it is made again")
            for left in final.parent.glob(f"{final.name}.partial.{HOST}.*"):
                # What was killed on this machine, since the lock is this process's; of others `store gc` removes it.
                shutil.rmtree(left, ignore_errors=True)
            partial = _apart(final, "partial")
            partial.mkdir(parents=True)
            facts = make(partial)
            manifest = {"kind": kind, "spec": spec, "hash": key, "files": checksums(partial), "facts": facts}
            if rebuild and run:
                manifest["run"] = run
            (partial / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")
            # Renamed first: a kill in the middle of removing must not leave half of it under its name, and who reads it
            # finds the old one or the new one.
            doomed = _apart(final, "damaged")
            with suppress(FileNotFoundError):
                final.rename(doomed)
            os.replace(partial, final)
            shutil.rmtree(doomed, ignore_errors=True)
        return Artifact(final, manifest), True

    def _there(self, kind: str, spec: Mapping[str, Any], rebuild: bool, run: str) -> Artifact | None:
        """What need not be made, as `build` says."""
        artifact = self.find(kind, spec) if not rebuild or run else None
        if artifact is None or (rebuild and artifact.manifest.get("run") != run):
            return None
        return artifact

    def take_in(self, artifact: Artifact) -> Artifact:
        """The store's own copy of an artifact that was made elsewhere; what is there already stays."""

        def make(folder: Path) -> Mapping[str, Any]:
            shutil.copytree(artifact.folder, folder, dirs_exist_ok=True)
            return artifact.facts

        return self.build(artifact.manifest["kind"], artifact.manifest["spec"], make)[0]

    def digests(self, kinds: Mapping[str, Mapping[str, Any]], family: str) -> list[str]:
        """What is there of some kinds for a task family, own and shipped, as their manifests tell; not checked.

        For each kind, what its spec has to say: what says otherwise does not count.
        """
        manifests: dict[str, Any] = {}
        for folder in self.folders(*kinds):
            with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
                manifest = parsed((folder / MANIFEST).read_bytes())
                spec = manifest["spec"]
                wanted = {"family": family, **kinds.get(manifest["kind"], {})}
                if manifest["kind"] in kinds and all(spec.get(key) == value for key, value in wanted.items()):
                    manifests[manifest["hash"]] = manifest["files"]
        return sorted(digest_of(files) for files in manifests.values())

    def folders(self, *kinds: str) -> list[Path]:
        """The folders of its own artifacts of some kinds, and those of all that ships; neither is checked."""
        return [*self._shipped.values(), *(path for kind in kinds for path in (self.root / kind).glob("*"))]

    def workspace(self, kind: str, spec: Mapping[str, Any]) -> Path:
        """A folder for the running state of a stage that is long in the making; kept until `forget_workspace`."""
        return self.root / "running" / f"{kind}-{address(kind, spec)[:32]}"

    def forget_workspace(self, kind: str, spec: Mapping[str, Any]) -> None:
        """Remove a stage's running state."""
        shutil.rmtree(self.workspace(kind, spec), ignore_errors=True)

    def _folder(self, kind: str, key: str) -> Path:
        return self.root / kind / key[:32]

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Raise UserError for what another account has closed."""
        try:
            yield
        except PermissionError as error:
            raise UserError(
                f"cannot read the store {self.root}: {error.strerror} ({error.filename}); its owner can open it "
                "(docs/clusters.md), or name another by --store"
            ) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Raise NoRoom for the errors of writing to a full disk, or to a store that may only be read."""
        try:
            yield
        except (OSError, SafetensorError) as error:
            if not (why := refused(error, self.root)):
                raise
            raise self._no_room(why) from error

    def _no_room(self, why: str | None) -> NoRoom:
        return NoRoom(f"cannot write to the store {self.root}: {why}; name another by --store")

    @contextmanager
    def _locked(self, kind: str, key: str) -> Iterator[None]:
        folder = self.root / "locks"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            # Nothing was read yet, so it comes from where the store lies.
            raise self._no_room(error.strerror) from error
        with locked(folder / f"{kind}-{key[:32]}.lock", self._say):
            yield


def _apart(folder: Path, mark: str) -> Path:
    """A name beside an artifact's folder that no other process has, also where locks do not reach from machine to
    machine, whose process ids may be the same."""
    return folder.with_name(f"{folder.name}.{mark}.{HOST}.{uuid4().hex[:8]}")


def _is_clutter(name: str) -> bool:
    """Whether a file's name is one that a desktop (Finder, Explorer) leaves in the folders that somebody looks at."""
    last = name.rpartition("/")[2].casefold()
    return last in (".ds_store", "thumbs.db", "desktop.ini") or last.startswith("._")


def checksums(folder: Path) -> dict[str, str]:
    """sha256 of every file below `folder` but the manifest and what desktops leave there, by relative name."""
    found = (file for file in folder.rglob("*") if file.name != MANIFEST and not _is_clutter(file.name))
    files = sorted(file for file in found if file.is_file())
    return {file.relative_to(folder).as_posix(): digest_of_file(file) for file in files}


def read_artifact(folder: Path) -> tuple[Artifact | None, str]:
    """The artifact in a folder, or None and what is wrong with it. Raises PermissionError where it may not be read."""
    try:
        manifest = parsed((folder / MANIFEST).read_bytes())
        artifact = Artifact(folder, manifest)
        if address(manifest["kind"], manifest["spec"]) != artifact.address:
            return None, "its manifest was changed"
        # Older manifests may name what a desktop had left.
        named, _ = manifest["files"], manifest["facts"]
        expected = {name: digest for name, digest in named.items() if not _is_clutter(name)}
    except PermissionError:
        # Another account's is whole for all that is known, and not to be made again in its place.
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None, "its manifest cannot be read"
    found = checksums(folder)
    for name in sorted({*expected, *found}):
        if name not in found:
            return None, f"{name} is missing"
        if found[name] != expected.get(name):
            return None, f"{name} does not match its checksum"
    return artifact, ""
