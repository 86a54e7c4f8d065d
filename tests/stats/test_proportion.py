from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom

from vdu_bench.stats.proportion import proportion


def test_no_hits_has_the_closed_form_bound() -> None:
    estimate = proportion(0, 100)
    assert (estimate.value, estimate.low) == (0.0, 0.0)
    assert estimate.high == pytest.approx(100 * (1 - 0.025 ** (1 / 100)))
    assert estimate.n == 100
    assert estimate.method == "Clopper-Pearson"


def test_limits_are_the_beta_quantiles() -> None:
    estimate = proportion(7, 40)
    assert estimate.value == pytest.approx(17.5)
    assert estimate.low == pytest.approx(100 * beta.ppf(0.025, 7, 34))
    assert estimate.high == pytest.approx(100 * beta.ppf(0.975, 8, 33))


@pytest.mark.parametrize(("hits", "n"), [(0, 0), (0, -1), (-1, 10), (11, 10)])
def test_impossible_counts_are_errors(hits: int, n: int) -> None:
    with pytest.raises(ValueError, match="sample"):
        proportion(hits, n)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 3000), share=st.floats(0, 1))
def test_misses_mirror_hits(n: int, share: float) -> None:
    hits = round(share * n)
    estimate, mirrored = proportion(hits, n), proportion(n - hits, n)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 100
    assert estimate.low < estimate.high
    assert estimate.low == pytest.approx(100 - mirrored.high, abs=1e-9)


def test_exact_coverage_is_never_below_the_level() -> None:
    n = 100
    limits = [proportion(hits, n) for hits in range(n + 1)]
    low, high = np.array([limit.low for limit in limits]), np.array([limit.high for limit in limits])
    for rate in np.linspace(0.001, 0.999, 150):
        covered = (low <= 100 * rate) & (100 * rate <= high)
        assert binom.pmf(np.arange(n + 1), n, rate)[covered].sum() >= 0.95
