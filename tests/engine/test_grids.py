"""Which samples a grid shows, and what the judge says of them; a store with planted samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cells import cells
from numpy.typing import NDArray
from safetensors.numpy import save_file

from vdu_bench.engine import grids
from vdu_bench.engine.grids import IMAGES, READINGS, first_samples, samples_at, samples_digest
from vdu_bench.engine.store import Store
from vdu_bench.measured import Outcomes
from vdu_bench.records import Record

CLASSES = ["0", "1", "2"]
PROMPTS = {"forget": ["a hat", "a hat and a beard"], "retain": {"a beard": ["beard"], "a face": []}}


class Planted:
    """A store in which sample i of a row has the value 10 * row + i, and is of the class that `answers` say."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder)
        self.rows = 0

    def add(
        self, record: Record, answers: dict[str, list[int | None]], junk: dict[str, list[int]] | None = None
    ) -> None:
        """`answers`: by the images' name, each one's class or None; the record is told where they are."""
        images: dict[str, NDArray[Any]] = {}
        read: dict[str, NDArray[Any]] = {}
        for name, given in answers.items():
            values = np.arange(len(given), dtype=np.uint8) + 10 * self.rows + (100 if name == "retain" else 0)
            images[name] = np.broadcast_to(values[:, None, None, None], (len(given), 1, 4, 4)).copy()
            read[f"{name}/shown"] = np.array([[one == k for k in range(3)] for one in given])
            read[f"{name}/junk"] = np.array([i in (junk or {}).get(name, []) for i in range(len(given))])
        self.rows += 1

        def make(file: str, arrays: dict[str, NDArray[Any]]) -> Any:
            return lambda folder: save_file(arrays, folder / file) or {}

        spec = {"row": record.row, "seed": record.seeds.sample}
        samples, _ = self.store.build("images", spec, make(IMAGES, images))
        wrong = {key: ~value if key.endswith("shown") else value for key, value in read.items()}
        for judge, arrays in (("another", wrong), ("own", read)):
            self.store.build("readings", {"images": samples.digest, "judge": judge}, make(READINGS, arrays))
        record.stages = {"samples": samples.address, "unlearned": "ab" * 32}
        record.outcomes = {"forget": Outcomes.of(read["forget/shown"][:, 1])}


@pytest.fixture
def planted(tmp_path: Path) -> Planted:
    return Planted(tmp_path / "store")


def records_of(*methods: str, prompts: dict[str, Any] | None = None, seeds: tuple[int, ...] = (0,)) -> list[Record]:
    found = [record for record in cells(seeds=seeds) if record.method in methods]
    for record in found:
        assert record.protocol is not None
        record.protocol.classes, record.protocol.prompts = CLASSES, prompts or {}
    return found


