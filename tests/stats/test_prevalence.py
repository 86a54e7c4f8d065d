from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vdu_bench.measured import Estimate
from vdu_bench.stats.prevalence import JudgeErrors, from_confusion, pul_corrected, rogan_gladen
from vdu_bench.stats.pul import pul

Bools = NDArray[np.bool_]
GOOD = JudgeErrors(true_positives=90, false_negatives=10, false_positives=9, true_negatives=891)


def indicators(both: int, only_before: int, only_after: int, neither: int) -> tuple[Bools, Bools]:
    cells = [both, only_before, only_after, neither]
    return np.repeat([True, True, False, False], cells), np.repeat([True, False, True, False], cells)


def corrected(cells: tuple[int, int, int, int], errors: JudgeErrors, seed: int = 0) -> Estimate:
    return pul_corrected(*indicators(*cells), errors, np.random.default_rng(seed))


def test_confusion_is_one_class_against_all_others() -> None:
    confusion = np.array([[8, 1, 1], [2, 15, 3], [4, 0, 26]])
    errors = from_confusion(confusion, positive=0)
    assert errors == JudgeErrors(true_positives=8, false_negatives=2, false_positives=6, true_negatives=44)
    assert errors.sensitivity == pytest.approx(0.8)
    assert errors.specificity == pytest.approx(0.88)


def test_none_of_the_classes_is_a_negative_answer() -> None:
    confusion = np.array([[8, 1, 1], [2, 15, 3]])
    assert from_confusion(confusion, 0) == JudgeErrors(8, 2, 2, 18)
    assert from_confusion(confusion, 1) == JudgeErrors(15, 5, 1, 9)


@pytest.mark.parametrize(
    ("confusion", "positive"),
    [
        (np.ones((2, 4), int), 0),
        (np.ones((3, 2), int), 0),
        (np.ones((1, 1), int), 0),
        (np.ones(4, int), 0),
        (np.ones((2, 2)), 0),
        (np.array([[1, -1], [0, 1]]), 0),
        (np.ones((2, 2), int), 2),
        (np.ones((2, 2), int), -1),
        (np.array([[0, 0], [1, 1]]), 0),
    ],
)
def test_what_is_not_a_confusion_matrix_is_an_error(confusion: NDArray[np.int64], positive: int) -> None:
    with pytest.raises(ValueError, match=r"confusion|class"):
        from_confusion(confusion, positive)


def test_negative_counts_are_an_error() -> None:
    with pytest.raises(ValueError, match="not negative"):
        JudgeErrors(1, 1, -1, 1)


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 1), st.integers(6, 10), st.integers(6, 10))
def test_correction_undoes_the_judge(prevalence: float, sensitive: int, specific: int) -> None:
    errors = JudgeErrors(sensitive, 10 - sensitive, 10 - specific, specific)
    judged = prevalence * errors.sensitivity + (1 - prevalence) * (1 - errors.specificity)
    assert rogan_gladen(min(judged, 1.0), errors) == pytest.approx(prevalence, abs=1e-12)


def test_correction_is_clipped() -> None:
    assert rogan_gladen(0.0, GOOD) == 0.0
    assert rogan_gladen(0.95, GOOD) == 1.0


def test_an_uninformative_judge_tells_nothing() -> None:
    assert math.isnan(rogan_gladen(0.3, JudgeErrors(5, 5, 5, 5)))


@pytest.mark.parametrize("rate", [-0.1, 1.1, math.nan])
def test_impossible_rates_are_errors(rate: float) -> None:
    with pytest.raises(ValueError, match="rate"):
        rogan_gladen(rate, GOOD)


def test_perfect_unlearning_through_an_imperfect_judge() -> None:
    """The false positives that are left make 90 % out of what was 100 %."""
    judged_before, judged_after = 99, 10
    cells = (0, judged_before, judged_after, 1000 - judged_before - judged_after)
    assert pul(*indicators(*cells)).value == pytest.approx(100 * (1 - 10 / 99))
    estimate = corrected(cells, GOOD)
    assert estimate.value == pytest.approx(100.0)
    assert estimate.low > 75
    assert estimate.high == 100.0
    assert estimate.n == 1000


