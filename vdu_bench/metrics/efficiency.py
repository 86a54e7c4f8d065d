"""What did it cost?"""

from __future__ import annotations

import math

from vdu_bench.metrics.evidence import Evidence
from vdu_bench.metrics.metric import Metric, without_interval
from vdu_bench.records import Estimate

ONE_RUN = "one timed run; its spread comes from seeds"
COUNTED = "counted, not estimated"


class UnlearnSeconds(Metric):
    """Wall time of the method itself, without loading, sampling and measuring."""

    unit = "s"
    better = "lower"

    def compute(self, evidence: Evidence) -> Estimate:
        return without_interval(evidence.timings.unlearn_seconds, 1, ONE_RUN)


class UnlearnForward(Metric):
    """Denoiser forward evaluations while unlearning, one for each image: a cost that no hardware changes."""

    unit = "evaluations"
    better = "lower"

    def compute(self, evidence: Evidence) -> Estimate:
        return without_interval(evidence.timings.unlearn_forward, 1, COUNTED)


class UnlearnBackward(Metric):
    """Denoiser backward evaluations while unlearning, one for each image."""

    unit = "evaluations"
    better = "lower"

    def compute(self, evidence: Evidence) -> Estimate:
        return without_interval(evidence.timings.unlearn_backward, 1, COUNTED)


class UnlearnPeakMemory(Metric):
    """Peak memory while unlearning: allocated on a GPU, the process's resident set on a CPU."""

    unit = "MiB"
    better = "lower"

    def compute(self, evidence: Evidence) -> Estimate:
        peak = evidence.timings.unlearn_peak_mib
        if math.isnan(peak):
            return Estimate(reason="not measured when the model was trained")
        return without_interval(peak, 1, ONE_RUN)


class SamplingThroughput(Metric):
    """Images a second while the judged samples were drawn."""

    unit = "images/s"
    better = "higher"

    def compute(self, evidence: Evidence) -> Estimate:
        n = len(evidence.after.junk)
        return without_interval(n / evidence.timings.sample_seconds, n, ONE_RUN)


class TrainingImages(Metric):
    """Distinct training images that the method drew: its data access."""

    unit = "images"
    better = "lower"

    def compute(self, evidence: Evidence) -> Estimate:
        return without_interval(evidence.ledger.images, 1, COUNTED)
