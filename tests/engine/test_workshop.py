"""Stages are made once, found by what decides them, and little of them stays in memory."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest
import torch

from vdu_bench.engine.cells import expand
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.recording import make_record
from vdu_bench.engine.stage import Stage
from vdu_bench.engine.stages.base import base
from vdu_bench.engine.stages.images import images, probes_of
from vdu_bench.engine.stages.readings import readings
from vdu_bench.engine.store import Store, address
from vdu_bench.engine.weights import Weights
from vdu_bench.engine.workshop import MEMOS, Workshop
from vdu_bench.judges.classifier.judge import Judge
from vdu_bench.tasks.task import Task


def workshop(root: Path, **more: Any) -> tuple[Workshop, list[str]]:
    said: list[str] = []
    progress = Progress(quiet=True)
    progress.say = said.append  # type: ignore[method-assign]
    return Workshop(Store(root), "cpu", progress, **more), said


class Making:
    """Makes a file, and counts how often."""

    def __init__(self, text: str = "made") -> None:
        self.text, self.times = text, 0

    def __call__(self, folder: Path) -> dict[str, Any]:
        self.times += 1
        (folder / "file.txt").write_text(self.text)
        return {"fact": 1}


def test_a_stage_is_made_once_and_its_files_are_summed_up_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop, _ = workshop(tmp_path)
    make = Making()
    stage = Stage("readings", {"a": 1}, make, code="x")
    first = shop.get(stage)
    monkeypatch.setattr("vdu_bench.engine.store.checksums", lambda _: pytest.fail("it was known"))
    assert shop.get(Stage("readings", {"a": 1}, make, code="x")) is first
    assert make.times == 1
    monkeypatch.undo()
    other, _ = workshop(tmp_path)
    assert other.get(stage).digest == first.digest
    assert make.times == 1


def test_the_address_holds_the_inputs_content_and_the_code(tmp_path: Path) -> None:
    shop, _ = workshop(tmp_path)
    one, other = (shop.get(Stage("external", {}, Making(text), code=text)) for text in ("one", "other"))
    make = Making()
    stage = Stage("images", {"a": 1}, make, {"weights": one}, "x")
    assert stage.full_spec == {"a": 1, "weights": one.digest, "code": "x"}
    assert stage.address == address("images", stage.full_spec)
    addresses = {
        stage.address,
        Stage("images", {"a": 1}, make, {"weights": other}, "x").address,
        Stage("images", {"a": 1}, make, {"weights": one}, "y").address,
        Stage("images", {"a": 2}, make, {"weights": one}, "x").address,
    }
    assert len(addresses) == 4


@pytest.mark.parametrize("kind", ["base", "retrain", "judge", "second_judge", "clip"])
def test_what_took_hours_outlives_its_code_and_that_is_said(tmp_path: Path, kind: str) -> None:
    make = Making()
    before, after = (Stage(kind, {"family": "f"}, make, code=code, label="f: it") for code in ("before", "after"))
    assert before.address == after.address == address(kind, {"family": "f"}), "as what ships is addressed"
    shop, said = workshop(tmp_path)
    assert shop.get(before).facts == {"fact": 1, "code": "before"}
    assert said == ["f: it: made"]
    shop, said = workshop(tmp_path)
    assert shop.get(after).facts["code"] == "before"
    assert said[0] == "f: it: reused"
    assert "other code made it than there is now; prepare --rebuild makes it again" in said[1]
    assert make.times == 1
    shop, said = workshop(tmp_path, again=(kind,))
    assert shop.get(after).facts["code"] == "after"
    assert said == ["f: it: made"]
    shop, said = workshop(tmp_path)
    shop.get(after)
    assert said == ["f: it: reused"]


def test_what_ships_does_not_say_what_code_made_it_and_nobody_asks(tmp_path: Path) -> None:
    shop, said = workshop(tmp_path)
    shop.get(Stage("judge", {"family": "f"}, Making(), label="f: judge"))
    shop, said = workshop(tmp_path)
    shop.get(Stage("judge", {"family": "f"}, Making(), code="now", label="f: judge"))
    assert said == ["f: judge: reused"]


def test_again_is_once_in_a_process(tmp_path: Path) -> None:
    make = Making()
    stage = Stage("images", {}, make)
    workshop(tmp_path)[0].get(stage)
    shop, _ = workshop(tmp_path, again=("images",))
    for _ in range(3):
        shop.get(stage)
    assert make.times == 2


def test_one_of_a_kind_is_held(tmp_path: Path) -> None:
    shop, _ = workshop(tmp_path)
    loaded: list[str] = []

    def load(key: str) -> str:
        return shop.held("judge", key, lambda: loaded.append(key) or key)

    assert [load(key) for key in ("a", "a", "b", "a")] == ["a", "a", "b", "a"]
    assert loaded == ["a", "b", "a"]
    first = shop.memo("first")
    for number in range(MEMOS - 1):
        shop.memo(str(number))
    assert shop.memo("first") is first
    for number in range(MEMOS):
        shop.memo(f"more {number}")
    assert shop.memo("first") is not first


def in_memory(n: int) -> int:
    """How many tensors there are with something for each of `n` samples."""
    gc.collect()
    return sum(1 for found in gc.get_objects() if type(found) is torch.Tensor and found.dim() > 0 and len(found) == n)


def test_no_cell_leaves_its_images_or_its_readings_in_memory(tiny_task: Task, tmp_path: Path) -> None:
    task = tiny_task.model_copy(update={"samples": 37})
    shop, _ = workshop(tmp_path)
    cells, _ = expand([task], ["finetune"], (0, 1), "full", {}, "cpu")
    before = in_memory(37)
    held = set()
    for cell in cells:
        assert make_record(cell, shop).status == "ok"
        held.add(in_memory(37))
    # One: as many real images, which all cells are held against.
    assert held == {before + 1}


def test_images_are_read_when_they_are_asked_for(
    tiny_task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, _ = workshop(tmp_path)
    probe = probes_of(shop, tiny_task)["samples"]
    drawn = images(shop, tiny_task, Weights(base(shop, tiny_task)), "samples", probe, 0, "tiny")
    read = readings(shop, tiny_task, drawn)["forget"]
    assert read.images is not read.images
    assert torch.equal(read.images, read.images)
    assert read.images.shape == (40, 1, 8, 8)
    assert len(read) == 40
    # Another process finds what the judge said.
    monkeypatch.setattr(Judge, "read", lambda *_: pytest.fail("it was read before"))
    again = readings(workshop(tmp_path)[0], tiny_task, drawn)["forget"]
    for name in ("shown", "features", "junk"):
        assert torch.equal(getattr(again, name), getattr(read, name))
