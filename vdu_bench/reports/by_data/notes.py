"""What is said over and under the table of data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from vdu_bench.measured import Estimate
from vdu_bench.methods.regime import Regime
from vdu_bench.reports.best import BestGroup
from vdu_bench.reports.by_data.cells import number
from vdu_bench.reports.by_data.table import Amount, DataRow, DataTable
from vdu_bench.reports.limits import Excess
from vdu_bench.reports.tables.leaderboard import Leaderboard, gaps, made_by, troubles, warnings
from vdu_bench.reports.tables.notes import apart, counts
from vdu_bench.reports.tables.text import ABSENT, DESTROYED, TIED, caption, header, settings_lines, value_text

_REGIMES: dict[Regime, str] = {
    "forget_only": "no retained images",
    "forget_and_retain": "as many retained images as forget images",
    "full": "all retained images",
}


def data_caption(table: DataTable) -> str:
    """What was to be forgotten and how it was measured, on one line."""
    board = next((board for board in table.boards if board.protocol is not None), table.boards[0])
    # How many images there were to draw from is what the columns say.
    return caption(replace(board, forget_images=None))


def cells_caption(table: DataTable) -> str:
    """What stands in a cell that has all of the table's numbers."""
    first, *others = map(header, table.metrics)
    return f"In each cell {first}{''.join(f', under it {other}' for other in others)}."


def data_notes(table: DataTable, settings: bool = False) -> list[str]:
    """All that stands under the table, a sentence each; with the settings of the rows, or without."""
    return [
        *_destroyed(table),
        *_unlimited(table),
        *_cannot(table),
        *_columns(table),
        *_legend(table),
        *_seeds(table),
        *_shared(table, lambda board: [note for note in counts(board) if "training" in note]),
        *_shared(table, lambda board: _apart(table, board)),
        *_snapshots(table),
        *_external(table),
        *_troubles(table),
        *(_settings(table) if settings else ()),
    ]


def amounts_text(amounts: Iterable[Amount]) -> str:
    """Such as ``forget_only 1, 5; full all``."""
    ordered = sorted(set(amounts), key=lambda amount: amount.place)
    return "; ".join(
        f"{regime} {', '.join(_images(amount) for amount in group)}"
        for regime, group in groupby(ordered, key=lambda amount: amount.regime)
    )


def _images(amount: Amount) -> str:
    return "all" if amount.forget_images is None else f"{amount.forget_images:,}"


def _destroyed(table: DataTable) -> list[str]:
    """A sentence for each row, by what it is beyond, and where."""
    notes = []
    for row in table.rows:
        found: dict[str, list[tuple[Amount, Excess]]] = {}
        for amount in table.amounts:
            place = table.places.get((row, amount))
            for one in place.board.destroyed.get(place.row.method, ()) if place else ():
                found.setdefault(one.metric, []).append((amount, one))
        if found:
            beyond = [_beyond(table, metric, places) for metric, places in found.items()]
            notes.append(f"{DESTROYED} {row.name} has destroyed the model: {'; and '.join(beyond)}")
    return notes


def _beyond(table: DataTable, metric: str, places: Sequence[tuple[Amount, Excess]]) -> str:
    column = next(column for board in table.boards for column in board.columns if column.name == metric)
    limits = dict.fromkeys(value_text(Estimate(value=one.bound), column.unit) for _, one in places)
    return f"{column.shown} beyond {' or '.join(limits)} in {amounts_text(amount for amount, _ in places)}"


def _unlimited(table: DataTable) -> list[str]:
    originals = [(board, row) for board in table.boards for row in board.rows if row.method == "original"]
    measured = {board.variant for board, row in originals if row.status == "ok"}
    lacking = [board.variant for board in table.boards if board.variant not in measured]
    limits = any(board.protocol is not None and board.protocol.limits for board in table.boards)
    if not (limits and lacking):
        return []
    return [f"{', '.join(lacking)}: not held against the quality limit, since the original's numbers are not here"]


def _cannot(table: DataTable) -> list[str]:
    """Which rows are empty, and why."""
    found: dict[str, dict[str, None]] = {}
    for row in table.rows:
        for amount in table.amounts:
            if why := table.why_not(row, amount):
                found.setdefault(why, {})[row.name] = None
    return [f"empty, cannot run: {why} ({', '.join(names)})" for why, names in found.items()]


