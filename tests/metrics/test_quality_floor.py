"""Quality metrics where the truth is planted: real images, memorised images, noise, a wrong mix of prompts."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from planted import evidence as faces_evidence
from planted import sampled, shown
from torch import Tensor

from vdu_bench.data.image_set import ImageSet
from vdu_bench.data.sources.digits import load_digits
from vdu_bench.data.sources.faces import NAMES
from vdu_bench.data.splits import DataSplits
from vdu_bench.judges.classifier.judge import Judge
from vdu_bench.judges.classifier.junk import JunkDetector
from vdu_bench.measured import Estimate
from vdu_bench.metrics.evidence import Evidence, Readings, RealReadings, Samples
from vdu_bench.metrics.fidelity import ForgetJunk, JudgeFrechetDistance, JunkRate
from vdu_bench.metrics.kernel import KernelDistance
from vdu_bench.metrics.measure import NO_MODEL, measure
from vdu_bench.metrics.metric import Metric
from vdu_bench.metrics.neighbours import Copies, Precision, Recall
from vdu_bench.metrics.reference import Reference
from vdu_bench.records import Ledger, Timings
from vdu_bench.tasks.task import Task

SPLITS = load_digits()
FEATURES = 6


class Planted:
    """The digits with planted features: a cluster for each class, and a judge that is never asked."""

    def __init__(self, task: Task, judge: Judge) -> None:
        generator = torch.Generator().manual_seed(0)
        self.task, self.judge = task, judge
        self.centres = 6 * torch.randn(10, FEATURES, generator=generator)
        train, held_out = (self.features(part.labels(), generator) for part in (SPLITS.train, SPLITS.held_out))
        self.real = RealReadings(train, held_out)
        self.detector = JunkDetector(train, held_out)
        self.retained = train[~SPLITS.train.shows(task.forget)]

    def features(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        """float32 ``[N, F]``."""
        return self.centres[labels] + torch.randn(len(labels), FEATURES, generator=generator)

    def fresh(self, n: int, seed: int) -> Tensor:
        """Features of new images: what a perfect model makes."""
        generator = torch.Generator().manual_seed(seed)
        labels = SPLITS.train.labels()[~SPLITS.train.shows(self.task.forget)]
        return self.features(labels[torch.randint(len(labels), (n,), generator=generator)], generator)

    def samples(self, features: Tensor, junk: Tensor | None = None) -> Samples:
        """One model's."""
        n = len(features)
        images = torch.zeros(n, 1, 8, 8, dtype=torch.uint8)
        flags = self.detector.flags(features) if junk is None else junk
        readings = Readings(torch.zeros(n, 10, dtype=torch.bool), features, flags, lambda: images)
        return sampled(readings, readings)

    def evidence(self, after: Samples, before: Samples | None = None, rows: Tensor | None = None) -> Evidence:
        """As a cell leaves it."""
        task = self.task.model_copy(update={"samples": 1000})
        return Evidence(
            task,
            SPLITS,
            self.judge,
            before or after,
            after,
            Ledger(),
            Timings(sample_seconds=1.0),
            0,
            real=self.real,
            held_out_rows=rows,
        )


@pytest.fixture(scope="module")
def planted(tiny_task: Task, tiny_judge: Judge) -> Planted:
    return Planted(tiny_task, tiny_judge)


@cache
def _metric(metric: type[Metric]) -> Metric:
    return metric()


def value(metric: type[Metric], e: Evidence) -> float:
    return _metric(metric).compute(e).estimate.value


def test_a_perfect_model_gets_the_floor(planted: Planted) -> None:
    found: dict[str, list[float]] = {}
    for seed in range(5):
        e = planted.evidence(planted.samples(planted.fresh(1000, seed)))
        for metric in (JunkRate, Precision, Recall, Copies, JudgeFrechetDistance):
            found.setdefault(metric.__name__, []).append(value(metric, e))
    assert np.mean(found["JunkRate"]) == pytest.approx(1, abs=0.8)
    assert np.mean(found["Copies"]) == pytest.approx(1, abs=0.8)
    assert np.mean(found["Precision"]) > 85
    assert np.mean(found["Recall"]) > 85
    assert np.mean(found["JudgeFrechetDistance"]) < 1


