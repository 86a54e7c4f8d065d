"""A sweep's curves: which points they have, and where equal evaluations are marked."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import pytest
from cells import cells
from matplotlib.figure import Figure

from vdu_bench.records import Record
from vdu_bench.reports.frontier import Curve, Frontier, budgets, frontier_csv, frontiers
from vdu_bench.reports.report import write_frontier

STEPS = {"vdu": (10, 40, 160), "esd": (20, 80)}
PER_STEP = {"vdu": 100, "esd": 30}


def swept(seeds: tuple[int, ...] = (0, 1)) -> list[Record]:
    """What a method forgets and how far it moves, both rising with its steps; vdu's middle value is the task's own."""
    records = [one for one in cells(seeds=seeds) if one.role == "reference"]
    for method, values in STEPS.items():
        for steps in values:
            for record in cells({method: 1 / (1 + steps / 10)}, seeds):
                if record.method == method:
                    record.settings = {"steps": steps}
                    record.method_changes = {} if steps == 40 else {"steps": steps}
                    record.timings.nfe_forward = steps * PER_STEP[method]
                    record.metrics["fd_judge"].estimate.value = 10.0 + steps / 10 + record.seeds.sample
                    records.append(record)
    return records


def the(records: list[Record]) -> Frontier:
    (one,) = frontiers(records, dict.fromkeys(STEPS, "steps"))
    return one


def curve(frontier: Frontier, name: str) -> Curve:
    (one,) = [curve for curve in frontier.curves if curve.name == name]
    return one


def test_a_curve_for_each_method_in_the_order_of_its_values() -> None:
    frontier = the(swept())
    assert [one.name for one in frontier.curves] == ["esd", "vdu"]
    vdu = curve(frontier, "vdu")
    assert [(point.value, point.evaluations) for point in vdu.points] == [(10, 1000), (40, 4000), (160, 16_000)]
    assert [point.distance.value for point in vdu.points] == pytest.approx([11.5, 14.5, 26.5])
    assert vdu.points[0].forgetting.value < vdu.points[1].forgetting.value < vdu.points[2].forgetting.value
    assert [len(point.seeds) for point in vdu.points] == [2, 2, 2]
    assert {point.row.method for point in frontier.references} == {"original", "retrain"}


def test_other_settings_make_another_curve() -> None:
    records = swept()
    for record in swept():
        if record.method == "vdu":
            changes = {"gamma": 0.9, **record.method_changes}
            records.append(record.model_copy(update={"method_changes": changes}))
    assert [one.name for one in the(records).curves] == ["esd", "vdu", "vdu[gamma=0.9]"]


def test_equal_evaluations_lie_between_their_neighbours() -> None:
    vdu = curve(the(swept()), "vdu")
    before, after, share = vdu.at(2000) or pytest.fail("2000 is between 1000 and 4000")
    assert (before.value, after.value, share) == (10, 40, pytest.approx(0.5))
    assert vdu.at(500) is None
    assert vdu.at(20_000) is None


def test_evaluations_are_marked_where_two_curves_span_them() -> None:
    # vdu from 1,000 to 16,000, esd from 600 to 2,400.
    frontier = the(swept())
    assert budgets(frontier.curves) == [1000, 2000]
    assert budgets([curve(frontier, "vdu")]) == [1000, 2000, 5000, 10_000]
    for record in (records := swept()):
        record.timings.nfe_forward = 1000
    assert budgets(the(records).curves) == [], "more of it takes no more evaluations"


def test_the_picture_has_means_seeds_references_and_marks(tmp_path: Path, figures: list[Figure]) -> None:
    written = write_frontier(the(swept()), tmp_path)
    assert [file.name for file in written] == [f"digits_1_sweep_steps.{suffix}" for suffix in ("png", "pdf", "csv")]
    assert (tmp_path / "digits_1_sweep_steps.png").stat().st_size <= 150_000
    (axes,) = figures[0].axes
    lines = {line.get_label(): line for line in axes.lines}
    assert {"vdu", "esd", "original", "retrain"} <= set(lines)
    assert list(lines["vdu"].get_xdata()) == pytest.approx([11.5, 14.5, 26.5])
    dots = [line for line in axes.lines if line.get_alpha() == 0.6]
    assert sum(len(line.get_xdata()) for line in dots) == 2 * (3 + 2 + 2)
    assert {text.get_text() for text in axes.texts} == {"10", "40", "160", "20", "80", "1,000", "2,000"}
    rings = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert [len(line.get_xdata()) for line in rings] == [2, 2]


def test_the_quality_limit_is_a_region(tmp_path: Path, figures: list[Figure]) -> None:
    records = swept()
    for record in records:
        assert record.protocol is not None
        record.protocol.limits = {"ratio": 1.0, "points": 10.0}
        record.metrics["fd_judge"].limit = "ratio"
        if record.method == "original":
            record.metrics["fd_judge"].estimate.value = 20.0
    frontier = the(records)
    assert frontier.board.bound(frontier.distance) == pytest.approx(20.0)
    write_frontier(frontier, tmp_path)
    (region,) = figures[0].axes[0].patches
    assert region.get_label() == "beyond the quality limit"
    free = the(swept())
    assert math.isnan(free.board.bound(free.distance))


def test_what_diverged_is_named_and_no_point(tmp_path: Path, figures: list[Figure]) -> None:
    records = swept()
    for record in records:
        if record.settings == {"steps": 160} and record.seeds.sample == 1:
            record.status, record.metrics = "diverged", {}
    frontier = the(records)
    write_frontier(frontier, tmp_path)
    lines = {line.get_label(): line for line in figures[0].axes[0].lines}
    assert len(lines["vdu (160 diverged)"].get_xdata()) == 2
    rows = list(csv.DictReader(io.StringIO(frontier_csv(frontier))))
    (lost,) = [row for row in rows if row["value"] == "160"]
    assert (lost["status"], lost["pul"], lost["nfe_forward"]) == ("diverged", "", "16000")
    assert [row["curve"] for row in rows] == ["retrain", "original", "esd", "esd", "vdu", "vdu", "vdu"]


def test_the_same_picture_is_the_same_bytes(tmp_path: Path) -> None:
    files = [write_frontier(the(swept()), tmp_path / name) for name in ("first", "second")]
    assert all(one.read_bytes() == other.read_bytes() for one, other in zip(*files, strict=True))
