"""Quantiles from special functions are those of scipy's distributions."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
from scipy.stats import chi2, norm, t

from vdu_bench.stats.quantiles import chi2_isf, chi2_ppf, normal_isf, t_isf, t_sf

TAILS = np.array([1e-6, 0.005, 0.025, 0.5, 0.9])
FREEDOM = np.array([0.5, 1.0, 2.5, 4.0, 30.0, 1e6])


def test_they_are_those_of_the_distributions() -> None:
    for upper in TAILS:
        np.testing.assert_allclose(normal_isf(upper), norm.isf(upper), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(t_isf(upper, FREEDOM), t.isf(upper, FREEDOM), rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(chi2_isf(upper, FREEDOM), chi2.isf(upper, FREEDOM), rtol=1e-7)
        np.testing.assert_allclose(chi2_ppf(upper, FREEDOM), chi2.ppf(upper, FREEDOM), rtol=1e-7)
    at = np.array([[-3.0], [0.0], [2.2], [40.0]])
    np.testing.assert_allclose(t_sf(at, FREEDOM), t.sf(at, FREEDOM), rtol=1e-7)


def test_the_ends() -> None:
    assert t_isf(0.025, np.inf) == norm.isf(0.025)
    assert t_sf(1.0, np.inf) == norm.sf(1.0)
    assert t_sf([np.inf, -np.inf], [3.0, np.inf]).tolist() == [0.0, 1.0]
    assert np.isnan(t_sf(np.nan, 3.0))


def test_a_table_is_made_without_scipy_s_distributions() -> None:
    """They would be a second of each command that prints one."""
    modules = "vdu_bench.stats.seeds, vdu_bench.stats.separation, vdu_bench.stats.losses"
    code = f"import sys, {modules}; print('scipy.stats' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
