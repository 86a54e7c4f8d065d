"""What did the rest of the model lose?"""

from __future__ import annotations

import numpy as np

from vdu_bench.metrics.evidence import Evidence
from vdu_bench.metrics.frechet import fid, frechet_distance
from vdu_bench.metrics.inception import FEATURES
from vdu_bench.metrics.metric import Metric, without_interval
from vdu_bench.records import Estimate
from vdu_bench.stats.balance import retained_balance
from vdu_bench.stats.proportion import proportion
from vdu_bench.tasks.task import Task


class JudgeFrechetDistance(Metric):
    """u-FID in the judge's features: Frechet distance of the samples to real training images without the concept.

    Of a text-to-image model the samples are those of the retain prompts.

    Never called FID, and never compared with another judge's: the label carries the number of samples, the record the
    judge's digest. Zero only for equal distributions; biased upward by about 1 / n.
    """

    better = "lower"

    def label(self, name: str, evidence: Evidence) -> str:
        return f"{name}_{len(evidence.after.retain.images)}"

    def compute(self, evidence: Evidence) -> Estimate:
        samples, features = evidence.after.retain.features.shape
        if samples <= features:
            return Estimate(n=samples, reason=f"{samples} samples do not fix a covariance of {features} features")
        train = evidence.splits.train
        reference = train.images[~train.shows(evidence.task.forget)]
        value = frechet_distance(evidence.after.retain.images, reference, evidence.judge)
        why = "resampling biases a Frechet distance upward; its spread comes from seeds"
        return without_interval(value, samples, why)


class InceptionFrechetDistance(Metric):
    """u-FID: Frechet inception distance of the samples to real training images without the concept, by torch-fidelity.

    Of a text-to-image model the samples are those of the retain prompts. The label carries the number of samples, the
    record the digest of the weights; numbers of other counts do not compare. Heusel et al. 2017.
    """

    better = "lower"

    @classmethod
    def applies(cls, task: Task) -> bool:
        return task.inception is not None

    def label(self, name: str, evidence: Evidence) -> str:
        return f"{name}_{len(evidence.after.retain.images)}"

    def compute(self, evidence: Evidence) -> Estimate:
        images = evidence.after.retain.images
        if evidence.inception is None:
            return Estimate(n=len(images), reason="there are no weights of Inception")
        if len(images) <= FEATURES:
            return Estimate(
                n=len(images), reason=f"{len(images)} samples do not fix a covariance of {FEATURES} features"
            )
        train = evidence.splits.train
        value = fid(images, train.images[~train.shows(evidence.task.forget)], evidence.inception)
        why = "resampling biases a Frechet distance upward; its spread comes from seeds"
        return without_interval(value, len(images), why)


class JunkRate(Metric):
    """Share of generations off the data manifold: too far, in the judge's features, from every real image.

    Too far is beyond the 99 % quantile of held-out real images, so a perfect model has about 1 %. Of a text-to-image
    model the samples of both sets of prompts count.
    """

    unit = "%"
    better = "lower"

    def compute(self, evidence: Evidence) -> Estimate:
        junk = evidence.after.junk
        return proportion(int(junk.sum()), len(junk))


class RetainedBalance(Metric):
    """Total variation between the retained classes' shares before and after: 0 for the same mix, 1 for a disjoint one.

    Half the sum of absolute differences. A model that makes one retained class alone has forgotten all the others too,
    and PUL does not show it.
    """

    better = "lower"
    kinds = ("unconditional",)

    def compute(self, evidence: Evidence) -> Estimate:
        sides = (evidence.before.retain, evidence.after.retain)
        before, after = (readings.labels.numpy().astype(np.int64) for readings in sides)
        return retained_balance(before, after, evidence.retained, evidence.rng("retained_balance"))
