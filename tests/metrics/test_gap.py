"""The distance to a model that never knew the concept: closed forms on planted features."""

from __future__ import annotations

import math

import pytest
import torch
from planted import evidence, shown

from vdu_bench.metrics.evidence import Evidence, Readings, Samples
from vdu_bench.metrics.gap import NO_PEER, NO_RECIPE, GapFrechet, GapKernel
from vdu_bench.tasks.task import Task

GENERATOR = torch.Generator().manual_seed(3)
FEATURES = torch.randn(60, 4, generator=GENERATOR)


def drawn(features: torch.Tensor, retain: torch.Tensor | None = None) -> Samples:
    def readings(values: torch.Tensor) -> Readings:
        n = len(values)
        return Readings(shown(*[""] * n), values, torch.zeros(n, dtype=torch.bool), lambda: torch.empty(0))

    sides = {"forget": features, "retain": features if retain is None else retain}
    return Samples({"samples": {name: readings(values) for name, values in sides.items()}})


def beside(task: Task, after: Samples, peer: Samples | None) -> Evidence:
    return evidence(task, after, after, peer=peer)


@pytest.fixture
def task(tiny_faces_task: Task) -> Task:
    return tiny_faces_task.model_copy(update={"attacks": ("relearn",)})


def test_equal_samples_are_at_no_distance(task: Task) -> None:
    found = beside(task, drawn(FEATURES), drawn(FEATURES))
    assert GapFrechet().compute(found).estimate.value == pytest.approx(0, abs=1e-6)
    assert GapKernel().compute(found).estimate.value < 0, "unbiased, and these are equal"


def test_a_shift_of_the_mean_is_its_square(task: Task) -> None:
    shift = torch.tensor([1.0, -2.0, 0.0, 0.5])
    found = beside(task, drawn(FEATURES + shift), drawn(FEATURES))
    assert GapFrechet().compute(found).estimate.value == pytest.approx(float(shift.square().sum()), rel=1e-4)
    assert GapKernel().compute(found).estimate.value > 0.1


def test_both_sets_of_prompts_count(task: Task) -> None:
    found = beside(task, drawn(FEATURES, FEATURES + 3), drawn(FEATURES, FEATURES))
    assert GapFrechet().label("gap_fd", found) == "gap_fd_120"
    assert GapFrechet().compute(found).estimate.value > 1


def test_what_cannot_be_has_a_reason(task: Task, tiny_task: Task) -> None:
    for metric in (GapFrechet(), GapKernel()):
        assert metric.compute(beside(task, drawn(FEATURES), None)).estimate.reason == NO_PEER
        assert metric.applies(task)
        assert not metric.applies(tiny_task), "nothing is compared without an attack"
        elsewhere = task.model_copy(update={"base": "somebody/their-base"})
        assert metric.applies(elsewhere)
        assert metric.compute(beside(elsewhere, drawn(FEATURES), None)).estimate.reason == NO_RECIPE
    few = drawn(FEATURES[:2])
    estimate = GapFrechet().compute(beside(task, few, few)).estimate
    assert math.isnan(estimate.value)
    assert "do not fix a covariance" in estimate.reason
