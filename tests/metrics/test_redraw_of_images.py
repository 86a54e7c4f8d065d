"""Redrawn images, planted: which of them count, and what stands in one image's row."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from planted import evidence, shown

from vdu_bench.metrics.evidence import Evidence, Readings, Samples
from vdu_bench.metrics.redraw import NEVER_KEPT, NO_IMAGES, Redraw
from vdu_bench.stats.clustered_ratio import clustered_loss
from vdu_bench.tasks.loading import with_overrides
from vdu_bench.tasks.task import Task

BEFORE = ["hat", "hat beard", "", "hat", "hat", "hat", "hat", "beard"]
"""Two images, four noises each."""


@pytest.fixture
def task(tiny_faces_task: Task) -> Task:
    return with_overrides(tiny_faces_task, {"probe_settings": {"redraw": {"noises": 4}}})


def drawn(images: list[str], junk: tuple[int, ...] = ()) -> Samples:
    off = torch.zeros(len(images), dtype=torch.bool)
    off[list(junk)] = True
    found = Readings(shown(*images), torch.zeros(len(images), 4), off, lambda: torch.empty(0))
    nothing = Readings(shown(""), torch.zeros(1, 4), torch.zeros(1, dtype=torch.bool), lambda: torch.empty(0))
    return Samples({"samples": {"forget": nothing, "retain": nothing}, "redraw": {"redraw": found}})


def planted(task: Task, after: list[str], junk: tuple[int, ...] = ()) -> Evidence:
    return evidence(task, drawn(BEFORE), drawn(after, junk))


def test_the_share_that_lost_it_clustered_by_image(task: Task) -> None:
    after = ["", "beard", "", "hat", "", "", "", ""]
    estimate = Redraw().compute(planted(task, after)).estimate
    assert estimate.value == pytest.approx(100 * 5 / 6)
    assert estimate == clustered_loss(np.array([3, 3]), np.array([1, 0]))


def test_junk_where_it_was_is_not_forgotten(task: Task) -> None:
    after = ["", "beard", "", "hat", "", "", "", ""]
    # The first two are junk where a hat was, whatever else is seen in it; the third and the last had no hat to lose.
    estimate = Redraw().compute(planted(task, after, junk=(0, 1, 2, 7))).estimate
    assert estimate == clustered_loss(np.array([3, 3]), np.array([3, 0]))
    everything = Redraw().compute(planted(task, [""] * 8, junk=tuple(range(8)))).estimate
    assert everything.value == 0, "a method that makes nothing but junk has forgotten nothing"


def test_what_comes_up_anew_counts_against_it(task: Task) -> None:
    estimate = Redraw().compute(planted(task, ["hat"] * 8)).estimate
    assert estimate.value == pytest.approx(100 * (1 - 8 / 6))


def test_what_cannot_be_measured_has_a_reason(task: Task) -> None:
    never = evidence(task, drawn([""] * 8), drawn(["hat"] * 8))
    nothing = Samples({"samples": drawn([""]).of("samples"), "redraw": {}})
    for e, reason in ((never, NEVER_KEPT), (evidence(task, nothing, nothing), NO_IMAGES)):
        estimate = Redraw().compute(e).estimate
        assert math.isnan(estimate.value)
        assert estimate.reason == reason
