"""Which seeds a metric's means are over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vdu_bench.records import Record


def measured_with(rows: Sequence[Sequence[Record]]) -> dict[str, frozenset[int]]:
    """By metric, the seeds that its means are over: those with which any row has it. What was not asked for with the
    others is no gap of any row there.

    Attacks are asked for cell by cell. Of what they show, a seed counts with which more than half of the rows have it
    that have it at all: one more attack on one model takes no number from the rest. The references are attacked along
    with each model and have no say, unless there is nobody else.
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
    """The seeds that count, of the rows that have a metric: whether each has a say, and its seeds."""
    every = frozenset[int]().union(*(seeds for _, seeds in told))
    if not attacked:
        return every
    voices = [seeds for says, seeds in told if says] or [seeds for _, seeds in told]
    most = frozenset(seed for seed in every if 2 * sum(seed in seeds for seeds in voices) > len(voices))
    # Where no seed is most rows' own, as of two models that were attacked with a seed each, all of them are.
    return most or every


def counted(records: Iterable[Record], metric: str) -> dict[str, list[Record]]:
    """By row, its records with the seeds that a metric's means are over; rows that no seed was measured of are out.

    A record without the metric is among them where the seed counts: it diverged, or its attack did.
    """
    rows: dict[str, list[Record]] = {}
    for record in records:
        rows.setdefault(record.row, []).append(record)
    seeds = measured_with(list(rows.values())).get(metric, frozenset())
    found = {row: [one for one in own if one.seeds.sample in seeds] for row, own in rows.items()}
    return {row: own for row, own in found.items() if any(metric in one.metrics for one in own)}
