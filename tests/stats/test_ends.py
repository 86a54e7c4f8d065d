"""Every number lies within its own interval and its scale's range: a record in which one does not is refused."""

from __future__ import annotations

import numpy as np

from vdu_bench.contradictions import contradictions
from vdu_bench.measured import Estimate, MetricResult, Scale
from vdu_bench.stats.auc import area_under_curve
from vdu_bench.stats.class_shift import class_shift
from vdu_bench.stats.clustered_rate import clustered_rate
from vdu_bench.stats.clustered_ratio import clustered_loss
from vdu_bench.stats.leak import leak
from vdu_bench.stats.proportion import proportion
from vdu_bench.stats.pul import pul

SHARES = (0.0, 0.01, 0.1, 0.5, 0.9, 0.99, 1.0)


def _wrong(estimate: Estimate, scale: Scale) -> list[str]:
    result = MetricResult(
        label="x", unit="", better="none", group="quality", gate="scatter", scale=scale, estimate=estimate
    )
    return list(contradictions({"x": result}, {}, {}))


def test_no_estimator_gives_a_number_outside_of_its_interval_or_range() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        n, looks, share = int(rng.integers(2, 60)), int(rng.integers(1, 9)), rng.choice(SHARES)
        # All looks of a sample alike, or each for itself.
        hits = rng.random((n, looks)) < share if rng.random() < 0.5 else np.repeat(rng.random((n, 1)) < share, looks, 1)
        before, after = rng.integers(0, 9, n), rng.integers(0, 9, n) * (rng.random(n) < share)
        before[0] += before.sum() == 0
        shown = rng.random(n) < rng.choice([0.02, 0.3, 0.9])
        rates = [(rng.random((n, looks)) < one).mean(1) for one in (share, 0.05, 0.8)]
        found: list[tuple[Estimate, Scale]] = [
            (clustered_rate(hits), "share"),
            (clustered_loss(before, after), "ratio"),
            (pul(shown, hits[:, 0]), "ratio"),
            (leak(*rates), "signed"),
            (area_under_curve(rng.normal(share, 1, n), rng.normal(0, 1, n + 1)), "chance"),
            (area_under_curve(np.full(n, share), np.zeros(n)), "chance"),
            (proportion(int(hits[:, 0].sum()), n), "share"),
            (class_shift(before % 4 - 1, after % 4 - 1, (0, 1, 2), rng, draws=200), "positive"),
        ]
        for estimate, scale in found:
            assert not _wrong(estimate, scale), estimate
