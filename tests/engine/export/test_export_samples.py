"""Samples come out as they lie in the store, each with what the judge said of it in its name."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from cells import cells
from PIL import Image
from prompted import PROMPTS
from safetensors.torch import save_file
from torch import Tensor

from vdu_bench.engine.export.samples import export_images
from vdu_bench.engine.store import Store
from vdu_bench.errors import UserError
from vdu_bench.records import Record

SHOWN = torch.tensor([[True, False], [False, True], [True, True], [False, False], [True, False]])
JUNK = torch.tensor([False, False, False, False, True])


def kept(store: Store, sets: dict[str, Tensor], judge: str = "judge") -> Record:
    """Images with readings in a store, and their record."""
    drawn = store.build("images", {"of": judge}, lambda folder: save_file(sets, folder / "images.safetensors") or {})[0]
    read = {f"{name}/shown": SHOWN.clone() for name in sets} | {f"{name}/junk": JUNK.clone() for name in sets}
    by = store.build("judge", {"who": judge}, lambda _: {})[0]
    spec = {"images": drawn.digest, "judge": by.digest}
    store.build("readings", spec, lambda folder: save_file(read, folder / "readings.safetensors") or {})
    record = cells(seeds=[0])[0]
    assert record.protocol is not None
    record.protocol.classes = ["0", "a / b"]
    return record.model_copy(update={"stages": {"samples": drawn.address, "judge": by.address}})


def pictures(channels: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (5, channels, 4, 6), generator=generator).to(torch.uint8)


def test_names_say_what_the_judge_says(tmp_path: Path) -> None:
    store, images = Store(tmp_path / "store"), pictures(1)
    record = kept(store, {"forget": images})
    assert export_images(record, store, tmp_path / "out", 99) == f"{tmp_path / 'out'}: 5 images"
    names = ["0000-0", "0001-a_b", "0002-0+a_b", "0003-none", "0004-junk"]
    files = [tmp_path / "out" / f"sample-{name}.png" for name in names]
    assert sorted((tmp_path / "out").glob("*.png")) == files
    for file, image in zip(files, images, strict=True):
        assert np.array_equal(np.array(Image.open(file)), image[0].numpy())
    rows = [json.loads(line) for line in (tmp_path / "out" / "metadata.jsonl").read_text().splitlines()]
    assert rows[2] == {"file_name": files[2].name, "shown": ["0", "a / b"], "junk": False}
    assert rows[4]["junk"]


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, folder = Store(tmp_path / "store"), tmp_path / "out"
    record = kept(store, {"forget": pictures(1)})
    export_images(record, store, folder, 2)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    save = Image.Image.save

    def full(image: Image.Image, file: Path) -> None:
        if "0003" in file.name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(image, file)

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(UserError, match=f"^cannot write to {folder}: No space left on device; free some room, or name"):
        export_images(record, store, folder, 5)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_prompts_stand_beside_the_images_that_they_asked_for(tmp_path: Path) -> None:
    store, images = Store(tmp_path / "store"), pictures(3)
    record = kept(store, {"forget": images, "retain": images.flip(0)})
    assert record.protocol is not None
    record.protocol.prompts = PROMPTS.model_dump(mode="json")
    export_images(record, store, tmp_path / "out", 3)
    rows = [json.loads(line) for line in (tmp_path / "out" / "metadata.jsonl").read_text().splitlines()]
    assert [row["text"] for row in rows] == [*PROMPTS.cycled("forget", 3), *PROMPTS.cycled("retain", 3)]
    assert [row["file_name"].split("-")[0] for row in rows] == ["forget"] * 3 + ["retain"] * 3
    shown = np.array(Image.open(tmp_path / "out" / rows[3]["file_name"]))
    assert np.array_equal(shown, images[4].permute(1, 2, 0).numpy())


def test_another_judge_s_readings_are_not_taken(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    record = kept(store, {"forget": pictures(1)})
    other = store.build("judge", {"who": "another"}, lambda folder: (folder / "x").write_text("x") and {})[0]
    stages = {**record.stages, "judge": other.address}
    with pytest.raises(UserError, match="the readings of digits_1/original/seed0 are not in the store"):
        export_images(record.model_copy(update={"stages": stages}), store, tmp_path / "out", 1)


def test_samples_that_are_not_there(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    record = cells(seeds=[0])[0].model_copy(update={"stages": {"samples": "ab" * 32, "judge": "cd" * 32}})
    with pytest.raises(UserError, match="the samples of digits_1/original/seed0 are not in the store .*--store"):
        export_images(record, store, tmp_path / "out", 1)
    failed = record.model_copy(update={"protocol": None, "status": "failed", "reason": "why"})
    with pytest.raises(UserError, match=r"has no samples: it failed \(why\)"):
        export_images(failed, store, tmp_path / "out", 1)


@pytest.mark.parametrize("name", ["../../escaped", "a/b", "other"])
def test_names_in_the_store_lead_to_no_other_folder(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path / "store")
    record = kept(store, {"forget": pictures(1), name: pictures(1)})
    assert record.protocol is not None
    record.protocol.prompts = PROMPTS.model_dump(mode="json")
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match="which is none of forget, retain"):
        export_images(record, store, tmp_path / "out" / "deep" / "deeper", 1)
    assert not list(tmp_path.rglob("*.png"))
