"""The loss over clusters: closed forms, its range, and what it covers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import gamma, norm, t

from vdu_bench.stats.clustered_ratio import clustered_loss

Ints = NDArray[np.int64]


def test_value_and_limits_are_the_formula_s() -> None:
    before, after = np.array([8, 6, 0, 8, 7]), np.array([2, 6, 0, 0, 8])
    estimate = clustered_loss(before, after)
    b, a = before[[0, 1, 3, 4]], after[[0, 1, 3, 4]]
    r, w = 16 / 29, 8 / 29
    v = 4 / 3 * np.sum((a - r * b) ** 2) / 29**2 + r * w**2
    v *= (t.ppf(0.975, 3) / norm.ppf(0.975)) ** 2
    low = gamma.ppf(0.025, r**2 / v, scale=v / r)
    high = gamma.ppf(0.975, (r + w) ** 2 / (v + w**2), scale=(v + w**2) / (r + w))
    assert estimate.value == pytest.approx(100 * (1 - r))
    assert (estimate.low, estimate.high) == pytest.approx((100 * (1 - high), 100 * (1 - low)))
    assert estimate.n == 4, "an image that never showed it says nothing"
    assert estimate.total == 29, "half a count over seeds is half of one redrawn image"


def test_where_nothing_is_left_the_bound_is_that_of_so_many_images() -> None:
    estimate = clustered_loss(np.full(50, 8), np.zeros(50, np.int64))
    # 0 events of a Poisson number: Garwood's upper limit, -log(0.025) clusters of 50.
    assert (estimate.value, estimate.high) == (100, 100)
    assert estimate.low == pytest.approx(100 * (1 + math.log(0.025) / 50), abs=1e-9)
    noisier = clustered_loss(np.full(50, 80), np.zeros(50, np.int64))
    assert noisier.low == pytest.approx(estimate.low), "more noises of the same images are no more images"


def test_noises_that_agree_count_once() -> None:
    images = np.random.default_rng(0).random(40) < 0.3
    one, eight = (clustered_loss(np.full(40, k), k * images.astype(np.int64)) for k in (1, 8))
    assert (one.value, one.low, one.high) == pytest.approx((eight.value, eight.low, eight.high))
    alone = clustered_loss(np.ones(320, np.int64), np.repeat(images, 8).astype(np.int64))
    assert alone.high - alone.low < 0.5 * (eight.high - eight.low)


def test_the_original_against_itself_has_lost_nothing_within_error() -> None:
    counts = np.random.default_rng(1).integers(0, 9, 50)
    estimate = clustered_loss(counts, counts)
    assert estimate.value == 0
    assert -20 < estimate.low < 0 < estimate.high < 20


def test_what_cannot_be_known_is_not_a_number() -> None:
    nothing = clustered_loss(np.zeros(3, np.int64), np.ones(3, np.int64))
    assert math.isnan(nothing.value)
    assert nothing.reason == "there were no hits before, so no share of them can go away"
    alone = clustered_loss(np.array([8, 0]), np.array([2, 0]))
    assert (alone.value, alone.n, alone.total) == (75, 1, 8)
    assert math.isnan(alone.low)
    assert alone.method == "no interval from a single image"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (np.ones(3), np.ones(3, np.int64)),
        (np.ones((3, 1), np.int64), np.ones(3, np.int64)),
        (np.ones(3, np.int64), np.ones(2, np.int64)),
        (np.ones(3, np.int64), -np.ones(3, np.int64)),
    ],
)
def test_other_arrays_are_refused(before: Ints, after: Ints) -> None:
    with pytest.raises(ValueError, match="hits are counts|clusters before"):
        clustered_loss(before, after)


def drawn(rng: np.random.Generator, images: int, rate: float, left: float, alike: float) -> tuple[Ints, Ints]:
    """Hits of eight noises an image: each image has its own chances, the more so the more its noises are alike."""
    spread = 1 / alike - 1
    before = rng.random((images, 8)) < rng.beta(rate * 2, (1 - rate) * 2, (images, 1))
    after = before & (rng.random((images, 8)) < rng.beta(left * spread, (1 - left) * spread, (images, 1)))
    return before.sum(1), after.sum(1)


@pytest.mark.parametrize("left", [0.01, 0.1, 0.5, 0.9, 0.97])
@pytest.mark.parametrize("alike", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("images", [10, 50])
def test_it_covers(images: int, left: float, alike: float) -> None:
    rng, trials, covered = np.random.default_rng(images), 300, 0
    for _ in range(trials):
        estimate = clustered_loss(*drawn(rng, images, 0.8, left, alike))
        assert estimate.low <= estimate.value <= estimate.high <= 100
        covered += estimate.low <= 100 * (1 - left) <= estimate.high
    # Three standard errors of 300 trials at 0.95 below it.
    assert covered / trials >= 0.91


def test_more_than_before_is_a_negative_loss() -> None:
    estimate = clustered_loss(np.full(20, 4), np.full(20, 6))
    assert estimate.value == pytest.approx(-50)
    assert estimate.low < -50 < estimate.high
