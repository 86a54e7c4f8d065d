from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from vdu_bench.stats.mean import mean_with_t_interval

numbers = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30).filter(lambda values: np.std(values) > 1e-3)


@given(numbers)
def test_equals_scipy_s(values: list[float]) -> None:
    estimate = mean_with_t_interval(np.array(values))
    theirs = ttest_1samp(values, 0).confidence_interval(0.95)
    assert estimate.value == pytest.approx(np.mean(values), abs=1e-9)
    assert (estimate.low, estimate.high) == pytest.approx((theirs.low, theirs.high), rel=1e-9, abs=1e-9)
    assert estimate.n == len(values)
    assert estimate.method == "Student's t"


def test_the_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    intervals = [mean_with_t_interval(rng.normal(3, 2, size=5)) for _ in range(2000)]
    covered = sum(interval.low <= 3 <= interval.high for interval in intervals)
    # 1,900 expected, with a binomial deviation of 10.
    assert 1860 < covered < 1940


def test_equal_numbers_have_an_interval_of_no_width() -> None:
    estimate = mean_with_t_interval(np.full(4, 0.5))
    assert (estimate.low, estimate.value, estimate.high) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, float("nan")], [1.0, float("inf")], [[1.0, 2.0]]])
def test_too_few_or_not_finite_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="at least two finite numbers"):
        mean_with_t_interval(np.array(values))
