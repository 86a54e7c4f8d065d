"""The leak against closed forms, at its ends, and its interval's coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t

from vdu_bench.stats.leak import NOTHING_TO_LEAK, THE_WRONG_WAY, TOO_FEW, leak


def flags(n: int, *runs: tuple[int, int]) -> np.ndarray:
    """float ``[n]``, 1 from each run's begin to its end."""
    found = np.zeros(n)
    for begin, end in runs:
        found[begin:end] = 1
    return found


def test_it_is_where_the_rate_lies_between_the_two() -> None:
    retrained, original = flags(100, (0, 10)), flags(100, (0, 60))
    assert leak(flags(100, (0, 10)), retrained, original).value == 0
    assert leak(flags(100, (0, 60)), retrained, original).value == 1
    found = leak(flags(100, (0, 35)), retrained, original)
    assert found.value == pytest.approx(0.5)
    assert found.low < 0.5 < found.high
    assert found.n == 100


def test_as_many_as_an_end_by_chance_is_no_certainty() -> None:
    """A method of which the same samples show the concept as of the retrained model is another model all the same."""
    retrained, original = flags(100, (0, 10)), flags(100, (5, 60))
    for rates, value in ((original, 1), (retrained, 0)):
        found = leak(rates, retrained, original)
        assert found.value == value
        assert found.low < value < found.high


def test_one_sample_tells_no_share() -> None:
    found = leak(np.ones(1), np.zeros(1), np.ones(1))
    assert math.isnan(found.value)
    assert found.reason == TOO_FEW


def test_its_limits_solve_fieller_s_equation() -> None:
    rng = np.random.default_rng(0)
    retrained, original = (rng.random(200) < p for p in (0.1, 0.6))
    method = np.where(rng.random(200) < 0.5, original, retrained)
    m, r, o = (values.astype(float) for values in (method, retrained, original))
    found = leak(m, r, o)
    x, y = m - r, o - r
    for limit in (found.low, found.high):
        # The added samples: 2 / n^2 in each variance, which are not paired with each other.
        variance = (x - limit * y).var(ddof=1) / 200 + 2 / 200**2 * (1 + limit**2)
        assert (x.mean() - limit * y.mean()) ** 2 == pytest.approx(t.isf(0.025, 199) ** 2 * variance)


def test_where_nothing_lies_between_nothing_can_leak() -> None:
    original = flags(100, (0, 11))
    found = leak(flags(100, (0, 50)), flags(100, (0, 10)), original)
    assert math.isnan(found.value)
    assert found.reason == NOTHING_TO_LEAK
    assert math.isnan(leak(np.zeros(100), np.zeros(100), np.zeros(100)).value)


def test_where_a_model_that_never_knew_shows_more_there_is_no_scale() -> None:
    """It would be upside down: the method that shows most of all would leak least."""
    for shown in (10, 60):
        found = leak(flags(100, (0, shown)), flags(100, (0, 50)), flags(100, (0, 20)))
        assert math.isnan(found.value)
        assert found.reason == THE_WRONG_WAY


def test_few_changes_are_no_certainty() -> None:
    found = leak(flags(300, (0, 1)), np.zeros(300), flags(300, (0, 60)))
    assert found.low < 0 < found.high


@pytest.mark.parametrize(("r", "o", "share"), [(0.02, 0.2, 0.0), (0.0, 0.1, 0.5), (0.1, 0.6, 0.2), (0.5, 0.9, 0.9)])
def test_the_interval_covers(r: float, o: float, share: float) -> None:
    rng, covered, runs = np.random.default_rng(1), 0, 0
    truth = share
    for _ in range(400):
        # A row is the original's with chance `share`, else that of the model that never knew.
        never, always = rng.random(300) < r, rng.random(300) < o
        method = np.where(rng.random(300) < share, rng.random(300) < o, rng.random(300) < r)
        found = leak(*(values.astype(float) for values in (method, never, always)))
        if math.isfinite(found.low):
            runs += 1
            covered += found.low <= truth <= found.high
    assert runs > 300
    assert covered / runs >= 0.93


@pytest.mark.parametrize(
    "rates", [(np.zeros(0),) * 3, (np.zeros(3), np.zeros(3), np.zeros(4)), (np.zeros(3), np.zeros(3), np.full(3, 1.5))]
)
def test_other_arrays_are_refused(rates: tuple[np.ndarray, ...]) -> None:
    with pytest.raises(ValueError, match="rates are"):
        leak(*rates)
