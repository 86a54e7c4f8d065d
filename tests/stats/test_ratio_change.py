from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from vdu_bench.stats.ratio_change import joint_counts, ratio_change

Bools = NDArray[np.bool_]


def draw(rng: np.random.Generator, n: int = 2000, rate: float = 0.1, flips: float = 0.05) -> tuple[Bools, Bools]:
    before = rng.random(n) < rate
    return before, before ^ (rng.random(n) < flips)


def test_counts_have_an_axis_for_each_indicator() -> None:
    old, base = np.array([True, True, False, False]), np.array([True, False, True, True])
    counts = joint_counts(old, base, base, np.ones(4, bool))
    assert counts.shape == (2, 2, 2, 2)
    assert counts[1, 1, 1, 1] == 1
    assert counts[1, 0, 0, 1] == 1
    assert counts[0, 1, 1, 1] == 2
    assert counts.sum() == 4


def test_over_all_samples_it_is_the_difference_of_two_rates() -> None:
    rng = np.random.default_rng(0)
    seeds = [draw(rng) for _ in range(3)]
    everything = np.ones(2000, bool)
    counts = np.stack([joint_counts(old, everything, new, everything) for old, new in seeds])
    change, variance = ratio_change(counts, seeds=3)
    differences = np.array([new.astype(int) - old for old, new in seeds])
    assert change == pytest.approx(differences.mean(axis=1))
    # A pair that moved either way is added, and shared out among the seeds.
    assert variance == pytest.approx((differences.var(axis=1) + 2 / 3 / 2000) / 2000)


def test_with_one_base_only_what_moved_counts() -> None:
    base = np.repeat([True, False], [100, 900])
    old, new = base & (np.arange(1000) < 20), base & (np.arange(1000) >= 10) & (np.arange(1000) < 40)
    change, variance = ratio_change(joint_counts(old, base, new, base))
    assert change == pytest.approx((30 - 20) / 100)
    # 10 left and 20 came; a pair each way is added, and what the base's own size explains is taken out.
    assert variance == pytest.approx((30 + 2) / 100**2 - 0.1**2 / 100)


@pytest.mark.parametrize("shared", [True, False])
def test_variance_is_that_of_repeated_draws(shared: bool) -> None:
    """PUL's ratio with its base drawn anew, on the same noise and on other noise."""
    base, survives = 0.1, 0.3
    side = np.array([[1 - base, base * (1 - survives)], [0.0, base * survives]])  # [hit, in the base]
    table = np.einsum("hb,kc->hbkc", side, side)
    if shared:
        table = np.zeros((2, 2, 2, 2))
        table[0, 0, 0, 0] = 1 - base
        table[:, 1, :, 1] = base * np.outer([1 - survives, survives], [1 - survives, survives])
    counts = np.random.default_rng(0).multinomial(2000, table.ravel(), size=20_000)
    changes, variances = ratio_change(counts.reshape(-1, 2, 2, 2, 2))
    assert changes.mean() == pytest.approx(0.0, abs=0.002)
    assert variances.mean() == pytest.approx(changes.var(), rel=0.05)


def test_no_change_is_no_certainty() -> None:
    base, hits = np.ones(200, bool), np.arange(200) < 20
    change, variance = ratio_change(joint_counts(hits, base, hits, base))
    assert change == 0.0
    assert variance == pytest.approx(2 / 200**2)


def test_nothing_to_count_against_is_nan() -> None:
    none = np.zeros(10, bool)
    assert all(math.isnan(float(number)) for number in ratio_change(joint_counts(none, none, none, none)))


@pytest.mark.parametrize(
    "flags",
    [
        (np.ones(3, bool), np.ones(3, bool), np.ones(3, bool), np.ones(2, bool)),
        (np.ones(3, int), np.ones(3, bool), np.ones(3, bool), np.ones(3, bool)),
        tuple(np.ones(0, bool) for _ in range(4)),
    ],
)
def test_what_is_not_four_indicators_is_an_error(flags: tuple[Bools, ...]) -> None:
    with pytest.raises(ValueError, match=r"indicators|samples"):
        joint_counts(*flags)
