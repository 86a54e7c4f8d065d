from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vdu_bench.stats.class_shift import class_shift

Labels = NDArray[np.int64]
label_lists = st.lists(st.integers(-1, 4), min_size=1, max_size=60)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def distance(before: Labels, after: Labels, classes: Sequence[int]) -> float:
    return class_shift(before, after, classes, rng(), draws=1).value


def test_closed_form() -> None:
    before, after = np.array([1, 1, 2, 2]), np.array([1, 1, 1, 2, 3, 3])
    assert distance(before, after, [1, 2, 3]) == pytest.approx(1 / 3)


def test_forget_class_and_junk_are_dropped() -> None:
    before, after = np.array([0, 0, 0, 1, 2]), np.array([-1, -1, 2, 1])
    assert distance(before, after, [1, 2]) == 0.0


def test_disjoint_classes_are_at_distance_one() -> None:
    before, after = np.repeat([1, 2], 50), np.repeat([3], 100)
    assert distance(before, after, [1, 2, 3]) == 1.0
    estimate = class_shift(before, after, [1, 2, 3], rng())
    assert estimate.value == 1.0
    assert 0.9 < estimate.low < estimate.high == 1.0


def test_a_model_that_makes_only_fives_is_out_of_balance() -> None:
    before = np.arange(2000) % 10
    estimate = class_shift(before, np.full(2000, 5), [c for c in range(10) if c != 1], rng())
    assert estimate.value == pytest.approx(8 / 9)
    assert 0.85 < estimate.low < estimate.high < 0.93
    assert estimate.n == 2000


def test_n_counts_what_is_retained_after() -> None:
    before, after = np.array([1, 2, 1, 2]), np.array([1, 2, -1, 0])
    assert class_shift(before, after, [1, 2], rng()).n == 2


@pytest.mark.parametrize(
    ("before", "after", "side"), [([1, 2], [0, -1], "after"), ([0, 0], [1, 2], "before"), ([0], [0], "before")]
)
def test_nothing_retained_is_nan_with_a_reason(before: list[int], after: list[int], side: str) -> None:
    estimate = class_shift(np.array(before), np.array(after), [1, 2], rng())
    assert math.isnan(estimate.value)
    assert math.isnan(estimate.low)
    assert side in estimate.reason


def test_few_labels_left_tell_little() -> None:
    """Three fives out of nine even classes: the distance is 8/9, but it could well be much smaller."""
    before, after = np.arange(900) % 9, np.where(np.arange(900) < 3, 5, -1)
    estimate = class_shift(before, after, range(9), rng())
    assert estimate.value == pytest.approx(8 / 9)
    assert estimate.low < 0.5


def test_pairing_is_used_where_lengths_agree() -> None:
    before = rng().integers(0, 5, 1000)
    after = before.copy()
    after[:50] = 0
    paired = class_shift(before, after, range(5), rng())
    independent = class_shift(before, np.append(after, after[-1]), range(5), rng())
    assert paired.value == pytest.approx(independent.value, abs=1e-3)
    assert paired.high - paired.low < 0.6 * (independent.high - independent.low)
    assert "paired" in paired.method
    assert "paired" not in independent.method


def test_two_classes_far_apart_have_walds_interval() -> None:
    """There the distance is the difference of two independent proportions, .5 and .8."""
    before, after = np.repeat([1, 2], [500, 500]), np.repeat([1, 2], [640, 160])
    estimate = class_shift(before, after, [1, 2], rng(), draws=40_000)
    margin = 1.96 * math.sqrt(0.25 / 1000 + 0.16 / 800)
    assert estimate.value == pytest.approx(0.3)
    assert (estimate.low, estimate.high) == pytest.approx((0.3 - margin, 0.3 + margin), rel=0.005)


def test_dropped_pairs_do_not_matter() -> None:
    before, after = np.repeat([1, 2, 3], 20), np.repeat([1, 1, 2, -1], 15)
    junk = np.full(500, -1)
    estimate = class_shift(before, after, [1, 2, 3], rng())
    padded = class_shift(np.append(before, junk), np.append(after, junk), [1, 2, 3], rng())
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((padded.value, padded.low, padded.high))


