from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from vdu_bench.measured import Estimate
from vdu_bench.stats.seeds import over_seeds

finite = st.floats(-1e6, 1e6)


def estimates(*values: float) -> list[Estimate]:
    return [Estimate(value=value, low=value - 1, high=value + 1, n=10, method="own") for value in values]


def test_one_seed_is_itself() -> None:
    (only,) = estimates(3.0)
    assert over_seeds([only]) == only


def test_one_seed_without_an_estimate_is_itself() -> None:
    only = Estimate(reason="nothing there")
    assert over_seeds([only]).reason == "nothing there"


def test_several_seeds_agree_with_scipy() -> None:
    values = [80.0, 84.0, 91.0]
    estimate = over_seeds(estimates(*values), level=0.9)
    interval = ttest_1samp(values, 0.0).confidence_interval(0.9)
    assert estimate.value == pytest.approx(85.0)
    assert (estimate.low, estimate.high) == pytest.approx((interval.low, interval.high))
    assert estimate.n == 30
    assert estimate.method == "t over 3 seeds"


def test_two_seeds_have_the_closed_form() -> None:
    estimate = over_seeds(estimates(0.0, 2.0))
    assert estimate.high == pytest.approx(1.0 + math.tan(math.pi * 0.475))


def test_no_spread_is_no_width() -> None:
    estimate = over_seeds(estimates(5.0, 5.0, 5.0))
    assert (estimate.low, estimate.value, estimate.high) == (5.0, 5.0, 5.0)


@pytest.mark.parametrize("missing", [math.nan, math.inf])
def test_a_missing_seed_is_not_left_out(missing: float) -> None:
    known = estimates(1.0, 2.0)
    estimate = over_seeds([known[0], Estimate(value=missing, n=10, reason="it diverged"), known[1]])
    assert math.isnan(estimate.value)
    assert math.isnan(estimate.low)
    assert estimate.reason == "no estimate for 1 of 3 seeds: it diverged"
    assert estimate.n == 30


def test_no_seeds_is_an_error() -> None:
    with pytest.raises(ValueError, match="no seed"):
        over_seeds([])


@settings(max_examples=50, deadline=None)
@given(st.lists(finite, min_size=2, max_size=6))
def test_order_does_not_matter_and_the_mean_is_inside(values: list[float]) -> None:
    estimate, reverse = over_seeds(estimates(*values)), over_seeds(estimates(*values[::-1]))
    assert estimate.low <= estimate.value <= estimate.high
    ends, reverse_ends = (estimate.value, estimate.low, estimate.high), (reverse.value, reverse.low, reverse.high)
    assert ends == pytest.approx(reverse_ends, abs=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.lists(finite, min_size=2, max_size=6), st.floats(-100, 100))
def test_a_shift_of_all_seeds_shifts_all(values: list[float], shift: float) -> None:
    estimate, shifted = over_seeds(estimates(*values)), over_seeds(estimates(*(value + shift for value in values)))
    assert (shifted.low, shifted.high) == pytest.approx((estimate.low + shift, estimate.high + shift), abs=1e-6)


def test_coverage_over_normal_seeds() -> None:
    rng = np.random.default_rng(0)
    intervals = [over_seeds(estimates(*rng.normal(50.0, 4.0, 3))) for _ in range(1500)]
    assert np.mean([estimate.low <= 50.0 <= estimate.high for estimate in intervals]) == pytest.approx(0.95, abs=0.02)
