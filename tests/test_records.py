from __future__ import annotations

import gzip
import json
import math
import os
from pathlib import Path

import pytest
from cells import cells, write

from vdu_bench.errors import UserError
from vdu_bench.measured import Estimate, MetricResult
from vdu_bench.packed import PACKED, pack
from vdu_bench.record_files import run_files
from vdu_bench.records import SCHEMA_VERSION, Record, Timings, read_record, read_records

OLD = json.loads((Path(__file__).parent / "old_records" / "schema_1.json").read_text())


def made_up() -> Record:
    """``digits_1/esd/seed0``."""
    return next(record for record in cells(seeds=[0]) if record.method == "esd")


def test_nan_is_null_in_json_and_nan_again() -> None:
    assert json.loads(Timings().model_dump_json())["unlearn_seconds"] is None
    estimate = Estimate(reason="there was nothing")
    text = estimate.model_dump_json()
    again = Estimate.model_validate_json(text)
    assert math.isnan(again.value)
    assert again.reason == "there was nothing"


def test_a_record_is_the_same_after_writing_and_reading() -> None:
    record = made_up()
    assert Record.model_validate_json(record.to_json()).to_json() == record.to_json()
    assert record.schema_version == SCHEMA_VERSION


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": "fine"}, "status"),
        ({"extra": 1}, "extra"),
        ({"seeds": {"train": 0, "unlearn": 0}}, "seeds.sample"),
        ({"outcomes": {"forget": {"n": 9, "bits": "00"}}}, "outcomes.forget: .* 1 bytes do not hold"),
        ({"metrics": {"pul": {"tolerance": "two"}}}, "metrics.pul"),
        ({"schema_version": 5}, "of schema 5, and this version of the suite reads up to 4"),
    ],
)
def test_what_is_no_record_is_named_with_its_key(tmp_path: Path, change: dict, words: str) -> None:
    plain = json.loads(made_up().to_json()) | change
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


def test_a_file_in_place_of_a_folder_is_told_whose_it_is(tmp_path: Path) -> None:
    write([made_up()], tmp_path)
    (tmp_path / PACKED).write_bytes(pack([made_up().to_json()]))
    for file in (tmp_path / "records/digits_1/esd/seed0.json", tmp_path / PACKED):
        with pytest.raises(UserError, match=f"is a file: name its folder, {tmp_path}$"):
            read_records(file)


def test_linked_folders_are_read_and_loops_end(tmp_path: Path) -> None:
    records = cells(seeds=[0])
    write([record for record in records if record.method != "esd"], tmp_path / "here")
    write([record for record in records if record.method == "esd"], tmp_path / "there")
    here = tmp_path / "here/records/digits_1"
    (here / "esd").symlink_to(tmp_path / "there/records/digits_1/esd", target_is_directory=True)
    (here / "loop").symlink_to(tmp_path / "here", target_is_directory=True)
    assert {record.method for record in read_records(tmp_path / "here")} == {record.method for record in records}
    (tmp_path / "linked").symlink_to(tmp_path / "here", target_is_directory=True)
    assert len(read_records(tmp_path / "linked")) == len(records)


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write([made_up()], tmp_path)
    own = os.scandir

    def forbidden(place: str) -> object:
        if Path(place).name == "esd":
            raise PermissionError(13, "Permission denied", str(place))
        return own(place)

    monkeypatch.setattr(os, "scandir", forbidden)
    with pytest.raises(UserError, match="cannot read .*digits_1/esd: Permission denied"):
        read_records(tmp_path)


def test_older_records_are_of_the_whole_forget_set_and_variants_sort_by_their_number() -> None:
    record = made_up()
    assert (record.forget_images, record.variant) == (None, record.task)
    few, many = (record.model_copy(update={"forget_images": images}) for images in (5, 25))
    assert few.cell_name == "digits_1-forget5/esd/seed0"
    assert sorted([record, many, few], key=lambda one: one.order) == [few, many, record]


def test_two_files_with_the_same_cell_are_both_named(tmp_path: Path) -> None:
    text = made_up().to_json()
    files = [tmp_path / part / "seed0.json" for part in ("a", "b")]
    for file in files:
        file.parent.mkdir()
        file.write_text(text)
    assert len(read_records(tmp_path)) == 1, "a copy is no contradiction"
    assert len(read_records(*(file.parent for file in files))) == 1
    files[1].write_text(text.replace('"status": "ok"', '"status": "failed"'))
    with pytest.raises(UserError, match="the same cell, digits_1/esd/seed0: name the folder of one of them") as caught:
        read_records(tmp_path)
    assert all(str(file) in str(caught.value) for file in files)


def test_what_says_nothing_is_not_written() -> None:
    facts = {"label": "mine", "unit": "", "better": "lower", "group": "quality", "gate": "scatter"}
    plain = json.loads(MetricResult(**facts, estimate=Estimate(value=0.0, n=3)).model_dump_json())
    assert plain == {**facts, "estimate": {"value": 0.0, "n": 3}}


