"""Rows over their seeds: which of them share what they say of scatter."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby

import pytest

from vdu_bench.measured import Estimate, Scale
from vdu_bench.records import Record
from vdu_bench.reports.counted_seeds import measured_with
from vdu_bench.reports.tables.over_rows import by_seed, over_rows, worst
from vdu_bench.stats.scatter import SAMPLES_ONLY
from vdu_bench.stats.seeds import over_seeds, pooled_scatter

SCALES: dict[str, Scale] = {"pul": "ratio", "concept_rate": "share", "junk_rate": "share", "fd_judge": "positive"}


@pytest.fixture
def rows(make_records) -> list[list[Record]]:
    """Those of one task, on the scales that such numbers have."""
    records = make_records(("digits_1",))
    for record in records:
        for name, scale in SCALES.items():
            record.metrics[name].scale = scale
    return [list(group) for _, group in groupby(records, key=lambda record: record.row)]


def row_of(rows: Sequence[Sequence[Record]], method: str) -> int:
    return [row[0].method for row in rows].index(method)


def seeds(row: Sequence[Record], metric: str) -> list[Estimate]:
    return [record.metrics[metric].estimate for record in row]


@pytest.mark.parametrize("metric", SCALES)
def test_contestants_pool_and_references_do_not(rows: list[list[Record]], metric: str) -> None:
    competing = [seeds(row, metric) for row in rows if row[0].role == "contestant"]
    pool = pooled_scatter(competing, SCALES[metric])
    found = over_rows(rows)
    for row, estimates in zip(rows, found, strict=True):
        shared = pool if row[0].role == "contestant" else SAMPLES_ONLY
        assert estimates[metric] == over_seeds(seeds(row, metric), SCALES[metric], shared)
    assert pool is not None


def test_costs_are_not_pooled(rows: list[list[Record]]) -> None:
    moved = rows[row_of(rows, "esd")]
    for index, row in enumerate(row for row in rows if row[0].role == "contestant" and row is not moved):
        for record in row:
            record.metrics["nfe_forward"].estimate.value = 1000.0 * (index + 1) * (1 + record.seeds.sample)
    for record in moved:
        record.metrics["nfe_forward"].estimate.value = 5120.0
    cost = over_rows(rows)[row_of(rows, "esd")]["nfe_forward"]
    assert cost.low == cost.value == cost.high == 5120.0


def test_every_interval_is_in_its_range(rows: list[list[Record]]) -> None:
    (record, *_) = rows[row_of(rows, "gradient_ascent")]
    record.metrics["pul"].estimate = Estimate(value=-60.0, n=2000, total=200)
    record.metrics["fd_judge"].estimate = Estimate(value=4000.0, n=2000)
    for estimates in over_rows(rows):
        assert all(estimates[name].high <= 100.0 for name in ("pul", "concept_rate", "junk_rate"))
        assert all(estimates[name].low >= 0.0 for name in ("concept_rate", "junk_rate"))
        assert estimates["fd_judge"].low > 0.0
        known = [estimate for estimate in estimates.values() if not math.isnan(estimate.low)]
        assert all(estimate.low <= estimate.value <= estimate.high for estimate in known)
        assert len(known) > 5


def test_a_row_with_a_lost_seed_has_no_numbers_and_says_nothing_of_scatter(rows: list[list[Record]]) -> None:
    lost = row_of(rows, "esd")
    rows[lost][1].status, rows[lost][1].metrics = "diverged", {}
    found = over_rows(rows)
    assert worst(rows[lost]) == "diverged"
    assert math.isnan(found[lost]["pul"].value)
    assert found[lost]["pul"].reason == "diverged with at least one seed"
    values = by_seed(rows[lost], "pul")
    assert [math.isnan(value) for value in values] == [False, True, False]
    others = [seeds(row, "pul") for row in rows if row[0].role == "contestant" and row is not rows[lost]]
    place = row_of(rows, "vdu")
    assert found[place]["pul"] == over_seeds(seeds(rows[place], "pul"), "ratio", pooled_scatter(others, "ratio"))


def test_a_seed_without_the_metric_is_not_left_out(rows: list[list[Record]]) -> None:
    place = row_of(rows, "vdu")
    del rows[place][2].metrics["pul"]
    for record in rows[row_of(rows, "esd")]:
        del record.metrics["pul"]
    found = over_rows(rows)
    assert found[place]["pul"].reason == "no estimate for 1 of 3 seeds: not measured"
    assert "pul" not in found[row_of(rows, "esd")]


def test_seeds_with_which_nobody_has_a_metric_are_no_gap_of_it(rows: list[list[Record]]) -> None:
    two = over_rows([row[:2] for row in rows])
    for row in rows:
        row[2].metrics.pop("pul", None)
    found = over_rows(rows)
    for before, after in zip(two, found, strict=True):
        assert after.get("pul") == before.get("pul")


def attack(row: Sequence[Record], seeds: Iterable[int]) -> None:
    """Gives a row what an attack shows, with some seeds."""
    for record in row:
        if record.seeds.sample in seeds:
            record.metrics["leak"] = record.metrics["fd_judge"].model_copy(update={"group": "robustness"})


def test_one_more_attack_on_one_model_takes_no_number_from_the_rest(rows: list[list[Record]]) -> None:
    for row in rows:
        attack(row, {0, 1})
    before = over_rows(rows)
    attack(rows[row_of(rows, "vdu")], {2})
    assert over_rows(rows) == before
    assert measured_with(rows)["leak"] == {0, 1}


def test_who_was_attacked_with_other_seeds_than_most_has_no_number(rows: list[list[Record]]) -> None:
    for row in rows:
        attack(row, {2} if row[0].method == "vdu" else {0, 1})
    found = over_rows(rows)
    assert "leak" not in found[row_of(rows, "vdu")]
    assert math.isfinite(found[row_of(rows, "esd")]["leak"].value)


def test_real_images_are_no_more_certain_for_more_seeds(rows: list[list[Record]]) -> None:
    row = [record.model_copy(update={"method": "real", "role": "reference"}) for record in rows[0]]
    own = Estimate(value=1.0, low=0.4, high=2.6, n=450)
    for record in row:
        record.metrics = {
            **record.metrics,
            "junk_rate": record.metrics["junk_rate"].model_copy(update={"estimate": own}),
        }
    found = over_rows([*rows, row])[-1]["junk_rate"]
    assert (found.value, found.low, found.high) == pytest.approx((1.0, 0.4, 2.6))
    assert found.n == 450


def test_of_few_rows_the_references_have_no_say(rows: list[list[Record]]) -> None:
    """They are attacked along with any model, and would be half of the rows."""
    few = [row for row in rows if row[0].method in ("original", "retrain", "vdu", "esd")]
    for row in few:
        attack(row, {0})
    before = over_rows(few)
    for row in few:
        if row[0].method != "esd":
            attack(row, {1})
    assert measured_with(few)["leak"] == {0}
    assert over_rows(few)[row_of(few, "esd")]["leak"] == before[row_of(few, "esd")]["leak"]


def test_two_models_that_share_no_attacked_seed_leave_all_seeds(rows: list[list[Record]]) -> None:
    pair = [rows[row_of(rows, method)] for method in ("vdu", "esd")]
    attack(pair[0], {0})
    attack(pair[1], {1})
    assert measured_with(pair)["leak"] == {0, 1}
