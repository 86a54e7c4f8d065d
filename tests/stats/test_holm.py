from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vdu_bench.stats.holm import holm

p_lists = st.lists(st.floats(0, 1), max_size=12)


def test_holm_by_hand() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([0.02]) == pytest.approx([0.02])
    assert holm([]).shape == (0,)


@pytest.mark.parametrize("p_values", [[0.1, math.nan], [-0.1], [1.1], [[0.1]]])
def test_holm_refuses_what_is_not_p_values(p_values: list[float]) -> None:
    with pytest.raises(ValueError, match="p-values"):
        holm(p_values)


@settings(max_examples=50, deadline=None)
@given(p_lists, st.integers(0, 99))
def test_holm_invariants(p_values: list[float], seed: int) -> None:
    raw = np.array(p_values)
    adjusted = holm(raw)
    assert np.all(adjusted >= raw)
    assert np.all(adjusted <= np.minimum(1.0, raw * max(len(raw), 1)) + 1e-15)
    assert np.all(np.diff(adjusted[np.argsort(raw, kind="stable")]) >= 0)
    order = np.random.default_rng(seed).permutation(len(raw))
    assert holm(raw[order]) == pytest.approx(adjusted[order])


def test_holm_holds_the_family_wise_error() -> None:
    p_values = np.random.default_rng(0).random((4000, 6))
    any_false_alarm = np.mean([holm(row).min() < 0.05 for row in p_values])
    assert any_false_alarm == pytest.approx(0.05, abs=0.012)
