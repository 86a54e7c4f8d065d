"""The area under the curve: against scikit-learn's and DeLong's definition, and how often its interval holds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from vdu_bench.stats.auc import area_under_curve

RNG = np.random.default_rng(5)


def drawn(m: int, n: int, apart: float, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    one, other = RNG.normal(apart, 1.5, m), RNG.normal(0, 1, n)
    return (one.round(), other.round()) if ties else (one, other)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("m", "n"), [(40, 25), (7, 60)])
def test_area_is_scikit_learn_s_and_variance_delong_s(m: int, n: int, ties: bool) -> None:
    one, other = drawn(m, n, 1.0, ties)
    found = area_under_curve(one, other)
    assert found.value == pytest.approx(roc_auc_score([1] * m + [0] * n, [*one, *other]))
    psi = (one[:, None] > other[None]) + 0.5 * (one[:, None] == other[None])
    variance = psi.mean(1).var(ddof=1) / m + psi.mean(0).var(ddof=1) / n
    margin = norm.isf(0.025) * math.sqrt(variance) / (found.value * (1 - found.value))
    assert logit(found.high) - logit(found.low) == pytest.approx(2 * margin)
    assert found.n == m + n


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    truth = norm.cdf(1.0 / math.sqrt(1.5**2 + 1))
    found = [area_under_curve(*drawn(60, 35, 1.0)) for _ in range(600)]
    held = np.mean([one.low <= truth <= one.high for one in found])
    assert 0.92 < held < 0.98


def test_scores_that_do_not_vary_have_no_interval() -> None:
    found = area_under_curve(np.ones(4), np.ones(5))
    assert (found.value, found.method) == (0.5, "no interval: the scores do not vary")


def test_groups_that_do_not_overlap_have_no_interval() -> None:
    found = area_under_curve(np.array([3.0, 4.0, 5.0]), np.array([0.0, 1.0]))
    assert found.value == 1
    assert math.isnan(found.low)
    assert found.method.startswith("no interval")


@pytest.mark.parametrize(("one", "other"), [([1.0], [1.0, 2.0]), ([1.0, 2.0], []), ([1.0, math.nan], [1.0, 2.0])])
def test_what_no_area_is_of(one: list[float], other: list[float]) -> None:
    with pytest.raises(ValueError, match="at least two finite scores"):
        area_under_curve(np.array(one), np.array(other))
