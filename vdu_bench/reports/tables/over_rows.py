"""What the seeds of a table's rows say together: their means, with intervals that know of each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vdu_bench.measured import AtOwnCount, Estimate, MetricFacts
from vdu_bench.records import Record, Status
from vdu_bench.reports.counted_seeds import measured_with

if TYPE_CHECKING:
    from vdu_bench.stats.scatter import Pool


def worst(records: Sequence[Record]) -> Status:
    """The worst status of a row's records."""
    statuses = {record.status for record in records}
    return "failed" if "failed" in statuses else "diverged" if "diverged" in statuses else "ok"


def by_seed(records: Sequence[Record], metric: str) -> tuple[float, ...]:
    """A metric's value in each of a row's records; NaN where it has none."""
    return tuple(result.estimate.value if (result := record.metrics.get(metric)) else math.nan for record in records)


def over_rows(rows: Sequence[Sequence[Record]]) -> list[dict[str, Estimate]]:
    """Each row's estimates over its seeds, by metric name; a metric that no record of a row has is missing.

    Contestants share what they say of how far seeds scatter (`vdu_bench.stats.seeds.pooled_scatter`). A reference's
    seeds are samples of one model, so samples explain their scatter unless it is too much for that (a retrained model
    may have several train seeds). Real images are the same with every seed: what one tells of them is all there is to
    know, and more seeds make none of it more certain. Of external checkpoints nobody knows what their seeds changed:
    each has its own scatter. Costs are never pooled: that of one method says nothing of another's.

    Args:
        rows: of one variant, the records of each row, one for each seed. Where one of a row's diverged or failed,
            all of that row's estimates are NaN: a mean over survivors would flatter. A metric that a row lacks with a
            seed that counts (`measured_with`) is NaN for that row.
    """
    facts: dict[str, MetricFacts] = {
        name: result for row in rows for record in row for name, result in record.metrics.items()
    }
    found: list[dict[str, Estimate]] = [{} for _ in rows]
    statuses = [worst(row) for row in rows]
    asked = measured_with(rows)
    every = {record.seeds.sample for row in rows for record in row}
    for name, fact in facts.items():
        some = asked[name]
        seeds = [
            _estimates(row if some == every else [one for one in row if one.seeds.sample in some], name) for row in rows
        ]
        pool = _pool(rows, statuses, seeds, fact)
        told: list[int] = []
        for index, (status, estimates) in enumerate(zip(statuses, seeds, strict=True)):
            if status != "ok":
                found[index][name] = Estimate(reason=f"{status} with at least one seed")
            elif len(estimates) == 1:
                found[index][name] = estimates[0]
            elif estimates:
                told.append(index)
        if told:
            # Brings scipy, a second to import, which a table of one seed can do without.
            from vdu_bench.stats.scatter import SAMPLES_ONLY
            from vdu_bench.stats.seeds import over_seeds, over_seeds_of_rows

            known = {"contestant": pool, "reference": SAMPLES_ONLY, "external": None}
            real = {index for index in told if rows[index][0].method == "real"}
            for index in real:
                found[index][name] = over_seeds(seeds[index], "range", same_units=True)
            told = [index for index in told if index not in real]
            pools = [known[rows[index][0].role] for index in told]
            means = over_seeds_of_rows([seeds[index] for index in told], fact.scale, pools, same_units=fact.same_units)
            for index, estimate in zip(told, means, strict=True):
                found[index][name] = estimate
    return found


def over_own_counts(records: Sequence[Record]) -> dict[str, AtOwnCount]:
    """By metric name, what a row of real images has at its own count, over its seeds; as `Record.at_own_count`."""
    found = {}
    for name, first in records[0].at_own_count.items():
        seeds = [record.at_own_count[name] for record in records if name in record.at_own_count]
        if len(seeds) == 1:
            found[name] = first
            continue
        from vdu_bench.stats.scatter import SAMPLES_ONLY
        from vdu_bench.stats.seeds import over_seeds

        fact = records[0].metrics[name]
        real = over_seeds([seed.real for seed in seeds], "range", same_units=True)
        original = over_seeds([seed.original for seed in seeds], fact.scale, SAMPLES_ONLY, same_units=fact.same_units)
        found[name] = AtOwnCount(label=first.label, real=real, original=original)
    return found


def _estimates(row: Sequence[Record], metric: str) -> list[Estimate]:
    """One for each record; none where no record has the metric."""
    found = [record.metrics.get(metric) for record in row]
    if not any(found):
        return []
    return [Estimate(reason="not measured") if result is None else result.estimate for result in found]


def _pool(
    rows: Sequence[Sequence[Record]],
    statuses: Sequence[Status],
    seeds: Sequence[Sequence[Estimate]],
    fact: MetricFacts,
) -> Pool | None:
    competing = [
        estimates
        for row, status, estimates in zip(rows, statuses, seeds, strict=True)
        if row[0].role == "contestant" and status == "ok" and len(estimates) > 1
    ]
    if fact.group == "cost" or not competing:
        return None
    from vdu_bench.stats.seeds import pooled_scatter

    return pooled_scatter(competing, fact.scale, fact.same_units)
