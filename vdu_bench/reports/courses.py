"""How a number grows with somebody's effort: the matrices of records whose columns are numbers, by method."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from vdu_bench.measured import Better, MetricResult
from vdu_bench.records import Record
from vdu_bench.reports.comparable import by_variant
from vdu_bench.reports.counted_seeds import counted
from vdu_bench.reports.tables.leaderboard import leaderboards

_EFFORT = re.compile(r"(\d+)(?: (\S.*))?")
"""A column of an effort: the number, and what it counts where that is not steps."""


@dataclass(frozen=True)
class Course:
    """One method's way.

    Attributes:
        row: the method, as tables call it.
        role: the record's.
        means: over the seeds, one for each effort; NaN where no seed has it.
        seeds: each seed's own, in the same order.
        destroyed: whether the model is beyond the quality limit.
    """

    row: str
    role: str
    means: tuple[float, ...]
    seeds: tuple[tuple[float, ...], ...]
    destroyed: bool = False


@dataclass(frozen=True)
class Courses:
    """All methods' ways of one variant, by one metric.

    Attributes:
        variant: the task's name, with what was changed of it.
        metric: whose matrix it is.
        title: what print calls it.
        unit: of the numbers.
        better: which way is better.
        efforts: rising.
        counted: what efforts count, such as steps.
        series: by what somebody had, each method's way; references first.
        missing: methods without a way, since one of the seeds that count lacks it: a mean over survivors would flatter.
    """

    variant: str
    metric: str
    title: str
    unit: str
    better: Better
    efforts: tuple[int, ...]
    counted: str
    series: dict[str, list[Course]]
    missing: tuple[str, ...] = ()


def all_courses(records: Iterable[Record]) -> list[Courses]:
    """Of each variant and metric that has such matrices, in the order of the records and of the metrics' ranks."""
    found = []
    for _, group in by_variant(list(records)):
        names = {name for record in group for name, matrix in record.matrices.items() if _counted(matrix.columns)}
        ranked = sorted(names, key=lambda name: (_facts(group, name).rank, name))
        if ranked:
            (board,) = leaderboards(group)
            found += [_courses(group, name, board.destroyed.keys()) for name in ranked]
    return found


def _counted(columns: Sequence[str]) -> str:
    """What columns count that are numbers, each with the same word or none (of steps); empty where they are not."""
    found = [_EFFORT.fullmatch(column) for column in columns]
    words = {match[2] or "steps" for match in found if match is not None}
    return words.pop() if len(columns) > 1 and None not in found and len(words) == 1 else ""


def _effort(column: str) -> int:
    return int(column.partition(" ")[0])


def _facts(group: Sequence[Record], name: str) -> MetricResult:
    return next(record.metrics[name] for record in group if name in record.metrics)


def _courses(group: Sequence[Record], name: str, destroyed: Collection[str]) -> Courses:
    facts = _facts(group, name)
    ways = {row: own for row, own in counted(group, name).items() if own[0].method != "real"}
    missing = tuple(row for row, own in ways.items() if any(name not in record.matrices for record in own))
    held = [record for row, own in ways.items() for record in own if row not in missing]
    efforts = sorted({_effort(column) for record in held for column in record.matrices[name].columns})
    rows = list(dict.fromkeys(row for record in held for row in record.matrices[name].rows))
    unit = facts.unit
    series = {row: _series(held, name, row, efforts, destroyed) for row in rows}
    title = facts.title or facts.label
    words = [_counted(record.matrices[name].columns) for record in held]
    return Courses(
        variant=group[0].variant,
        metric=name,
        title=title,
        unit=unit,
        better=facts.better,
        efforts=tuple(efforts),
        counted=next(filter(None, words), "steps"),
        series=series,
        missing=missing,
    )


def _series(
    held: Sequence[Record], name: str, row: str, efforts: Sequence[int], destroyed: Collection[str]
) -> list[Course]:
    found = []
    methods = dict.fromkeys(record.row for record in sorted(held, key=lambda record: record.role != "reference"))
    for method in methods:
        own = [record for record in held if record.row == method and row in record.matrices[name].rows]
        seeds = [_way(record, name, row, efforts) for record in own]
        if seeds:
            values = np.array(seeds)
            known = ~np.isnan(values)
            sums, counts = np.where(known, values, 0).sum(0), known.sum(0)
            means = [float(total) / count if count else math.nan for total, count in zip(sums, counts, strict=True)]
            found.append(Course(method, own[0].role, tuple(means), tuple(map(tuple, seeds)), method in destroyed))
    return found


def _way(record: Record, name: str, row: str, efforts: Sequence[int]) -> list[float]:
    matrix = record.matrices[name]
    values = dict(zip(map(_effort, matrix.columns), matrix.after[matrix.rows.index(row)], strict=True))
    return [values.get(effort, math.nan) for effort in efforts]
