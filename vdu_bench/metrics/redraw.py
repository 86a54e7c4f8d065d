"""Real images of the concept, redrawn: does the model lose it when it is handed a picture that shows it?"""

from __future__ import annotations

from vdu_bench.metrics.evidence import Evidence
from vdu_bench.metrics.metric import Measurement, Metric, unknown
from vdu_bench.probes import redraw as probe
from vdu_bench.stats.clustered_ratio import clustered_loss

NO_IMAGES = "no held-out image shows what is to be forgotten"
NEVER_KEPT = "the original keeps it in none of the images"


class Redraw(Metric):
    """Concept lost by redrawing: share of redrawn real images that lose it, of those in which the original keeps it.

    100 (1 - (n_after + j) / n_before) over held-out images, several noises each: n_before and n_after count the redrawn
    images that show the concept, and j the noises that kept it before and now give junk that does not, for that is no
    forgetting. Noises of one image are not independent, and the interval is clustered by image. Where a model
    forgets in the first steps from pure noise alone, samples do not tell that, and redrawing does.
    """

    unit = "%"
    better = "higher"
    probe = "redraw"
    group = "forgetting"
    headline = True
    rank = 4
    gate = "scatter"
    tolerance = "5"
    scale = "ratio"
    same_units = True

    def compute(self, evidence: Evidence) -> Measurement:
        before, after = (samples.of("redraw").get("redraw") for samples in (evidence.before, evidence.after))
        if before is None or after is None:
            return unknown(NO_IMAGES)
        kept = before.shown[:, evidence.forget_index]
        if not kept.any():
            return unknown(NEVER_KEPT)
        left = after.shown[:, evidence.forget_index] | (kept & after.junk)
        noises = probe.Redraw(**evidence.task.probe_settings.get("redraw", {})).settings.noises
        before_by_image, after_by_image = (flags.reshape(-1, noises).sum(1).numpy() for flags in (kept, left))
        return Measurement(clustered_loss(before_by_image, after_by_image))
