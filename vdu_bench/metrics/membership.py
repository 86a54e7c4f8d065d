"""Whether the denoising loss tells which images of the concept were trained on."""

from __future__ import annotations

from vdu_bench.metrics.evidence import Evidence
from vdu_bench.metrics.metric import Measurement, Metric, unknown
from vdu_bench.stats.auc import area_under_curve

FEWEST = 10
"""Images of either kind, below which an area says nothing."""


class MembershipAuc(Metric):
    """Membership by the loss: how well it tells forget images that the base was trained on from held-out ones.

    The chance that an image that was trained on has the smaller loss (`vdu_bench.stats.auc`): 0.5 where the loss does
    not tell them, 1 where it always does; below 0.5 where the model denoises what it was to forget worse than what it
    never saw, which tells them as well. The row ``original`` is what there is to tell, and ``retrain``, which saw
    neither, the floor. Each image counts once: its loss is over several times and noises. No judgement, since 0.5 alone
    is best.
    """

    better = "none"
    group = "robustness"
    probe = "membership"
    rank = 80
    gate = "never"
    scale = "chance"
    same_units = True
    title = "membership AUC"

    def compute(self, evidence: Evidence) -> Measurement:
        found = evidence.losses
        if "membership" not in found:
            return unknown(evidence.after.why_none("membership", "no loss was taken"))
        trained, held_out = (found["membership"][name].double().numpy() for name in ("trained", "held_out"))
        for images, what in ((trained, "training"), (held_out, "held-out")):
            if len(images) < FEWEST:
                return unknown(f"{len(images)} {what} images show the concept, and fewer than {FEWEST} say nothing")
        return Measurement(area_under_curve(-trained, -held_out))
