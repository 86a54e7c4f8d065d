"""What stands in the cells and headers of the table of data, the same in every format."""

from __future__ import annotations

from vdu_bench.reports.by_data.table import Amount, DataRow, DataTable
from vdu_bench.reports.tables.leaderboard import Column
from vdu_bench.reports.tables.text import ABSENT, DESTROYED, TIED, Cell, cell


def number(table: DataTable, row: DataRow, amount: Amount, metric: Column) -> Cell:
    """A row's number in a column; empty where the method cannot run, a dash where it was not, and otherwise the status
    where it diverged or failed."""
    place = table.places.get((row, amount))
    if place is None:
        return Cell("" if table.why_not(row, amount) else ABSENT)
    value, spread = cell(place.row, metric)
    best, name = best_text(table, row, amount, metric), place.row.method
    mark = DESTROYED if name in place.board.destroyed else TIED if best == "tied" else ""
    return Cell(value, spread, best == "best", mark)


def numbers(table: DataTable, row: DataRow, amount: Amount) -> list[Cell]:
    """One for each of the table's metrics; a single one where there are no numbers."""
    found = [number(table, row, amount, metric) for metric in table.metrics]
    return found[:1] if len({(one.value, one.spread) for one in found}) == 1 and not _digits(found[0]) else found


def best_text(table: DataTable, row: DataRow, amount: Amount, metric: Column) -> str:
    """``best``, ``tied`` (not told from the best), or empty."""
    best, place = table.best.get((amount, metric.name)), table.places.get((row, amount))
    if best is None or place is None or row.role != "contestant" or row.snapshots is not None:
        return ""
    return "best" if place.row.method == best.best else "tied" if place.row.method in best.tied else ""


def images_text(table: DataTable, amount: Amount) -> str:
    """Such as ``5 images``, or ``all (132)``."""
    if amount.forget_images is not None:
        return f"{amount.forget_images:,} image{'s' * (amount.forget_images > 1)}"
    return "all" if table.forget_set is None else f"all ({table.forget_set:,})"


def _digits(cell: Cell) -> bool:
    return any(character.isdigit() for character in cell.value)
