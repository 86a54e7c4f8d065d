from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

from vdu_bench.engine import store as store_module
from vdu_bench.engine.inventory import unfinished
from vdu_bench.engine.store import MANIFEST, Store, address, read_artifact
from vdu_bench.errors import UserError

SPEC = {"family": "f", "value": 3}


def make(folder: Path) -> dict[str, int]:
    (folder / "inner").mkdir()
    (folder / "inner" / "data.txt").write_text("data")
    return {"answer": 42}


def never(_folder: Path) -> dict[str, int]:
    raise AssertionError("this stage was done")


def test_made_once_and_found_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.find("kind", SPEC) is None
    artifact, made = store.build("kind", SPEC, make)
    assert made
    again, made_again = store.build("kind", SPEC, never)
    assert not made_again
    assert again.facts == artifact.facts == {"answer": 42}
    assert again.digest == artifact.digest
    assert store.find("kind", {**SPEC, "value": 4}) is None
    assert store.find("other", SPEC) is None


def test_rebuild_makes_it_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.build("kind", SPEC, make)
    calls = []
    _, made = store.build("kind", SPEC, lambda folder: calls.append(folder) or make(folder), rebuild=True)
    assert made
    assert len(calls) == 1


def test_processes_that_share_a_run_make_it_again_once(tmp_path: Path) -> None:
    one, other = Store(tmp_path), Store(tmp_path)
    one.build("kind", SPEC, make)
    assert one.build("kind", SPEC, make, rebuild=True, run="this")[1]
    assert not other.build("kind", SPEC, never, rebuild=True, run="this")[1]
    assert not other.build("kind", SPEC, never, run="another")[1], "what is not wanted again is found"
    assert other.build("kind", SPEC, make, rebuild=True, run="another")[1]
    assert one.build("kind", SPEC, make, rebuild=True)[1]
    assert one.build("kind", SPEC, make, rebuild=True, run="another")[1], "the one before was nobody's"


def damage_bytes(folder: Path) -> None:
    (folder / "inner" / "data.txt").write_text("dada")


def damage_missing(folder: Path) -> None:
    (folder / "inner" / "data.txt").unlink()


def damage_added(folder: Path) -> None:
    (folder / "more.txt").write_text("")


def damage_manifest(folder: Path) -> None:
    (folder / MANIFEST).write_text("{")


