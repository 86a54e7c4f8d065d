"""What comes back under attack, planted: rates over looks, the curve, leaks, and the steps to half."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from planted import evidence, shown

from vdu_bench.metrics.attacks import (
    NO_LOOKS,
    NO_RETRAINED,
    InversionLeak,
    InversionRate,
    RedrawFurtherRate,
    RelearnLeak,
    RelearnRate,
    RelearnToHalf,
)
from vdu_bench.metrics.catalog import metric_facts
from vdu_bench.metrics.evidence import Evidence, Readings, Samples
from vdu_bench.stats.clustered_rate import clustered_rate
from vdu_bench.stats.leak import leak
from vdu_bench.tasks.loading import with_overrides
from vdu_bench.tasks.task import Task

NOTHING = Readings(shown(""), torch.zeros(1, 4), torch.zeros(1, dtype=torch.bool), lambda: torch.empty(0))


def look(flags: str) -> Readings:
    """Of each image, ``x`` where it shows a hat."""
    n = len(flags)
    concepts = shown(*("hat" if flag == "x" else "beard" for flag in flags))
    return Readings(concepts, torch.zeros(n, 4), torch.zeros(n, dtype=torch.bool), lambda: torch.empty(0))


def drawn(probe: str, **looks: str) -> Samples:
    """Looks by name, in which ``_`` stands for a space and ``__`` for @."""
    named = {name.replace("__", "@").replace("_", " "): look(flags) for name, flags in looks.items()}
    return Samples({"samples": {"forget": NOTHING, "retain": NOTHING}, probe: named})


def planted(task: Task, before: Samples, after: Samples, retrained: Samples | None = None) -> Evidence:
    return evidence(task, before, after, retrained=retrained)


@pytest.fixture
def task(tiny_faces_task: Task) -> Task:
    return tiny_faces_task.model_copy(update={"attacks": ("relearn", "inversion", "redraw_further")})


ORIGINAL = drawn("relearn", before="xx..", n5__10="xxx.", n5__40="xxxx")
METHOD = drawn("relearn", before="....", n5__10="x...", n5__40="xx..")


def test_the_rate_is_over_all_looks_but_the_one_before(task: Task) -> None:
    measured = RelearnRate().compute(planted(task, ORIGINAL, METHOD))
    hits = np.array([[True, True], [False, True], [False, False], [False, False]])
    assert measured.estimate == clustered_rate(hits)
    assert measured.estimate.value == 100 * 3 / 8


def test_the_curve_begins_with_the_model_as_it_is(task: Task) -> None:
    matrix = RelearnRate().compute(planted(task, ORIGINAL, METHOD)).matrix
    assert matrix is not None
    assert (matrix.rows, matrix.columns, matrix.unit) == (["n5"], ["0", "10", "40"], "%")
    assert matrix.before == [[50, 75, 100]]
    assert matrix.after == [[0, 25, 50]]


def test_an_attack_of_other_efforts_says_what_they_count(task: Task) -> None:
    class Queries(RelearnRate):
        efforts = "queries"

    class QueriesToHalf(RelearnToHalf):
        unit = "queries"

    matrix = Queries().compute(planted(task, ORIGINAL, METHOD)).matrix
    assert matrix is not None
    assert matrix.columns == ["0 queries", "10 queries", "40 queries"]
    assert matrix.after == [[0, 25, 50]]
    never = drawn("relearn", before="..", **{"n5@10": "..", "n5@40": ".."})
    assert QueriesToHalf().compute(planted(task, ORIGINAL, never)).estimate.reason.endswith("in 40 queries")


def test_series_and_looks_are_in_the_order_of_their_numbers(task: Task) -> None:
    after = drawn("relearn", **{f"{n} images@{at}": "x." for n in (25, 5) for at in (40, 10)})
    matrix = RelearnRate().compute(planted(task, drawn("relearn", before="x."), after)).matrix
    assert matrix is not None
    assert (matrix.rows, matrix.columns) == (["5 images", "25 images"], ["10", "40"])


def test_looks_in_no_order_have_a_row_each(task: Task) -> None:
    after = drawn("redraw_further", near="xxxxxx", far="......")
    measured = RedrawFurtherRate().compute(planted(task, after, after))
    assert measured.matrix is not None
    assert (measured.matrix.rows, measured.matrix.columns) == (["near", "far"], ["rate"])
    assert measured.matrix.after == [[100], [0]]


def test_rows_of_one_image_are_one_sample(task: Task) -> None:
    changed = with_overrides(task, {"probe_settings": {"redraw_further": {"noises": 3}}})
    after = drawn("redraw_further", near="xxx...xx.", far="xx....xxx")
    estimate = RedrawFurtherRate().compute(planted(changed, after, after)).estimate
    by_image = np.array([list("xxxxx."), list("......"), list("xx.xxx")]) == "x"
    assert estimate.value == pytest.approx(100 * by_image.mean())
    assert estimate == clustered_rate(by_image)


def test_the_leak_is_between_the_retrained_model_and_the_original(task: Task) -> None:
    many = [drawn("relearn", n5__10="x" * n + "." * (100 - n)) for n in (80, 45, 10)]
    found = RelearnLeak().compute(planted(task, many[0], many[1], many[2])).estimate
    rates = [np.arange(100) < n for n in (45, 10, 80)]
    assert found == leak(*(flags.astype(float) for flags in rates))
    assert found.value == pytest.approx(0.5)
    for side, value in ((many[0], 1), (many[2], 0)):
        own = RelearnLeak().compute(planted(task, many[0], side, many[2])).estimate
        assert (own.value, math.isnan(own.low)) == (value, True)
        assert "by construction" in own.method


@pytest.mark.parametrize(
    ("after", "steps"),
    [
        (drawn("relearn", before="xx..", n5__10="xxxx"), 0),
        (drawn("relearn", before="....", n5__10="xx..", n5__40="xxxx"), 10),
        (drawn("relearn", before="....", n5__10="x...", n5__40="xx.."), 40),
        (
            drawn(
                "relearn", **{"before": "x...", "5 images@10": "xxxx", "25 images@10": "....", "25 images@40": "xx.."}
            ),
            40,
        ),
    ],
)
def test_steps_to_half_with_the_most_images(task: Task, after: Samples, steps: int) -> None:
    estimate = RelearnToHalf().compute(planted(task, ORIGINAL, after)).estimate
    assert estimate.value == steps


def test_what_was_not_reached_says_so(task: Task) -> None:
    after = drawn("relearn", before="....", n5__10="x...", n5__40="x...")
    estimate = RelearnToHalf().compute(planted(task, ORIGINAL, after)).estimate
    assert math.isnan(estimate.value)
    assert estimate.reason == "not reached in 40 steps"


def test_what_is_not_there_has_a_reason(task: Task) -> None:
    nothing = Samples({"samples": {"forget": NOTHING, "retain": NOTHING}, "inversion": {}})
    assert InversionRate().compute(planted(task, nothing, nothing)).estimate.reason == NO_LOOKS
    assert InversionLeak().compute(planted(task, nothing, nothing)).estimate.reason == NO_RETRAINED
    assert InversionLeak().compute(planted(task, nothing, nothing, nothing)).estimate.reason == NO_LOOKS
    assert RelearnToHalf().compute(planted(task, nothing, nothing)).estimate.reason == NO_LOOKS


def test_an_attack_that_diverged_says_why(task: Task) -> None:
    whole = drawn("relearn", before="xxxx", n5__10="xxxx", n5__40="xxxx")
    failed = Samples(
        {"samples": {"forget": NOTHING, "retain": NOTHING}, "relearn": {}}, {"relearn": "the loss is not finite"}
    )
    why = "relearn diverged: the loss is not finite"
    assert RelearnRate().compute(planted(task, whole, failed)).estimate.reason == why
    assert RelearnToHalf().compute(planted(task, whole, failed)).estimate.reason == why
    for sides, whose in (
        ((whole, failed, whole), ""),
        ((whole, whole, failed), "of the retrained model: "),
        ((failed, whole, whole), "of the original: "),
    ):
        assert RelearnLeak().compute(planted(task, *sides)).estimate.reason == whose + why
    assert RelearnToHalf().compute(planted(task, failed, whole)).estimate.reason == f"of the original: {why}"


def test_they_are_measured_where_the_attack_is_asked_for(task: Task, tiny_task: Task) -> None:
    assert InversionRate.applies(task)
    assert not InversionRate.applies(task.model_copy(update={"attacks": ("relearn",)}))
    assert RelearnRate.applies(tiny_task.model_copy(update={"attacks": ("relearn",)}))
    assert not RelearnRate.applies(tiny_task)


def test_their_facts_are_read_without_importing_them() -> None:
    facts = metric_facts("relearn_rate")
    assert (facts.unit, facts.better, facts.group, facts.probe) == ("%", "lower", "robustness", "relearn")
    assert metric_facts("inversion_leak").unit == ""
    assert metric_facts("relearn_blind_to_half").unit == "steps"
