"""Rows, their order, and what is refused."""

from __future__ import annotations

import math

import pytest

from vdu_bench.errors import UserError
from vdu_bench.measured import Estimate, MetricResult
from vdu_bench.records import Record
from vdu_bench.reports.tables.frames import render_long
from vdu_bench.reports.tables.leaderboard import leaderboards
from vdu_bench.reports.tables.text import cell, header, interval_text, value_text


def the_board(records):
    (board,) = leaderboards(records)
    return board


def test_references_come_first_then_the_best_pul(make_records, make_record):
    records = [*make_records(("digits_1",)), make_record("boom", status="diverged")]
    records += [make_record("elsewhere", role="external")]
    rows = the_board(reversed(records)).rows
    assert [row.method for row in rows[:2]] == ["retrain", "original"]
    pul = [row.estimates["pul"].value for row in rows[2:-1]]
    assert pul == sorted(pul, reverse=True)
    assert {row.method for row in rows[2:-1]} == {"vdu", "esd", "finetune", "gradient_ascent", "elsewhere"}
    assert rows[-1].method == "boom"


def test_a_board_for_each_task(make_records):
    assert [board.task for board in leaderboards(make_records())] == ["digits_1", "digits_8"]


def test_values_are_those_over_seeds(make_records):
    records = make_records(("digits_1",))
    row = next(row for row in the_board(records).rows if row.method == "vdu")
    assert row.seeds == (0, 1, 2)
    values = [r.metrics["pul"].estimate.value for r in records if r.method == "vdu"]
    assert list(row.by_seed["pul"]) == values
    assert row.estimates["pul"].value == pytest.approx(sum(values) / 3)


def test_one_seed_keeps_its_own_interval(make_record):
    record = make_record()
    assert the_board([record]).rows[0].estimates["pul"] == record.metrics["pul"].estimate


def test_column_order(make_record):
    record = make_record()
    theirs = MetricResult(label="zeal", unit="", better="higher", group="quality", gate="scatter", estimate=Estimate())
    shuffled = dict(reversed(list(record.metrics.items()))) | {"zeal": theirs}
    board = the_board([record.model_copy(update={"metrics": shuffled})])
    assert [column.name for column in board.columns] == [
        "pul",
        "pul_range",
        "concept_rate",
        "fd_judge",
        "junk_rate",
        "class_shift",
        "zeal",
        "nfe_forward",
        "nfe_backward",
        "training_images",
        "unlearn_seconds",
        "unlearn_peak_memory",
        "sampling_throughput",
    ]


def test_one_diverged_seed_leaves_no_number(make_record):
    board = the_board([make_record(seed=0), make_record(seed=1, status="diverged")])
    assert board.rows[0].status == "diverged"
    assert all(math.isnan(estimate.value) for estimate in board.rows[0].estimates.values())
    assert {cell(board.rows[0], column) for column in board.columns} == {("diverged", "")}
    assert "vdu, seed 1: diverged: the loss is not finite at step 7" in board.notes


def test_a_failed_cell_without_a_protocol_is_let_through(make_record):
    board = the_board([make_record(), make_record("esd", status="failed")])
    assert [row.status for row in board.rows] == ["ok", "failed"]


def test_a_number_that_cannot_be_made_is_explained(make_record):
    record = make_record()
    record.metrics["pul_range"].estimate = Estimate(reason="the judge never saw one")
    board = the_board([record])
    column = next(column for column in board.columns if column.name == "pul_range")
    assert cell(board.rows[0], column) == ("n/a", "")
    assert "vdu: no pul_range: the judge never saw one" in board.notes


def test_a_metric_that_one_seed_lacks_is_not_a_mean_over_the_others(make_record):
    records = [make_record(method, seed=seed) for method in ("esd", "vdu") for seed in (0, 1)]
    del records[1].metrics["fd_judge"]
    rows = {row.method: row.estimates["fd_judge"].value for row in the_board(records).rows}
    assert {method: math.isnan(value) for method, value in rows.items()} == {"esd": True, "vdu": False}


def test_a_metric_that_a_method_lacks_is_a_dash(make_record):
    records = [make_record("esd"), make_record("vdu")]
    del records[1].metrics["fd_judge"]
    board = the_board(records)
    column = next(column for column in board.columns if column.name == "fd_judge")
    assert {row.method: cell(row, column)[0] == "-" for row in board.rows} == {"esd": False, "vdu": True}


