"""What a metric has to give, and where it goes: a third party's, in the registry beside ours."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import pytest
from cells import cells
from planted import evidence, readings, sampled, shown

from vdu_bench.errors import NoRoom, UserError
from vdu_bench.measured import Estimate, Outcomes
from vdu_bench.metrics.catalog import METRICS
from vdu_bench.metrics.evidence import Evidence
from vdu_bench.metrics.measure import Measured, measure
from vdu_bench.metrics.metric import Measurement, Metric
from vdu_bench.reports.gate.verdicts import compare
from vdu_bench.reports.tables.leaderboard import leaderboards
from vdu_bench.stats.proportion import proportion
from vdu_bench.tasks.task import Task

OURS = ("pul", "concept_rate", "junk_rate")
BEFORE = sampled(readings(shown("hat", "hat", "hat", "beard")), readings(shown("beard", "", "", ""), junk=1))
AFTER = sampled(readings(shown("", "hat", "", "beard")), readings(shown("", "", "", ""), junk=2))


class Theirs(Metric):
    """Share of samples that show nothing."""

    unit = "%"
    better = "lower"
    group = "robustness"
    gate = "sampled"
    given: ClassVar[Any] = None

    def compute(self, evidence: Evidence) -> Measurement:
        nothing = ~evidence.after.forget.shown.any(1).numpy()
        found = Measurement(proportion(int(nothing.sum()), len(nothing)), outcomes=nothing)
        return found if self.given is None else self.given


def measured(task: Task, given: Any = None, **attributes: str) -> Measured:
    """What three of ours and theirs find, with other attributes of theirs."""
    entries = METRICS.entries()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(METRICS, "_entries", {name: entries[name] for name in OURS})
        patch.setattr(METRICS, "_loaded", {})
        METRICS.add("theirs", f"{__name__}:Theirs")
        patch.setattr(Theirs, "given", given)
        for name, value in attributes.items():
            patch.setattr(Theirs, name, value)
        return measure(evidence(task, BEFORE, AFTER))


def test_a_record_holds_what_metrics_count_once_and_by_its_name(tiny_faces_task: Task) -> None:
    found = measured(tiny_faces_task)
    assert found.outcomes.keys() == {"forget", "junk", "theirs"}
    assert {name: result.counts for name, result in found.metrics.items()} == {
        "pul": "forget",
        "concept_rate": "forget",
        "junk_rate": "junk",
        "theirs": "theirs",
    }
    assert found.outcomes["forget"].flags.tolist() == [False, True, False, False]
    assert found.outcomes["junk"].n == 4
    assert (found.metrics["theirs"].estimate.value, found.metrics["theirs"].tolerance) == (50, "10%")


def test_it_has_a_column_in_its_group_and_is_gated_over_the_noise(tiny_faces_task: Task) -> None:
    theirs = measured(tiny_faces_task).metrics["theirs"]
    sides = []
    for share in (0.1, 0.3):
        records = cells(seeds=[0])
        for record in records:
            nothing = np.random.default_rng(0).random(2000) < (share if record.method == "vdu" else 0.1)
            estimate = Estimate(value=100 * nothing.mean())
            record.metrics["theirs"] = theirs.model_copy(update={"estimate": estimate})
            record.outcomes["theirs"] = Outcomes.of(nothing)
        sides.append(records)
    (board,) = leaderboards(sides[1])
    assert [column.name for column in board.columns if column.group == "robustness"] == ["theirs"]
    (loss,) = compare(*sides).of_kind("worse")
    assert (loss.method, loss.metric) == ("vdu", "theirs")
    assert loss.loss == pytest.approx(20, abs=2)
    assert loss.p_value < 1e-6


def test_a_share_that_ought_to_be_large_loses_when_it_falls(tiny_faces_task: Task) -> None:
    theirs = measured(tiny_faces_task, better="higher").metrics["theirs"]
    sides = [cells(seeds=[0]), cells(seeds=[0])]
    for records, share in zip(sides, (1.0, 0.5), strict=True):
        for record in records:
            flags = np.arange(2000) < 2000 * share
            record.metrics["theirs"] = theirs.model_copy(update={"estimate": Estimate(value=100 * flags.mean())})
            record.outcomes["theirs"] = Outcomes.of(flags)
    assert {found.loss for found in compare(*sides).of_kind("worse")} == {50.0}
    assert {found.loss for found in compare(*reversed(sides)).of_kind("better")} == {-50.0}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (Estimate(value=1.0), r"theirs: compute gave a Estimate; return Measurement\(estimate\)"),
        (Measurement(Estimate(value=1.0)), "theirs: a metric that is gated as 'sampled' has to give the outcomes"),
        (Measurement(Estimate(value=1.0), np.array([True])), "theirs: 1 % are not the share of its outcomes, 100 %"),
        (Measurement(Estimate(value=100.0, n=2), np.array([True])), "theirs: 1 outcomes for an estimate of 2 samples"),
        (Measurement(Estimate(value=100.0), np.array([1])), r"theirs: outcomes are bool \[N\], not int64 \[1\]"),
    ],
)
def test_what_no_metric_may_give_is_said(tiny_faces_task: Task, given: Any, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        measured(tiny_faces_task, given)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (ZeroDivisionError("division by zero"), RuntimeError, "the metric theirs: ZeroDivisionError: division by zero"),
        (SystemExit(3), RuntimeError, "the metric theirs: SystemExit: 3"),
        (UserError("there is no such thing"), UserError, "the metric theirs: there is no such thing"),
        (ValueError("theirs: it names itself"), ValueError, "theirs: it names itself"),
        (NoRoom("the disk is full"), NoRoom, "the disk is full"),
    ],
)
def test_a_metric_that_breaks_off_is_named(
    error: BaseException, kind: type[Exception], words: str, tiny_faces_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compute(*_: object) -> None:
        raise error

    monkeypatch.setattr(Theirs, "compute", compute)
    with pytest.raises(kind) as caught:
        measured(tiny_faces_task)
    assert str(caught.value) == words


def test_outcomes_that_are_no_array_are_told_with_the_metric(tiny_faces_task: Task) -> None:
    given: Any = Measurement(Estimate(value=100.0), [True])  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="the metric theirs: AttributeError: 'list' object has no attribute"):
        measured(tiny_faces_task, given)


def test_two_metrics_do_not_count_different_things_under_one_name(tiny_faces_task: Task) -> None:
    with pytest.raises(ValueError, match="theirs: another metric's outcomes are called 'junk' too, and differ"):
        measured(tiny_faces_task, counts="junk")


def test_what_cannot_be_estimated_needs_no_outcomes(tiny_faces_task: Task) -> None:
    found = measured(tiny_faces_task, Measurement(Estimate(reason="nobody knows")))
    assert math.isnan(found.metrics["theirs"].estimate.value)
    assert (found.metrics["theirs"].counts, found.outcomes.keys()) == ("", {"forget", "junk"})


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"group": "speed"}, "Wrong.group is 'speed', and not one of 'forgetting'"),
        ({"gate": "always"}, "Wrong.gate is 'always'"),
        ({"tolerance": "two"}, "Wrong.tolerance is 'two'"),
        ({"gate": "sampled", "better": "lower"}, "Wrong is 'sampled', and its unit '', not %"),
        ({"gate": "sampled", "unit": "%"}, "Wrong is 'sampled', and its better 'none', not higher or lower"),
        ({"axis": "distance", "better": "higher"}, "Wrong is 'distance', and its better 'higher', not lower"),
    ],
)
def test_facts_that_are_none_are_refused_where_the_class_is_written(facts: dict[str, str], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        type("Wrong", (Metric,), facts)


def test_a_number_is_no_estimate(tiny_faces_task: Task) -> None:
    with pytest.raises(TypeError, match="theirs: a Measurement's estimate is an Estimate, and not a float"):
        measured(tiny_faces_task, Measurement(0.5))  # type: ignore[arg-type]
