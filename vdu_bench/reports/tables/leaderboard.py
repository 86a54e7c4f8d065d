"""The leaderboard as data: a row per method, aggregated over seeds. How it looks is decided elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import groupby
from statistics import fmean
from typing import Any, get_args

from vdu_bench.errors import flat
from vdu_bench.measured import AtOwnCount, Axis, Better, Estimate, Gate, Group, Limit, MetricFacts
from vdu_bench.records import Protocol, Record, Role, Status
from vdu_bench.reports.best import BestGroup, Rivals, best_group
from vdu_bench.reports.comparable import by_variant, check_comparable
from vdu_bench.reports.counted_seeds import measured_with
from vdu_bench.reports.limits import Excess, bound, excess
from vdu_bench.reports.pareto import pareto_front
from vdu_bench.reports.tables.over_rows import by_seed, over_own_counts, over_rows, worst

REFERENCES = ("real", "retrain", "original")
"""The rows that frame a table, in their order."""

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
    limit: Limit
    covered_by: str
    """Another metric that counts the same."""
    same_units: bool
    """Whether all seeds are measured on the same images or prompts."""

    @property
    def shown(self) -> str:
        """What a table calls it: its title, unless its label says more than its name, as of how many samples it is."""
        return self.title if self.title and self.label == self.name else self.label

    @classmethod
    def of(cls, name: str, facts: MetricFacts) -> Column:
        """The column of a metric."""
        return cls(name, **{fact.name: getattr(facts, fact.name) for fact in fields(cls) if fact.name != "name"})

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
    by_seed: dict[str, tuple[float, ...]]
    """By metric name as `estimates`, the value with each of `seeds`; NaN where there is none."""
    apart: dict[str, AtOwnCount]
    """By metric name, what real images have at their own count, over the seeds: it is not in the column."""
    trainings: int
    """From how many trainings the models behind its numbers come: a reference's own trainings, or those of a
    contestant's base."""
    settings: dict[str, Any]
    """Those that differ from the method's defaults (`Record.settings_changed`)."""
    settings_from: str
    """Where they are from; several where the seeds differ, empty where it is not known."""
    tuning_cost: dict[str, int]
    """What the search for tuned ones took (`Record.tuning_cost`)."""


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
    """The references in their order; then who is within the quality limit, who is not, and who diverged or failed. In
    each group who forgot most comes first, and who lacks that number last: another row never reorders the rest."""
    notes: tuple[str, ...]
    """Why a cell diverged or failed, what its records warn of, and why a number is missing; a sentence each."""
    destroyed: Mapping[str, tuple[Excess, ...]]
    """By row, what is beyond the quality limit, over the seeds that it shares with the original; who is within it is
    missing. References are never judged."""
    best: Mapping[str, BestGroup]
    """By metric, the best contestant and those not told from it; of metrics with a direction, but for costs."""
    front: frozenset[str]
    """The rows on the Pareto front of the first forgetting axis and the first distance: contestants and external
    checkpoints within the limit. A mark, and no part of the order."""
    partly: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """By metric, the seeds that it was measured with, where these are not all of the table's: attacks need not be."""
    hidden: tuple[Column, ...] = ()
    """Columns that this view of the board leaves out (`vdu_bench.reports.tables.views`); what rests on them stays."""

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
        known = sorted((*self.columns, *self.hidden), key=lambda column: column.place)
        return [column for column in known if column.axis == axis]

    def bound(self, column: Column) -> float:
        """The last value within the quality limit; NaN where the column has none, or the original is not here."""
        original = next((row.estimates for row in self.rows if row.method == "original"), {})
        limits = self.protocol.limits if self.protocol is not None else {}
        return bound(column.limit, column.better, _value(original, column), limits)


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
    found = [_row(group, estimates, columns) for group, estimates in zip(groups, over_rows(groups), strict=True)]
    protocols = [record.protocol for record in records if record.protocol is not None]
    destroyed = _destroyed(found, columns, protocols[0].limits if protocols else {})
    rows = tuple(sorted(found, key=lambda row: _order(row, columns, row.method in destroyed)))
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
        notes=(*troubles(records), *warnings(records), *made_by(records), *gaps(rows, columns)),
        destroyed=destroyed,
        best=_best(rows, columns, destroyed, records),
        front=_front(rows, columns, destroyed),
        partly=_partly(groups),
    )


