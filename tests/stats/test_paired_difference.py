from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm

from vdu_bench.stats.paired import _adjusted_wald, holm, paired_difference

Bools = NDArray[np.bool_]


def indicators(both: int, only_before: int, only_after: int, neither: int) -> tuple[Bools, Bools]:
    cells = [both, only_before, only_after, neither]
    return np.repeat([True, True, False, False], cells), np.repeat([True, False, True, False], cells)


count = st.integers(0, 50)
tables = st.tuples(count, count, count, count).filter(any)
p_lists = st.lists(st.floats(0, 1), max_size=12)


def test_one_seed_has_bonett_and_prices_closed_form() -> None:
    before, after = indicators(1, 7, 1, 12)
    result = paired_difference([before], [after])
    first, second = 8 / 23, 2 / 23
    margin = 1.959963985 * math.sqrt((first + second - (first - second) ** 2) / 23)
    assert result.difference == pytest.approx(100 * -6 / 21)
    assert result.low == pytest.approx(100 * (second - first - margin))
    assert result.high == pytest.approx(100 * (second - first + margin))
    assert result.n == 21


def test_large_samples_agree_with_mcnemar() -> None:
    before, after = indicators(30_000, 2_000, 2_100, 65_900)
    expected = 2 * norm.sf((2_100 - 2_000) / math.sqrt(4_100))
    assert paired_difference([before], [after]).p_value == pytest.approx(expected, rel=1e-3)


def test_no_change_is_no_evidence_and_no_certainty() -> None:
    before, after = indicators(20, 0, 0, 180)
    result = paired_difference([before], [after])
    assert result.difference == 0.0
    assert result.p_value == 1.0
    assert result.low < 0.0 < result.high


def test_a_handful_of_changes_is_not_separable() -> None:
    """McNemar without the adjustment gives .046 here; the exact test .125."""
    assert paired_difference(*([part] for part in indicators(0, 4, 0, 1996))).p_value > 0.05


def test_strata_take_out_what_differs_between_seeds() -> None:
    """Two seeds that moved apart by 60 and 0 points: pooled as if one, their gap would count as error."""
    moved, still = indicators(10, 65, 5, 20), indicators(40, 10, 10, 40)
    stratified = paired_difference([moved[0], still[0]], [moved[1], still[1]])
    pooled = paired_difference([np.concatenate([moved[0], still[0]])], [np.concatenate([moved[1], still[1]])])
    assert stratified.difference == pytest.approx(-30.0)
    assert pooled.difference == pytest.approx(-30.0)
    assert stratified.high - stratified.low < 0.97 * (pooled.high - pooled.low)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], []),
        ([np.ones(3, bool)], []),
        ([np.ones(3, bool)], [np.ones(2, bool)]),
        ([np.ones(3, bool), np.ones(0, bool)], [np.ones(3, bool), np.ones(0, bool)]),
        ([np.ones(3, int)], [np.ones(3, bool)]),
    ],
)
def test_what_is_not_pairs_is_an_error(before: list[Bools], after: list[Bools]) -> None:
    with pytest.raises(ValueError, match=r"seeds|pairs|bool"):
        paired_difference(before, after)


@settings(max_examples=50, deadline=None)
@given(st.lists(tables, min_size=1, max_size=4))
def test_swapping_the_sides_flips_the_sign(seeds: list[tuple[int, int, int, int]]) -> None:
    befores, afters = zip(*(indicators(*table) for table in seeds), strict=True)
    forth, back = paired_difference(befores, afters), paired_difference(afters, befores)
    assert forth.low <= forth.difference <= forth.high
    assert forth.low >= -100
    assert forth.high <= 100
    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low))
    assert forth.p_value == pytest.approx(back.p_value)


@settings(max_examples=50, deadline=None)
@given(st.lists(tables, min_size=1, max_size=4), st.floats(0.8, 0.99))
def test_interval_and_p_value_agree(seeds: list[tuple[int, int, int, int]], level: float) -> None:
    befores, afters = zip(*(indicators(*table) for table in seeds), strict=True)
    result = paired_difference(befores, afters, level)
    if abs(result.p_value - (1 - level)) > 1e-9:
        assert (result.p_value < 1 - level) == (result.low > 0 or result.high < 0)


@settings(max_examples=50, deadline=None)
@given(tables, st.integers(0, 99))
def test_order_of_the_pairs_does_not_matter(table: tuple[int, int, int, int], seed: int) -> None:
    before, after = indicators(*table)
    order = np.random.default_rng(seed).permutation(len(before))
    assert paired_difference([before], [after]) == paired_difference([before[order]], [after[order]])


@pytest.mark.parametrize("n", [200, 2000])
@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize(("before", "after", "shared"), [(0.1, 0.1, 0.0), (0.3, 0.3, 0.5), (0.1, 0.02, 0.3)])
def test_coverage_and_false_alarms(before: float, after: float, shared: float, seeds: int, n: int) -> None:
    rng = np.random.default_rng(0)
    cells, truths = [], []
    # Seeds differ in their rates: that is what the strata are for.
    for scale in np.linspace(0.7, 1.3, seeds) if seeds > 1 else [1.0]:
        first, second = scale * before, scale * after
        both = shared * min(first, second) + (1 - shared) * first * second
        cells.append(rng.multinomial(n, [both, first - both, second - both, 1 - first - second + both], size=4000))
        truths.append(second - first)
    table = np.stack(cells, axis=1)
    centre, error = _adjusted_wald(table[..., 1], table[..., 2], np.full(table.shape[:2], n))
    covered = np.abs(centre - np.mean(truths)) <= norm.isf(0.025) * error
    assert 0.935 <= covered.mean() <= 0.98
    if before == after:
        assert np.mean(2 * norm.sf(np.abs(centre) / error) < 0.05) <= 0.065


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
