"""A threshold that says 1 % has to read 1 % of values that it never saw."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import gamma

from vdu_bench.stats.cross_calibration import FOLDS, cross_calibrated

SHAPE, N, RUNS = 4.0, 500, 400


def test_fresh_values_are_beyond_it_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    values = gamma.rvs(SHAPE, size=(RUNS, N), random_state=rng)
    found = [cross_calibrated(row, 0.99) for row in values]
    fresh = gamma.sf([one.threshold for one in found], SHAPE)
    own = [one.beyond.mean() for one in found]
    assert fresh.mean() == pytest.approx(0.01, abs=3 * fresh.std() / np.sqrt(RUNS))
    assert np.mean(own) == pytest.approx(0.01, abs=3 * np.std(own) / np.sqrt(RUNS))
    # What stood here before: numpy's own quantile of all values.
    before = gamma.sf(np.quantile(values, 0.99, axis=1), SHAPE)
    assert before.mean() > 0.0115


def test_a_value_does_not_move_the_threshold_that_it_is_held_against() -> None:
    values = np.random.default_rng(1).random(100)
    for position in range(0, 100, 7):
        moved = values.copy()
        moved[position] = 10
        before, after = cross_calibrated(values, 0.9), cross_calibrated(moved, 0.9)
        assert after.beyond[position]
        # It can raise the thresholds of the other folds alone, so of the others none is beyond that was not.
        others = np.arange(100) != position
        assert (after.beyond <= before.beyond)[others].all()
        assert after.threshold >= before.threshold


def test_the_same_values_give_the_same_folds() -> None:
    values = np.random.default_rng(2).random(40)
    one, two = cross_calibrated(values, 0.9), cross_calibrated(values, 0.9)
    assert one.threshold == two.threshold
    assert np.array_equal(one.beyond, two.beyond)


@pytest.mark.parametrize("n", [1, 2, FOLDS - 1, FOLDS + 1])
def test_a_few_values_have_their_largest_for_a_threshold_or_near_it(n: int) -> None:
    values = np.arange(n, dtype=np.float64)
    found = cross_calibrated(values, 0.99)
    assert n - 2 <= found.threshold <= n - 1
    # The largest is beyond what the others give, if there are others.
    assert found.beyond[-1] == (n > 1)


@pytest.mark.parametrize(("n", "level"), [(0, 0.99), (5, 0.0), (5, 1.0)])
def test_no_threshold_of_nothing(n: int, level: float) -> None:
    with pytest.raises(ValueError, match=f"no threshold of {n} values at the level {level}"):
        cross_calibrated(np.zeros(n), level)
