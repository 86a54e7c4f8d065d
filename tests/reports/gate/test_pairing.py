from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cells import cells, write

from vdu_bench.errors import UserError
from vdu_bench.records import Record, read_record
from vdu_bench.reports.gate.pairing import pair_cells, read_both
from vdu_bench.reports.gate.verdicts import compare

OLD_RECORD = Path(__file__).parents[2] / "old_records" / "schema_1.json"


def test_all_cells_pair_and_nothing_is_said() -> None:
    pairs, notices = pair_cells(cells(), cells())
    assert len(pairs) == 12
    assert notices == []


def test_a_reference_that_was_drawn_in_other_batches_compares() -> None:
    new = cells()
    for record in new:
        assert record.protocol is not None
        record.protocol.sampler["batch_size"] = 16
    pairs, notices = pair_cells(cells(), new)
    assert len(pairs) == 12
    assert notices == []


def test_one_of_another_arithmetic_does_not() -> None:
    new = cells()
    for record in new:
        assert record.protocol is not None
        record.protocol.dtype = "tf32"
    with pytest.raises(UserError, match='dtype is "tf32", in the reference "float32"'):
        pair_cells(cells(), new)


def test_an_old_record_is_of_float32() -> None:
    record = read_record(OLD_RECORD)
    assert record.protocol is not None
    assert record.protocol.dtype == "float32"


def test_one_seed_of_three_is_no_loss() -> None:
    pairs, notices = pair_cells(cells(), cells(seeds=[1]))
    assert {pair.new.seeds.sample for pair in pairs} == {1}
    assert [(notice.kind, notice.worse) for notice in notices] == [("seeds", False)]
    assert notices[0].text == "compared over seed 1 of the reference's 0-2"


@pytest.mark.parametrize("allowed", [False, True])
def test_a_missing_cell_is_named(allowed: bool) -> None:
    new = [record for record in cells() if (record.method, record.seeds.sample) not in (("vdu", 0), ("vdu", 2))]
    _, (notice,) = pair_cells(cells(), new, allow_missing=allowed)
    assert (notice.where, notice.kind, notice.worse) == ("digits_1/vdu", "missing", not allowed)
    assert notice.text == "not in the new records: seeds 0, 2"


@pytest.mark.parametrize("allowed", [False, True])
def test_a_missing_task_is_named(allowed: bool) -> None:
    _, (notice,) = pair_cells([*cells(), *cells(task="digits_8")], cells(), allow_missing=allowed)
    assert (notice.where, notice.worse) == ("digits_8", not allowed)


def test_extra_cells_are_no_loss() -> None:
    reference = [record for record in cells() if record.method != "esd"]
    _, (notice,) = pair_cells(reference, cells())
    assert (notice.where, notice.kind, notice.worse) == ("digits_1/esd", "extra", False)


@pytest.mark.parametrize(
    ("before", "after", "worse"),
    [
        ("ok", "diverged", True),
        ("failed", "ok", False),
        ("diverged", "failed", True),
        ("failed", "diverged", False),
    ],
)
def test_a_changed_status(before: str, after: str, worse: bool) -> None:
    sides = []
    for status in (before, after):
        records = cells()
        if status != "ok":
            records[-1] = records[-1].model_copy(
                update={"status": status, "reason": "NaN\nat step 7", "metrics": {}, "protocol": None}
            )
        sides.append(records)
    _, (notice,) = pair_cells(*sides)
    assert (notice.where, notice.kind, notice.worse) == ("digits_1/esd/seed2", "status", worse)
    assert notice.text.startswith(f"{before} before, {after} now")
    assert "\n" not in notice.text


def test_changed_settings_are_said_once() -> None:
    new = cells()
    for record in new:
        if record.method == "vdu":
            record.settings = {"steps": 60}
    _, (notice,) = pair_cells(cells(), new)
    assert (notice.where, notice.text, notice.worse) == ("digits_1/vdu", "settings changed: steps 40 -> 60", False)


