"""CLIP scores, planted: an image's score is its first grey level, a prompt's share of it its place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from planted import evidence, readings, sampled, shown
from torch import Tensor

from vdu_bench.metrics.alignment import NO_CLIP, ClipChange, ClipScore
from vdu_bench.metrics.evidence import Evidence, Readings
from vdu_bench.stats.paired_change import paired_change
from vdu_bench.tasks.task import Task

FORGET = readings(shown("hat", "hat"))
CLUSTERS = np.array([0, 1, 2] * 4)


class Scorer:
    """Stands for a CLIP: notes what it was asked, and answers with the images' first grey level."""

    name = "clip_planted"

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def score(self, images: Tensor, prompts: Sequence[str]) -> Tensor:
        self.asked.append(list(prompts))
        return images[:, 0, 0, 0].double()


def retained(levels: Sequence[int]) -> Readings:
    images = torch.zeros(len(levels), 3, 2, 2, dtype=torch.uint8)
    images[:, 0, 0, 0] = torch.tensor(levels)
    return readings(shown(*[""] * len(levels)), images)


BEFORE = [20, 30, 40, 22, 31, 45, 21, 33, 41, 20, 30, 40]
AFTER = [18, 30, 20, 21, 33, 30, 25, 33, 10, 20, 28, 30]


@pytest.fixture
def scorer() -> Scorer:
    return Scorer()


@pytest.fixture
def planted(tiny_faces_task: Task, scorer: Scorer) -> Evidence:
    sides = (sampled(FORGET, retained(levels)) for levels in (BEFORE, AFTER))
    return evidence(tiny_faces_task, *sides, clip=scorer)


def test_the_score_is_of_the_method_s_retain_images_and_their_prompts(planted: Evidence, scorer: Scorer) -> None:
    estimate = ClipScore().compute(planted).estimate
    assert estimate.value == pytest.approx(np.mean(AFTER))
    assert estimate.low < estimate.value < estimate.high
    assert scorer.asked == [planted.prompts.cycled("retain", 12)]


def test_the_change_is_paired_by_noise_with_the_prompt_as_its_unit(planted: Evidence, scorer: Scorer) -> None:
    estimate = ClipChange().compute(planted).estimate
    assert estimate.value == pytest.approx(np.mean(AFTER) - np.mean(BEFORE))
    expected = paired_change(np.array(BEFORE, float), np.array(AFTER, float), CLUSTERS)
    assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high))
    assert scorer.asked == [planted.prompts.cycled("retain", 12)] * 2


def test_no_images_are_scored_twice(planted: Evidence, scorer: Scorer) -> None:
    """The original's are read by every cell of its seed, and a method's own by two metrics."""
    for after in (planted.after, sampled(FORGET, retained(BEFORE))):
        for metric in (ClipScore, ClipChange):
            metric().compute(replace(planted, after=after))
    assert len(scorer.asked) == 3


def test_the_original_does_not_change(tiny_faces_task: Task, scorer: Scorer) -> None:
    samples = sampled(FORGET, retained(BEFORE))
    estimate = ClipChange().compute(evidence(tiny_faces_task, samples, samples, clip=scorer)).estimate
    assert (estimate.value, estimate.low, estimate.high) == (0, 0, 0)


@pytest.mark.parametrize("metric", [ClipScore, ClipChange])
def test_the_label_carries_whose_score_it_is(planted: Evidence, metric: type[ClipScore | ClipChange]) -> None:
    assert metric().label("clip", planted) == "clip_clip_planted"


@pytest.mark.parametrize("metric", [ClipScore, ClipChange])
def test_without_a_clip_there_is_a_reason(tiny_faces_task: Task, metric: type[ClipScore | ClipChange]) -> None:
    samples = sampled(FORGET, retained(BEFORE))
    e = evidence(tiny_faces_task, samples, samples)
    assert math.isnan(metric().compute(e).estimate.value)
    assert metric().compute(e).estimate.reason == NO_CLIP
    assert metric().label("clip", e) == "clip"