def test_one_class_has_nowhere_to_go() -> None:
    assert class_shift(np.array([1, 1]), np.array([1, 1]), [1], rng()).value == 0.0


@pytest.mark.parametrize(
    ("labels", "classes"),
    [(np.ones(3), [1]), (np.ones((2, 2), int), [1]), (np.ones(3, int), []), (np.ones(3, int), [1, 1])],
)
def test_what_is_not_labels_or_classes_is_an_error(labels: Labels, classes: list[int]) -> None:
    with pytest.raises(ValueError, match=r"labels|classes"):
        class_shift(labels, labels, classes, rng())


def test_no_draws_is_an_error() -> None:
    with pytest.raises(ValueError, match="draw"):
        class_shift(np.array([1]), np.array([1]), [1], rng(), draws=0)


@settings(max_examples=50, deadline=None)
@given(label_lists, label_lists)
def test_distance_is_symmetric_and_bounded(first: list[int], second: list[int]) -> None:
    found = distance(np.array(first), np.array(second), range(5))
    assert found == pytest.approx(distance(np.array(second), np.array(first), range(5)), nan_ok=True)
    assert math.isnan(found) or 0 <= found <= 1 + 1e-12


@settings(max_examples=50, deadline=None)
@given(label_lists, label_lists, label_lists)
def test_triangle_inequality(first: list[int], second: list[int], third: list[int]) -> None:
    a, b, c = np.array(first), np.array(second), np.array(third)
    direct = distance(a, c, range(5))
    detour = distance(a, b, range(5)) + distance(b, c, range(5))
    assert math.isnan(direct) or math.isnan(detour) or direct <= detour + 1e-12


@settings(max_examples=50, deadline=None)
@given(label_lists, label_lists)
def test_interval_contains_the_value(first: list[int], second: list[int]) -> None:
    estimate = class_shift(np.array(first), np.array(second), range(5), rng(), draws=200)
    if math.isnan(estimate.value):
        assert estimate.reason
    else:
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(-1, 4), st.integers(-1, 4)), min_size=1, max_size=60), st.integers(0, 99))
def test_order_of_the_pairs_does_not_matter(pairs: list[tuple[int, int]], seed: int) -> None:
    table = np.array(pairs)
    shuffled = np.random.default_rng(seed).permutation(table)
    first = class_shift(table[:, 0], table[:, 1], range(5), rng(), draws=100)
    second = class_shift(shuffled[:, 0], shuffled[:, 1], range(5), rng(), draws=100)
    assert (first.value, first.low, first.high) == pytest.approx(
        (second.value, second.low, second.high), abs=1e-6, nan_ok=True
    )


NINE = np.full(9, 1 / 9)
FIVES = np.where(np.arange(9) == 5, 0.92, 0.01)
TILTED = np.linspace(0.4, 1.6, 9) / 9


@pytest.mark.parametrize("n", [200, 1000])
@pytest.mark.parametrize("kept", [0.0, 0.8], ids="kept{}".format)
@pytest.mark.parametrize("target", [NINE, TILTED, FIVES], ids=["same", "tilted", "fives"])
def test_coverage_where_a_percentile_bootstrap_fails(target: NDArray[np.float64], kept: float, n: int) -> None:
    """`kept` of the samples keep their class; with `same` the true distance is 0, and the estimate never is."""
    source = np.random.default_rng(3)
    truth = np.abs((1 - kept) * (target - NINE)).sum() / 2
    covered = []
    for _ in range(200):
        before = source.integers(0, 9, n)
        after = np.where(source.random(n) < kept, before, source.choice(9, n, p=target))
        before[source.random(n) < 0.1] = 9
        after[source.random(n) < 0.2] = -1
        estimate = class_shift(before, after, range(9), source, draws=400)
        covered.append(estimate.low <= truth <= estimate.high)
    assert np.mean(covered) >= 0.91
