"""Synthetic records of methods that were run with different amounts of data."""

from __future__ import annotations

from collections.abc import Sequence

from cells import cells

from vdu_bench.records import Record

SIZE = 132
LIMITS = {"ratio": 2.0, "points": 10.0}
"""The original's distance is 21.5, its junk 3 %."""
METHODS = {"vdu": 0.2, "esd": 0.3, "finetune": 0.6, "gradient_ascent": 0.1}
"""What is left with all images; fine-tuning needs retained ones."""


def by_amount(
    limits: Sequence[int | None] = (5, None),
    regimes: Sequence[str] = ("forget_only", "full"),
    snapshots: Sequence[int] = (2,),
    seeds: Sequence[int] = (0, 1),
) -> list[Record]:
    """Less is forgotten with fewer images, and gradient ascent destroys the model unless it has 25 of them.

    `snapshots` are of vdu, with the full regime and all images.
    """
    records = []
    for limit in limits:
        left = 0.5 / (limit or SIZE)
        for number, regime in enumerate(regimes):
            shares = {method: share + left * (1 - share) for method, share in METHODS.items()}
            for record in cells(shares, seeds, draw=number):
                if record.role == "reference" and regime != regimes[-1]:
                    continue
                if record.method == "finetune" and regime == "forget_only":
                    continue
                records.append(_with(record, limit, regime if record.role == "contestant" else "full"))
    for number in snapshots:
        for record in cells({"vdu": METHODS["vdu"] + 0.5 / number}, seeds):
            if record.method != "esd":
                _with(record, None, "full").task_changes = {"posterior.snapshots": number}
                records.append(record)
    return records


def _with(record: Record, limit: int | None, regime: str) -> Record:
    record.forget_images, record.forget_set, record.regime = limit, SIZE, regime
    record.method_changes = {} if regime == "full" else {"regime": regime}
    record.protocol.version, record.protocol.limits = 2, LIMITS
    for name, kind in (("fd_judge", "ratio"), ("junk_rate", "points")):
        record.metrics[name] = record.metrics[name].model_copy(update={"limit": kind})
    if record.method == "gradient_ascent" and limit in (1, 5):
        record.metrics["fd_judge"].estimate.value *= 30
    return record
