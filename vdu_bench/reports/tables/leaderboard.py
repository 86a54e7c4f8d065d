"""The leaderboard as data: a row per method, aggregated over seeds. How it looks is decided elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import groupby
from typing import get_args

from vdu_bench.measured import Axis, Better, Estimate, Gate, Group, MetricFacts
from vdu_bench.records import Protocol, Record, Role, Status
from vdu_bench.reports.comparable import by_variant, check_comparable

_GROUPS: tuple[Group, ...] = get_args(Group)


@dataclass(frozen=True)
class Column:
    """A metric of the table: what its records say of it, but for what the gate alone asks for."""

    name: str
    """The metric's name in the records."""
    label: str
    """Its full name, with extractor and sample count where it has them."""
    unit: str
    better: Better
    group: Group
    headline: bool
    rank: int
    axis: Axis
    title: str
    gate: Gate

    @classmethod
    def of(cls, name: str, facts: MetricFacts) -> Column:
        """The column of a metric."""
        return cls(name, **{field.name: getattr(facts, field.name) for field in fields(cls) if field.name != "name"})

    @property
    def place(self) -> tuple[int, int, str]:
        """Sorts columns by group, rank and name."""
        return _GROUPS.index(self.group), self.rank, self.name


@dataclass(frozen=True)
class Row:
    """A method of the task."""

    method: str
    """With what was changed of its settings (`Record.row`)."""
    role: Role
    regime: str
    seeds: tuple[int, ...]
    """Sample seeds of the records it was aggregated from, ascending."""
    status: Status
    """The worst over the seeds. Where it is not ``ok`` every estimate is NaN: a mean over survivors would flatter."""
    estimates: dict[str, Estimate]
    """By metric name, over the seeds; a metric that no record of the method has is missing."""


@dataclass(frozen=True)
class Leaderboard:
    """The table of one variant of a task."""

    task: str
    setup: str
    """The task's name, and what was changed of it but the number of forget images (`Record.setup`)."""
    variant: str
    """The task's name, and what was changed of it (`Record.variant`): what the table is called."""
    forget: str
    """The concept that was to be forgotten."""
    forget_images: int | None
    """How many of its images a method could draw from; None for all."""
    forget_set: int | None
    """How many there are; None where no record tells."""
    protocol: Protocol | None
    """What all rows were measured with; None when no cell got that far."""
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    """References (original first), then the others, who forgot most first, those without that number last."""
    notes: tuple[str, ...]
    """Why a cell diverged or failed, what its records warn of, and why a number is missing; a sentence each."""

    @property
    def scale(self) -> str:
        """The protocol's; empty when no cell got that far."""
        return self.protocol.scale if self.protocol is not None else ""

    @property
    def main_columns(self) -> tuple[Column, ...]:
        """The columns that the comparison is about."""
        return tuple(column for column in self.columns if column.headline)

    @property
    def other_columns(self) -> tuple[Column, ...]:
        """The remaining columns."""
        return tuple(column for column in self.columns if not column.headline)

    def on_axis(self, axis: Axis) -> list[Column]:
        """The columns that are an axis of the comparison, the first one its first choice."""
        return [column for column in self.columns if column.axis == axis]


def leaderboards(records: Iterable[Record]) -> list[Leaderboard]:
    """A leaderboard for each variant of each task of the records, in their `Record.order`.

    Raises:
        UserError: when records of one variant do not compare (see `check_comparable`).
    """
    records = list(records)
    check_comparable(records)
    return [_leaderboard(group) for _, group in by_variant(records)]


def _leaderboard(records: Sequence[Record]) -> Leaderboard:
    columns = _columns(records)
    groups = [list(group) for _, group in groupby(records, key=lambda record: record.row)]
    rows = tuple(sorted((_row(group, columns) for group in groups), key=lambda row: _order(row, columns)))
    protocols = [record.protocol for record in records if record.protocol is not None]
    first = records[0]
    return Leaderboard(
        task=first.task,
        setup=first.setup,
        variant=first.variant,
        forget=first.forget,
        forget_images=first.forget_images,
        forget_set=next((record.forget_set for record in records if record.forget_set is not None), None),
        protocol=protocols[0] if protocols else None,
        columns=columns,
        rows=rows,
        notes=(*troubles(records), *warnings(records), *gaps(rows, columns)),
    )


def _columns(records: Sequence[Record]) -> tuple[Column, ...]:
    found = {name: Column.of(name, result) for record in records for name, result in record.metrics.items()}
    return tuple(sorted(found.values(), key=lambda column: column.place))


def _row(records: Sequence[Record], columns: Iterable[Column]) -> Row:
    first = records[0]
    statuses = {record.status for record in records}
    status: Status = "failed" if "failed" in statuses else "diverged" if "diverged" in statuses else "ok"
    estimates = {column.name: _aggregate(records, column.name, status) for column in columns}
    return Row(
        method=first.row,
        role=first.role,
        regime=first.regime,
        seeds=tuple(record.seeds.sample for record in records),
        status=status,
        estimates={name: estimate for name, estimate in estimates.items() if estimate is not None},
    )


def _aggregate(records: Sequence[Record], metric: str, status: Status) -> Estimate | None:
    if status != "ok":
        return Estimate(reason=f"{status} with at least one seed")
    found = [record.metrics.get(metric) for record in records]
    if not any(found):
        return None
    estimates = [Estimate(reason="not measured") if result is None else result.estimate for result in found]
    if len(estimates) == 1:
        return estimates[0]
    # Brings scipy, a second to import, which a table of one seed can do without.
    from vdu_bench.stats.seeds import over_seeds

    return over_seeds(estimates)


def _order(row: Row, columns: Sequence[Column]) -> tuple[int, float, str]:
    if row.role == "reference":
        return (0 if row.method == "original" else 1), 0.0, row.method
    axis = next((column.name for column in columns if column.axis == "forgetting"), "")
    forgotten = row.estimates.get(axis, Estimate()).value
    return 2, (math.inf if math.isnan(forgotten) else -forgotten), row.method


def troubles(records: Sequence[Record]) -> list[str]:
    """A sentence for each cell that diverged or failed."""
    return [
        f"{record.row}, seed {record.seeds.sample}: {record.status}: {record.reason or 'no reason given'}"
        for record in records
        if record.status != "ok"
    ]


def warnings(records: Sequence[Record]) -> list[str]:
    """What the records warn of, each once."""
    return list(dict.fromkeys(warning for record in records for warning in record.warnings))


def gaps(rows: Sequence[Row], columns: Sequence[Column]) -> list[str]:
    """Sentences on missing numbers; those that the same methods miss for the same reason share one."""
    methods: dict[tuple[str, str], list[str]] = {}
    for column in columns:
        for row in rows:
            estimate = row.estimates.get(column.name)
            if row.status == "ok" and estimate is not None and math.isnan(estimate.value):
                methods.setdefault((column.label, estimate.reason or "no reason given"), []).append(row.method)
    labels: dict[tuple[str, str], list[str]] = {}
    for (label, reason), names in methods.items():
        labels.setdefault((", ".join(names), reason), []).append(label)
    return [f"{names}: no {', '.join(missing)}: {reason}" for (names, reason), missing in labels.items()]
