"""What lies in a store, and that nothing goes which a record rests on."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from cells import cells
from commands import cli
from filelock import FileLock

from vdu_bench.engine.inventory import inventory, remove, size_of, titles, unfinished, unneeded
from vdu_bench.engine.store import MANIFEST, Artifact, Store, read_artifact
from vdu_bench.records import Record


def put(store: Store, kind: str, spec: dict[str, object], content: str = "x") -> Artifact:
    def make(folder: Path) -> dict[str, str]:
        (folder / ("record.json" if kind == "record" else "file")).write_text(content)
        return {}

    return store.build(kind, spec, make)[0]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def record(store: Store) -> Record:
    """A cell with a base, a model, images, readings of them, and the kept record; and the same of another cell."""
    records = []
    for method in ("vdu", "esd"):
        base = put(store, "base", {"family": "digits"})
        model = put(store, "unlearned", {"method": method, "seed": 0}, method)
        images = put(store, "images", {"probe": "samples", "weights": model.digest}, method)
        for kind in ("readings", "second_readings"):
            put(store, kind, {"images": images.digest})
        stages = {"base": base.address, "unlearned": model.address, "samples": images.address}
        records.append(cells(seeds=[0])[0].model_copy(update={"stages": stages}))
        put(store, "record", {"of": method}, records[-1].to_json())
    return records[0]


def named(artifacts: list[object]) -> set[tuple[str, str]]:
    return {(artifact.kind, artifact.folder.name) for artifact in artifacts}  # type: ignore[attr-defined]


def test_everything_is_listed_with_its_size(store: Store, record: Record) -> None:
    found = inventory(store.root)
    assert len(found) == 11
    model = next(artifact for artifact in found if artifact.address == record.stages["unlearned"])
    assert model.title == "method vdu, seed 0"
    assert model.size == 3 + (model.folder / MANIFEST).stat().st_size == size_of(model.folder)
    assert [artifact.kind for artifact in inventory(store.root, "images")] == ["images"] * 2
    (model.folder / MANIFEST).write_text("no JSON")
    assert len(inventory(store.root)) == 10


def test_what_belongs_to_a_cell_is_called_by_it(store: Store) -> None:
    model = put(store, "unlearned", {"method": "vdu", "seed": 0})
    images = put(store, "images", {"probe": "samples", "seed": 0}, "drawn")
    read = put(store, "readings", {"images": images.digest})
    other = put(store, "images", {"probe": "redraw", "seed": 1})
    foreign = put(store, "external", {"sha256": "0123456789abcdef", "form": "file"})
    vdu = next(record for record in cells(seeds=[0]) if record.method == "vdu")
    stages = {"unlearned": model.address, "samples": images.address, "original_samples": other.address}
    kept = put(store, "record", {"of": "vdu"}, vdu.model_copy(update={"stages": stages}).to_json())
    told = titles(store.root, inventory(store.root))
    assert told[model.address] == told[kept.address] == "digits_1/vdu/seed0"
    assert told[images.address] == told[read.address] == "digits_1/vdu/seed0, probe samples"
    assert told[other.address] == "probe redraw, seed 1"
    assert told[foreign.address] == "sha256 0123456789ab"


def test_what_a_record_rests_on_stays(store: Store, record: Record) -> None:
    everything = inventory(store.root)
    gone = unneeded(everything, [record], None)
    # The other cell's: model, images, both readings and the record; the base is never among them.
    assert sorted(artifact.kind for artifact in gone) == [
        "images", "readings", "record", "second_readings", "unlearned",
    ]  # fmt: skip
    assert not {artifact.address for artifact in gone} & set(record.stages.values())
    assert named(unneeded(everything, [], None)) > named(gone)
    assert not [one for one in unneeded(everything, [], None) if one.kind == "base"]
    assert unneeded(everything, None, None) == []


def test_what_is_younger_stays(store: Store, record: Record) -> None:
    old = next(artifact for artifact in inventory(store.root) if artifact.title == "method esd, seed 0")
    os.utime(old.folder / MANIFEST, (1000, 1000))
    assert [one.address for one in unneeded(inventory(store.root), None, 2000)] == [old.address]
    assert [one.address for one in unneeded(inventory(store.root), [record], 2000)] == [old.address]
    assert unneeded(inventory(store.root), None, 500) == []


@pytest.mark.usefixtures("record")
def test_removed_is_made_again_and_the_rest_is_whole(store: Store) -> None:
    (other,) = (one for one in inventory(store.root) if one.title == "method esd, seed 0")
    assert remove(other.folder)
    assert not list((store.root / "unlearned").glob(f"{other.folder.name}*"))
    assert store.find("unlearned", {"method": "esd", "seed": 0}) is None
    assert store.find("unlearned", {"method": "vdu", "seed": 0}) is not None


@pytest.mark.usefixtures("record")
def test_what_is_being_made_is_left(store: Store) -> None:
    (model,) = (one for one in inventory(store.root) if one.title == "method vdu, seed 0")
    partial = model.folder.with_name(f"{'0' * 32}.partial")
    partial.mkdir()
    assert unfinished(store.root) == [partial]
    with FileLock(store.root / "locks" / f"unlearned-{'0' * 32}.lock"):
        assert not remove(partial)
    assert partial.exists()
    assert remove(partial)
    assert unfinished(store.root) == []


def test_what_a_killed_training_had_not_finished_writing_goes(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    folder = store.workspace("base", {"family": "digits"})
    folder.mkdir(parents=True)
    old, new, whole = (folder / name for name in (".training.safetensors.7.tmp", ".a.8.tmp", "training.safetensors"))
    for file in (old, new, whole):
        file.write_text("abc")
    for file in (old, whole):
        os.utime(file, (1000, 1000))
    cli("store", "gc", "--store", store.root)
    assert capsys.readouterr().out.splitlines() == [
        f"{old.relative_to(store.root).as_posix()}  3 B",
        "1 of them, 3 B: would go; --yes removes them",
    ]
    assert old.exists()
    cli("store", "gc", "--yes", "--store", store.root)
    assert sorted(folder.iterdir()) == sorted([new, whole])


def test_the_commands(store: Store, record: Record, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*arguments: str | Path, code: int = 0) -> list[str]:
        cli("store", *arguments, "--store", store.root, code=code)
        captured = capsys.readouterr()
        return (captured.out if code == 0 else captured.err).splitlines()

    assert len(said("ls")) == 11
    assert all(line.startswith("unlearned") and "digits_1/original/seed0" in line for line in said("ls", "unlearned"))
    assert said("ls", "bases", code=2)[0].endswith("it has base, images, readings, record, second_readings, unlearned")
    assert said("du")[-1].split()[:2] == ["all", "11"]
    folder = tmp_path / "out" / "records" / "digits_1" / "original"
    folder.mkdir(parents=True)
    (folder / "seed0.json").write_text(record.to_json())
    half = store.root / "images" / f"{'1' * 32}.partial"
    half.mkdir()
    assert said("gc")[-1] == "1 of them, 0 B: would go; --yes removes them"
    assert half.exists()
    assert said("gc", tmp_path / "out")[-1].startswith("6 of them, ")
    assert len(inventory(store.root)) == 11
    assert said("gc", tmp_path / "out", "--older-than", "1", "--yes")[-1] == "1 of them, 0 B: removed"
    assert not half.exists()
    assert said("gc", tmp_path / "out", "--yes")[-1].endswith(": removed")
    assert len(inventory(store.root)) == 6
    assert said("gc", tmp_path / "out") == ["nothing may go"]


def test_a_store_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli("store", "du", "--store", tmp_path / "none", code=2)
    assert "there is no store" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["/", "a**b", "../x", "*"])
def test_a_kind_is_a_name_and_no_pattern(store: Store, record: Record, kind: str) -> None:  # noqa: ARG001
    assert inventory(store.root, kind) == []


@pytest.mark.parametrize("kind", [["base"], None, 3])
def test_a_manifest_that_somebody_else_wrote_is_left_out(store: Store, kind: object) -> None:
    for number in range(2):
        file = put(store, "base", {"family": "digits", "of": number}).folder / MANIFEST
    file.write_text(json.dumps(json.loads(file.read_text()) | {"kind": kind}))
    assert len(inventory(store.root)) == 1
    file.write_text("[" * 100_000)
    assert len(inventory(store.root)) == 1


def test_deep_manifests_are_damaged(store: Store) -> None:
    made = put(store, "base", {"family": "digits"})
    (made.folder / MANIFEST).write_text("[" * 100_000)
    assert read_artifact(made.folder) == (None, "its manifest cannot be read")
    assert store.at("base", made.address) is None
    assert store.spec_at("base", made.address) is None