def test_a_record_of_schema_1_is_read_with_what_later_ones_add(tmp_path: Path) -> None:
    record = read_plain(tmp_path, OLD)
    assert record.schema_version == SCHEMA_VERSION
    assert record.outcomes["forget"].n == record.protocol.samples
    assert record.outcomes["junk"].n == 2 * record.protocol.samples
    for name in ("forget_rate", "junk_rate"):
        result = record.metrics[name]
        assert result.estimate.value == pytest.approx(100 * record.outcomes[result.counts].flags.mean())
    assert (record.timings.nfe_forward, record.timings.nfe_backward) == (2560, 1280)


def test_a_metric_of_schema_1_that_was_not_ours_is_gated_as_it_was(tmp_path: Path) -> None:
    theirs = {"label": "mine", "unit": "", "better": "lower", "estimate": {"value": 3.0}}
    record = read_plain(tmp_path, {**OLD, "metrics": {**OLD["metrics"], "mine": theirs}})
    found = record.metrics["mine"]
    assert (found.group, found.gate, found.tolerance, found.headline) == ("quality", "scatter", "10%", False)


@pytest.mark.parametrize("broken", [{"metrics": [1]}, {"metrics": {"pul": 1}}, {"outcomes": 1}, {"protocol": 1}])
def test_a_malformed_record_of_schema_1_is_named_as_any_other(tmp_path: Path, broken: dict) -> None:
    with pytest.raises(UserError, match=f"seed0.json is not a record of schema {SCHEMA_VERSION}: {next(iter(broken))}"):
        read_plain(tmp_path, {**OLD, **broken})


@pytest.mark.parametrize("content", ["", "[]", "{", "7"])
def test_what_is_no_record_at_all_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "seed0.json"
    file.write_text(content)
    with pytest.raises(UserError, match=f"{file} is not a record of schema {SCHEMA_VERSION}"):
        read_record(file)


def read_plain(folder: Path, plain: dict) -> Record:
    file = folder / "seed0.json"
    file.write_text(json.dumps(plain))
    return read_record(file)


def test_a_packed_file_is_read_beside_loose_ones_and_twice_the_same_cell_is_named(tmp_path: Path) -> None:
    records = cells()
    loose = tmp_path / "records" / "seed0.json"
    loose.parent.mkdir()
    loose.write_text(records[0].to_json())
    (tmp_path / PACKED).write_bytes(pack(record.to_json() for record in records[1:]))
    assert sorted(one.to_json() for one in read_records(tmp_path)) == sorted(one.to_json() for one in records)
    assert set(run_files(tmp_path)) == {loose, tmp_path / PACKED}
    records[1].metrics["pul"].estimate.value = -1.0
    loose.write_text(records[1].to_json())
    with pytest.raises(UserError, match=rf"seed0.json and .*{PACKED}/digits_1/.* are records of the same cell"):
        read_records(tmp_path)


def test_packed_files_of_folders_below_are_not_a_run_s_own(tmp_path: Path) -> None:
    below = tmp_path / "reference"
    below.mkdir()
    (below / PACKED).write_bytes(pack([made_up().to_json()]))
    assert len(read_records(tmp_path)) == 1
    (tmp_path / "records").mkdir()
    with pytest.raises(UserError, match="no records"):
        read_records(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"not compressed", "cannot read"),
        (pack(["{}"])[:-6], "cannot read"),
        (pack([json.dumps({"schema_version": 99})]), "line 1 is of schema 99"),
        (pack(["{}"]), "line 1 is not a record"),
    ],
    ids=["plain", "cut", "newer", "other"],
)
def test_a_packed_file_that_is_none_is_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / PACKED).write_bytes(content)
    with pytest.raises(UserError, match=words):
        read_records(tmp_path)


def test_one_record_of_a_packed_file_is_read_by_its_name(tmp_path: Path) -> None:
    records = cells()
    place = tmp_path / PACKED
    place.write_bytes(pack(record.to_json() for record in records))
    found = read_record(place / "digits_1" / "vdu" / "seed1.json")
    assert (found.method, found.seeds.sample) == ("vdu", 1)
    with pytest.raises(UserError, match=rf"{PACKED} has no record digits_1/mine/seed1.json; it has digits_1/.* 9 more"):
        read_record(place / "digits_1" / "mine" / "seed1.json")


@pytest.mark.parametrize(
    "change",
    [
        {"task": "../../evil"},
        {"task": "/tmp/evil"},
        {"task": ".."},
        {"task": "a\\b"},
        {"task": ""},
        {"task": "t" * 101},
        {"method": "../../../evil"},
        {"method": "vdu\n"},
        {"method": "vdu\x1b[2J"},
        {"called": "../x"},
        {"stages": {"samples": "../../secret"}},
        {"metrics": {"../pul": {}}},
        {"matrices": {"../pul": {}}},
    ],
    ids=str,
)
def test_no_name_of_a_record_leads_out_of_its_folder(tmp_path: Path, change: dict) -> None:
    plain = json.loads(made_up().to_json()) | change
    file = tmp_path / "seed0.json"
    for place, content in ((file, json.dumps(plain).encode()), (tmp_path / PACKED, pack([json.dumps(plain)]))):
        place.write_bytes(content)
        with pytest.raises(UserError, match="it is a part of file names") as caught:
            read_records(tmp_path)
        assert str(caught.value).isprintable()
        place.unlink()