def damage_spec(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["spec"]["value"] = 5
    (folder / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize("damage", [damage_bytes, damage_missing, damage_added, damage_manifest, damage_spec])
def test_damage_is_noticed_named_and_mended(tmp_path: Path, damage) -> None:
    said: list[str] = []
    store = Store(tmp_path, say=said.append)
    artifact, _ = store.build("kind", SPEC, make)
    damage(artifact.folder)
    assert read_artifact(artifact.folder)[0] is None
    again, made = store.build("kind", SPEC, make)
    assert made
    assert read_artifact(again.folder)[0] is not None
    assert len(said) == 1
    assert "damaged" in said[0]
    assert again.address[:12] in said[0]


@pytest.mark.parametrize("name", [".DS_Store", "Thumbs.db", "desktop.ini", "Desktop.ini", "._data.txt"])
def test_what_a_desktop_leaves_in_a_folder_is_no_damage(tmp_path: Path, name: str) -> None:
    artifact, _ = Store(tmp_path).build("kind", SPEC, make)
    for folder in (artifact.folder, artifact.folder / "inner"):
        (folder / name).write_text("left")
    found = Store(tmp_path).find("kind", SPEC)
    assert found is not None
    assert found.digest == artifact.digest
    # An older manifest that names it is of a whole artifact too, though it is gone or changed meanwhile.
    manifest = json.loads((artifact.folder / MANIFEST).read_text())
    manifest["files"][f"inner/{name}"] = "0" * 64
    (artifact.folder / MANIFEST).write_text(json.dumps(manifest))
    assert Store(tmp_path).find("kind", SPEC) is not None
    damage_bytes(artifact.folder)
    assert Store(tmp_path).find("kind", SPEC) is None


def test_looking_for_what_is_damaged_takes_nothing_away(tmp_path: Path) -> None:
    """Another process may look at it too, and be the one that makes it again."""
    store = Store(tmp_path)
    artifact, _ = store.build("kind", SPEC, make)
    damage_bytes(artifact.folder)
    for _ in range(2):
        assert store.find("kind", SPEC) is None
    assert artifact.folder.exists()
    Store(tmp_path).build("kind", SPEC, make)
    assert store.find("kind", SPEC) is not None
    assert [folder.name for folder in (tmp_path / "kind").iterdir()] == [artifact.folder.name], "nothing is left over"


def test_what_is_made_again_is_there_until_the_new_one_is(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.build("kind", SPEC, make)

    def looking(folder: Path) -> dict[str, int]:
        assert store.find("kind", SPEC) is not None
        return make(folder)

    store.build("kind", SPEC, looking, rebuild=True)
    assert store.find("kind", SPEC) is not None


def test_two_machines_without_common_locks_are_not_in_each_other_s_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has a lock that the other does not see; their process ids are the same, here as in containers."""
    monkeypatch.setattr(store_module, "locked", lambda *_: nullcontext())
    one = Store(tmp_path)

    def slow(folder: Path) -> dict[str, int]:
        (folder / "begun").write_text("x")
        with monkeypatch.context() as other:
            other.setattr(store_module, "HOST", "other")
            Store(tmp_path).build("kind", SPEC, make)
        assert (folder / "begun").exists()
        return make(folder)

    # What a machine left that was killed between renaming and removing is in no other's way either.
    (tmp_path / "kind" / f"{address('kind', SPEC)[:32]}.damaged.{os.getpid()}" / "x").mkdir(parents=True)
    artifact, made = one.build("kind", SPEC, slow)
    assert made
    assert sorted(artifact.manifest["files"]) == ["begun", "inner/data.txt"]
    assert one.find("kind", SPEC) is not None


def test_what_was_killed_here_is_swept_by_the_next(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def fail(folder: Path) -> dict[str, int]:
        raise RuntimeError(folder)

    for _ in range(2):
        with pytest.raises(RuntimeError):
            store.build("kind", SPEC, fail)
    (left,) = unfinished(tmp_path)
    assert ".partial." in left.name
    assert store.build("kind", SPEC, make)[1]
    assert unfinished(tmp_path) == []


def test_a_failure_leaves_nothing_that_looks_finished(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def fail(folder: Path) -> dict[str, int]:
        make(folder)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.build("kind", SPEC, fail)
    assert store.find("kind", SPEC) is None
    assert store.build("kind", SPEC, make)[1]


def test_shipped_artifacts_are_used_and_own_ones_come_first(tmp_path: Path) -> None:
    shipped, _ = Store(tmp_path / "a").build("kind", SPEC, make)
    said: list[str] = []
    store = Store(tmp_path / "b", {shipped.address: shipped.folder}, said.append)
    found, made = store.build("kind", SPEC, never)
    assert not made
    assert found.folder == shipped.folder
    own, made = store.build("kind", SPEC, make, rebuild=True)
    assert made
    assert store.find("kind", SPEC).folder == own.folder
    assert store.digests({"kind": {}}, "f") == [own.digest]
    assert store.digests({"kind": {}}, "g") == store.digests({"other": {}}, "f") == []
    store.build("kind", {**SPEC, "without": "2"}, make)
    assert store.digests({"kind": {"without": "1"}}, "f") == []
    assert store.digests({"kind": {"value": 3, "without": "2"}}, "f") == [own.digest]
    assert len(store.digests({"kind": {}}, "f")) == 2
    damage_bytes(own.folder)
    assert store.find("kind", SPEC).folder == shipped.folder


def test_a_folder_that_cannot_be_written_is_the_user_s_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="--store"):
        Store(tmp_path / "file" / "store").build("kind", SPEC, make)


def _build_slowly(root: Path, log: Path) -> None:
    def slow(folder: Path) -> dict[str, int]:
        with log.open("a") as stream:
            stream.write(f"{os.getpid()}\n")
        time.sleep(0.3)
        return make(folder)

    Store(root).build("kind", SPEC, slow)


def test_two_processes_make_a_stage_once(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=_build_slowly, args=(tmp_path / "store", tmp_path / "log")) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert len((tmp_path / "log").read_text().split()) == 1


def test_a_killed_process_leaves_the_lock_and_no_stage(tmp_path: Path) -> None:
    def die(folder: Path) -> dict[str, int]:
        make(folder)
        os.kill(os.getpid(), signal.SIGKILL)
        return {}

    process = multiprocessing.get_context("fork").Process(target=Store(tmp_path).build, args=("kind", SPEC, die))
    process.start()
    process.join(30)
    assert process.exitcode == -signal.SIGKILL
    assert Store(tmp_path).find("kind", SPEC) is None
    assert Store(tmp_path).build("kind", SPEC, make)[1]