FACTS: dict[str, Callable[[Record], object]] = {
    "scale": lambda record: setattr(record.protocol, "scale", "full"),
    "sampler.steps": lambda record: record.protocol.sampler.update(steps=50),
    "sampler.order": lambda record: record.protocol.sampler.update(order=3),
    "samples": lambda record: setattr(record.protocol, "samples", 1000),
    "judge_digest": lambda record: setattr(record.protocol, "judge_digest", "cd" * 32),
    "confusion": lambda record: setattr(record.protocol, "confusion", [[1, 0], [0, 1]]),
    "regime": lambda record: setattr(record, "regime", "forget_only"),
    "seeds.train": lambda record: setattr(record.seeds, "train", 9),
    "stages.base": lambda record: record.stages.update(base="cd" * 32),
    "digests.base": lambda record: record.digests.update(base="cd" * 32),
    "fd_judge.label": lambda record: setattr(record.metrics["fd_judge"], "label", "fd_judge_500"),
}


@pytest.mark.parametrize("field", FACTS)
def test_unlike_records_do_not_compare(field: str) -> None:
    new = cells()
    for record in new:
        FACTS[field](record)
    with pytest.raises(UserError, match=f"does not compare with the reference: {field} is") as mistake:
        pair_cells(cells(), new)
    assert "\n" not in str(mistake.value)


def of_protocol(version: int, records: list[Record]) -> list[Record]:
    for record in records:
        assert record.protocol is not None
        record.protocol.version = version
    return records


def test_another_protocol_is_refused_with_a_way_out() -> None:
    words = r"these records are of protocol 2, the reference of protocol 1, .* bless --prune"
    with pytest.raises(UserError, match=words) as mistake:
        pair_cells(of_protocol(1, cells()), of_protocol(2, cells()))
    assert "\n" not in str(mistake.value)
    # Even where no cell is the same, since that is the lesser reason.
    with pytest.raises(UserError, match=words):
        pair_cells(of_protocol(1, cells(seeds=[0])), of_protocol(2, cells(seeds=[1])))


def test_a_reference_of_an_older_schema_is_of_protocol_1() -> None:
    new = read_record(OLD_RECORD)
    assert new.protocol is not None
    new.protocol.version = 2
    with pytest.raises(UserError, match="the reference of protocol 1"):
        pair_cells([read_record(OLD_RECORD)], [new])


def test_a_mix_of_protocols_is_no_reference() -> None:
    mix = [*of_protocol(1, cells(task="digits_8")), *of_protocol(2, cells())]
    with pytest.raises(UserError, match=r"several protocols.*protocol 1 in digits_8.*protocol 2 in digits_1"):
        pair_cells(mix, of_protocol(2, cells()))


def test_another_retrained_model_is_named() -> None:
    sides = [cells(), cells()]
    for records, address in zip(sides, ("ab" * 32, "cd" * 32), strict=True):
        for record in records:
            if record.method == "retrain":
                record.stages["retrain"] = address
    with pytest.raises(UserError, match=r"digits_1/retrain/seed0 does not .*: stages.retrain is .cd.*reference .ab"):
        pair_cells(*sides)


def test_what_older_records_do_not_say_contradicts_nothing() -> None:
    old = cells()
    for record in old:
        record.stages, record.digests, record.environment = {}, {}, {}
    assert pair_cells(old, cells())[1] == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"packages": {"torch": "3.0.0"}}, "made with torch 3.0.0 on cpu, the reference with torch 2.9.1 on cpu"),
        ({"device": "cuda:0", "device_name": "H100"}, "made with torch 2.9.1 on cuda:0 (H100), the reference with"),
    ],
)
def test_another_torch_or_device_is_said_once_and_is_no_loss(change: dict, words: str) -> None:
    new = cells()
    for record in new:
        record.environment.update(change)
    _, (notice,) = pair_cells(cells(), new)
    assert (notice.where, notice.kind, notice.worse) == ("digits_1", "environment", False)
    assert notice.text.startswith(words)


def test_a_metric_of_one_side_does_not_forbid_the_comparison() -> None:
    new = cells()
    for record in new:
        record.metrics["new_metric"] = record.metrics["fd_judge"]
    assert len(pair_cells(cells(), new)[0]) == 12


def test_nothing_in_common_is_an_error() -> None:
    with pytest.raises(UserError, match="no cell"):
        pair_cells(cells(seeds=[0]), cells(seeds=[1]))


