"""What a sweep found: for each method a curve of forgetting against distance, with what each point took."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vdu_bench.measured import Estimate
from vdu_bench.records import Record
from vdu_bench.reports.csv_text import guarded
from vdu_bench.reports.tables.leaderboard import Column, Leaderboard, Row, leaderboards
from vdu_bench.reports.tables.text import header, seeds_text, value_text
from vdu_bench.variants import row_name

EVALUATIONS = "nfe_forward"
MARKED = 4
"""Numbers of evaluations that are marked at most."""


@dataclass(frozen=True)
class Point:
    """One row: a method with one value of the setting, or a reference."""

    row: Row
    value: Any
    """Of the setting; None of a reference."""
    evaluations: float
    """Of the denoiser, forward, while unlearning: the mean over the seeds; NaN where it is not known."""
    forgetting: Estimate
    """Over the seeds; NaN where it diverged or failed with one of them."""
    distance: Estimate
    seeds: tuple[tuple[float, float], ...]
    """Distance and forgetting of each seed that has both."""

    @property
    def place(self) -> tuple[float, float]:
        """Distance and forgetting."""
        return self.distance.value, self.forgetting.value

    @property
    def dots(self) -> tuple[tuple[float, float], ...]:
        """The places of several seeds; none of a single one, which is the point itself."""
        return self.seeds if len(self.seeds) > 1 else ()

    @property
    def known(self) -> bool:
        """Whether it has both numbers."""
        return all(map(math.isfinite, self.place))


@dataclass(frozen=True)
class Curve:
    """A method, with what else was changed of it."""

    name: str
    method: str
    setting: str
    """What was swept."""
    points: tuple[Point, ...]
    """In the order of the values."""

    def at(self, evaluations: float) -> tuple[Point, Point, float] | None:
        """The two neighbouring points that took less and more, and how far between them it lies on a log scale.

        None outside of what was run, and where more of the setting does not mean more evaluations.
        """
        known = [point for point in self.points if point.known and point.evaluations > 0]
        counts = [point.evaluations for point in known]
        if any(after <= before for before, after in pairwise(counts)):
            return None
        for before, after in pairwise(known):
            if before.evaluations <= evaluations <= after.evaluations:
                span = math.log(after.evaluations / before.evaluations)
                return before, after, math.log(evaluations / before.evaluations) / span
        return None


@dataclass(frozen=True)
class Frontier:
    """A task's curves."""

    board: Leaderboard
    forgetting: Column
    distance: Column
    curves: tuple[Curve, ...]
    references: tuple[Point, ...]


def frontiers(records: Iterable[Record], swept: Mapping[str, str]) -> list[Frontier]:
    """The curves of each task's each variant: the first forgetting axis against the first distance.

    Args:
        records: of a sweep.
        swept: by method, the setting that was swept.

    Raises:
        UserError: records of one task do not compare (see `check_comparable`).
    """
    records = list(records)
    found = [
        _frontier(board, [one for one in records if one.variant == board.variant], swept)
        for board in leaderboards(records)
    ]
    return [one for one in found if one is not None]


def budgets(curves: Sequence[Curve]) -> list[float]:
    """Numbers of evaluations to mark: round ones (1, 2, 5 times a power of ten) that at least two curves span.

    A single curve is marked at what it spans alone.
    """
    needed = min(2, len(curves))
    ladder = [factor * 10.0**power for power in range(1, 12) for factor in (1, 2, 5)]
    spanned = [count for count in ladder if sum(curve.at(count) is not None for curve in curves) >= needed]
    if len(spanned) <= MARKED:
        return spanned
    return [spanned[round(index)] for index in np.linspace(0, len(spanned) - 1, MARKED)]


