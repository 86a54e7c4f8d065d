from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, t, ttest_1samp

from vdu_bench.measured import Estimate, Scale
from vdu_bench.stats.mean import mean_with_t_interval
from vdu_bench.stats.proportion import proportion
from vdu_bench.stats.pul import pul
from vdu_bench.stats.scatter import SAMPLES_ONLY, Pool
from vdu_bench.stats.seeds import over_seeds, pooled_scatter

finite = st.floats(-1e6, 1e6)
RANGES: dict[Scale, tuple[float, float]] = {"ratio": (-math.inf, 100.0), "share": (0.0, 100.0), "signed": (-1e9, 1e9)}


def bare(*values: float) -> list[Estimate]:
    return [Estimate(value=value, n=10) for value in values]


def test_one_seed_is_itself() -> None:
    only = Estimate(value=3.0, low=2.0, high=4.0, n=10, method="own")
    assert over_seeds([only], "share") == only


def test_one_seed_without_an_estimate_is_itself() -> None:
    only = Estimate(reason="nothing there")
    assert over_seeds([only]).reason == "nothing there"


def test_signed_seeds_without_intervals_agree_with_scipy() -> None:
    values = [80.0, 84.0, 91.0]
    estimate = over_seeds(bare(*values))
    interval = ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert estimate.value == pytest.approx(85.0)
    assert (estimate.low, estimate.high) == pytest.approx((interval.low, interval.high))
    assert estimate.n == 30
    assert estimate.method == "value over 3 seeds, own scatter"


def test_positive_seeds_are_compared_by_their_logarithms() -> None:
    values = np.array([10.0, 11.0, 13.0])
    estimate = over_seeds(bare(*values), "positive")
    assert estimate.value == pytest.approx(values.mean())
    # For seeds that scatter little the two ways to tell a logarithm's scatter agree.
    margin = 4.302653 * np.log(values).std(ddof=1) / math.sqrt(3)
    assert math.log(estimate.high / estimate.value) == pytest.approx(margin, rel=0.05)
    assert estimate.high / estimate.value == pytest.approx(estimate.value / estimate.low)


def test_no_spread_is_no_width() -> None:
    for scale in ("positive", "signed", "share", "ratio"):
        estimate = over_seeds(bare(0.1, 0.1, 0.1), scale)
        assert estimate.low == estimate.value == estimate.high


def test_seeds_that_agree_are_no_surer_than_their_samples() -> None:
    """Three seeds without a hit in 100 samples say what 300 samples without a hit say."""
    estimate = over_seeds([proportion(0, 100)] * 3, "share")
    together = 100.0 * binomtest(0, 300).proportion_ci(method="exact").high
    assert (estimate.value, estimate.low) == (0.0, 0.0)
    assert estimate.high == pytest.approx(together, rel=0.02)


def test_in_the_middle_samples_alone_are_a_binomial() -> None:
    estimate = over_seeds([proportion(120, 400)] * 4, "share")
    exact = binomtest(480, 1600).proportion_ci(method="exact")
    assert (estimate.low, estimate.high) == pytest.approx((100 * exact.low, 100 * exact.high), abs=0.25)


def test_nothing_left_with_any_seed_ends_at_a_hundred() -> None:
    before = np.arange(500) < 100
    estimate = over_seeds([pul(before, np.zeros(500, dtype=bool))] * 3, "ratio")
    assert estimate.total == 300
    assert (estimate.value, estimate.high) == (100.0, 100.0)
    # Of 300 hits none is left.
    exact = binomtest(0, 300).proportion_ci(method="exact")
    assert 100.0 - estimate.low == pytest.approx(100 * exact.high, rel=0.02)


def test_a_collapsed_seed_does_not_leave_the_range() -> None:
    """Student's t gave [-93, 159] here, and distances below 0."""
    estimate = over_seeds([Estimate(value=value, n=2000, total=200) for value in (88.0, 30.0, -20.0)], "ratio")
    assert estimate.low < -20.0
    assert estimate.value < estimate.high < 100.0
    distance = over_seeds(bare(20.0, 25.0, 900.0), "positive")
    assert 0.0 < distance.low < distance.value < distance.high


def test_extremes_over_judges_are_averaged() -> None:
    seeds = [Estimate(value=50.0, low=40.0, high=60.0, n=5), Estimate(value=70.0, low=66.0, high=70.0, n=5)]
    estimate = over_seeds(seeds, "range")
    assert (estimate.value, estimate.low, estimate.high, estimate.n) == (60.0, 53.0, 65.0, 10)


