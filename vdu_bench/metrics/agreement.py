"""How far do the numbers about forgetting rest on the judge? What one of another family says of the same samples."""

from __future__ import annotations

from vdu_bench.measured import Estimate
from vdu_bench.metrics.evidence import Evidence
from vdu_bench.metrics.metric import Measurement, Metric, unknown
from vdu_bench.stats.proportion import proportion
from vdu_bench.stats.pul import pul

NO_SECOND = "the task has no second judge"


class PULRange(Metric):
    """Range of PUL: by the task's judge, between the lowest and the highest of its judges, each counting both sides.

    The two ends are no interval: what differs between judges of two families says nothing of how samples scatter.
    """

    unit = "%"
    better = "higher"
    group = "forgetting"
    rank = 5
    gate = "never"  # PUL is tested itself
    scale = "range"

    def compute(self, evidence: Evidence) -> Measurement:
        second, k = evidence.second, evidence.forget_index
        if second is None:
            return unknown(NO_SECOND, len(evidence.after.forget))
        ours = pul(evidence.hits_before, evidence.hits_after)
        theirs = pul(second.before[:, k].numpy(), second.after[:, k].numpy())
        for judge, found in ((evidence.judge, ours), (second.judge, theirs)):
            if found.reason:
                return unknown(f"{judge.name}: {found.reason}", found.n)
        values = (ours.value, theirs.value)
        method = f"lowest and highest of {evidence.judge.name} and {second.judge.name}, no interval"
        return Measurement(Estimate(value=ours.value, low=min(values), high=max(values), n=ours.n, method=method))


class JudgeAgreement(Metric):
    """Agreement of both judges: share of samples on which they say the same about what was to be forgotten."""

    unit = "%"
    group = "forgetting"
    rank = 7
    gate = "never"  # neither more nor less of it is better
    scale = "share"

    def compute(self, evidence: Evidence) -> Measurement:
        if evidence.second is None:
            return unknown(NO_SECOND, len(evidence.after.forget))
        same = evidence.hits_after == evidence.second.after[:, evidence.forget_index].numpy()
        return Measurement(proportion(int(same.sum()), len(same)))
