from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from vdu_bench.errors import UserError
from vdu_bench.records import SCHEMA_VERSION, Estimate, Record, read_record, read_records

REFERENCE = Path(__file__).parent.parent / "results" / "reference"


def test_nan_is_null_in_json_and_nan_again() -> None:
    estimate = Estimate(reason="there was nothing")
    text = estimate.model_dump_json()
    assert json.loads(text)["value"] is None
    again = Estimate.model_validate_json(text)
    assert math.isnan(again.value)
    assert again.reason == "there was nothing"


def test_a_record_is_the_same_after_writing_and_reading() -> None:
    record = read_records(REFERENCE)[0]
    assert Record.model_validate_json(record.to_json()).to_json() == record.to_json()
    assert record.schema_version == SCHEMA_VERSION


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": "fine"}, "status"),
        ({"extra": 1}, "extra"),
        ({"seeds": {"train": 0, "unlearn": 0}}, "seeds.sample"),
    ],
)
def test_what_is_no_record_is_named_with_its_key(tmp_path: Path, change: dict, words: str) -> None:
    plain = json.loads(read_records(REFERENCE)[0].to_json()) | change
    file = tmp_path / "seed0.json"
    file.write_text(json.dumps(plain))
    with pytest.raises(UserError, match=words) as caught:
        read_record(file)
    assert str(file) in str(caught.value)


def test_folders_without_records_are_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no records under"):
        read_records(tmp_path)
    with pytest.raises(UserError, match="not a folder of records"):
        read_records(tmp_path / "nowhere")
    with pytest.raises(UserError, match="cannot read"):
        read_record(tmp_path / "seed0.json")


def test_older_records_are_of_the_whole_forget_set_and_variants_sort_by_their_number() -> None:
    record = read_records(REFERENCE)[0]
    assert (record.forget_images, record.variant) == (None, record.task)
    few, many = (record.model_copy(update={"forget_images": images}) for images in (5, 25))
    assert few.cell_name == "digits_1-forget5/esd/seed0"
    assert sorted([record, many, few], key=lambda one: one.order) == [few, many, record]


def test_two_files_with_the_same_cell_are_both_named(tmp_path: Path) -> None:
    text = read_records(REFERENCE)[0].to_json()
    files = [tmp_path / part / "seed0.json" for part in ("a", "b")]
    for file in files:
        file.parent.mkdir()
        file.write_text(text)
    with pytest.raises(UserError, match="the same cell, digits_1/esd/seed0: name the folder of one of them") as caught:
        read_records(tmp_path)
    assert all(str(file) in str(caught.value) for file in files)
