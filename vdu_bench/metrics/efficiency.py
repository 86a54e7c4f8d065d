"""What did it cost?"""

from __future__ import annotations

import math

from vdu_bench.metrics.evidence import Evidence
from vdu_bench.metrics.metric import Measurement, Metric, unknown, without_interval

ONE_RUN = "one timed run; its spread comes from seeds"
COUNTED = "counted, not estimated"
STATED = "as stated by whoever had it evaluated"
ELSEWHERE = "not known: the model was unlearned elsewhere"


class UnlearnSeconds(Metric):
    """Wall time of the method itself, without loading, sampling and measuring."""

    unit = "s"
    better = "lower"
    probe = ""
    group = "cost"
    rank = 4
    title = "time"
    scale = "positive"
    gate = "timed"

    def compute(self, evidence: Evidence) -> Measurement:
        return _cost(evidence.timings.unlearn_seconds, STATED if evidence.ledger is None else ONE_RUN)


class NfeForward(Metric):
    """Forward evaluations: of the denoiser while unlearning, one for each image; a cost that no hardware changes."""

    unit = "evaluations"
    better = "lower"
    probe = ""
    group = "cost"
    headline = True
    rank = 1
    title = "NFE forward"
    scale = "positive"
    gate = "counted"
    tolerance = "0"

    def compute(self, evidence: Evidence) -> Measurement:
        return _cost(evidence.timings.nfe_forward, COUNTED)


class NfeBackward(Metric):
    """Backward evaluations: of the denoiser while unlearning, one for each image."""

    unit = "evaluations"
    better = "lower"
    probe = ""
    group = "cost"
    rank = 2
    title = "NFE backward"
    scale = "positive"
    gate = "counted"
    tolerance = "0"

    def compute(self, evidence: Evidence) -> Measurement:
        return _cost(evidence.timings.nfe_backward, COUNTED)


class UnlearnPeakMemory(Metric):
    """Peak memory while unlearning: of base and method on a GPU, the process's resident set on a CPU."""

    unit = "MiB"
    better = "lower"
    probe = ""
    group = "cost"
    rank = 5
    title = "peak memory"
    scale = "positive"
    gate = "timed"

    def compute(self, evidence: Evidence) -> Measurement:
        why_not = ELSEWHERE if evidence.ledger is None else "not measured when the model was trained"
        return _cost(evidence.timings.unlearn_peak_mib, ONE_RUN, why_not)


class SamplingThroughput(Metric):
    """Speed of sampling: images a second while the judged samples were drawn."""

    unit = "images/s"
    better = "higher"
    group = "cost"
    rank = 6
    title = "throughput"
    scale = "positive"
    gate = "timed"

    def compute(self, evidence: Evidence) -> Measurement:
        n = len(evidence.after.junk)
        return Measurement(without_interval(n / evidence.timings.sample_seconds, n, ONE_RUN))


class TrainingImages(Metric):
    """Distinct training images: those that the method drew, its data access."""

    unit = "images"
    better = "lower"
    probe = ""
    group = "cost"
    headline = True
    rank = 3
    title = "training images"
    scale = "positive"
    gate = "counted"
    tolerance = "0"

    def compute(self, evidence: Evidence) -> Measurement:
        return _cost(None if evidence.ledger is None else evidence.ledger.images, COUNTED)


def _cost(value: float | None, why: str, why_not: str = ELSEWHERE) -> Measurement:
    """A cost without an interval, and `why`; NaN, and `why_not`, where nobody knows it."""
    return unknown(why_not) if value is None or math.isnan(value) else Measurement(without_interval(value, 1, why))
