"""What nobody knows of a cost is a reason, and never a number."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from vdu_bench.measured import Estimate
from vdu_bench.metrics.efficiency import (
    NfeBackward,
    NfeForward,
    TrainingImages,
    UnlearnPeakMemory,
    UnlearnSeconds,
)
from vdu_bench.records import Ledger, Timings

COSTS = (UnlearnSeconds, NfeForward, NfeBackward, UnlearnPeakMemory, TrainingImages)


def costs(ledger: Ledger | None, timings: Timings) -> dict[type, Estimate]:
    evidence: Any = SimpleNamespace(ledger=ledger, timings=timings)
    return {cost: cost().compute(evidence).estimate for cost in COSTS}


def test_a_method_s_costs_are_what_was_counted_and_timed() -> None:
    timings = Timings(unlearn_seconds=2.5, nfe_forward=0, nfe_backward=20, unlearn_peak_mib=100)
    got = costs(Ledger(forget_images=7, retain_images=5), timings)
    assert [estimate.value for estimate in got.values()] == [2.5, 0, 20, 100, 12]
    assert got[UnlearnSeconds].method.startswith("no interval: one timed run")
    retrained = costs(Ledger(), Timings(unlearn_seconds=2.5))
    assert retrained[UnlearnPeakMemory].reason == "not measured when the model was trained"


@pytest.mark.parametrize("seconds", [math.nan, 90.0])
def test_nothing_is_known_of_a_model_from_elsewhere_but_what_is_stated(seconds: float) -> None:
    got = costs(None, Timings(unlearn_seconds=seconds, nfe_forward=None, nfe_backward=None))
    if not math.isnan(seconds):
        stated = got.pop(UnlearnSeconds)
        assert (stated.value, stated.method) == (90, "no interval: as stated by whoever had it evaluated")
    for estimate in got.values():
        assert math.isnan(estimate.value)
        assert estimate.reason == "not known: the model was unlearned elsewhere"
