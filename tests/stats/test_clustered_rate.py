"""A rate over several looks at each sample: against Clopper and Pearson's, and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vdu_bench.stats.clustered_rate import clustered_rate
from vdu_bench.stats.proportion import proportion


def test_with_one_look_each_it_is_clopper_and_pearson_s() -> None:
    for hits in (0, 7, 40):
        flags = (np.arange(40) < hits)[:, None]
        found, plain = clustered_rate(flags), proportion(hits, 40)
        assert (found.value, found.n) == (plain.value, plain.n)
        assert (found.low, found.high) == pytest.approx((plain.low, plain.high))


def test_looks_that_always_agree_count_once() -> None:
    flags = np.repeat((np.arange(40) < 10)[:, None], 6, axis=1)
    found, plain = clustered_rate(flags), proportion(10, 40)
    assert found.value == 25
    assert found.n == 240
    # The t quantile of 39 degrees of freedom alone makes it a little wider.
    assert plain.low * 0.9 < found.low < plain.low
    assert plain.high < found.high < plain.high * 1.05


def test_without_any_hit_there_is_still_an_upper_limit() -> None:
    found = clustered_rate(np.zeros((50, 4), dtype=bool))
    assert (found.value, found.low) == (0, 0)
    assert found.high == pytest.approx(proportion(0, 50).high)


def test_a_single_sample_has_no_interval() -> None:
    found = clustered_rate(np.array([[True, False]]))
    assert found.value == 50
    assert math.isnan(found.low)


@pytest.mark.parametrize(("p", "same"), [(0.05, 0.0), (0.05, 0.7), (0.5, 0.7), (0.9, 0.3)])
def test_the_interval_covers(p: float, same: float) -> None:
    rng, covered = np.random.default_rng(2), 0
    for _ in range(300):
        own, shared = rng.random((100, 4)) < p, rng.random((100, 1)) < p
        found = clustered_rate(np.where(rng.random((100, 4)) < same, shared, own))
        covered += found.low <= 100 * p <= found.high
    assert covered / 300 >= 0.93


@pytest.mark.parametrize(
    ("rows", "looks", "p", "same"),
    [(50, 12, 0.01, 0.6), (50, 12, 0.02, 0.6), (50, 12, 0.99, 0.6), (50, 12, 0.1, 0.6), (300, 4, 0.005, 0.5)],
)
def test_it_covers_where_few_rows_have_a_hit_or_a_miss(rows: int, looks: int, p: float, same: float) -> None:
    """Rows' own rates are of a beta distribution with a correlation of `same` between looks."""
    rng, covered = np.random.default_rng(4), 0
    for _ in range(400):
        rates = rng.beta(p * (1 - same) / same, (1 - p) * (1 - same) / same, rows)
        found = clustered_rate(rng.random((rows, looks)) < rates[:, None])
        covered += found.low <= 100 * p <= found.high
    assert covered / 400 >= 0.95


def test_other_arrays_are_refused() -> None:
    for flags in (np.zeros((3, 0), dtype=bool), np.zeros(3, dtype=bool), np.zeros((3, 2))):
        with pytest.raises(ValueError, match="hits are bool"):
            clustered_rate(flags)
