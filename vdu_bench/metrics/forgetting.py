"""Does the model still make what it was told to forget?"""

from __future__ import annotations

from vdu_bench.metrics.evidence import Evidence
from vdu_bench.metrics.metric import Metric
from vdu_bench.records import Estimate
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

    def compute(self, evidence: Evidence) -> Estimate:
        return pul(evidence.hits_before, evidence.hits_after)


class PULCorrected(Metric):
    """PUL with the judge's errors taken out, by its confusion matrix on held-out real images.

    Both rates are corrected before the ratio is taken, p = (rate + specificity - 1) / (sensitivity + specificity - 1)
    (Rogan & Gladen 1978); the interval holds the matrix's own uncertainty as well.
    """

    unit = "%"
    better = "higher"

    def compute(self, evidence: Evidence) -> Estimate:
        errors = evidence.judge.errors(evidence.forget_index)
        return pul_corrected(evidence.hits_before, evidence.hits_after, errors, evidence.rng("pul_corrected"))


class ForgetRate(Metric):
    """Share of generations in which the judge sees what was to be forgotten: of all, or of those asked for it."""

    unit = "%"
    better = "lower"

    def compute(self, evidence: Evidence) -> Estimate:
        hits = evidence.hits_after
        return proportion(int(hits.sum()), len(hits))
