"""What is said under a table, a sentence each: what its marks mean, who has destroyed the model, how many trainings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from vdu_bench.measured import Estimate
from vdu_bench.reports.limits import Excess
from vdu_bench.reports.tables.leaderboard import Column, Leaderboard, Row
from vdu_bench.reports.tables.text import DESTROYED, FRONT, TIED, interval_text, seeds_text, value_text

FEW = 5
"""Seeds; a row of fewer is said to have so few."""


def table_notes(board: Leaderboard) -> list[str]:
    """All that stands under a leaderboard, what is destroyed first."""
    return [*destroyed(board), *legend(board), *counts(board), *apart(board), *board.notes]


def destroyed(board: Leaderboard) -> list[str]:
    """A sentence for each row beyond the quality limit, with its numbers; another where nothing could be judged."""
    found = [
        f"{DESTROYED} {row.method} has destroyed the model: {destroyed_words(board, row.method)}"
        for row in board.rows
        if row.method in board.destroyed
    ]
    if board.protocol is None or not board.protocol.limits:
        return found
    original = next((row.estimates for row in board.rows if row.status == "ok" and row.method == "original"), None)
    if original is None:
        return [*found, "no row is held against the quality limit, since the original's numbers are not here"]
    known = (*board.columns, *board.hidden)
    limited = [one for one in known if one.limit in board.protocol.limits and one.name in original]
    unknown = [one.shown for one in limited if math.isnan(original[one.name].value)]
    return found + [f"no row is held against the limit of {name}: the original has no number" for name in unknown]


def destroyed_words(board: Leaderboard, row: str) -> str:
    """By how much a row of `Leaderboard.destroyed` is beyond the quality limit."""
    columns = {column.name: column for column in (*board.columns, *board.hidden)}
    return "; ".join(_beyond(columns[one.metric], one) for one in board.destroyed[row])


def _beyond(column: Column, found: Excess) -> str:
    numbers = (found.value, found.bound, found.original)
    value, bound, original = (_number(Estimate(value=number), column.unit) for number in numbers)
    if math.isnan(found.value):
        return f"{column.shown} could not be estimated, limit {bound} (original: {original})"
    if value == bound:
        # As far as the table shows, it is at its limit: what is beyond must be seen to be so.
        value, bound, original = (f"{number:.7g}" for number in numbers)
    return f"{column.shown} {value}, limit {bound} (original: {original})"


def legend(board: Leaderboard) -> list[str]:
    """What bold, dagger and the Pareto mark mean; nothing of what is not there."""
    notes = []
    if any(found.best for found in board.best.values()):
        tied = f"; {TIED}: not told from it by a paired test at 95 % (Holm over the column)"
        notes.append(
            "bold: a column's best contestant by its mean" + tied * any(found.tied for found in board.best.values())
        )
    if board.front:
        axes = [board.on_axis(axis)[0].shown for axis in ("forgetting", "distance")]
        notes.append(f"{FRONT}: on the Pareto front of {axes[0]} and {axes[1]}")
    return [*notes, *untested(board, board.columns)]


def untested(board: Leaderboard, columns: Iterable[Column]) -> list[str]:
    """Which columns were not tested, or not by their own test; those with the same reason share a sentence."""
    names: dict[str, list[str]] = {}
    for column in columns:
        if (found := board.best.get(column.name)) is not None and found.best and found.why:
            names.setdefault(found.why, []).append(column.shown)
    return [f"{', '.join(shown)}: {why}" for why, shown in names.items()]


def counts(board: Leaderboard) -> list[str]:
    """How many trainings stand behind a reference row, and how many seeds behind all rows where they are few."""
    rows = [row for row in board.rows if row.status == "ok"]
    # What a reference's numbers scatter by is its sampling alone, unless it was trained more than once.
    trained = [row for row in rows if row.role == "reference" and row.method in ("retrain", "original")]
    notes = [f"{_trainings(row)} over {_seeds(len(row.seeds))}" for row in trained if row.trainings > 1]
    once = [row.method for row in trained if row.trainings == 1]
    if once:
        notes.append(f"{' and '.join(once)}: one training{' each' * (len(once) > 1)}")
    return ["; ".join(notes)] * bool(notes) + seed_counts(rows) + partly(board)


def partly(board: Leaderboard) -> list[str]:
    """Which columns were measured with some of the table's seeds alone; those with the same seeds share a sentence."""
    found: dict[tuple[int, ...], list[str]] = {}
    for column in board.columns:
        if seeds := board.partly.get(column.name):
            found.setdefault(seeds, []).append(column.shown)
    return [
        f"{', '.join(shown)}: measured with seed{'s' * (len(seeds) > 1)} {seeds_text(seeds)} alone"
        for seeds, shown in found.items()
    ]


def seed_counts(rows: Sequence[Row]) -> list[str]:
    """How many seeds the rows have, where that differs or is fewer than `FEW`; a row that diverged is not counted."""
    numbers = [len(row.seeds) for row in rows]
    if not numbers or (min(numbers) >= FEW and len(set(numbers)) == 1):
        return []
    usual = max(set(numbers), key=lambda number: (numbers.count(number), number))
    others: dict[int, list[str]] = {}
    for row in rows:
        if len(row.seeds) != usual:
            others.setdefault(len(row.seeds), []).append(row.method)
    but = "; ".join(f"{', '.join(methods)}: {number}" for number, methods in sorted(others.items()))
    return [f"{_seeds(usual)} a row" + f", but {but}" * bool(but)]


def apart(board: Leaderboard) -> list[str]:
    """What real images have at their own count, which is no column's, and the original at the same.

    A sentence for each of the board's columns.
    """
    units = {column.name: column.unit for column in board.columns}
    return [
        f"{row.method}: {found.label} {_number(found.real, units[name])}, "
        f"the original's at this count {_number(found.original, units[name])}"
        for row in board.rows
        if row.status == "ok"
        for name, found in row.apart.items()
        if name in units
    ]


def _number(estimate: Estimate, unit: str) -> str:
    return " ".join(filter(None, (value_text(estimate, unit), unit, interval_text(estimate, unit))))


def _trainings(row: Row) -> str:
    return f"{row.method}: {row.trainings} trainings"


def _seeds(number: int) -> str:
    return f"{number} seed{'s' * (number != 1)}"
