"""Every metric on planted evidence."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from planted import sampled

from vdu_bench.data.sources.digits import load_digits
from vdu_bench.judges.classifier.judge import Judge
from vdu_bench.judges.classifier.networks import make_network
from vdu_bench.measured import Estimate
from vdu_bench.metrics.catalog import METRICS
from vdu_bench.metrics.evidence import Evidence, Readings, RealReadings, Samples
from vdu_bench.records import Ledger, Timings
from vdu_bench.tasks.task import Task

N = 100


@pytest.fixture
def judge(tiny_task: Task) -> Judge:
    confusion = torch.zeros(10, 11, dtype=torch.long)
    confusion[range(10), range(10)] = 45
    confusion[:, 10] = 5
    network = make_network(tiny_task.judge, (1, 8, 8), 11).eval()
    return Judge("tiny_judge", network, tuple("0123456789"), tiny_task.judge, (1, 8, 8), True, confusion)


def samples(labels: list[int], junk: int = 0) -> Samples:
    images = load_digits().train.images[: len(labels)]
    features = torch.randn(len(labels), 8, generator=torch.Generator().manual_seed(0))
    shown = torch.nn.functional.one_hot(torch.tensor(labels), 10).bool()
    readings = Readings(shown, features, torch.arange(len(labels)) < junk, lambda: images)
    return sampled(readings, readings)


def evidence(task: Task, judge: Judge, before: list[int], after: list[int], junk: int = 0) -> Evidence:
    ledger = Ledger(forget_images=7, retain_images=5, posterior=True)
    timings = Timings(unlearn_seconds=2.5, nfe_forward=30, nfe_backward=20, sample_seconds=4.0)
    splits, sides = load_digits(), (samples(before), samples(after, junk))
    return Evidence(task, splits, judge, *sides, ledger, timings, 0, real=RealReadings.take(splits, judge))


def estimates(e: Evidence) -> dict[str, Estimate]:
    metrics = {name: METRICS.get(name)() for name in METRICS.entries()}
    return {name: metric.compute(e).estimate for name, metric in metrics.items() if "unconditional" in metric.kinds}


def test_planted_counts_come_out(tiny_task: Task, judge: Judge) -> None:
    before = [5] * 20 + [2] * 40 + [3] * 40
    after = [5] * 5 + [2] * 45 + [3] * 50
    got = estimates(evidence(tiny_task, judge, before, after, junk=8))
    assert got["pul"].value == 75
    assert got["pul"].low < 75 < got["pul"].high
    assert got["concept_rate"].value == 5
    assert got["junk_rate"].value == 8
    assert got["class_shift"].value == pytest.approx(abs(45 / 95 - 0.5))
    assert got["unlearn_seconds"].value == 2.5
    assert (got["nfe_forward"].value, got["nfe_backward"].value) == (30, 20)
    assert got["sampling_throughput"].value == N / 4
    assert got["training_images"].value == 12


def test_every_number_has_an_interval_or_says_why_not(tiny_task: Task, judge: Judge) -> None:
    for name, estimate in estimates(evidence(tiny_task, judge, [5, 2] * 50, [2, 3] * 50)).items():
        if math.isnan(estimate.value):
            assert estimate.reason, name
        elif math.isnan(estimate.low):
            assert estimate.method.startswith("no interval: "), name
        else:
            assert estimate.low <= estimate.value <= estimate.high, name


def test_what_cannot_be_measured_is_nan_with_a_reason(tiny_task: Task, judge: Judge) -> None:
    got = estimates(evidence(tiny_task, judge, [2] * 6, [2] * 6))
    for name in ("pul_strict", "pul", "pul_range", "judge_agreement", "fd_judge", "unlearn_peak_memory"):
        assert math.isnan(got[name].value), name
        assert got[name].reason, name


def test_labels_carry_the_count(tiny_task: Task, judge: Judge) -> None:
    e = evidence(tiny_task, judge, [5, 2] * 50, [2, 3] * 50)
    assert METRICS.get("fd_judge")().label("fd_judge", e) == "fd_judge_100"
    assert METRICS.get("pul")().label("pul", e) == "pul"


def test_unpaired_samples_are_refused(tiny_task: Task, judge: Judge) -> None:
    with pytest.raises(ValueError, match="as many samples"):
        evidence(tiny_task, judge, [5, 2], [5, 2, 3])


def test_resampling_draws_are_the_seed_s_alone(tiny_task: Task, judge: Judge) -> None:
    e = evidence(tiny_task, judge, [5, 2] * 50, [2, 3] * 50)
    assert np.array_equal(e.rng("a").random(3), e.rng("a").random(3))
    assert not np.array_equal(e.rng("a").random(3), e.rng("b").random(3))
