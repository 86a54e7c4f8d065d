"""Pairs of rates: closed forms, and that one method that scatters hides no other's difference."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, t

from vdu_bench.stats.separation import separations


def test_samples_that_explain_the_seeds_give_a_normal_test() -> None:
    found = separations([4.0, -4.0], [0.0, 5.0], [6.0, 6.0], [1, 3])
    expected = [2 * norm.sf(4 / np.sqrt(6)), 2 * norm.sf(4 / np.sqrt(6 / 3))]
    assert found == pytest.approx(expected, rel=1e-12)


def test_seeds_that_scatter_alike_share_half_of_their_degrees_of_freedom() -> None:
    found = separations([3.0, 3.0, 3.0], [4.0, 4.0, 4.0], [1.0, 1.0, 1.0], [3, 3, 3])
    assert found == pytest.approx(2 * t.sf(3 / np.sqrt(4 / 3), 3), rel=1e-12)


def test_seeds_that_agree_by_chance_are_given_the_typical_scatter() -> None:
    found = separations([3.0, 3.0, 3.0], [0.1, 4.0, 4.0], [1.0, 1.0, 1.0], [3, 3, 3])
    assert found[0] == found[1] == pytest.approx(2 * t.sf(3 / np.sqrt(4 / 3), 3), rel=1e-12)


def test_one_that_scatters_hides_no_other_s_difference() -> None:
    calm = separations([20.0, 15.0, 10.0], [3.0, 2.0, 4.0], [2.0, 2.0, 2.0], [3, 3, 3])
    wild = separations([20.0, 15.0, 10.0], [3.0, 2.0, 900.0], [2.0, 2.0, 2.0], [3, 3, 3])
    assert wild[:2] == pytest.approx(calm[:2])
    assert wild[2] == pytest.approx(2 * t.sf(10 / np.sqrt(900 / 3), 2), rel=1e-12)
