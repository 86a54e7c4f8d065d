from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm

from vdu_bench.stats.pul import _ratio_limits, pul

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


def indicators(both: int, only_before: int, only_after: int, neither: int) -> tuple[Bools, Bools]:
    cells = [both, only_before, only_after, neither]
    return np.repeat([True, True, False, False], cells), np.repeat([True, False, True, False], cells)


counts = st.integers(0, 60)
tables = st.tuples(counts, counts, counts, counts).filter(lambda cells: sum(cells) > 0)


def test_value_is_one_minus_the_ratio_of_counts() -> None:
    estimate = pul(*indicators(5, 195, 15, 1785))
    assert estimate.value == pytest.approx(90.0)
    assert estimate.low < 90.0 < estimate.high
    assert estimate.n == 2000


def test_more_than_before_is_negative() -> None:
    estimate = pul(*indicators(20, 0, 20, 60))
    assert estimate.value == pytest.approx(-100.0)
    assert estimate.high < 0


def test_none_left_has_the_exact_bound() -> None:
    estimate = pul(*indicators(0, 50, 0, 450))
    assert (estimate.value, estimate.high) == (100.0, 100.0)
    assert estimate.low == pytest.approx(100 * 0.025 ** (1 / 50))
    assert estimate.method == "Clopper-Pearson, none left"


def test_nothing_before_is_nan_with_a_reason() -> None:
    estimate = pul(*indicators(0, 0, 3, 97))
    assert math.isnan(estimate.value)
    assert math.isnan(estimate.low)
    assert estimate.reason
    assert estimate.n == 100


def test_no_change_is_zero_but_not_certain() -> None:
    estimate = pul(*indicators(20, 0, 0, 180))
    assert estimate.value == 0.0
    assert estimate.low < 0.0 < estimate.high


def test_large_samples_agree_with_the_delta_method() -> None:
    both, only_before, only_after = 20_000, 30_000, 10_000
    estimate = pul(*indicators(both, only_before, only_after, 100_000))
    error = 1.959964 * math.sqrt((only_before + only_after) / ((both + only_before) * (both + only_after)))
    assert estimate.low == pytest.approx(100 * (1 - 0.6 * math.exp(error)), abs=0.01)
    assert estimate.high == pytest.approx(100 * (1 - 0.6 * math.exp(-error)), abs=0.01)


def test_pairing_is_used() -> None:
    """The same two rates are known better where the survivors are old hits than where all hits are new."""
    kept, replaced = pul(*indicators(50, 50, 0, 900)), pul(*indicators(0, 100, 50, 850))
    assert kept.value == replaced.value
    assert kept.high - kept.low < 0.7 * (replaced.high - replaced.low)


def test_with_wilson_limits_it_is_the_published_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cavo et al.'s (2012) table in the R package contingencytables: ratio .8667, 95 % interval .7579 to .9910."""

    def wilson(hits: Floats, n: Floats, side: Floats) -> tuple[Floats, Floats]:
        z = norm.isf(side)
        centre, margin = 2 * hits + z**2, z * np.sqrt(z**2 + 4 * hits * (1 - hits / n))
        return (centre - margin) / (2 * (n + z**2)), (centre + margin) / (2 * (n + z**2))

    exact_low, exact_high = _ratio_limits(59, 16, 6)
    monkeypatch.setattr("vdu_bench.stats.pul._clopper_pearson", wilson)
    low, high = _ratio_limits(59, 16, 6)
    assert (low, high) == pytest.approx((0.7579, 0.9910), abs=5e-5)
    assert low - 0.02 < exact_low < low
    assert high < exact_high < high + 0.02


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (np.ones(3, bool), np.ones(4, bool)),
        (np.ones(0, bool), np.ones(0, bool)),
        (np.ones(3, int), np.ones(3, bool)),
        (np.ones((2, 2), bool), np.ones((2, 2), bool)),
    ],
)
def test_what_is_not_pairs_is_an_error(before: Bools, after: Bools) -> None:
    with pytest.raises(ValueError, match=r"pairs|bool array"):
        pul(before, after)


@settings(max_examples=50, deadline=None)
@given(tables)
def test_interval_contains_the_value(table: tuple[int, int, int, int]) -> None:
    estimate = pul(*indicators(*table))
    if table[0] + table[1] == 0:
        assert math.isnan(estimate.value)
        return
    assert math.isfinite(estimate.low)
    assert estimate.low <= estimate.value <= estimate.high <= 100


@settings(max_examples=50, deadline=None)
@given(tables, st.integers(0, 99))
def test_order_of_the_pairs_does_not_matter(table: tuple[int, int, int, int], seed: int) -> None:
    before, after = indicators(*table)
    order = np.random.default_rng(seed).permutation(len(before))
    shuffled, straight = pul(before[order], after[order]), pul(before, after)
    assert shuffled.model_dump_json() == straight.model_dump_json()


@settings(max_examples=50, deadline=None)
@given(tables, st.integers(0, 200))
def test_pairs_without_a_hit_do_not_matter(table: tuple[int, int, int, int], more: int) -> None:
    estimate, padded = pul(*indicators(*table)), pul(*indicators(*table[:3], table[3] + more))
    assert (estimate.low, estimate.high) == pytest.approx((padded.low, padded.high), nan_ok=True)


@pytest.mark.parametrize("n", [200, 2000])
@pytest.mark.parametrize("new_hits", [0.0, 2.0, 8.0], ids="new{:.0f}".format)
@pytest.mark.parametrize("survival", [0.0, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 1.0])
def test_coverage(n: int, new_hits: float, survival: float) -> None:
    """Also where the delta method fails: few changes (as little as 18 %), nothing new (90 % at a survival of .8)."""
    rate, rng = 0.1, np.random.default_rng(0)
    cells = [rate * survival, rate * (1 - survival), new_hits / n]
    table = rng.multinomial(n, [*cells, 1 - sum(cells)], size=3000)
    table = table[table[:, 0] + table[:, 1] > 0]
    low, high = _ratio_limits(table[:, 0], table[:, 1], table[:, 2])
    truth = (cells[0] + cells[2]) / rate
    coverage = np.mean((low <= truth + 1e-12) & (truth - 1e-12 <= high))
    assert coverage >= 0.935
    # An interval can also cover by being too wide.
    assert np.median(high - low) < 5.5 * np.sqrt((truth + truth**2 + 3.7 / (n * rate)) / (n * rate))