def test_the_kernel_distance_of_a_perfect_model_has_no_bias(planted: Planted) -> None:
    found = []
    for seed in range(12):
        train = planted.features(SPLITS.train.labels(), torch.Generator().manual_seed(100 + seed))
        e = planted.evidence(planted.samples(planted.fresh(100, seed)))
        found.append(value(KernelDistance, replace(e, real=RealReadings(train, planted.real.held_out))))
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    assert np.mean(found) == pytest.approx(0, abs=3 * error)
    assert min(found) < 0 < max(found)
    # Whatever the unit of the features.
    e = planted.evidence(planted.samples(planted.fresh(100, 0) + 1))
    larger = RealReadings(10 * planted.real.train, planted.real.held_out)
    scaled = replace(e, after=planted.samples(10 * e.after.retain.features), real=larger)
    assert value(KernelDistance, scaled) == pytest.approx(value(KernelDistance, e))


def test_one_that_repeats_training_images_makes_copies_and_nothing_else_shows_it(planted: Planted) -> None:
    some = torch.randint(len(planted.retained), (1000,), generator=torch.Generator().manual_seed(5))
    memoriser = planted.evidence(planted.samples(planted.retained[some]))
    assert value(Copies, memoriser) == 100
    assert value(JunkRate, memoriser) < 2
    assert value(Precision, memoriser) > 97
    half = planted.fresh(1000, 3)
    half[::2] = planted.retained[some][::2]
    measured = Copies().compute(planted.evidence(planted.samples(half)))
    assert measured.estimate.value == pytest.approx(50.5, abs=1)
    assert measured.outcomes[::2].all()


def test_noise_is_junk_far_from_everything(planted: Planted) -> None:
    e = planted.evidence(planted.samples(60 + planted.fresh(1000, 4)))
    assert value(JunkRate, e) == 100
    assert value(Precision, e) == 0
    assert value(Recall, e) == 0
    assert value(Copies, e) == 0
    good = planted.evidence(planted.samples(planted.fresh(1000, 4)))
    for metric in (KernelDistance, JudgeFrechetDistance):
        assert value(metric, e) > 1000 * abs(value(metric, good))


def test_a_mode_that_is_missing_costs_recall_and_no_precision(planted: Planted) -> None:
    features = planted.fresh(4000, 6)
    near = torch.cdist(features, planted.centres).argmin(1)
    one_class = planted.evidence(planted.samples(features[near == near[0]]))
    assert value(Recall, one_class) < 20
    assert value(Precision, one_class) > 85


def test_held_out_images_that_are_training_images_too_set_no_threshold(planted: Planted) -> None:
    held_out = planted.real.held_out.clone()
    held_out[:50] = planted.real.train[:50]
    perfect = planted.evidence(planted.samples(planted.fresh(1000, 7)))
    doubled = replace(perfect, real=RealReadings(planted.real.train, held_out))
    assert value(Copies, doubled) == pytest.approx(1, abs=1)
    rows = torch.arange(100)
    as_row = replace(doubled, after=planted.samples(held_out[rows]), held_out_rows=rows)
    assert 50 <= value(Copies, as_row) <= 54
    every = replace(doubled, real=RealReadings(planted.real.train, planted.real.train[:80]))
    assert Copies().compute(every).estimate.reason == "every held-out image is a training image too"


def test_the_row_of_real_images(planted: Planted) -> None:
    rows = Reference.of(SPLITS.held_out, planted.task).balanced(1000, "held out")
    real = planted.samples(planted.real.held_out[rows], planted.detector.held_out_flags[rows])
    before = planted.samples(planted.fresh(1000, 8))
    e = planted.evidence(real, before, rows)
    found = measure(e)
    estimates = {name: result.estimate for name, result in found.metrics.items()}
    assert len(rows) == 450
    assert estimates["junk_rate"].low < 1 < estimates["junk_rate"].high
    assert estimates["copies"].low < 1 < estimates["copies"].high
    assert estimates["precision"].value > 85
    for name in ("pul", "concept_rate", "class_shift", "nfe_forward", "training_images"):
        assert math.isnan(estimates[name].value)
        assert estimates[name].reason == NO_MODEL
    # Its distance stands beside the original's at its own count, and in no column of another count.
    assert found.metrics["fd_judge"].label == "fd_judge_1000"
    assert "there are 450 real images" in estimates["fd_judge"].reason
    beside = found.at_own_count["fd_judge"]
    assert beside.label == "fd_judge_450"
    first = planted.evidence(planted.samples(before.retain.features[:450]))
    assert beside.original.value == value(JudgeFrechetDistance, first)
    assert beside.real.n == beside.original.n == 450
    assert found.at_own_count.keys() == {"fd_judge", "recall"}


