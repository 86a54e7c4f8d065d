"""Counterfactual pairs: did the feature go, and did the rest of the picture stay? Data with ground truth only."""

from __future__ import annotations

import numpy as np

from vdu_bench.data.counterfactuals import CounterfactualPairs
from vdu_bench.metrics.evidence import Evidence, Readings
from vdu_bench.metrics.metric import Measurement, Metric, unknown
from vdu_bench.stats.mean import mean_with_t_interval
from vdu_bench.stats.proportion import proportion

NO_PAIRS = "the data have no counterfactual pairs for this feature"


class PairForget(Metric):
    """Share of real pictures with the feature that lose it when they are noised part of the way and denoised again.

    Each picture is asked for by its own caption, which names the feature. Only pictures count that keep the feature in
    the original model's hands.
    """

    unit = "%"
    better = "higher"
    kinds = ("text_to_image",)
    probe = "pairs"
    # Whoever starts from a picture of the concept tries to get it back.
    group = "robustness"

    def compute(self, evidence: Evidence) -> Measurement:
        if (found := _pairs(evidence)) is None:
            return unknown(NO_PAIRS)
        _, before, after = found
        kept = before.shown[:, evidence.forget_index].numpy()
        if not kept.any():
            return unknown("the original keeps the feature in none of the pairs")
        gone = kept & ~after.shown[:, evidence.forget_index].numpy()
        return Measurement(proportion(int(gone.sum()), int(kept.sum())))


class PairDrift(Metric):
    """How far the rest of these pictures moved away from what the original model makes of them, in grey levels of 255.

    The mean absolute difference of the two models' pictures, over all pixels in which the two halves of the pair agree:
    those are not the feature's. 0 for the original itself.
    """

    unit = "levels"
    better = "lower"
    kinds = ("text_to_image",)
    probe = "pairs"

    def compute(self, evidence: Evidence) -> Measurement:
        if (found := _pairs(evidence)) is None:
            return unknown(NO_PAIRS)
        pairs, before, after = found
        same = (pairs.without == pairs.with_).all(1, keepdim=True).expand_as(pairs.without)
        difference = (before.images.double() - after.images.double()).abs() * same
        moved = difference.flatten(1).sum(1) / same.flatten(1).sum(1)
        return Measurement(mean_with_t_interval(moved.numpy().astype(np.float64)))


def _pairs(evidence: Evidence) -> tuple[CounterfactualPairs, Readings, Readings] | None:
    pairs = evidence.splits.pairs.get(evidence.task.forget)
    before, after = evidence.before.pairs, evidence.after.pairs
    return None if pairs is None or before is None or after is None else (pairs, before, after)