def test_a_reference_inside_the_results_is_not_read_twice(tmp_path: Path) -> None:
    write(cells(), tmp_path / "reference")
    write(cells(seeds=[0]), tmp_path)
    old, new = read_both(tmp_path / "reference", tmp_path)
    assert (len(old), len(new)) == (12, 4)
    new, old = read_both(tmp_path, tmp_path / "reference")
    assert (len(old), len(new)) == (12, 4)


def test_a_folder_is_not_compared_with_itself(tmp_path: Path) -> None:
    write(cells(), tmp_path)
    with pytest.raises(UserError, match="the same folder"):
        read_both(tmp_path, tmp_path / "." / "records" / "..")


def test_cells_with_other_forget_images_are_no_pairs() -> None:
    limited = cells()
    for record in limited:
        record.forget_images = 25
    with pytest.raises(UserError, match="no cell"):
        pair_cells(cells(), limited)
    pairs, notices = pair_cells([*cells(), *limited], [*cells(), *limited])
    assert len(pairs) == 24
    assert notices == []
    assert {pair.new.variant for pair in pairs if pair.new.forget_images} == {"digits_1-forget25"}


@pytest.mark.parametrize("allowed", [True, False])
def test_attacks_that_only_the_reference_was_put_under_are_said_once(allowed: bool) -> None:
    reference, new = cells(), cells()
    for record in reference:
        facts = record.metrics["pul"].model_copy(update={"group": "robustness", "covered_by": ""})
        record.metrics["relearn_rate"] = facts
        record.probes["relearn"] = {"evaluations": 1}
    found = compare(reference, new, allow_missing=allowed)
    (notice,) = [one for one in found.notices if "relearn" in one.text]
    assert (notice.where, notice.kind, notice.worse) == ("digits_1", "missing", not allowed)
    assert found.passed == allowed
    assert not [verdict for verdict in found.verdicts if verdict.metric == "relearn_rate"]
    # Nobody says why it is gone where its attack was run.
    for record in new:
        record.probes["relearn"] = {"evaluations": 1}
    assert not compare(reference, new, allow_missing=True).passed


def test_what_an_attack_showed_is_lost_though_another_was_not_run() -> None:
    """Nobody asked for the other one again; but this one was run, and its numbers are gone."""
    reference, new = cells(), cells()
    for record in reference:
        facts = record.metrics["pul"].model_copy(update={"group": "robustness", "covered_by": ""})
        record.metrics |= {"relearn_rate": facts, "resample_rate": facts, "gap_fd": facts}
        record.probes |= {"relearn": {"evaluations": 1}, "resample": {"evaluations": 1}}
    for record in new:
        record.probes["relearn"] = {"evaluations": 1}
    found = compare(reference, new, allow_missing=True)
    lost = {one.text.split()[1] for one in found.notices if one.text.startswith("no ")}
    assert lost == {"relearn_rate", "gap_fd"}
    assert not found.passed


@pytest.mark.parametrize("run", [True, False])
def test_a_plug_in_s_attack_is_known_by_what_its_metric_reads(run: bool) -> None:
    """Nobody has it installed who compares records alone."""
    reference, new = cells(), cells()
    for record in reference:
        facts = record.metrics["pul"].model_copy(
            update={"group": "robustness", "covered_by": "", "probe": "my_attack", "counts": ""}
        )
        record.metrics["my_attack_rate"] = facts
        record.probes |= {"my_attack": {"evaluations": 1}}
    for record in new:
        record.probes |= {"relearn": {"evaluations": 1}} | ({"my_attack": {"evaluations": 1}} if run else {})
    found = compare(reference, new, allow_missing=True)
    assert found.passed != run
    assert any("my_attack: not run" in one.text for one in found.notices) != run


def test_numbers_that_the_reference_lacks_are_said_not_to_be_gated() -> None:
    reference = cells()
    for record in reference:
        if record.method == "vdu":
            del record.metrics["fd_judge"]
        if record.method == "esd" and record.seeds.sample == 1:
            record.metrics["junk_rate"].estimate.value = float("nan")
    found = compare(reference, cells())
    assert found.passed
    said = [(one.where, one.text) for one in found.notices]
    text = "not gated, since the reference has no number of it"
    assert said == [("digits_1/esd", f"{text}: junk_rate (seed 1)"), ("digits_1/vdu", f"{text}: fd_judge (seeds 0-2)")]