def test_what_a_command_changed_leads_nowhere_either() -> None:
    plain = json.loads(made_up().to_json())
    for name in ("../../evil", "a\nb", "\x1b[2J", "a\\..\\b"):
        record = Record.model_validate(plain | {"task_changes": {name: 1}, "method_changes": {name: 1}})
        assert record.cell_name.count("/") == 2
        assert record.cell_name.isprintable()
        assert ".." not in record.cell_name
    names = {"task": "digits-1+a=2", "method": "esd[gamma=0.3, x]", "called": "my name.2"}
    assert Record.model_validate(plain | names).cell_name == "digits-1+a=2/esd[gamma=0.3, x]+my name.2/seed0"


def test_control_signs_do_not_reach_a_terminal(tmp_path: Path) -> None:
    plain = json.loads(made_up().to_json())
    bad = "a\x1b[2J\x9b\x7f\u202eb\tc"
    plain |= {"forget": bad, "warnings": [bad, "plain é \\b"], "environment": {bad: {"x": [bad]}}}
    for text in (json.dumps(plain), json.dumps(plain, ensure_ascii=False)):
        (tmp_path / "seed0.json").write_text(text)
        (tmp_path / "packed").mkdir(exist_ok=True)
        (tmp_path / "packed" / PACKED).write_bytes(pack([text]))
        for folder in (tmp_path / "packed", tmp_path):
            (record,) = read_records(folder)
            clean = "a?[2J???b\tc"
            assert record.forget == clean
            assert record.warnings == [clean, "plain é \\b"]
            assert record.environment == {clean: {"x": [clean]}}


@pytest.mark.parametrize("content", [b"", gzip.compress(b"", mtime=0), gzip.compress(b"\n \n\n", mtime=0)])
def test_an_empty_packed_file_is_no_folder_of_records(tmp_path: Path, content: bytes) -> None:
    (tmp_path / PACKED).write_bytes(content)
    for name in (PACKED, f"{PACKED}/digits_1/esd/seed0.json"):
        with pytest.raises(UserError, match=rf"no records under .*{PACKED}: the file is empty"):
            read_records(tmp_path) if name == PACKED else read_record(tmp_path / name)


def test_folders_for_records_without_any_have_none(tmp_path: Path) -> None:
    (tmp_path / "records" / "digits_1" / "esd").mkdir(parents=True)
    with pytest.raises(UserError, match="no records under"):
        read_records(tmp_path)


def test_a_text_may_have_signs_that_end_a_line_elsewhere(tmp_path: Path) -> None:
    record = made_up().model_copy(update={"warnings": ["one\u2028two\x85three"]})
    (tmp_path / PACKED).write_bytes(pack([record.to_json()]))
    assert read_records(tmp_path)[0].warnings == ["one\u2028two?three"]


def test_who_names_a_packed_file_or_a_record_as_if_it_lay_beside_it_is_told_how(tmp_path: Path) -> None:
    place = tmp_path / PACKED
    place.write_bytes(pack([made_up().to_json()]))
    how = rf"name one of the records in .*{PACKED}, such as .*{PACKED}/digits_1/esd/seed0.json"
    with pytest.raises(UserError, match=f"is no record, but many: {how}"):
        read_record(place)
    with pytest.raises(UserError, match=f"cannot read .*: No such file or directory; {how}"):
        read_record(tmp_path / "records/digits_1/vdu/seed0.json")
    with pytest.raises(UserError, match="No such file or directory$"):
        read_record(tmp_path.parent / "nope.json")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
@pytest.mark.parametrize("kind", ["pipe", "device"])
@pytest.mark.parametrize("name", ["records/t/m/seed0.json", PACKED])
def test_only_files_are_read(tmp_path: Path, kind: str, name: str) -> None:
    """A pipe would wait for ever, and a device for zeros has no end."""
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(file) if kind == "pipe" else file.symlink_to("/dev/zero")
    with pytest.raises(UserError, match="no regular file"):
        read_records(tmp_path)


def test_packed_records_have_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vdu_bench.packed.MOST", 5000)
    (tmp_path / PACKED).write_bytes(gzip.compress(b" " * 5001))
    with pytest.raises(UserError, match="unpacks to more than 5,000 bytes"):
        read_records(tmp_path)


@pytest.mark.parametrize("before", [[[1.0]], [[1.0, 2.0], [3.0]], [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]])
def test_a_table_with_other_rows_than_it_names_is_no_record(tmp_path: Path, before: list[list[float]]) -> None:
    plain = json.loads(made_up().to_json())
    table = {"rows": ["a", "b"], "columns": ["c", "d"], "unit": "%", "after": [[1, 2], [3, 4]]}
    plain["matrices"] = {"interference": table | {"before": [[1, 2], [3, 4]]}}
    read_plain(tmp_path, plain)
    plain["matrices"] = {"interference": table | {"before": before}}
    with pytest.raises(UserError, match="matrices.interference: .*not 2 rows of 2"):
        read_plain(tmp_path, plain)