def test_zeros_of_a_positive_metric() -> None:
    nothing = over_seeds(bare(0.0, 0.0), "positive")
    assert nothing.value == 0.0
    assert math.isnan(nothing.low)
    some = over_seeds(bare(0.0, 0.1, 0.2), "positive")
    half = t.isf(0.025, 2) * 0.1 / math.sqrt(3)  # a zero has no place among logarithms
    assert (some.low, some.high) == pytest.approx((0.0, 0.1 + half))


@pytest.mark.parametrize("missing", [math.nan, math.inf])
@pytest.mark.parametrize("scale", ["ratio", "share", "positive", "signed", "range"])
def test_a_missing_seed_is_not_left_out(missing: float, scale: Scale) -> None:
    known = bare(1.0, 2.0)
    estimate = over_seeds([known[0], Estimate(value=missing, n=10, reason="it diverged"), known[1]], scale)
    assert math.isnan(estimate.value)
    assert math.isnan(estimate.low)
    assert estimate.reason == "no estimate for 1 of 3 seeds: it diverged"
    assert estimate.n == 30


def test_no_seeds_is_an_error() -> None:
    with pytest.raises(ValueError, match="no seed"):
        over_seeds([])


@st.composite
def rows(draw: st.DrawFn) -> tuple[Scale, list[Estimate]]:
    """A row's seeds in one scale's range, its ends included, with own intervals or without, counts or without."""
    scale: Scale = draw(st.sampled_from(["ratio", "share", "positive", "signed"]))
    inside = {
        "ratio": st.sampled_from([100.0, 0.0]) | st.floats(-1000.0, 100.0),
        "share": st.sampled_from([0.0, 100.0]) | st.floats(0.0, 100.0),
        "positive": st.sampled_from([1e-9, 1e9]) | st.floats(1e-6, 1e6),
        "signed": finite,
    }[scale]
    total = draw(st.sampled_from([0, 1, 7, 200]))
    seeds = []
    for _ in range(draw(st.integers(2, 6))):
        low, value, high = sorted(draw(st.tuples(inside, inside, inside)))
        ends = {"low": low, "high": high} if draw(st.booleans()) else {}
        seeds.append(Estimate(value=value, n=draw(st.sampled_from([0, 2000])), total=total, **ends))
    return scale, seeds


@settings(max_examples=300, deadline=None)
@given(rows(), st.none() | st.floats(0.0, 30.0))
def test_an_interval_is_in_its_range_and_holds_the_mean(
    row: tuple[Scale, list[Estimate]], between: float | None
) -> None:
    scale, seeds = row
    pool = None if between is None else Pool(np.float64(between), 5.0)
    estimate, reverse = over_seeds(seeds, scale, pool), over_seeds(seeds[::-1], scale, pool)
    assert estimate.value == pytest.approx(np.mean([seed.value for seed in seeds]))
    assert estimate.low <= estimate.value <= estimate.high
    low, high = RANGES.get(scale, (0.0, math.inf))
    assert low <= estimate.low
    assert estimate.high <= high
    assert math.isfinite(estimate.high)
    if scale == "positive":
        assert estimate.low > 0
    assert (reverse.low, reverse.high) == pytest.approx((estimate.low, estimate.high), rel=1e-6, abs=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.lists(finite, min_size=2, max_size=6), st.floats(-100, 100))
def test_a_shift_of_all_signed_seeds_shifts_all(values: list[float], shift: float) -> None:
    estimate, shifted = over_seeds(bare(*values)), over_seeds(bare(*(value + shift for value in values)))
    assert (shifted.low, shifted.high) == pytest.approx((estimate.low + shift, estimate.high + shift), abs=1e-6)


def distances(scatter: float, seeds: int = 3, draw: int = 0) -> list[Estimate]:
    return bare(*(20.0 * np.exp(scatter * np.random.default_rng(draw).standard_normal(seeds))))


def test_a_row_whose_seeds_agree_by_chance_gets_the_others_scatter() -> None:
    table = [distances(0.2, seeds=8, draw=draw) for draw in range(6)]
    lucky = bare(20.0, 20.0, 20.0)
    pool = pooled_scatter([*table, lucky], "positive")
    assert pool is not None
    assert 0.1**2 < pool.variance < 0.4**2
    estimate = over_seeds(lucky, "positive", pool)
    assert estimate.low < 18.0 < 22.0 < estimate.high
    assert estimate.method == "log over 3 seeds, scatter pooled over rows"