def test_a_perfect_judge_leaves_pul_as_it_is() -> None:
    perfect = JudgeErrors(10**7, 0, 0, 10**7)
    cells = (20, 180, 10, 1790)
    raw, estimate = pul(*indicators(*cells)), corrected(cells, perfect)
    assert estimate.value == pytest.approx(raw.value)
    assert estimate.low == pytest.approx(raw.low, abs=1.0)
    assert estimate.high == pytest.approx(raw.high, abs=1.0)


def test_fewer_held_out_images_make_it_wider() -> None:
    cells = (10, 100, 30, 1860)
    certain = corrected(cells, JudgeErrors(9000, 1000, 900, 89100))
    unsure = corrected(cells, GOOD)
    assert certain.value == unsure.value
    assert unsure.high - unsure.low > 1.2 * (certain.high - certain.low)


@pytest.mark.parametrize(
    ("cells", "errors", "reason"),
    [
        ((0, 0, 5, 95), GOOD, "none of the forget class"),
        ((1, 0, 0, 199), GOOD, "false positives"),
        ((10, 10, 0, 80), JudgeErrors(5, 5, 5, 5), "chance"),
    ],
)
def test_no_estimate_without_a_reason(cells: tuple[int, int, int, int], errors: JudgeErrors, reason: str) -> None:
    estimate = corrected(cells, errors)
    assert math.isnan(estimate.value)
    assert math.isnan(estimate.low)
    assert math.isnan(estimate.high)
    assert reason in estimate.reason


def test_no_interval_where_the_rate_before_may_be_zero() -> None:
    estimate = corrected((1, 3, 0, 196), JudgeErrors(20, 0, 1, 79))
    assert math.isfinite(estimate.value)
    assert math.isnan(estimate.low)
    assert math.isnan(estimate.high)
    assert estimate.method.startswith("none")


def test_same_generator_same_interval() -> None:
    cells = (10, 100, 30, 1860)
    assert corrected(cells, GOOD, seed=1) == corrected(cells, GOOD, seed=1)
    assert corrected(cells, GOOD, seed=1) != corrected(cells, GOOD, seed=2)


def test_no_draws_is_an_error() -> None:
    with pytest.raises(ValueError, match="draw"):
        pul_corrected(*indicators(1, 1, 1, 1), GOOD, np.random.default_rng(0), draws=0)


count = st.integers(0, 40)


@settings(max_examples=50, deadline=None)
@given(st.tuples(count, count, count, count).filter(any), st.tuples(count, count, count, count), st.integers(0, 9))
def test_interval_contains_the_value(
    cells: tuple[int, int, int, int], judged: tuple[int, int, int, int], seed: int
) -> None:
    errors = JudgeErrors(judged[0] + 1, judged[1], judged[2], judged[3] + 1)
    estimate = pul_corrected(*indicators(*cells), errors, np.random.default_rng(seed), draws=200)
    if math.isnan(estimate.value):
        assert estimate.reason
    else:
        assert estimate.value <= 100
        assert math.isnan(estimate.low) == math.isnan(estimate.high)
        if math.isfinite(estimate.low):
            assert estimate.low <= estimate.value <= estimate.high <= 100


@pytest.mark.parametrize("truth", [0.0, 50.0, 90.0, 99.0, 100.0])
@pytest.mark.parametrize(("n", "held_out"), [(200, 1000), (2000, 100)])
def test_coverage_of_the_true_pul(truth: float, n: int, held_out: int) -> None:
    """Planted true states, judged by a judge whose errors are known from a sample only."""
    rng = np.random.default_rng(7)
    rate, sensitivity, specificity = 0.1, 0.9, 0.98
    after = rate * (1 - truth / 100)
    states = [0.7 * after, rate - 0.7 * after, 0.3 * after, 1 - rate - 0.3 * after]
    covered = []
    for _ in range(250):
        true_before, true_after = indicators(*rng.multinomial(n, states))
        judged_before = rng.random(n) < np.where(true_before, sensitivity, 1 - specificity)
        judged_after = rng.random(n) < np.where(true_after, sensitivity, 1 - specificity)
        hits, correct = rng.binomial(held_out, sensitivity), rng.binomial(9 * held_out, specificity)
        errors = JudgeErrors(hits, held_out - hits, 9 * held_out - correct, correct)
        estimate = pul_corrected(judged_before, judged_after, errors, rng, draws=500)
        if math.isfinite(estimate.low):
            covered.append(estimate.low <= truth <= estimate.high)
    assert len(covered) > 240
    assert np.mean(covered) >= 0.91
