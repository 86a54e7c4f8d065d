"""The distance to a model that never knew the concept: closed forms on planted features."""

from __future__ import annotations

import math
from statistics import fmean, stdev

import pytest
import torch
from planted import evidence, shown

from vdu_bench.metrics.evidence import Evidence, Losses, Readings, Samples
from vdu_bench.metrics.gap import (
    NO_LOSSES,
    NO_PEER,
    NO_RECIPE,
    TOO_FEW_APART,
    GapFrechet,
    GapKernel,
    GapLikelihood,
)
from vdu_bench.metrics.kernel import kernel_distance, kernel_distance_of_turns
from vdu_bench.tasks.task import Task

GENERATOR = torch.Generator().manual_seed(3)
FEATURES = torch.randn(60, 4, generator=GENERATOR)


def drawn(features: torch.Tensor, retain: torch.Tensor | None = None) -> Samples:
    def readings(values: torch.Tensor) -> Readings:
        n = len(values)
        return Readings(shown(*[""] * n), values, torch.zeros(n, dtype=torch.bool), lambda: torch.empty(0))

    sides = {"forget": features, "retain": features if retain is None else retain}
    return Samples({"samples": {name: readings(values) for name, values in sides.items()}})


def beside(task: Task, after: Samples, peer: Samples | None, losses: Losses | None = None) -> Evidence:
    return evidence(task, after, after, peer=peer, losses={} if losses is None else {"likelihood": losses})


@pytest.fixture
def task(tiny_faces_task: Task) -> Task:
    return tiny_faces_task.model_copy(update={"attacks": ("relearn",)})


def test_equal_samples_are_at_no_distance(task: Task) -> None:
    found = beside(task, drawn(FEATURES), drawn(FEATURES))
    assert GapFrechet().compute(found).estimate.value == pytest.approx(0, abs=1e-6)


def test_a_kernel_distance_is_not_biased_by_noise_that_both_models_draw_from(task: Task) -> None:
    """Two models of one distribution that draw nearly alike from one noise: 0 on average, which pairs would hide."""
    generator = torch.Generator().manual_seed(5)
    apart, plain = [], []
    for _ in range(100):
        shared = torch.randn(40, 8, generator=generator)
        sides = [shared + 0.1 * torch.randn(40, 8, generator=generator) for _ in range(2)]
        apart.append(GapKernel().compute(beside(task, *map(drawn, sides))).estimate.value)
        plain.append(kernel_distance(*sides, seed=0))
    for values, biased in ((apart, False), (plain, True)):
        error = stdev(values) / 10
        assert (abs(fmean(values)) > 4 * error) == biased


def test_prompts_that_are_asked_in_turn_are_no_distance(task: Task) -> None:
    """Two models alike whose images differ by the prompt, one of two and of three in turn: halves have all of them."""
    generator = torch.Generator().manual_seed(6)
    apart = []
    for _ in range(50):
        sides = []
        for _ in range(2):
            prompted = [5.0 * torch.eye(8)[torch.arange(48) % prompts] for prompts in (2, 3)]
            sides.append(drawn(*(of + torch.randn(48, 8, generator=generator) for of in prompted)))
        apart.append(GapKernel().compute(beside(task, *sides)).estimate.value)
    assert abs(fmean(apart)) < 4 * stdev(apart) / 50**0.5


def test_without_prompts_it_is_torch_fidelitys() -> None:
    found, other = FEATURES[:31], FEATURES[31:] + 0.5
    equal = kernel_distance(found[:29], other, seed=0)
    assert kernel_distance_of_turns(found[:29], other, 1) == pytest.approx(equal, rel=1e-9)


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
    for metric in (GapFrechet(), GapKernel(), GapLikelihood()):
        assert metric.compute(beside(task, drawn(FEATURES), None)).estimate.reason == NO_PEER
        assert metric.applies(task)
        assert not metric.applies(tiny_task), "nothing is compared without an attack"
        elsewhere = task.model_copy(update={"base": "somebody/their-base"})
        assert metric.applies(elsewhere)
        assert metric.compute(beside(elsewhere, drawn(FEATURES), None)).estimate.reason == NO_RECIPE
    one = drawn(FEATURES[:1])
    assert GapKernel().compute(beside(task, one, one)).estimate.reason == f"{TOO_FEW_APART}, and there are 1 of 2"
    few = drawn(FEATURES[:2])
    estimate = GapFrechet().compute(beside(task, few, few)).estimate
    assert math.isnan(estimate.value)
    assert "do not fix a covariance" in estimate.reason
    assert GapLikelihood().compute(beside(task, few, few)).estimate.reason == NO_LOSSES
    failed = Samples(few.by_probe, {"likelihood": "a denoising loss is not finite"})
    assert GapLikelihood().compute(beside(task, failed, few)).estimate.reason == (
        "likelihood diverged: a denoising loss is not finite"
    )
    assert not GapLikelihood.applies(task.model_copy(update={"probes": ()}))


def test_likelihood_is_compared_both_ways_over_both_sets_of_prompts(task: Task) -> None:
    noise = torch.arange(6.0) / 100
    losses = {
        f"{who} on {whose}/{name}": value + noise * (name == "forget") * (who != whose)
        for (who, whose), value in {
            ("own", "own"): 0.2,
            ("peer", "own"): 0.5,
            ("own", "peer"): 0.4,
            ("peer", "peer"): 0.3,
        }.items()
        for name in ("forget", "retain")
    }
    losses = {name: torch.as_tensor(value).expand(6) for name, value in losses.items()}
    side = drawn(FEATURES)
    found = GapLikelihood().compute(beside(task, side, side, losses)).estimate
    # (0.3 + 0.1) / 2, and half of the noise's mean; in hundredths.
    assert found.value == pytest.approx(20 + 100 * float(noise.mean()) / 2)
    assert found.low < found.value < found.high
    assert found.n == 6
    turned = {name.replace("own", "x").replace("peer", "own").replace("x", "peer"): v for name, v in losses.items()}
    assert GapLikelihood().compute(beside(task, side, side, turned)).estimate.value == pytest.approx(found.value)
    equal = dict.fromkeys(losses, torch.rand(6, generator=GENERATOR))
    assert GapLikelihood().compute(beside(task, side, side, equal)).estimate.value == pytest.approx(0)