def test_a_row_that_scatters_far_more_keeps_its_own_and_widens_no_other() -> None:
    table = [distances(0.1, draw=draw) for draw in range(6)]
    wild = bare(20.0, 200.0, 2000.0)
    calm, disturbed = pooled_scatter(table, "positive"), pooled_scatter([*table, wild], "positive")
    assert calm is not None
    assert disturbed is not None
    assert disturbed.variance < 2.0 * calm.variance
    assert over_seeds(wild, "positive", disturbed).method == "log over 3 seeds, own scatter"
    alone = over_seeds(wild, "positive")
    pooled = over_seeds(wild, "positive", disturbed)
    assert (pooled.low, pooled.high) == pytest.approx((alone.low, alone.high))


def test_a_row_that_scatters_far_less_keeps_its_own() -> None:
    """A method that hardly changes the model is not as uncertain as those that do."""
    table = [distances(0.5, seeds=5, draw=draw) for draw in range(6)]
    calm = bare(20.0, 20.1, 20.05, 19.9, 20.0)
    pool = pooled_scatter([*table, calm], "positive")
    estimate = over_seeds(calm, "positive", pool)
    assert estimate == over_seeds(calm, "positive", None)
    assert estimate.high - estimate.low < 0.3


def test_samples_that_explain_the_scatter_leave_none_to_pool() -> None:
    rng = np.random.default_rng(3)
    table = [[proportion(int(rng.binomial(500, rate)), 500) for _ in range(5)] for rate in np.linspace(0.1, 0.6, 9)]
    pool = pooled_scatter(table, "share")
    assert pool is not None
    assert pool.variance < 0.004
    # Where seeds differ by more, that is seen.
    moved = [[proportion(int(rng.binomial(500, rate)), 500) for rate in rng.uniform(0.1, 0.6, 5)] for _ in range(9)]
    found = pooled_scatter(moved, "share")
    assert found is not None
    assert found.variance > 0.2


def test_samples_of_one_model_are_as_good_as_all_of_them_together() -> None:
    """A retrained model has three survivors of 200, or two, or none: chance, which 600 noises tell more of than t."""
    seeds = [proportion(hits, 200) for hits in (3, 2, 0)]
    estimate = over_seeds(seeds, "share", SAMPLES_ONLY)
    assert estimate.method == "logit over 3 seeds, noise of the samples"
    assert estimate.high < 2.0 * 100.0 * binomtest(5, 600).proportion_ci(method="exact").high
    # Where they scatter more than samples can, they are not of one model.
    seeds = [proportion(hits, 200) for hits in (3, 20, 60)]
    spread = over_seeds(seeds, "share", SAMPLES_ONLY)
    assert spread == over_seeds(seeds, "share")


def test_too_few_rows_pool_nothing() -> None:
    row = distances(0.2)
    assert pooled_scatter([row, row], "positive") is None
    assert pooled_scatter([row, row, bare(1.0)], "positive") is None
    assert pooled_scatter([row, row, bare(1.0, math.nan)], "positive") is None
    assert pooled_scatter([row, row, row], "range") is None
    assert pooled_scatter([row, row, row], "positive") is not None


@pytest.mark.parametrize(("same_units", "covers"), [(True, True), (False, False)])
def test_what_all_seeds_are_measured_on_is_one_chance(same_units: bool, covers: bool) -> None:
    """Eight prompts decide nearly all of a score, and every seed asks for the same eight."""
    rng, inside = np.random.default_rng(0), 0
    for _ in range(300):
        prompts = rng.normal(0.0, 1.0, 8)
        seeds = [mean_with_t_interval(prompts + rng.normal(0.0, 0.05, 8)) for _ in range(3)]
        found = over_seeds(seeds, "signed", same_units=same_units)
        inside += found.low <= 0.0 <= found.high
    assert (inside / 300 > 0.93) == covers
    assert found.n == (8 if same_units else 24)


def test_a_chance_stays_one() -> None:
    ends = ((0.95, 0.988, 0.997), (0.88, 0.93, 0.96), (0.98, 0.999, 0.9999))
    areas = [Estimate(value=value, low=low, high=high, n=180) for low, value, high in ends]
    found = over_seeds(areas, "chance", same_units=True)
    assert found.value == pytest.approx(np.mean([0.988, 0.93, 0.999]))
    assert 0.0 < found.low < found.value < found.high < 1.0
