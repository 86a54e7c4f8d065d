"""Tidy rows of all records, for pandas and for other programs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, Literal

import pandas as pd

from vdu_bench.measured import MetricResult
from vdu_bench.records import TUNING, Record
from vdu_bench.reports.comparable import protocol_of
from vdu_bench.reports.csv_text import csv_text
from vdu_bench.reports.families import scales

COLUMNS = (
    *("task", "forget_images", "scale", "method", "seed", "metric"),
    *("value", "low", "high", "n", "unit", "better", "status"),
)

LongFormat = Literal["csv", "json"]


def long_frame(records: Iterable[Record], settings: bool = False) -> pd.DataFrame:
    """A row per record and metric, in the order of the records, with the columns `COLUMNS`.

    `task` is the task with what else was changed of it (`Record.setup`), `method` the row (`Record.row`);
    `forget_images` is the task's limit, Int64, missing for all of them; `scale` is as in
    `vdu_bench.reports.families.scales`; `seed` is the sample seed; `metric` the metric's name in the record; `value`,
    `low` and `high` are float64 in `unit`, NaN where there is none. A record without metrics (diverged, failed) keeps
    one row, with an empty metric. With `settings`, four columns more: `settings` (those that differ from the method's
    defaults, as JSON) and `settings_from`, where they are from; and `tuning_trials` and `tuning_evaluations`, what a
    search for them took, missing where no record tells.
    """
    records = list(records)
    known = scales(records)
    rows = [row for record in records for row in _rows(record, known[record.variant])]
    told = [f"tuning_{what}" for what in TUNING] if settings else []
    columns = [*COLUMNS, *(("settings", "settings_from") if settings else ()), *told]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(["forget_images", *told], "Int64"))


def render_long(records: Iterable[Record], form: LongFormat, settings: bool = False) -> str:
    """The tidy rows as CSV (NaN empty) or as a JSON list of objects (NaN null), with a newline at the end.

    Raises:
        UserError: the records are of several protocols, which no column tells apart.
    """
    records = list(records)
    protocol_of(records)
    frame = long_frame(records, settings)
    if form == "csv":
        return csv_text(frame)
    # 15 is the most that pandas writes; its default of 10 loses digits.
    return frame.to_json(orient="records", indent=1, double_precision=15) + "\n"


def _rows(record: Record, scale: str) -> list[dict[str, Any]]:
    cell = {
        "task": record.setup,
        "forget_images": record.forget_images,
        "scale": scale,
        "method": record.row,
        "seed": record.seeds.sample,
        "status": record.status,
        "settings": json.dumps(record.settings_changed),
        "settings_from": record.settings_from,
        **{f"tuning_{what}": record.tuning_cost.get(what) for what in TUNING},
    }
    if not record.metrics:
        nothing = {"metric": "", "value": math.nan, "low": math.nan, "high": math.nan, "n": 0, "unit": "", "better": ""}
        return [cell | nothing]
    return [cell | _numbers(name, result) for name, result in record.metrics.items()]


def _numbers(name: str, result: MetricResult) -> dict[str, Any]:
    estimate = result.estimate
    return {
        "metric": name,
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "n": estimate.n,
        "unit": result.unit,
        "better": result.better,
    }
