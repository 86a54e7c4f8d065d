"""How far two rows are apart in each metric: paired over the seeds that both have, and over their samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vdu_bench.errors import flat
from vdu_bench.measured import Estimate, MetricResult
from vdu_bench.records import Record
from vdu_bench.reports.compare.rows import RowPair, pair_rows
from vdu_bench.reports.outcomes import Originals, originals, paired_counts
from vdu_bench.reports.tables.leaderboard import Column, device_of
from vdu_bench.stats.losses import Losses, margins, summarise
from vdu_bench.stats.mean import mean_with_t_interval
from vdu_bench.stats.ratio_change import ratio_change
from vdu_bench.unlike import both

Floats = NDArray[np.float64]
Sides = tuple[Originals, Originals]
RowPairCells = tuple[tuple[Record, Record], ...]


@dataclass(frozen=True)
class Difference:
    """One metric of two rows."""

    column: Column
    seeds: tuple[int, ...]
    """The seeds that it was measured with on both sides; all of the pair's where there are none."""
    left: float
    """A's mean over them; NaN where one of them has no number."""
    right: float
    """B's."""
    change: Estimate
    """B's minus A's, in the metric's unit, with a 95 % interval; NaN with a reason as soon as one number is missing."""

    @property
    def winner(self) -> Literal["", "A", "B"]:
        """Who is better; empty where the interval holds 0, there is none, or no direction is better.

        Empty too for what a clock measured: a busy machine would win.
        """
        low, high = self.change.low, self.change.high
        if self.column.better == "none" or self.column.gate == "timed" or not (low > 0 or high < 0):
            return ""
        return "B" if (low > 0) == (self.column.better == "higher") else "A"


@dataclass(frozen=True)
class Compared:
    """Two rows, side by side."""

    pair: RowPair
    differences: tuple[Difference, ...]
    """In the order of a table's columns."""
    notes: tuple[str, ...]
    """What differs in the settings, which seeds are left out, which cells have no numbers; a sentence each."""


def compare_records(
    left: Sequence[Record], right: Sequence[Record], rows: Sequence[tuple[str, str]] = ()
) -> list[Compared]:
    """Each pair of rows with its differences, by task and row.

    Metrics whose samples are counted one by one are compared sample by sample over the initial noise that both share
    (`vdu_bench.stats.ratio_change`), and with the scatter of the seeds' differences where that is larger
    (`vdu_bench.stats.losses`); the others by Student's t over the seeds' differences. Intervals are not adjusted for
    their number. What they are worth with few seeds stands in ``docs/protocol/tables.md``.

    Args:
        left: A's records.
        right: B's records.
        rows: as in `pair_rows`.

    Raises:
        UserError: as `pair_rows`.
    """
    bases = originals(left), originals(right)
    return [_compared(pair, bases) for pair in pair_rows(left, right, rows)]


def _compared(pair: RowPair, bases: Sides) -> Compared:
    results = {name: result for cell in pair.cells for record in cell for name, result in record.metrics.items()}
    columns = sorted((Column.of(name, result) for name, result in results.items()), key=lambda column: column.place)
    found = [_difference(pair, column, results[column.name], bases) for column in columns]
    return Compared(pair, tuple(found), tuple(_notes(pair)))


def _notes(pair: RowPair) -> list[str]:
    told = {name: both(one, other) for name, (one, other) in pair.settings.items()}
    settings = [f"{name} {one} in A, {other} in B" for name, (one, other) in told.items()]
    notes = [f"settings: {'; '.join(settings)}"] if settings else []
    if pair.alone:
        notes.append(f"left out, as one of the two alone has them: seeds {', '.join(map(str, pair.alone))}")
    for side, records in zip("AB", zip(*pair.cells, strict=True), strict=True):
        notes += [
            f"{side}, seed {record.seeds.sample}: {record.status}: {flat(record.reason) or 'no reason given'}"
            for record in records
            if record.status != "ok"
        ]
    sides = [" and ".join(dict.fromkeys(map(device_of, records))) for records in zip(*pair.cells, strict=True)]
    if all(sides) and (sides[0] != sides[1] or " and " in sides[0]):
        notes.append(f"A was made on {sides[0]}, B on {sides[1]}: times and memory do not compare")
    return notes


def _difference(pair: RowPair, column: Column, facts: MetricResult, bases: Sides) -> Difference:
    cells = _measured(pair, column.name)
    seeds = tuple(record.seeds.sample for record, _ in cells)
    sides = [[_estimate(record, column.name) for record in side] for side in zip(*cells, strict=True)]
    values = np.array([[estimate.value for estimate in side] for side in sides])
    left, right = map(float, values.mean(axis=1))
    for name, side in zip("AB", sides, strict=True):
        if missing := [estimate for estimate in side if not math.isfinite(estimate.value)]:
            why = f"{name} has no number for {len(missing)} of {len(side)} seeds: {missing[0].reason or 'not said why'}"
            return Difference(column, seeds, left, right, Estimate(reason=why))
    changes = values[1] - values[0]
    variances = _sampling(cells, facts, bases)
    change = _by_seeds(changes) if variances is None else _by_samples(changes, variances)
    return Difference(column, seeds, left, right, _inside(change, facts))


def _measured(pair: RowPair, metric: str) -> RowPairCells:
    """The cells of the seeds that a metric was asked for with, or all where there are none.

    A number that is missing otherwise, of a cell that diverged or of too few samples, is no reason to leave a seed out:
    a mean over survivors would flatter.
    """
    asked = [cell for cell in pair.cells if all(one.status != "ok" or metric in one.metrics for one in cell)]
    measured = any(metric in record.metrics for cell in asked for record in cell)
    return tuple(asked) if measured else pair.cells


def _estimate(record: Record, metric: str) -> Estimate:
    if record.status != "ok":
        return Estimate(reason=record.status)
    return record.metrics[metric].estimate if metric in record.metrics else Estimate(reason="not measured")


def _sampling(cells: RowPairCells, facts: MetricResult, bases: Sides) -> Floats | None:
    """The variance of each seed's difference that its finite sample explains, ``[seeds]``, in squared percent."""
    counts = [paired_counts(facts, left, right, *bases) for left, right in cells]
    known = [count for count in counts if count is not None]
    if not known or len(known) < len(counts):
        return None
    _, variances = ratio_change(np.stack(known), len(known))
    return 100.0**2 * variances if np.isfinite(variances).all() else None


def _by_samples(changes: Floats, variances: Floats) -> Estimate:
    seeds = len(changes)
    mean, scatter, sampling = summarise(changes, variances)
    assert sampling is not None
    margin = float(margins(Losses(mean[None], scatter[None], sampling[None], np.array([seeds])))[0])
    value = float(mean)
    how = f"paired over samples and {seeds} seed{'s' * (seeds > 1)}"
    return Estimate(value=value, low=value - margin, high=value + margin, n=seeds, method=how)


def _by_seeds(changes: Floats) -> Estimate:
    if len(changes) == 1:
        return Estimate(value=float(changes[0]), n=1, method="no interval from a single seed")
    found = mean_with_t_interval(changes)
    return found.model_copy(update={"method": f"paired, t over {len(changes)} seeds"})


def _inside(change: Estimate, facts: MetricResult) -> Estimate:
    """Two shares are never more than all of it apart."""
    if facts.scale != "share" or facts.unit != "%" or math.isnan(change.low):
        return change
    return change.model_copy(update={"low": max(change.low, -100.0), "high": min(change.high, 100.0)})