def frontier_csv(frontier: Frontier) -> str:
    """A row for each point, references first; numbers of ten digits, empty where there is none."""
    axes = (frontier.forgetting.name, frontier.distance.name)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    ends = [f"{axis}{end}" for axis in axes for end in ("", "_low", "_high")]
    writer.writerow(["task", "curve", "method", "setting", "value", "seeds", "status", EVALUATIONS, *ends])
    lines = [(point.row.method, point.row.method, "", point) for point in frontier.references]
    lines += [(curve.name, curve.method, curve.setting, point) for curve in frontier.curves for point in curve.points]
    for name, method, setting, point in lines:
        numbers = [point.evaluations]
        for estimate in (point.forgetting, point.distance):
            numbers += [estimate.value, estimate.low, estimate.high]
        writer.writerow(
            [*map(guarded, (frontier.board.variant, name, method, setting, "" if point.value is None else point.value))]
            + [" ".join(map(str, point.row.seeds)), point.row.status]
            + ["" if math.isnan(number) else f"{number:.10g}" for number in numbers]
        )
    return text.getvalue()


def print_frontier(frontier: Frontier, console: Console) -> None:
    """The points, a line each."""
    board, axes = frontier.board, (frontier.forgetting, frontier.distance)
    console.print(Text(f"\n{board.variant}: forgetting {board.forget}", style="bold"))
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for index, name in enumerate(("method", "setting", "seeds", "evaluations", *map(header, axes))):
        table.add_column(name, justify="right" if index > 1 else "left", no_wrap=True)
    lines = [(point.row.method, "", point) for point in frontier.references]
    lines += [
        (curve.name, f"{curve.setting}={point.value}", point) for curve in frontier.curves for point in curve.points
    ]
    for name, setting, point in lines:
        numbers = [
            value_text(estimate, axis.unit) if point.row.status == "ok" else point.row.status
            for axis, estimate in zip(axes, (point.forgetting, point.distance), strict=True)
        ]
        count = "n/a" if math.isnan(point.evaluations) else f"{point.evaluations:,.0f}"
        table.add_row(*map(Text, (name, setting, seeds_text(point.row.seeds), count, *numbers)))
    console.print(table)


def _frontier(board: Leaderboard, records: Sequence[Record], swept: Mapping[str, str]) -> Frontier | None:
    forgetting, distance = (next(iter(board.on_axis(axis)), None) for axis in ("forgetting", "distance"))
    if forgetting is None or distance is None:
        return None
    rows = {row.method: row for row in board.rows}
    curves: dict[str, tuple[str, list[Point]]] = {}
    references = []
    for name, row in rows.items():
        own = [record for record in records if record.row == name]
        first = own[0]
        setting = swept.get(first.method)
        value = None if setting is None else first.settings.get(setting)
        point = _point(row, own, forgetting, distance, value)
        if row.role == "reference":
            references.append(point)
        elif setting is not None:
            changes = {key: change for key, change in first.method_changes.items() if key != setting}
            curves.setdefault(row_name(first.method, changes), (first.method, []))[1].append(point)
    made = [
        Curve(
            name, method, swept[method], tuple(sorted(points, key=lambda point: (str(type(point.value)), point.value)))
        )
        for name, (method, points) in sorted(curves.items())
    ]
    return Frontier(board, forgetting, distance, tuple(made), tuple(references))


def _point(row: Row, records: Sequence[Record], forgetting: Column, distance: Column, value: Any) -> Point:
    counts = [record.timings.nfe_forward for record in records]
    known = [count for count in counts if count is not None]
    places = [
        tuple(record.metrics[column.name].estimate.value for column in (distance, forgetting))
        for record in records
        if {distance.name, forgetting.name} <= record.metrics.keys()
    ]
    return Point(
        row=row,
        value=value,
        evaluations=float(np.mean(known)) if known and len(known) == len(counts) else math.nan,
        forgetting=row.estimates.get(forgetting.name, Estimate(reason="not measured")),
        distance=row.estimates.get(distance.name, Estimate(reason="not measured")),
        seeds=tuple((x, y) for x, y in places if math.isfinite(x) and math.isfinite(y)),
    )
