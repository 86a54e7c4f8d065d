"""Which seeds a metric's means are over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vdu_bench.records import Record


def measured_with(rows: Sequence[Sequence[Record]]) -> dict[str, frozenset[int]]:
    """By metric, the seeds that its means are over: those with which at least one row has it. With the other seeds it
    was not asked for, and so it is missing nowhere.

    Attacks are asked for cell by cell. For their metrics a seed counts if more than half of the rows that have the
    metric at all have it with that seed: one more attack on one model takes no number from the others. The references
    are attacked along with every model, and count where there are no other rows alone.
    """
    told: dict[str, list[tuple[bool, set[int]]]] = {}
    attacked: set[str] = set()
    for row in rows:
        seeds: dict[str, set[int]] = {}
        for record in row:
            for name, result in record.metrics.items():
                seeds.setdefault(name, set()).add(record.seeds.sample)
                if result.group == "robustness":
                    attacked.add(name)
        for name, own in seeds.items():
            told.setdefault(name, []).append((row[0].role != "reference", own))
    return {name: _counting(own, name in attacked) for name, own in told.items()}


def _counting(told: Sequence[tuple[bool, set[int]]], attacked: bool) -> frozenset[int]:
    """The seeds that count; of each row that has a metric `told` says whether it has a say, and its seeds."""
    every = frozenset[int]().union(*(seeds for _, seeds in told))
    if not attacked:
        return every
    voices = [seeds for says, seeds in told if says] or [seeds for _, seeds in told]
    most = frozenset(seed for seed in every if 2 * sum(seed in seeds for seeds in voices) > len(voices))
    # Where no seed is in most rows, as with two models that were attacked with one seed each, all of them count.
    return most or every


def counted(records: Iterable[Record], metric: str) -> dict[str, list[Record]]:
    """By row, its records with the seeds that a metric's means are over; rows without any such number are left out.

    A record without the metric is among them where the seed counts: it diverged, or its attack did.
    """
    rows: dict[str, list[Record]] = {}
    for record in records:
        rows.setdefault(record.row, []).append(record)
    seeds = measured_with(list(rows.values())).get(metric, frozenset())
    found = {row: [one for one in own if one.seeds.sample in seeds] for row, own in rows.items()}
    return {row: own for row, own in found.items() if any(metric in one.metrics for one in own)}