@pytest.mark.parametrize(
    ("field", "value"),
    [("scale", "full"), ("samples", 500), ("sampler", {"name": "ddim"}), ("judge_digest", "cd" * 32)],
)
def test_unlike_protocols_are_refused(make_record, field, value):
    other = make_record("esd")
    other.protocol = other.protocol.model_copy(update={field: value})
    with pytest.raises(UserError, match=rf"(?s){field}.*digits_1/\w+/seed0.*digits_1/\w+/seed0") as caught:
        leaderboards([make_record(), make_record("retrain"), other])
    assert "digits_1/esd/seed0" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_tasks_may_be_measured_otherwise_but_not_by_another_protocol(make_record):
    other = make_record(task="digits_8")
    other.protocol = other.protocol.model_copy(update={"samples": 500})
    assert len(leaderboards([make_record(), other])) == 2
    other.protocol = other.protocol.model_copy(update={"version": 9})
    words = r"several protocols.*protocol 1 in digits_1/vdu/seed0.*protocol 9 in digits_8/vdu/seed0"
    for table in (leaderboards, lambda records: render_long(records, "csv")):
        with pytest.raises(UserError, match=words) as caught:
            table([make_record(), other])
        assert "\n" not in str(caught.value)


def test_seeds_of_unlike_settings_are_not_averaged(make_record):
    other = make_record(seed=1)
    other.settings = {"steps": 99}
    with pytest.raises(UserError, match="settings"):
        leaderboards([make_record(), other])


def test_a_seed_that_comes_twice_is_refused(make_record):
    with pytest.raises(UserError, match="digits_1/vdu/seed0"):
        leaderboards([make_record(), make_record()])


@pytest.mark.parametrize(
    ("estimate", "unit", "value", "interval"),
    [
        (Estimate(value=63.14, low=60.2, high=65.77), "%", "63.1", "[60.2, 65.8]"),
        (Estimate(value=100.0, low=99.81, high=100.0), "%", "100.0", "[99.8, 100.0]"),
        (Estimate(value=-0.01), "%", "0.0", ""),
        (Estimate(value=0.08412, low=0.051, high=0.12), "", "0.084", "[0.051, 0.120]"),
        (Estimate(value=1843.2, low=1790, high=1900), "", "1,843", "[1,790, 1,900]"),
        (Estimate(value=0.389, low=0.0, high=32593.2), "", "0.4", "[0.0, 32,593.2]"),
        (Estimate(value=204800.0, low=204800.0, high=204800.0), "evaluations", "204,800", ""),
        (Estimate(value=2.6), "s", "2.60", ""),
        (Estimate(value=0.0), "s", "0", ""),
        (Estimate(reason="no"), "s", "n/a", ""),
    ],
)
def test_digits(estimate, unit, value, interval):
    assert (value_text(estimate, unit), interval_text(estimate, unit)) == (value, interval)


def test_headers_carry_unit_and_direction(make_record):
    headers = {column.name: header(column) for column in the_board([make_record()]).columns}
    assert headers["pul"] == "PUL (%) ↑"
    assert headers["fd_judge"] == "fd_judge_2000 ↓"
    assert headers["training_images"] == "training images ↓"
    assert headers["nfe_forward"] == "NFE forward (evaluations) ↓"


def test_a_title_gives_way_to_a_label_that_says_more_and_to_another_metric_s(make_record):
    record = make_record()
    titled = {"fd_judge": "FD", "concept_rate": "PUL"}
    for name, title in titled.items():
        record.metrics[name] = record.metrics[name].model_copy(update={"title": title})
    shown = {column.name: column.shown for column in the_board([record]).columns}
    assert [shown[name] for name in ("fd_judge", "concept_rate", "pul")] == ["fd_judge_2000", "concept_rate", "pul"]


def test_what_is_not_known_of_an_external_checkpoint_is_no_number(make_record):
    record = make_record("elsewhere", role="external")
    why = "not known: the model was unlearned elsewhere"
    unknown = ("nfe_forward", "nfe_backward", "training_images")
    for name in unknown:
        record.metrics[name].estimate = Estimate(reason=why)
    record.ledger, record.regime = None, "unknown"
    board = the_board([make_record(), Record.model_validate_json(record.to_json())])
    (row,) = [row for row in board.rows if row.role == "external"]
    texts = {column.name: cell(row, column) for column in board.columns}
    assert {texts[name] for name in unknown} == {("n/a", "")}
    assert f"elsewhere: no NFE forward, NFE backward, training images: {why}" in board.notes