def test_half_of_the_columns_show_the_concept(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    records = records_of("original", "vdu")
    for record in records:
        if record.method == "original":
            planted.add(record, {"forget": [0, 1, 2, None, 1, 1, 0]}, {"forget": [3]})
        else:
            planted.add(record, {"forget": [0, 2, 2, 0, 1, 0, None]}, {"forget": [4, 5]})
    said: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(grids, "COLUMNS", 4)
        grid = first_samples(records, planted.store, said.append)["digits_1"]
    assert said == []
    assert [(column.index, column.shows) for column in grid.columns] == [(1, True), (4, True), (0, False), (2, False)]
    original, vdu = grid.rows["original"], grid.rows["vdu"]
    assert original.images.shape == (4, 4, 4)
    assert [int(image[0, 0]) % 10 for image in vdu.images] == [1, 4, 0, 2]
    assert original.words == ("1", "1", "0", "2")
    # Junk that shows the concept is counted as the concept.
    assert vdu.words == ("2", "1", "0", "2")
    assert vdu.shows == (False, True, False, False)
    assert vdu.junk == (False, True, False, False)
    whole = first_samples(records, planted.store, said.append)["digits_1"]
    assert [column.index for column in whole.columns] == [1, 4, 5, 0, 2, 3, 6]
    assert whole.rows["original"].words[5] == "junk"
    assert whole.rows["vdu"].words[2] == "junk"
    assert whole.rows["vdu"].words[6] == "none"


def test_prompts_stand_over_the_columns(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    records = records_of("original", prompts=PROMPTS)
    planted.add(records[0], {"forget": [0, 1, 1, None], "retain": [1, None, 0, 2]}, {"retain": [3]})
    monkeypatch.setattr(grids, "COLUMNS", 6)
    grid = first_samples(records, planted.store)["digits_1"]
    assert [(column.index, column.shows, column.prompt) for column in grid.columns] == [
        (1, True, "a hat and a beard"),
        (2, True, "a hat"),
        (1, False, "a face"),
        (2, False, "a beard"),
        (3, False, "a face"),
    ]
    row = grid.rows["original"]
    assert [int(image[0, 0]) for image in row.images] == [1, 2, 101, 102, 103]
    assert row.words == ("1", "1", "no 1", "no 1", "junk")


def test_what_the_store_lacks_is_said(planted: Planted, tmp_path: Path) -> None:
    records = records_of("original", "vdu", "esd", seeds=(0, 1))
    for record in records:
        if record.method != "esd":
            planted.add(record, {"forget": [0, 1, 2]})
    said: list[str] = []
    found = first_samples(records, planted.store, said.append)
    assert set(found["digits_1"].rows) == {"original", "vdu"}
    # The cells of this maker tell of no samples; those that do and have none are named.
    assert said == []
    for record in records:
        if record.method == "esd":
            record.stages = {"samples": "cd" * 32, "unlearned": "ab" * 32}
    first_samples(records, planted.store, said.append)
    assert said == [f"warning: digits_1: the sample grid lacks esd: not in the store {planted.store.root}"]
    assert first_samples(records, Store(tmp_path / "empty"), said.append) == {}
    assert "digits_1: no sample grid: the store" in said[1]


def test_all_rows_are_of_one_seed(planted: Planted) -> None:
    records = records_of("original", "vdu", seeds=(1, 2))
    for record in records:
        planted.add(record, {"forget": [0, 1, 2]})
    (alone,) = records_of("esd", seeds=(0,))
    planted.add(alone, {"forget": [0, 1, 2]})
    said: list[str] = []
    grid = first_samples([alone, *records], planted.store, said.append)["digits_1"]
    assert set(grid.rows) == {"original", "vdu"}
    assert "lacks esd" in said[0]


def test_reports_made_without_the_store_are_made_again_with_it(planted: Planted, tmp_path: Path) -> None:
    records = records_of("original", "vdu")
    for record in records:
        planted.add(record, {"forget": [1, 0, 1, 2]})
    without, whole = Store(tmp_path / "empty"), samples_digest(records, planted.store)
    assert samples_digest(records, without) != whole
    assert samples_digest(records, planted.store) == whole
    assert samples_digest(records[:1], planted.store) != whole


def test_a_damaged_file_has_no_samples(planted: Planted) -> None:
    (record,) = records_of("original")
    planted.add(record, {"forget": [1, 0]})
    address = record.stages["samples"]
    file = planted.store.root / "images" / address[:32] / IMAGES
    assert samples_at(planted.store, address, [1]) is not None
    file.write_bytes(file.read_bytes()[:5])
    assert samples_at(planted.store, address, [1]) is None


@pytest.mark.parametrize("shape", [(3,), (3, 4, 4), (3, 2, 4, 4), (2, 1, 4, 4), (3, 1, 0, 4)])
def test_samples_that_are_no_images_count_as_not_there(planted: Planted, shape: tuple[int, ...]) -> None:
    record = cells(seeds=[0])[0]
    assert record.protocol is not None
    record.protocol.classes, record.forget = CLASSES, "1"
    planted.add(record, {"forget": [1, 0, None]})
    assert first_samples([record], planted.store)
    file = planted.store.root / "images" / record.stages["samples"][:32] / IMAGES
    save_file({"forget": np.zeros(shape, np.uint8)}, file)
    assert not first_samples([record], planted.store)
    if shape[0] == 3:
        assert samples_at(planted.store, record.stages["samples"], [0, 1]) is None
