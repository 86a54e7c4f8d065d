"""Counterfactual pairs, planted: four pictures of 2x2 pixels, of which the upper left one is the hat."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from planted import evidence, readings, sampled, shown
from scipy.stats import ttest_1samp
from torch import Tensor

from vdu_bench.data.counterfactuals import CounterfactualPairs
from vdu_bench.data.sources.faces import NAMES
from vdu_bench.metrics.counterfactual import NO_PAIRS, PairDrift
from vdu_bench.metrics.evidence import Evidence
from vdu_bench.tasks.task import Task

NOTHING = readings(shown("", ""))
HATS = ["hat", "hat beard", "hat", "hat"]


def pairs() -> CounterfactualPairs:
    without = torch.full((4, 3, 2, 2), 100, dtype=torch.uint8)
    with_ = without.clone()
    # A pixel is the feature's if it differs in one of its colours alone.
    with_[:, 0, 0, 0] = 200
    return CounterfactualPairs("hat", NAMES, without, with_, shown("", "beard", "", ""), shown(*HATS))


def planted(
    task: Task, before: list[str], after: list[str], images: Tensor | None = None, made: Tensor | None = None
) -> Evidence:
    """Both models' redrawn pairs: what the judge sees in them, and the pictures."""
    sides = (
        sampled(NOTHING, NOTHING, readings(shown(*names), pictures))
        for names, pictures in ((before, images), (after, made))
    )
    return evidence(task, *sides, pairs())


def test_drift_is_the_mean_difference_outside_the_feature(tiny_faces_task: Task) -> None:
    before = torch.full((4, 3, 2, 2), 50, dtype=torch.uint8)
    after = before.clone()
    # In the feature's own pixel anything may happen.
    after[:, :, 0, 0] = 255
    after[1, :, 1, 1] = 56  # 6 levels in one of three pixels
    after[2, 0, 1, 0] = 41  # 9 levels, down, in one colour of one of three pixels
    after[3, :, 0, 1] = 80
    after[3, :, 1, :] = 80
    estimate = PairDrift().compute(planted(tiny_faces_task, HATS, HATS, before, after)).estimate
    drift = [0, 2, 1, 30]
    interval = ttest_1samp(drift, 0).confidence_interval(0.95)
    assert estimate.value == pytest.approx(np.mean(drift))
    assert (estimate.low, estimate.high) == pytest.approx((interval.low, interval.high))
    assert estimate.n == 4


def test_the_original_does_not_drift_from_itself(tiny_faces_task: Task) -> None:
    images = torch.randint(256, (4, 3, 2, 2), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    estimate = PairDrift().compute(planted(tiny_faces_task, HATS, HATS, images, images.clone())).estimate
    assert (estimate.value, estimate.low, estimate.high) == (0, 0, 0)


def test_without_pairs_there_is_a_reason(tiny_faces_task: Task) -> None:
    samples = sampled(NOTHING, NOTHING)
    estimate = PairDrift().compute(evidence(tiny_faces_task, samples, samples, pairs())).estimate
    assert math.isnan(estimate.value)
    assert estimate.reason == NO_PAIRS