def _columns(table: DataTable) -> list[str]:
    said = [f"{regime}: {_REGIMES[regime]}" for regime, _ in table.by_regime()]
    notes = [f"{'; '.join(said)}; each allows the column's forget images, the posterior and the prompts"]
    if any(row.role == "reference" for row in table.rows):
        notes.append("reference rows are bound by no regime")
    return notes


def _legend(table: DataTable) -> list[str]:
    notes = []
    if any(best.best for best in table.best.values()):
        tied = f"; {TIED}: not told from it by a paired test at 95 % (Holm over the column)"
        told = tied * any(best.tied for best in table.best.values())
        notes.append(f"bold: a column's best contestant by its mean{told}")
    if _not_run(table):
        notes.append(f"{ABSENT}: could run, and was not run")
    return [*notes, *_untested(table)]


def _untested(table: DataTable) -> list[str]:
    """Which metrics were not tested, or not by their own test, and in which columns where that is not in all."""
    found: dict[str, list[str]] = {}
    for metric in table.metrics:
        bests = {amount: table.best.get((amount, metric.name), BestGroup()) for amount in table.amounts}
        contests = {amount: best.why for amount, best in bests.items() if best.best}
        for why in dict.fromkeys(filter(None, contests.values())):
            amounts = [amount for amount, own in contests.items() if own == why]
            where = "" if len(amounts) == len(contests) else f" ({amounts_text(amounts)})"
            found.setdefault(why, []).append(metric.shown + where)
    return [f"{', '.join(names)}: {why}" for why, names in found.items()]


def _not_run(table: DataTable) -> bool:
    return any(
        number(table, row, amount, metric).value == ABSENT
        for row in table.rows
        for amount in table.amounts
        for metric in table.metrics
    )


def _seeds(table: DataTable) -> list[str]:
    """How many seeds the cells have, and which have another number."""
    found = [(row, amount, len(place.row.seeds)) for (row, amount), place in table.places.items()]
    each = [seeds for _, _, seeds in found]
    usual = max(set(each), key=lambda seeds: (each.count(seeds), seeds))
    others: dict[tuple[DataRow, int], list[Amount]] = {}
    for row, amount, seeds in found:
        if seeds != usual:
            others.setdefault((row, seeds), []).append(amount)
    but = "; ".join(f"{row.name}: {seeds} ({amounts_text(amounts)})" for (row, seeds), amounts in others.items())
    return [f"{usual} seed{'s' * (usual != 1)} a cell" + f", but {but}" * bool(but)]


def _apart(table: DataTable, board: Leaderboard) -> list[str]:
    shown = {metric.name for metric in table.metrics}
    return apart(replace(board, columns=tuple(column for column in board.columns if column.name in shown)))


def _snapshots(table: DataTable) -> list[str]:
    bases = dict.fromkeys(row.base for row in table.rows if row.snapshots is not None)
    number = table.own_snapshots
    if number is None:
        return []
    return [f"{', '.join(bases)}: a posterior of {number} snapshots where the row names no other number"]


def _external(table: DataTable) -> list[str]:
    names = sorted({record.row for record in table.records if record.role == "external"})
    return [f"{', '.join(names)}: not here, since what data a model from elsewhere saw is not known"] if names else []


def _troubles(table: DataTable) -> list[str]:
    def of(board: Leaderboard) -> list[str]:
        records = [record for record in table.records if record.variant == board.variant]
        rows = [row for row in board.rows if row.role != "external"]
        return [*troubles(records), *warnings(records), *made_by(records), *gaps(rows, table.metrics)]

    return _shared(table, of)


def _shared(table: DataTable, notes: Callable[[Leaderboard], Iterable[str]]) -> list[str]:
    """Notes on boards, with the variants that they are about where these are not all."""
    found: dict[str, list[str]] = {}
    for board in table.boards:
        for note in notes(board):
            found.setdefault(note, []).append(board.variant)
    return [note if len(where) == len(table.boards) else f"{', '.join(where)}: {note}" for note, where in found.items()]


def _settings(table: DataTable) -> list[str]:
    found: dict[str, None] = {}
    for (row, _), place in table.places.items():
        if place.row.settings_from:
            given = ", ".join(settings_lines(place.row)) or "no setting differs from the method's default"
            found[f"{row.base}: {given} ({place.row.settings_from})"] = None
    return list(found)
