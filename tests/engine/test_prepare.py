"""What a task's methods share is made once, exported, and taken in elsewhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import cli

from vdu_bench.engine.prepare import import_prepared
from vdu_bench.engine.store import MANIFEST, Store, address
from vdu_bench.errors import UserError

PREPARED = {"tiny/judge", "tiny/second_judge", "tiny/base", "tiny/posterior", "tiny/retrain_5"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def exported(tiny_file: Path, store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    cli("prepare", "-q", "--task", tiny_file, "--store", store, "--export", folder)
    return folder


def test_all_of_it_is_exported(exported: Path) -> None:
    assert {path.parent.relative_to(exported).as_posix() for path in exported.rglob(MANIFEST)} == PREPARED


def test_it_is_rebuilt_the_same_from_the_data(tiny_file: Path, store: Path, capsys: pytest.CaptureFixture) -> None:
    command = ("prepare", "-q", "--task", tiny_file, "--store", store)
    cli(*command)
    before = capsys.readouterr().out
    cli(*command, "--rebuild")
    assert capsys.readouterr().out == before


def test_what_was_exported_starts_another_store_at_once(
    tiny_file: Path, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def untrained(*_: object) -> None:
        pytest.fail("it was there to be imported")

    monkeypatch.setattr("vdu_bench.engine.stages.trained.train", untrained)
    monkeypatch.setattr("vdu_bench.engine.stages.judge.train_judge", untrained)
    command = ("prepare", "-q", "--task", tiny_file, "--store", tmp_path, "--import", exported)
    cli(*command)
    ours = {file: file.stat().st_mtime_ns for file in tmp_path.glob(f"*/*/{MANIFEST}")}
    assert {json.loads(file.read_text())["hash"] for file in ours} == {
        json.loads(file.read_text())["hash"] for file in exported.rglob(MANIFEST)
    }
    # A second time nothing is copied.
    cli(*command)
    assert {file: file.stat().st_mtime_ns for file in ours} == ours


def _changed(folder: Path, change: dict[str, Any]) -> None:
    file = folder / "tiny" / "judge" / MANIFEST
    manifest = json.loads(file.read_text()) | change
    manifest["hash"] = address(manifest["kind"], manifest["spec"])
    file.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"kind": "../../outside"},
            "it is a '../../outside', not one of base, posterior, retrain, judge, second_judge, clip",
        ),
        ({"files": {}}, "does not match its checksum"),
    ],
)
def test_what_is_not_whole_or_not_prepared_is_refused_and_nothing_is_copied(
    exported: Path, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(exported, copy)
    _changed(copy, change)
    with pytest.raises(UserError, match=words):
        import_prepared(copy, Store(tmp_path / "store"))
    assert not (tmp_path / "store").exists()


def test_a_folder_without_any_is_the_user_s_mistake(
    tiny_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    command = ("prepare", "-q", "--task", tiny_file, "--store", tmp_path / "store", "--import", tmp_path)
    cli(*command, code=2)
    assert "there is no FAMILY/NAME/manifest.json in it" in " ".join(capsys.readouterr().err.split())
    cli(*command, "--rebuild", code=2)
    assert "--import and --rebuild exclude each other" in " ".join(capsys.readouterr().err.split())


def test_a_full_disk_leaves_the_export_before(
    tiny_file: Path,
    store: Path,
    exported: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(exported, copy)
    before = {file: file.read_bytes() for file in copy.rglob("*") if file.is_file()}

    def full(_: Path, target: Path, **__: object) -> None:
        Path(target).mkdir(exist_ok=True)
        (Path(target) / MANIFEST).write_text("half")
        raise shutil.Error([("a", "b", "[Errno 28] No space left on device: 'a' -> 'b'")])

    monkeypatch.setattr(shutil, "copytree", full)
    cli("prepare", "-q", "--task", tiny_file, "--store", store, "--export", copy, code=2)
    told = capsys.readouterr().err
    assert (
        told
        == f"vdu-bench: cannot write to --export {copy}: No space left on device; free some room, or name another\n"
    )
    assert {file: file.read_bytes() for file in copy.rglob("*") if file.is_file()} == before


def test_what_a_killed_export_left_is_not_imported(exported: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(exported, copy)
    half = copy / "tiny" / ".judge.partial"
    half.mkdir()
    (half / MANIFEST).write_text("half")
    assert len(import_prepared(copy, Store(tmp_path / "store"))) == len(PREPARED)


def test_two_recipes_of_one_family_are_not_exported_into_one_folder(
    tiny_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = yaml.safe_load(tiny_file.read_text())
    content["name"], content["model"]["training"]["seed"] = "tiny_two", 9
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump(content))
    place = ("--store", tmp_path / "store", "--export", tmp_path / "exported")
    cli("prepare", "-q", "--task", f"{tiny_file},{other}", *place, code=2)
    error = capsys.readouterr().err
    assert (
        "tiny and tiny_two are both of the family tiny, and have not the same model: give one of them another" in error
    )
    assert not (tmp_path / "store").exists()


def test_two_tasks_of_one_family_that_share_are_exported_together(tiny_file: Path, store: Path, tmp_path: Path) -> None:
    content = yaml.safe_load(tiny_file.read_text())
    content["name"], content["samples"] = "tiny_two", 50
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump(content))
    cli("prepare", "-q", "--task", f"{tiny_file},{other}", "--store", store, "--export", tmp_path / "exported")
    found = {path.parent.relative_to(tmp_path / "exported").as_posix() for path in tmp_path.rglob(MANIFEST)}
    assert found == PREPARED
