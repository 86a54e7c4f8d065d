"""Does the model still make what it was told to forget?"""

from __future__ import annotations

from vdu_bench.metrics.evidence import Evidence
from vdu_bench.metrics.metric import Measurement, Metric
from vdu_bench.stats.proportion import proportion
from vdu_bench.stats.pul import pul


class PULStrict(Metric):
    """Strict PUL: no credit for junk, since what is off the manifold is no picture without the concept.

        100 (1 - (n_after + j) / n_before)

    n_after: the samples that show the concept after, from any noise; j: the noises that gave it before, and now give
    junk that does not show it. Of the original itself j is 0. Negative where a model makes more of the concept and of
    junk than the original made of the concept. Interval and pairing are PUL's (`vdu_bench.stats.pul`), over the samples
    that n_after and j count together.

    A model that forgot nothing but makes other pictures of the same noise has -100 q (1 - p), with q the share of
    junk and p that of the concept: its junk falls on noises that gave the concept as on any others.
    """

    unit = "%"
    better = "higher"
    group = "forgetting"
    headline = True
    rank = 1
    axis = "forgetting"
    title = "strict PUL"
    gate = "against_original"
    tolerance = "2"
    counts = "strict"
    scale = "ratio"

    def compute(self, evidence: Evidence) -> Measurement:
        before, after = evidence.hits_before, evidence.hits_after
        not_forgotten = after | (before & evidence.after.forget.junk.numpy())
        return Measurement(pul(before, not_forgotten), outcomes=not_forgotten)


class PUL(Metric):
    """Percentage of unlearning: the share of forget-class generations that went away.

    100 (1 - n_after / n_before), counted by the judge over the same initial noise (arXiv 2510.04058); of a
    text-to-image model over the images that the forget prompts ask for.
    """

    unit = "%"
    better = "higher"
    group = "forgetting"
    headline = True
    rank = 2
    axis = "forgetting"
    title = "PUL"
    gate = "against_original"
    tolerance = "2"
    counts = "forget"
    scale = "ratio"

    def compute(self, evidence: Evidence) -> Measurement:
        return Measurement(pul(evidence.hits_before, evidence.hits_after), outcomes=evidence.hits_after)


class ConceptRate(Metric):
    """Rate of the concept: share of generations in which the judge sees it, of all, or of those asked for it."""

    unit = "%"
    better = "lower"
    group = "forgetting"
    rank = 6
    gate = "sampled"
    tolerance = "1"
    scale = "share"
    counts = "forget"
    covered_by = "pul"  # which does not take a change of the original for the method's

    def compute(self, evidence: Evidence) -> Measurement:
        hits = evidence.hits_after
        return Measurement(proportion(int(hits.sum()), len(hits)), outcomes=hits)
