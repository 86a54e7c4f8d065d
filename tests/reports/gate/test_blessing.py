from __future__ import annotations

from pathlib import Path

import pytest
from cells import cells, write

from vdu_bench.errors import UserError
from vdu_bench.measured import Outcomes
from vdu_bench.packed import PACKED
from vdu_bench.records import Record, read_records
from vdu_bench.reports.gate.blessing import apply_blessing, plan_blessing
from vdu_bench.reports.gate.verdicts import compare


def bless(reference: Path, records: Path, prune: bool = False, packed: bool = False) -> list[str]:
    blessing = plan_blessing(reference, records, prune, packed)
    apply_blessing(blessing)
    return blessing.lines


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def with_settings(records: list[Record], steps: int) -> list[Record]:
    for record in records:
        record.settings = {"steps": steps}
    return records


def test_what_is_blessed_passes_and_the_change_is_said(tmp_path: Path) -> None:
    reference, new = write(cells(), tmp_path / "reference"), write(cells({"vdu": 0.5}), tmp_path / "new")
    (reference / "leaderboard.md").write_text("as it was")
    lines = bless(reference, new)
    assert compare(read_records(reference), read_records(new)).passed
    assert len([line for line in lines if line.startswith("digits_1/vdu/seed0: pul ")]) == 1
    assert not any("esd" in line for line in lines)
    assert lines[-1] == "3 of 12 records written (0 differ in timings or environment alone), 0 others kept"
    assert (reference / "leaderboard.md").read_text() == "as it was"
    assert {name for name in files(reference) if not name.startswith("records/")} == {"leaderboard.md"}


def test_what_was_measured_otherwise_is_said_before_the_numbers(tmp_path: Path) -> None:
    records = cells(seeds=[0])
    old = write(records, tmp_path / "old")
    for record in records:
        assert record.protocol is not None
        record.protocol = record.protocol.model_copy(
            update={"samples": 30, "judge_digest": "b" * 64, "sampler": {**record.protocol.sampler, "steps": 7}}
        )
    lines = [line for line in bless(old, write(records, tmp_path / "new")) if line.startswith("digits_1/vdu/seed0: ")]
    before = cells(seeds=[0])[0].protocol
    assert before is not None
    assert lines == [
        f"digits_1/vdu/seed0: sampler.steps {before.sampler['steps']} -> 7",
        f"digits_1/vdu/seed0: samples {before.samples} -> 30",
        "digits_1/vdu/seed0: judge_digest changed",
    ]


def test_the_first_blessing_makes_the_reference(tmp_path: Path) -> None:
    new = write(cells(), tmp_path / "new")
    assert "digits_1/vdu/seed0: new" in bless(tmp_path / "reference", new)
    assert files(tmp_path / "reference") == files(new)


def test_other_timings_are_written_and_counted(tmp_path: Path) -> None:
    records = cells()
    reference = write(records, tmp_path / "reference")
    records[0].metrics["unlearn_seconds"].estimate.value = records[0].timings.unlearn_seconds = 99.0
    lines = bless(reference, write(records, tmp_path / "new"))
    assert lines == ["1 of 12 records written (1 differ in timings or environment alone), 0 others kept"]


def test_a_rule_that_is_loosened_is_said_though_no_number_moved(tmp_path: Path) -> None:
    reference = write(cells(), tmp_path / "reference")
    new = cells()
    new[0].metrics["pul"].tolerance = "50"
    new[1].metrics["fd_judge"].gate = "never"
    outcomes = new[2].outcomes["forget"]
    new[2].outcomes["forget"] = Outcomes.of(outcomes.flags[::-1])
    new[3].metrics["fd_judge"].estimate.high = 1e6
    lines = bless(reference, write(new, tmp_path / "new"))
    assert lines.pop() == "4 of 12 records written (0 differ in timings or environment alone), 0 others kept"
    assert sorted(lines) == sorted(
        [
            f"{new[0].cell_name}: pul's tolerance 2 -> 50",
            f"{new[1].cell_name}: fd_judge's gate scatter -> never",
            f"{new[2].cell_name}: outcomes changed",
            f"{new[3].cell_name}: fd_judge's interval changed",
        ]
    )


def test_a_record_is_replaced_where_it_lies(tmp_path: Path) -> None:
    write(cells(), tmp_path / "reference")
    (tmp_path / "reference" / "records").rename(tmp_path / "bare")
    bless(tmp_path / "bare", write(cells({"vdu": 0.5}), tmp_path / "new"))
    assert len(files(tmp_path / "bare")) == 12


def test_what_the_new_records_lack_is_kept_unless_pruned(tmp_path: Path) -> None:
    reference, new = write(cells(), tmp_path / "reference"), write(cells(seeds=[0]), tmp_path / "new")
    assert bless(reference, new)[-1].endswith("8 others kept")
    assert len(files(reference)) == 12
    assert "digits_1/vdu/seed1: removed" in bless(reference, new, prune=True)
    assert files(reference) == files(new)


def refused(reference: Path, new: Path, words: str) -> None:
    before = files(reference)
    with pytest.raises(UserError, match=words) as mistake:
        plan_blessing(reference, new)
    assert "\n" not in str(mistake.value)
    assert files(reference) == before


def test_a_mix_that_does_not_compare_is_refused(tmp_path: Path) -> None:
    reference = write(cells(), tmp_path / "reference")
    refused(reference, write(with_settings(cells(seeds=[0]), 60), tmp_path / "new"), r"settings.*--prune")


def test_a_failed_cell_is_refused(tmp_path: Path) -> None:
    records = cells()
    records[3] = records[3].model_copy(update={"status": "failed", "metrics": {}, "protocol": None})
    refused(write(cells(), tmp_path / "reference"), write(records, tmp_path / "new"), "esd/seed0 failed")


def test_what_is_no_record_of_this_schema_is_refused(tmp_path: Path) -> None:
    new = write(cells(), tmp_path / "new")
    (new / "records" / "digits_1" / "vdu" / "seed0.json").write_text("{}")
    refused(write(cells(), tmp_path / "reference"), new, "not a record of schema 4")


def test_a_reference_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write the reference"):
        bless(tmp_path / "file" / "reference", write(cells(), tmp_path / "new"))


def test_a_packed_reference_is_one_file_that_says_the_same_and_stays_packed(tmp_path: Path) -> None:
    reference, new = write(cells(), tmp_path / "reference"), write(cells({"vdu": 0.5}), tmp_path / "new")
    lines = bless(reference, new, packed=True)
    assert lines[-1] == "3 of 12 records written (0 differ in timings or environment alone), 0 others kept"
    assert set(files(reference)) == {PACKED}
    assert [one.to_json() for one in read_records(reference)] == [one.to_json() for one in read_records(new)]
    first = files(reference)
    assert bless(reference, new)[-1].startswith("0 of 12")
    assert files(reference) == first
    some = write([record for record in cells() if record.method == "vdu"], tmp_path / "some")
    assert "0 others" not in bless(reference, some)[-1]
    assert set(files(reference)) == {PACKED}
    assert len(read_records(reference)) == 12
    bless(reference, some, prune=True)
    assert {record.method for record in read_records(reference)} == {"vdu"}


def test_packing_takes_what_is_there_along(tmp_path: Path) -> None:
    reference = write(cells(), tmp_path / "reference")
    some = write([record for record in cells() if record.method == "vdu"], tmp_path / "some")
    bless(reference, some, packed=True)
    assert set(files(reference)) == {PACKED}
    assert len(read_records(reference)) == 12
