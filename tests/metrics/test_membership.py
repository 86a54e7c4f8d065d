"""The area that a membership probe's losses give: which way round it is, and when there is none."""

from __future__ import annotations

import math

import pytest
import torch
from planted import evidence, readings, sampled, shown

from vdu_bench.metrics.evidence import Evidence, Losses, Samples
from vdu_bench.metrics.membership import MembershipAuc
from vdu_bench.tasks.task import Task

NONE = readings(shown("", ""))


@pytest.fixture
def task(tiny_faces_task: Task) -> Task:
    return tiny_faces_task.model_copy(update={"attacks": ("membership",)})


def planted(task: Task, losses: Losses | None, **reasons: str) -> Evidence:
    side = Samples(sampled(NONE, NONE).by_probe, reasons)
    return evidence(task, side, side, losses={} if losses is None else {"membership": losses})


def test_the_smaller_loss_is_taken_for_trained_on(task: Task) -> None:
    trained, held_out = torch.linspace(0, 1, 20), torch.linspace(0, 1, 12)
    assert MembershipAuc().compute(planted(task, {"trained": trained, "held_out": held_out})).estimate.value == (
        pytest.approx(0.5)
    )
    apart = MembershipAuc().compute(planted(task, {"trained": trained, "held_out": held_out + 0.5})).estimate
    assert apart.low > 0.5
    back = MembershipAuc().compute(planted(task, {"trained": trained + 0.5, "held_out": held_out})).estimate
    assert back.high < 0.5


@pytest.mark.parametrize(
    ("losses", "reasons", "words"),
    [
        ({"trained": torch.rand(20), "held_out": torch.rand(3)}, {}, "3 held-out images show the concept"),
        ({"trained": torch.rand(2), "held_out": torch.rand(30)}, {}, "2 training images show the concept"),
        (None, {}, "no loss was taken"),
        (None, {"membership": "a denoising loss is not finite"}, "membership diverged: a denoising loss is not finite"),
    ],
)
def test_what_cannot_be_has_a_reason(task: Task, losses: Losses | None, reasons: dict[str, str], words: str) -> None:
    estimate = MembershipAuc().compute(planted(task, losses, **reasons)).estimate
    assert math.isnan(estimate.value)
    assert estimate.reason.startswith(words)


def test_it_is_measured_where_it_is_asked_for(task: Task, tiny_task: Task) -> None:
    assert MembershipAuc.applies(task)
    assert not MembershipAuc.applies(tiny_task)