def _partly(groups: Sequence[Sequence[Record]]) -> dict[str, tuple[int, ...]]:
    every = {record.seeds.sample for group in groups for record in group if record.status == "ok"}
    asked = measured_with(groups)
    return {name: tuple(sorted(seeds)) for name, seeds in asked.items() if not every <= seeds}


def _columns(records: Sequence[Record]) -> tuple[Column, ...]:
    facts = {name: result for record in records for name, result in record.metrics.items()}
    found = {name: Column.of(name, result) for name, result in facts.items()}
    titles = [column.title for column in found.values()]
    # A title that two metrics have tells neither apart, and their labels do.
    told = [replace(one, title="") if titles.count(one.title) > 1 else one for one in found.values()]
    return tuple(sorted(told, key=lambda column: column.place))


def _row(records: Sequence[Record], estimates: dict[str, Estimate], columns: Iterable[Column]) -> Row:
    first = records[0]
    apart = over_own_counts(records)
    shown = {column.name: estimates[column.name] for column in columns if column.name in estimates.keys() - apart}
    return Row(
        method=first.row,
        role=first.role,
        regime=first.regime,
        seeds=tuple(record.seeds.sample for record in records),
        status=worst(records),
        estimates=shown,
        by_seed={name: by_seed(records, name) for name in shown},
        apart=apart,
        trainings=len({record.seeds.train for record in records}),
        settings=first.settings_changed,
        settings_from=" or ".join(dict.fromkeys(record.settings_from for record in records if record.settings_from)),
        tuning_cost=first.tuning_cost,
    )


def _destroyed(
    rows: Sequence[Row], columns: Sequence[Column], amounts: Mapping[str, float]
) -> dict[str, tuple[Excess, ...]]:
    original = next((row for row in rows if row.method == "original"), None)
    found: dict[str, tuple[Excess, ...]] = {}
    for row in rows:
        # A row without numbers, as of a seed that diverged, is out of the contest already.
        if original is None or row.role == "reference" or row.status != "ok":
            continue
        beyond = [
            excess(column.name, column.limit, column.better, value, base, amounts)
            for column in columns
            if column.name in row.estimates
            for value, base in [_beside(row, original, column)]
            if math.isfinite(base)
        ]
        if any(beyond):
            found[row.method] = tuple(one for one in beyond if one is not None)
    return found


def _beside(row: Row, original: Row, column: Column) -> tuple[float, float]:
    """A row's mean and the original's from the same noise; over all of each one's seeds where they do not share any."""
    own, theirs = _value(row.estimates, column), _value(original.estimates, column)
    if row.seeds == original.seeds or column.name not in original.by_seed:
        return own, theirs
    base = dict(zip(original.seeds, original.by_seed[column.name], strict=True))
    values = dict(zip(row.seeds, row.by_seed[column.name], strict=True))
    shared = [seed for seed in row.seeds if seed in base]
    if not shared:
        return own, theirs
    return fmean(values[seed] for seed in shared), fmean(base[seed] for seed in shared)


def _best(
    rows: Sequence[Row], columns: Sequence[Column], destroyed: Mapping[str, Any], records: Sequence[Record]
) -> dict[str, BestGroup]:
    competing = [row for row in rows if row.role == "contestant" and row.method not in destroyed]
    rivals = Rivals.of(records)
    return {
        column.name: best_group(
            column.name,
            column.better,
            column.gate,
            {row.method: _value(row.estimates, column) for row in competing},
            rivals,
            column.same_units,
        )
        for column in columns
        if column.better != "none" and column.group != "cost"
    }


