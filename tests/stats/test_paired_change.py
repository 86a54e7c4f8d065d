from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t, ttest_1samp, ttest_rel

from vdu_bench.stats.paired_change import paired_change

score = st.floats(-100, 100)
tables = st.lists(st.tuples(score, score, st.integers(0, 4)), min_size=2, max_size=30)


def test_a_prompt_for_each_image_is_student_s_paired_t() -> None:
    rng = np.random.default_rng(0)
    before, after = rng.normal(30, 5, 40), rng.normal(28, 5, 40)
    estimate = paired_change(before, after, np.arange(40))
    interval = ttest_rel(after, before).confidence_interval(0.95)
    assert estimate.value == pytest.approx(np.mean(after - before))
    assert (estimate.low, estimate.high) == pytest.approx((interval.low, interval.high))
    assert estimate.n == 40


def test_prompts_of_one_size_are_student_s_t_over_their_means() -> None:
    rng = np.random.default_rng(1)
    before, after = rng.normal(size=(2, 8, 25))
    after += rng.normal(size=(8, 1))
    estimate = paired_change(before.ravel(), after.ravel(), np.repeat(np.arange(8), 25))
    interval = ttest_1samp((after - before).mean(1), 0.0).confidence_interval(0.95)
    assert (estimate.low, estimate.high) == pytest.approx((interval.low, interval.high))
    assert (estimate.n, estimate.method) == (200, "paired, t over 8 prompts")


def test_prompts_of_two_sizes_by_hand() -> None:
    """Changes 0, 6 and 3 of the first prompt, 9 of the second; the mean is 4.5, the sums beyond it -4.5 and 4.5."""
    estimate = paired_change(np.zeros(4), np.array([0.0, 6.0, 3.0, 9.0]), np.array([7, 7, 7, -1]))
    margin = t.isf(0.025, 1) * math.sqrt(2 * (4.5**2 + 4.5**2)) / 4
    assert estimate.value == pytest.approx(4.5)
    assert (estimate.low, estimate.high) == pytest.approx((4.5 - margin, 4.5 + margin))


def test_a_single_prompt_has_no_interval() -> None:
    estimate = paired_change(np.zeros(3), np.array([1.0, 2.0, 6.0]), np.array([5, 5, 5]))
    assert estimate.value == pytest.approx(3.0)
    assert math.isnan(estimate.low)
    assert math.isnan(estimate.high)
    assert "single prompt" in estimate.method


@pytest.mark.parametrize(
    ("before", "after", "clusters", "words"),
    [
        ([], [], np.zeros(0, int), "of one length"),
        ([1.0, 2.0], [1.0], np.array([0, 1]), "of one length"),
        ([1.0, 2.0], [1.0, 2.0], np.array([0]), "of one length"),
        ([[1.0]], [[1.0]], np.array([[0]]), "of one length"),
        ([1.0, math.nan], [1.0, 2.0], np.array([0, 1]), "not finite"),
        ([1.0, 2.0], [1.0, math.inf], np.array([0, 1]), "not finite"),
        ([1.0, 2.0], [1.0, 2.0], np.array([0.0, 1.0]), "whole numbers"),
    ],
)
def test_what_is_not_pairs_is_an_error(before: list, after: list, clusters: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        paired_change(np.array(before), np.array(after), clusters)


@settings(max_examples=50, deadline=None)
@given(tables, st.integers(0, 99))
def test_order_and_names_of_the_prompts_do_not_matter(rows: list[tuple[float, float, int]], seed: int) -> None:
    before, after, clusters = (np.array(column) for column in zip(*rows, strict=True))
    order = np.random.default_rng(seed).permutation(len(rows))
    one, other = paired_change(before, after, clusters), paired_change(before[order], after[order], 3 - clusters[order])
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high), nan_ok=True)


@settings(max_examples=50, deadline=None)
@given(tables, st.floats(-50, 50))
def test_swapped_sides_flip_and_a_shift_shifts(rows: list[tuple[float, float, int]], shift: float) -> None:
    before, after, clusters = (np.array(column) for column in zip(*rows, strict=True))
    forth, back = paired_change(before, after, clusters), paired_change(after, before, clusters)
    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low), nan_ok=True)
    shifted = paired_change(before, after + shift, clusters)
    assert shifted.value == pytest.approx(forth.value + shift, abs=1e-9)
    assert shifted.high == pytest.approx(forth.high + shift, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("sizes", [[25] * 5, [25] * 8, [63, 63, 62, 62, 62, 62, 63, 63]])
def test_coverage_where_prompts_move_by_themselves(sizes: list[int]) -> None:
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    hits = naive = 0
    for _ in range(800):
        after = rng.normal(2.0, 1.0, len(sizes))[clusters] + rng.normal(0, 3.0, len(clusters))
        estimate = paired_change(np.zeros(len(clusters)), after, clusters)
        hits += estimate.low <= 2.0 <= estimate.high
        alone = paired_change(np.zeros(len(clusters)), after, np.arange(len(clusters)))
        naive += alone.low <= 2.0 <= alone.high
    assert hits / 800 == pytest.approx(0.95, abs=0.02)
    assert naive / 800 < 0.85