def test_as_many_real_images_as_samples_need_no_count_of_their_own(planted: Planted) -> None:
    rows = Reference.of(SPLITS.held_out, planted.task).balanced(100, "held out")
    e = planted.evidence(planted.samples(planted.real.held_out[rows]), planted.samples(planted.fresh(100, 9)), rows)
    found = measure(e)
    assert found.at_own_count == {}
    assert found.metrics["fd_judge"].label == "fd_judge_100"
    assert found.metrics["fd_judge"].estimate.value > 0


def test_counts_are_equal_but_for_real_images(planted: Planted) -> None:
    many, few = planted.samples(planted.fresh(20, 1)), planted.samples(planted.fresh(10, 1))
    for after, before in ((few, many), (many, few)):
        with pytest.raises(ValueError, match="as many samples after as before"):
            planted.evidence(after, before)
    assert len(planted.evidence(few, many, torch.arange(10)).after.retain) == 10
    for after, before, rows in ((few, many, 9), (few, many, 20), (many, few, 20)):
        with pytest.raises(ValueError, match="a reading of each real image, and no more of them than samples"):
            planted.evidence(after, before, torch.arange(rows))


def prompted(features: Tensor, junk: int = 0) -> Readings:
    n = len(features)
    images = torch.zeros(n, 3, 2, 2, dtype=torch.uint8)
    return Readings(torch.zeros(n, len(NAMES), dtype=torch.bool), features, torch.arange(n) < junk, lambda: images)


def test_the_mix_of_prompts_is_not_measured(tiny_faces_task: Task) -> None:
    """Nine in ten training images show nothing, as many samples answer each prompt: both right, and at distance 0."""
    generator = torch.Generator().manual_seed(0)
    centres = {"": 0.0, "eyeglasses": 5.0, "long_hair beard": -5.0, "hat": 30.0, "bangs": 40.0}
    kinds = ["", "eyeglasses", "long_hair beard", "hat", "bangs"]
    counts = [2700, 150, 150, 500, 500]
    names = [kind for kind, count in zip(kinds, counts, strict=True) for _ in range(count)]
    train = ImageSet(torch.zeros(len(names), 3, 2, 2, dtype=torch.uint8), shown(*names), NAMES)

    def drawn(kinds: list[str]) -> Tensor:
        place = torch.tensor([centres[kind] for kind in kinds])[:, None]
        return place + torch.randn(len(kinds), 3, generator=generator)

    real = RealReadings(drawn(names), torch.zeros(0, 3))
    samples = drawn(["", "eyeglasses", "long_hair beard"] * 200)
    task = tiny_faces_task.model_copy(update={"samples": 600})
    readings = sampled(prompted(samples), prompted(samples))
    e = replace(faces_evidence(task, readings, readings), splits=DataSplits(train, train), real=real)
    assert value(JudgeFrechetDistance, e) < 0.2
    assert value(Precision, e) > 90
    assert value(Recall, e) > 90
    # Against all that do not show a hat it would have been large.
    unlike = real.train[~train.shows("hat")]
    assert float((samples.mean(0) - unlike.mean(0)).square().sum()) > 10
    # Whoever answers nothing but the commonest prompt is at a distance.
    lazy = sampled(prompted(drawn([""] * 600)), prompted(drawn([""] * 600)))
    assert value(JudgeFrechetDistance, replace(e, before=lazy, after=lazy)) > 10


def test_a_prompt_without_a_real_image_is_a_reason_and_no_number(tiny_faces_task: Task) -> None:
    readings = sampled(prompted(torch.randn(20, 4)), prompted(torch.randn(20, 4)))
    e = faces_evidence(tiny_faces_task, readings, readings)  # whose real images answer the first prompt alone
    for metric in (JudgeFrechetDistance, KernelDistance, Precision, Recall):
        estimate: Estimate = metric().compute(e).estimate
        assert math.isnan(estimate.value)
        assert "answers 'a portrait with glasses'" in estimate.reason
    of_real = replace(
        e, after=Samples({"samples": {"retain": prompted(torch.zeros(0, 4))}}), held_out_rows=torch.zeros(0).long()
    )
    assert "answers 'a portrait with glasses'" in measure(of_real).metrics["junk_rate"].estimate.reason


def test_junk_of_the_two_sets_of_prompts_is_counted_apart(tiny_faces_task: Task) -> None:
    readings = sampled(prompted(torch.zeros(20, 4), junk=15), prompted(torch.zeros(20, 4), junk=2))
    e = faces_evidence(tiny_faces_task, readings, readings)
    assert (value(JunkRate, e), value(ForgetJunk, e)) == (10, 75)
