"""What the other features do, on planted answers. Six retain images: nothing asked, eyeglasses, long hair and beard."""

from __future__ import annotations

import math

import pytest
from planted import evidence, readings, sampled, shown
from scipy.stats import binomtest

from vdu_bench.data.sources.faces import NAMES
from vdu_bench.metrics.evidence import Evidence
from vdu_bench.metrics.fidelity import JunkRate
from vdu_bench.metrics.forgetting import PUL, ConceptRate
from vdu_bench.metrics.retention import Interference, RetainAccuracy
from vdu_bench.tasks.prompts import PromptSpec
from vdu_bench.tasks.task import Task

BEFORE = sampled(
    forget=readings(shown("hat", "hat beard", "hat", "")),
    retain=readings(shown("", "eyeglasses", "long_hair beard", "bangs", "eyeglasses", "long_hair beard")),
)
AFTER = sampled(
    forget=readings(shown("", "beard", "", "hat beard"), junk=1),
    retain=readings(shown("", "eyeglasses", "long_hair", "bangs", "bangs", "long_hair beard hat"), junk=2),
)


@pytest.fixture
def planted(tiny_faces_task: Task) -> Evidence:
    assert tiny_faces_task.forget == "hat"
    assert list(tiny_faces_task.prompts.retain.values()) == [(), ("eyeglasses",), ("long_hair", "beard")]
    return evidence(tiny_faces_task, BEFORE, AFTER)


def test_retain_accuracy_is_the_share_of_asked_features_that_came(planted: Evidence) -> None:
    # Asked: eyeglasses twice, long hair and beard twice each; one pair of eyeglasses and one beard did not come.
    estimate = RetainAccuracy().compute(planted).estimate
    interval = binomtest(4, 6).proportion_ci(method="exact")
    assert estimate.value == pytest.approx(100 * 4 / 6)
    assert (estimate.low, estimate.high) == pytest.approx((100 * interval.low, 100 * interval.high))
    assert estimate.n == 6


def test_features_that_nobody_asked_for_do_not_count(tiny_faces_task: Task) -> None:
    for features, share in ((" ".join(NAMES), 100), ("", 0)):
        after = sampled(BEFORE.forget, readings(shown(*[features] * 6)))
        assert RetainAccuracy().compute(evidence(tiny_faces_task, BEFORE, after)).estimate.value == share


def test_without_anything_asked_it_is_nan_with_a_reason(tiny_faces_task: Task) -> None:
    prompts = tiny_faces_task.prompts.model_copy(update={"retain": {"a portrait": ()}})
    task = tiny_faces_task.model_copy(update={"prompts": prompts})
    estimate = RetainAccuracy().compute(evidence(task, BEFORE, AFTER)).estimate
    assert math.isnan(estimate.value)
    assert estimate.reason == "no retain prompt asks for a feature"


def test_the_matrix_is_asked_by_measured(planted: Evidence) -> None:
    matrix = Interference().compute(planted).matrix
    assert matrix.columns == ["eyeglasses", "hat", "bangs", "long_hair", "beard"]
    assert matrix.rows == ["hat", "eyeglasses", "long_hair", "beard", "nothing"]
    assert matrix.before == [
        [0, 75, 0, 0, 25],
        [100, 0, 0, 0, 0],
        [0, 0, 0, 100, 100],
        [0, 0, 0, 100, 100],
        [0, 0, 50, 0, 0],
    ]
    assert matrix.after == [
        [0, 25, 0, 0, 50],
        [50, 0, 50, 0, 0],
        [0, 50, 0, 100, 50],
        [0, 50, 0, 100, 50],
        [0, 0, 50, 0, 0],
    ]


def test_interference_is_the_mean_change_of_all_columns_but_the_forgotten_one_s(planted: Evidence) -> None:
    estimate = Interference().compute(planted).estimate
    # Beard +25; eyeglasses -50 and bangs +50; beard -50 in two rows. Five rows of four columns.
    assert estimate.value == pytest.approx((25 + 50 + 50 + 50 + 50) / 20)
    assert math.isnan(estimate.low)
    assert estimate.method.startswith("no interval: ")
    assert estimate.n == 10


def test_forgetting_alone_is_no_interference(tiny_faces_task: Task) -> None:
    after = sampled(readings(shown("", "beard", "", "")), BEFORE.retain)
    e = evidence(tiny_faces_task, BEFORE, after)
    found = Interference().compute(e)
    assert found.estimate.value == 0
    assert found.matrix.after[0] == [0, 0, 0, 0, 25]


def test_forgetting_is_counted_where_it_was_asked_for_and_junk_where_it_was_not(planted: Evidence) -> None:
    assert PUL().compute(planted).estimate.value == pytest.approx(100 * (1 - 1 / 3))
    assert ConceptRate().compute(planted).estimate.value == 25
    junk = JunkRate().compute(planted).estimate
    assert (junk.value, junk.n) == (pytest.approx(100 * 2 / 6), 6)


def test_prompts_are_gone_through_in_turn(tiny_faces_task: Task) -> None:
    prompts = tiny_faces_task.prompts
    assert isinstance(prompts, PromptSpec)
    retain = list(prompts.retain)
    assert prompts.cycled("retain", 5) == [*retain, *retain[:2]]
    assert prompts.cycled("forget", 3) == [prompts.forget[0], prompts.forget[1], prompts.forget[0]]
