"""What did the rest of the model lose?"""

from __future__ import annotations

import numpy as np

from vdu_bench.metrics.evidence import Evidence, Readings
from vdu_bench.metrics.frechet import feature_statistics, frechet_distance, inception_statistics
from vdu_bench.metrics.inception import FEATURES
from vdu_bench.metrics.metric import Measurement, Metric, unknown, without_interval
from vdu_bench.metrics.reference import Reference
from vdu_bench.stats.class_shift import class_shift
from vdu_bench.stats.proportion import proportion
from vdu_bench.tasks.task import Task

_NO_INTERVAL = "resampling biases a Frechet distance upward; its spread comes from seeds"


class JudgeFrechetDistance(Metric):
    """Frechet distance by the judge: of the samples to real training images without the concept, in its features.

    Of a text-to-image model the samples are those of the retain prompts, and the real images those that would be right
    answers to them: they show what is asked for, not the concept, and nothing else that captions would name. Each
    prompt weighs alike in their mean and covariance, as it does among the samples.

    Never called FID, and never compared with another judge's: the label carries the number of samples, the record the
    judge's digest. Zero only for equal distributions; biased upward by about 1 / n.
    """

    better = "lower"
    headline = True
    rank = 3
    axis = "distance"
    scale = "positive"
    limit = "ratio"
    of_real = "at_own_count"

    def label(self, name: str, evidence: Evidence) -> str:
        return f"{name}_{len(evidence.after.retain)}"

    def compute(self, evidence: Evidence) -> Measurement:
        found, real, reference = evidence.after.retain.features, evidence.real, evidence.reference
        samples, features = found.shape
        if why := _too_few(samples, features, reference):
            return unknown(why, samples)
        statistics = real.memo.once(
            ("statistics in the judge", evidence.reference_key),
            lambda: feature_statistics(real.train[reference.rows], reference.weights),
        )
        value = frechet_distance(feature_statistics(found), statistics)
        return Measurement(without_interval(value, samples, _NO_INTERVAL))


class InceptionFrechetDistance(Metric):
    """u-FID by Inception: Frechet distance of the samples to real training images without the concept.

    By torch-fidelity. Of a text-to-image model the samples are those of the retain prompts, and the real images those
    that would be right answers to them, each prompt weighing alike, as for `fd_judge`. The label carries the number of
    samples, the record the digest of the weights; numbers of other counts do not compare. Heusel et al. 2017.
    """

    better = "lower"
    headline = True
    rank = 4
    axis = "distance"
    scale = "positive"
    of_real = "at_own_count"

    @classmethod
    def applies(cls, task: Task) -> bool:
        return task.inception is not None

    def label(self, name: str, evidence: Evidence) -> str:
        return f"{name}_{len(evidence.after.retain)}"

    def compute(self, evidence: Evidence) -> Measurement:
        inception, samples, reference = evidence.inception, len(evidence.after.retain), evidence.reference
        if inception is None:
            return unknown("there are no weights of Inception", samples)
        if why := _too_few(samples, FEATURES, reference):
            return unknown(why, samples)
        images = evidence.splits.train.images
        statistics = evidence.real.memo.once(
            ("statistics in Inception", inception.digest(), evidence.reference_key),
            lambda: inception_statistics(images, inception, reference.rows.tolist(), reference.weights),
        )
        value = frechet_distance(inception_statistics(evidence.after.retain.images, inception), statistics)
        return Measurement(without_interval(value, samples, _NO_INTERVAL))


def _too_few(samples: int, features: int, reference: Reference) -> str:
    """Why a covariance cannot be had of one side; empty where it can."""
    if samples <= features:
        return f"{samples} samples do not fix a covariance of {features} features"
    if reference.missing:
        return reference.missing
    if reference.effective <= features:
        images = f"{len(reference.rows)} real images, in effect {reference.effective:.0f},"
        return f"{images} do not fix a covariance of {features} features"
    return ""


class JunkRate(Metric):
    """Junk: share of generations off the data manifold, too far, in the judge's features, from every real image.

    Too far is beyond the 99 % quantile of held-out real images, cross-calibrated in five folds, so a perfect model has
    about 1 %. Of a text-to-image model the images of the retain prompts count: what forgetting makes of the forget
    prompts' is `forget_junk`.
    """

    unit = "%"
    better = "lower"
    headline = True
    rank = 5
    gate = "sampled"
    tolerance = "2"
    counts = "junk"
    scale = "share"
    limit = "points"
    of_real = "alike"

    def compute(self, evidence: Evidence) -> Measurement:
        return _share_of_junk(evidence.after.retain)


class ForgetJunk(Metric):
    """Junk of the forget prompts: share of their images off the data manifold, as `junk_rate` has it of the others."""

    unit = "%"
    better = "lower"
    kinds = ("text_to_image",)
    rank = 9
    gate = "sampled"
    tolerance = "2"
    counts = "forget_junk"
    scale = "share"

    def compute(self, evidence: Evidence) -> Measurement:
        return _share_of_junk(evidence.after.forget)


def _share_of_junk(readings: Readings) -> Measurement:
    junk = readings.junk.numpy()
    return Measurement(proportion(int(junk.sum()), len(junk)), outcomes=junk)


class ClassShift(Metric):
    """Shift of the class mix: total variation between the retained classes' shares before and after.

    Half the sum of absolute differences: 0 for the same mix, 1 for a disjoint one. A model that makes one retained
    class alone has forgotten all the others too, and PUL does not show it.
    """

    better = "lower"
    kinds = ("unconditional",)
    headline = True
    rank = 6
    scale = "positive"
    # Not relative: this distance is biased upward and may be 0. 2,000 samples of one distribution read about 0.04.
    tolerance = "0.02"

    def compute(self, evidence: Evidence) -> Measurement:
        sides = (evidence.before.retain, evidence.after.retain)
        before, after = (readings.labels.numpy().astype(np.int64) for readings in sides)
        return Measurement(class_shift(before, after, evidence.retained, evidence.rng("class_shift")))
