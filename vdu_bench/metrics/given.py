"""PUL over the prompts that methods are given: how far is it from what they know to what they do not?"""

from __future__ import annotations

from vdu_bench.metrics.evidence import Evidence
from vdu_bench.metrics.metric import Measurement, Metric
from vdu_bench.stats.pul import pul


class PULGiven(Metric):
    """PUL over the given prompts: those that methods know, of which the judged ones are none.

    100 (1 - n_after / n_before) over the same initial noise, as `pul`. What it is above `pul` is the step from given to
    unseen: a method that has learnt to refuse a few sentences has 100 here and nothing there.
    """

    unit = "%"
    better = "higher"
    kinds = ("text_to_image",)
    probe = "given"
    group = "forgetting"
    headline = True
    rank = 3
    title = "PUL, given"
    gate = "against_original"
    tolerance = "2"
    counts = "given"
    scale = "ratio"

    def compute(self, evidence: Evidence) -> Measurement:
        before, after = (
            samples.of("given")["given"].shown[:, evidence.forget_index].numpy()
            for samples in (evidence.before, evidence.after)
        )
        return Measurement(pul(before, after), outcomes=after)
