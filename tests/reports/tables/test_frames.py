"""Tidy rows."""

from __future__ import annotations

import io
import json
import math

import pandas as pd

from vdu_bench.reports.tables.frames import long_frame, render_long

COLUMNS = [
    *("task", "forget_images", "scale", "method", "seed", "metric"),
    *("value", "low", "high", "n", "unit", "better", "status"),
]


def test_a_row_for_each_record_and_metric(make_records):
    records = make_records()
    frame = long_frame(records)
    assert list(frame.columns) == COLUMNS
    assert len(frame) == sum(len(record.metrics) for record in records) == 2 * 6 * 3 * 12
    row = frame.query("task == 'digits_8' and method == 'vdu' and seed == 2 and metric == 'pul'").iloc[0]
    found = next(r for r in records if r.cell_name == "digits_8/vdu/seed2").metrics["pul"]
    assert (row.value, row.low, row.high, row.n) == (
        found.estimate.value,
        found.estimate.low,
        found.estimate.high,
        found.estimate.n,
    )
    assert (row.unit, row.better, row.status) == ("%", "higher", "ok")


def test_a_cell_without_metrics_keeps_a_row(make_record):
    frame = long_frame([make_record(), make_record("esd", status="diverged"), make_record("esd", 1, status="failed")])
    lost = frame[frame.method == "esd"]
    assert list(lost.status) == ["diverged", "failed"]
    assert list(lost.metric) == ["", ""]
    assert lost.value.isna().all()


def test_no_records_have_the_columns_all_the_same():
    assert list(long_frame([]).columns) == COLUMNS


def test_csv_and_json_hold_the_same_numbers(make_record):
    records = [make_record(), make_record("esd", status="diverged")]
    frame = long_frame(records)
    from_csv = pd.read_csv(io.StringIO(render_long(records, "csv")), keep_default_na=False, na_values=[""])
    assert list(from_csv.columns) == COLUMNS
    pd.testing.assert_series_equal(from_csv.value, frame.value)
    from_json = json.loads(render_long(records, "json"))
    assert from_json[-1]["value"] is None
    for row, value in zip(from_json, frame.value, strict=True):
        assert row["value"] is None or math.isclose(row["value"], value, rel_tol=1e-13, abs_tol=1e-13)
