"""The data-constrained leaderboard as data: methods in rows; in columns how much data they may see."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from statistics import fmean

from vdu_bench.errors import UserError, did_you_mean
from vdu_bench.measured import Estimate
from vdu_bench.methods.catalog import METHODS, method_facts
from vdu_bench.methods.regime import REGIMES, Regime, forbidden_needs
from vdu_bench.models.specs import SnapshotPosterior
from vdu_bench.records import Record, Role
from vdu_bench.reports.best import BestGroup, Rivals, best_group
from vdu_bench.reports.comparable import SNAPSHOTS, by_data, by_variant, check_sweep
from vdu_bench.reports.tables.leaderboard import REFERENCES, Column, Leaderboard, Row, leaderboards
from vdu_bench.tasks.loading import catalog
from vdu_bench.variants import row_name


@dataclass(frozen=True)
class Amount:
    """How much data: a column of the table."""

    regime: Regime
    forget_images: int | None
    """The limit on them; None for all there are."""

    @property
    def place(self) -> tuple[int, float]:
        """Sorts columns from the least data to the most."""
        return REGIMES.index(self.regime), math.inf if self.forget_images is None else self.forget_images


@dataclass(frozen=True)
class DataRow:
    """A method with its settings, and with the posterior that it had."""

    method: str
    role: Role
    base: str
    """The method with what was changed of its settings, but for regimes: what the row is called, without snapshots."""
    snapshots: int | None = None
    """Of the posterior, where a command changed their number."""

    @property
    def name(self) -> str:
        """Such as ``vdu``, or ``vdu, 5 snapshots``."""
        return self.base if self.snapshots is None else f"{self.base}, {self.snapshots} snapshots"


@dataclass(frozen=True)
class Place:
    """Where a row's numbers with an amount of data are from: the leaderboard of a variant, and a row of it."""

    board: Leaderboard
    row: Row

    @property
    def destroyed(self) -> bool:
        """Whether it is beyond the quality limit."""
        return self.row.method in self.board.destroyed

    @property
    def lost(self) -> bool:
        """Whether no model is left: it is destroyed, diverged or failed."""
        return self.destroyed or self.row.status != "ok"

    def estimate(self, metric: Column) -> Estimate:
        """Over the seeds; NaN where there is none."""
        return self.row.estimates.get(metric.name, Estimate())


@dataclass(frozen=True)
class DataTable:
    """The table of one task."""

    setup: str
    """The task's name, and what was changed of it, but for how much data there are."""
    boards: tuple[Leaderboard, ...]
    """One for each variant: first those with the task's own posterior; in each group those with fewest images first."""
    records: tuple[Record, ...]
    metrics: tuple[Column, ...]
    """What stands in each cell: the first metric of forgetting and the first distance."""
    amounts: tuple[Amount, ...]
    """The columns: where any contestant was run."""
    rows: tuple[DataRow, ...]
    """References in their order; then who is within the quality limit anywhere, who forgot most on average over the
    columns that it was run in first, where a model that is lost has forgotten nothing; then the others. A method's
    other posteriors stand below it."""
    places: Mapping[tuple[DataRow, Amount], Place]
    """What was run."""
    best: Mapping[tuple[Amount, str], BestGroup]
    """By column and metric, the best contestant and those not told from it, by what boards call them. Rows with another
    number of snapshots do not compete: they are methods that compete already."""

    @property
    def forget_set(self) -> int | None:
        """How many images show the concept; None where no record tells."""
        return max((board.forget_set for board in self.boards if board.forget_set is not None), default=None)

    @cached_property
    def own_snapshots(self) -> int | None:
        """How many snapshots rows have that name no number, where others name one and an installed task tells."""
        task = catalog().get(self.boards[0].task) if any(row.snapshots for row in self.rows) else None
        source = None if task is None else task.posterior_source
        return source.snapshots if isinstance(source, SnapshotPosterior) else None

    def why_not(self, row: DataRow, amount: Amount) -> str:
        """Why a method cannot run with so much data; empty where it can, or where it is not installed."""
        if row.role != "contestant" or (row, amount) in self.places or row.method not in METHODS.entries():
            return ""
        forbidden = forbidden_needs(amount.regime, method_facts(row.method).needs)
        return f"needs {' and '.join(forbidden)}, which {amount.regime} forbids" if forbidden else ""

    def by_regime(self) -> list[tuple[Regime, list[Amount]]]:
        """The columns of each regime."""
        return [(regime, list(group)) for regime, group in groupby(self.amounts, key=lambda amount: amount.regime)]

    def rows_in(self, amounts: Iterable[Amount]) -> list[DataRow]:
        """The rows that some columns are about: those that were run in one of them, then those that cannot be."""
        found = list(amounts)
        there = [row for row in self.rows if any((row, amount) in self.places for amount in found)]
        cannot = [row for row in self.rows if any(self.why_not(row, amount) for amount in found)]
        return [*there, *(row for row in cannot if row not in there)]


def data_tables(records: Iterable[Record], regimes: Sequence[str] = ()) -> list[DataTable]:
    """A table for each task of the records, and for each other thing that was made of it.

    Models from elsewhere have no place in it: what data they saw is not known.

    Args:
        records: of any number of tasks.
        regimes: those whose columns are shown alone (`in_regimes`); all if there is none.

    Raises:
        UserError: as `in_regimes`; records of one task differ in more than how much data there are, or nothing was
            measured of them, or no method of the suite was run on any task.
    """
    records = list(map(_in_short, records))
    check_sweep(records, by_data)
    tables = [table for setup, group in by_data(records) if (table := _table(setup, group)).amounts]
    if not tables:
        raise UserError(
            "a table of data shows what methods did with how much, and here are references and models from elsewhere "
            "alone"
        )
    return in_regimes(tables, regimes) if regimes else tables


