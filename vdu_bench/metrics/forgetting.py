"""Does the model still make what it was told to forget?"""

from __future__ import annotations

from vdu_bench.metrics.evidence import Evidence
from vdu_bench.metrics.metric import Measurement, Metric
from vdu_bench.stats.prevalence import pul_corrected
from vdu_bench.stats.proportion import proportion
from vdu_bench.stats.pul import pul


class PUL(Metric):
    """Percentage of unlearning: the share of forget-class generations that went away.

    100 (1 - n_after / n_before), counted by the judge over the same initial noise (arXiv 2510.04058); of a
    text-to-image model over the images that the forget prompts ask for.
    """

    unit = "%"
    better = "higher"
    group = "forgetting"
    headline = True
    rank = 1
    axis = "forgetting"
    title = "PUL"
    gate = "against_original"
    tolerance = "2"
    counts = "forget"

    def compute(self, evidence: Evidence) -> Measurement:
        return Measurement(pul(evidence.hits_before, evidence.hits_after), outcomes=evidence.hits_after)


class PULCorrected(Metric):
    """PUL with the judge's errors taken out, by its confusion matrix on held-out real images.

    Both rates are corrected before the ratio is taken, p = (rate + specificity - 1) / (sensitivity + specificity - 1)
    (Rogan & Gladen 1978); the interval holds the matrix's own uncertainty as well.
    """

    unit = "%"
    better = "higher"
    group = "forgetting"
    rank = 2
    gate = "never"  # it is read off the outcomes that PUL is tested by

    def compute(self, evidence: Evidence) -> Measurement:
        errors, rng = evidence.judge.errors(evidence.forget_index), evidence.rng("pul_corrected")
        return Measurement(pul_corrected(evidence.hits_before, evidence.hits_after, errors, rng))


class ConceptRate(Metric):
    """Share of generations in which the judge sees what was to be forgotten: of all, or of those asked for it."""

    unit = "%"
    better = "lower"
    group = "forgetting"
    headline = True
    rank = 3
    gate = "sampled"
    tolerance = "1"
    counts = "forget"
    covered_by = "pul"  # which does not take a change of the original for the method's

    def compute(self, evidence: Evidence) -> Measurement:
        hits = evidence.hits_after
        return Measurement(proportion(int(hits.sum()), len(hits)), outcomes=hits)
