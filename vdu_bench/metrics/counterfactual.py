"""Counterfactual pairs: did the rest of the picture stay? Data with ground truth only."""

from __future__ import annotations

import numpy as np

from vdu_bench.data.counterfactuals import CounterfactualPairs
from vdu_bench.metrics.evidence import Evidence, Readings
from vdu_bench.metrics.metric import Measurement, Metric, unknown
from vdu_bench.stats.mean import mean_with_t_interval

TOO_FEW = "a mean with an interval takes two pairs"
NO_PAIRS = "the data have no counterfactual pairs for this feature"


class PairDrift(Metric):
    """Drift of redrawn pictures: how far their rest moved from what the original model makes of it, in levels of 255.

    Real pictures with the feature are noised part of the way and denoised again, each asked for by its caption. The
    mean absolute difference of the two models' pictures, over all pixels in which the two halves of the pair agree:
    those are not the feature's. 0 for the original itself.
    """

    unit = "levels"
    better = "lower"
    kinds = ("text_to_image",)
    probe = "pairs"
    scale = "positive"
    same_units = True
    tolerance = "1"  # not relative: it may be 0

    def compute(self, evidence: Evidence) -> Measurement:
        if (found := _pairs(evidence)) is None:
            return unknown(NO_PAIRS)
        pairs, before, after = found
        same = (pairs.without == pairs.with_).all(1, keepdim=True).expand_as(pairs.without)
        difference = (before.images.double() - after.images.double()).abs() * same
        moved = difference.flatten(1).sum(1) / same.flatten(1).sum(1)
        if len(moved) < 2:
            return unknown(TOO_FEW, len(moved))
        return Measurement(mean_with_t_interval(moved.numpy().astype(np.float64)))


def _pairs(evidence: Evidence) -> tuple[CounterfactualPairs, Readings, Readings] | None:
    pairs = evidence.splits.pairs.get(evidence.task.forget)
    before, after = evidence.before.pairs, evidence.after.pairs
    return None if pairs is None or before is None or after is None else (pairs, before, after)