def _front(rows: Sequence[Row], columns: Sequence[Column], destroyed: Mapping[str, Any]) -> frozenset[str]:
    axes = [next((column for column in columns if column.axis == axis), None) for axis in ("distance", "forgetting")]
    if None in axes:
        return frozenset()
    competing = [row for row in rows if row.role != "reference" and row.method not in destroyed]
    x, y = (column for column in axes if column is not None)
    places = [(_value(row.estimates, x), _value(row.estimates, y)) for row in competing]
    return frozenset(competing[index].method for index in pareto_front(places))


def _value(estimates: Mapping[str, Estimate], column: Column) -> float:
    return estimates[column.name].value if column.name in estimates else math.nan


def _order(row: Row, columns: Sequence[Column], destroyed: bool) -> tuple[int, float, str]:
    if row.role == "reference":
        known = row.method in REFERENCES
        return 0, REFERENCES.index(row.method) if known else len(REFERENCES), row.method
    axis = next((column for column in columns if column.axis == "forgetting"), None)
    forgotten = math.nan if axis is None else _value(row.estimates, axis)
    return 1 + destroyed if row.status == "ok" else 3, (math.inf if math.isnan(forgotten) else -forgotten), row.method


def troubles(records: Sequence[Record]) -> list[str]:
    """A sentence for each cell that diverged or failed."""
    return [
        f"{record.row}, seed {record.seeds.sample}: {record.status}: {flat(record.reason) or 'no reason given'}"
        for record in records
        if record.status != "ok"
    ]


def warnings(records: Sequence[Record]) -> list[str]:
    """What the records warn of, each once."""
    return list(dict.fromkeys(flat(warning) for record in records for warning in record.warnings))


def device_of(record: Record) -> str:
    """The kind of device that a record was made on, such as ``cpu`` or a card's name; empty where it is not said."""
    device = str(record.environment.get("device") or "").partition(":")[0]
    return flat(record.environment.get("device_name") or device)


def versions_of(record: Record) -> str:
    """The versions that decide numbers, such as ``vdu-bench 0.2.0 and torch 2.14.1``; empty where none is said."""
    packages = record.environment.get("packages")
    torch = packages.get("torch") if isinstance(packages, Mapping) else None
    told = {"vdu-bench": record.environment.get("vdu_bench"), "torch": torch}
    return " and ".join(f"{name} {flat(version)}" for name, version in told.items() if version)


def made_by(records: Sequence[Record]) -> list[str]:
    """A sentence where the records were made on several kinds of devices, and one where by several versions."""
    devices = _rows_by(records, device_of)
    versions = _rows_by(records, versions_of)
    notes = [f"made on several devices, whose times and memory do not compare ({devices})"] * bool(devices)
    return notes + [f"made by several versions, which may round otherwise ({versions})"] * bool(versions)


def _rows_by(records: Iterable[Record], of: Callable[[Record], str]) -> str:
    """The rows of each kind of record, where there are several kinds; else empty."""
    found: dict[str, dict[str, None]] = {}
    for record in records:
        if kind := of(record):
            found.setdefault(kind, {})[record.row] = None
    return "; ".join(f"{kind}: {', '.join(rows)}" for kind, rows in found.items()) * (len(found) > 1)


def gaps(rows: Sequence[Row], columns: Sequence[Column]) -> list[str]:
    """Sentences on missing numbers; those that the same methods miss for the same reason share one."""
    methods: dict[tuple[str, str], list[str]] = {}
    for column in columns:
        for row in rows:
            estimate = row.estimates.get(column.name)
            if row.status == "ok" and estimate is not None and math.isnan(estimate.value):
                methods.setdefault((column.shown, flat(estimate.reason or "no reason given")), []).append(row.method)
    labels: dict[tuple[str, str], list[str]] = {}
    for (label, reason), names in methods.items():
        labels.setdefault((", ".join(names), reason), []).append(label)
    return [f"{names}: no {', '.join(missing)}: {reason}" for (names, reason), missing in labels.items()]
