"""What did the rest of the model lose?"""

from __future__ import annotations

import numpy as np

from vdu_bench.metrics.evidence import Evidence
from vdu_bench.metrics.frechet import feature_statistics, frechet_distance, inception_statistics
from vdu_bench.metrics.inception import FEATURES
from vdu_bench.metrics.metric import Measurement, Metric, unknown, without_interval
from vdu_bench.stats.class_shift import class_shift
from vdu_bench.stats.proportion import proportion
from vdu_bench.tasks.task import Task

_NO_INTERVAL = "resampling biases a Frechet distance upward; its spread comes from seeds"


class JudgeFrechetDistance(Metric):
    """u-FID in the judge's features: Frechet distance of the samples to real training images without the concept.

    Of a text-to-image model the samples are those of the retain prompts.

    Never called FID, and never compared with another judge's: the label carries the number of samples, the record the
    judge's digest. Zero only for equal distributions; biased upward by about 1 / n.
    """

    better = "lower"
    headline = True
    rank = 3
    axis = "distance"

    def label(self, name: str, evidence: Evidence) -> str:
        return f"{name}_{len(evidence.after.retain)}"

    def compute(self, evidence: Evidence) -> Measurement:
        found, real, forget = evidence.after.retain.features, evidence.real, evidence.task.forget
        samples, features = found.shape
        if samples <= features:
            return unknown(f"{samples} samples do not fix a covariance of {features} features", samples)
        reference = real.memo.once(
            ("statistics in the judge", forget),
            lambda: feature_statistics(real.train[~evidence.splits.train.shows(forget)]),
        )
        value = frechet_distance(feature_statistics(found), reference)
        return Measurement(without_interval(value, samples, _NO_INTERVAL))


class InceptionFrechetDistance(Metric):
    """u-FID: Frechet inception distance of the samples to real training images without the concept, by torch-fidelity.

    Of a text-to-image model the samples are those of the retain prompts. The label carries the number of samples, the
    record the digest of the weights; numbers of other counts do not compare. Heusel et al. 2017.
    """

    better = "lower"
    headline = True
    rank = 4
    axis = "distance"

    @classmethod
    def applies(cls, task: Task) -> bool:
        return task.inception is not None

    def label(self, name: str, evidence: Evidence) -> str:
        return f"{name}_{len(evidence.after.retain)}"

    def compute(self, evidence: Evidence) -> Measurement:
        inception, samples = evidence.inception, len(evidence.after.retain)
        if inception is None:
            return unknown("there are no weights of Inception", samples)
        if samples <= FEATURES:
            return unknown(f"{samples} samples do not fix a covariance of {FEATURES} features", samples)
        train, forget = evidence.splits.train, evidence.task.forget
        reference = evidence.real.memo.once(
            ("statistics in Inception", inception.digest(), forget),
            lambda: inception_statistics(train.images, inception, (~train.shows(forget)).nonzero()[:, 0].tolist()),
        )
        value = frechet_distance(inception_statistics(evidence.after.retain.images, inception), reference)
        return Measurement(without_interval(value, samples, _NO_INTERVAL))


class JunkRate(Metric):
    """Share of generations off the data manifold: too far, in the judge's features, from every real image.

    Too far is beyond the 99 % quantile of held-out real images, so a perfect model has about 1 %. Of a text-to-image
    model the samples of both sets of prompts count.
    """

    unit = "%"
    better = "lower"
    headline = True
    rank = 5
    gate = "sampled"
    tolerance = "2"
    counts = "junk"

    def compute(self, evidence: Evidence) -> Measurement:
        junk = evidence.after.junk.numpy()
        return Measurement(proportion(int(junk.sum()), len(junk)), outcomes=junk)


class ClassShift(Metric):
    """Total variation between the retained classes' shares before and after: 0 for the same mix, 1 for a disjoint one.

    Half the sum of absolute differences. A model that makes one retained class alone has forgotten all the others too,
    and PUL does not show it.
    """

    better = "lower"
    kinds = ("unconditional",)
    headline = True
    rank = 6
    # Not relative: this distance is biased upward and may be 0. 2,000 samples of one distribution read about 0.04.
    tolerance = "0.02"

    def compute(self, evidence: Evidence) -> Measurement:
        sides = (evidence.before.retain, evidence.after.retain)
        before, after = (readings.labels.numpy().astype(np.int64) for readings in sides)
        return Measurement(class_shift(before, after, evidence.retained, evidence.rng("class_shift")))