def in_regimes(tables: Sequence[DataTable], names: Sequence[str]) -> list[DataTable]:
    """The tables with the columns of some regimes alone, and rows in the order that these columns give.

    Numbers and marks stay: a column's are its own. Tables without such a column are left out. Raises UserError for a
    name that is no regime, and where no method was run under it.
    """
    there = {amount.regime for table in tables for amount in table.amounts}
    for name in names:
        if name not in REGIMES:
            raise UserError(f"--regime {name}: there is no such regime{did_you_mean(name, REGIMES)}")
        if name not in there:
            raise UserError(f"--regime {name}: no method was run under it; under: {', '.join(sorted(there))}")
    found = [_with(table, tuple(amount for amount in table.amounts if amount.regime in names)) for table in tables]
    return [table for table in found if table.amounts]


def _with(table: DataTable, amounts: tuple[Amount, ...]) -> DataTable:
    places = {key: place for key, place in table.places.items() if key[1] in amounts}
    rows = sorted(table.rows, key=lambda own: _row_order(own, places, table.metrics[0]))
    return replace(table, amounts=amounts, places=places, rows=tuple(rows))


def _in_short(record: Record) -> Record:
    """The record with the table's metrics alone: intervals over seeds take time, and the rows are many."""
    names = {name for name, result in record.metrics.items() if result.axis or result.limit}
    return record.model_copy(
        update={
            field: {name: found for name, found in getattr(record, field).items() if name in names}
            for field in ("metrics", "at_own_count")
        }
    )


def _table(setup: str, records: Sequence[Record]) -> DataTable:
    groups = dict(by_variant(records))
    snapshots = {variant: group[0].task_changes.get(SNAPSHOTS) for variant, group in groups.items()}
    boards = sorted(leaderboards(records), key=lambda board: _board_order(board, snapshots[board.variant]))
    metrics = _metrics(boards)
    if not metrics:
        raise UserError(f"{setup}: no cell was measured, and a table of data has nothing to show")
    found: list[tuple[DataRow, Amount, Place]] = []
    for board in boards:
        firsts = {record.row: record for record in groups[board.variant]}
        for row in board.rows:
            if row.role == "contestant":
                own = _data_row(firsts[row.method], snapshots[board.variant])
                found += [(own, Amount(regime, board.forget_images), Place(board, row)) for regime in _regime(row)]
    amounts = sorted({amount for _, amount, _ in found}, key=lambda amount: amount.place)
    places = {(own, amount): place for own, amount, place in found}
    for board in boards:
        for row in board.rows:
            if row.role == "reference":
                own = DataRow(row.method, row.role, row.method)
                for amount in amounts:
                    # No regime binds them. Boards of the task's own posterior come first.
                    if amount.forget_images == board.forget_images:
                        places.setdefault((own, amount), Place(board, row))
    rows = sorted({own for own, _ in places}, key=lambda own: _row_order(own, places, metrics[0]))
    best = {
        (amount, metric.name): _best(amount, metric, places, groups)
        for amount in amounts
        for metric in metrics
        if metric.better != "none"
    }
    return DataTable(setup, tuple(boards), tuple(records), tuple(metrics), tuple(amounts), tuple(rows), places, best)


def _board_order(board: Leaderboard, snapshots: int | None) -> tuple[int, float]:
    return snapshots or 0, math.inf if board.forget_images is None else board.forget_images


def _metrics(boards: Sequence[Leaderboard]) -> list[Column]:
    for board in boards:
        axes = [board.on_axis(axis) for axis in ("forgetting", "distance")]
        if any(axes):
            return [axis[0] for axis in axes if axis]
    return []


def _data_row(record: Record, snapshots: int | None) -> DataRow:
    changes = {name: value for name, value in record.method_changes.items() if name != "regime"}
    return DataRow(record.method, record.role, row_name(record.method, changes, record.called), snapshots)


def _regime(row: Row) -> list[Regime]:
    return [regime for regime in REGIMES if regime == row.regime]


def _row_order(
    own: DataRow, places: Mapping[tuple[DataRow, Amount], Place], forgetting: Column
) -> tuple[int, int, float, str, int]:
    """Sorts rows by a method's own numbers alone, so that another method never changes the order of the rest."""
    if own.role == "reference":
        place = REFERENCES.index(own.method) if own.method in REFERENCES else len(REFERENCES)
        return place, 0, 0.0, own.name, 0
    all_of_it = [(row, place) for (row, _), place in places.items() if row.base == own.base and row.role == own.role]
    found = [place for row, place in all_of_it if row.snapshots is None] or [place for _, place in all_of_it]
    values = [0.0 if place.lost else place.estimate(forgetting).value for place in found]
    known = [value for value in values if math.isfinite(value)]
    all_lost = all(place.lost for place in found)
    return len(REFERENCES) + 1, all_lost, -fmean(known) if known else math.inf, own.base, own.snapshots or 0


def _best(
    amount: Amount,
    metric: Column,
    places: Mapping[tuple[DataRow, Amount], Place],
    groups: Mapping[str, Sequence[Record]],
) -> BestGroup:
    competing = [
        place
        for (row, other), place in places.items()
        if other == amount and row.role == "contestant" and row.snapshots is None and not place.destroyed
    ]
    if not competing:
        return BestGroup()
    means = {place.row.method: place.estimate(metric).value for place in competing}
    rivals = Rivals.of(groups[competing[0].board.variant])
    return best_group(metric.name, metric.better, metric.gate, means, rivals, metric.same_units)
