"""The table of data for the terminal, a table for each of its numbers and for each regime. Imports no pandas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from vdu_bench.reports.by_data.cells import images_text, number
from vdu_bench.reports.by_data.notes import data_caption, data_notes
from vdu_bench.reports.by_data.table import Amount, DataRow, DataTable
from vdu_bench.reports.screen import as_seen, best_number
from vdu_bench.reports.tables.leaderboard import Column
from vdu_bench.reports.tables.printed import Printed, packed, printed_table
from vdu_bench.reports.tables.text import DESTROYED, Cell, header


def print_data(tables: Iterable[DataTable], console: Console, settings: bool = False) -> None:
    """Print each task's tables, each cut where the console is too narrow.

    An interval stands behind its value where there is room for that, and under it otherwise.

    Args:
        tables: one for each task.
        console: where to.
        settings: whether notes say each row's settings, and where they are from.
    """
    for table in tables:
        console.print(Text.assemble("\n", (table.setup, "bold"), "  ", (data_caption(table), "dim")))
        for metric in table.metrics:
            for regime, amounts in table.by_regime():
                console.print(Text.assemble("\n", (header(metric), "bold"), f", {regime}"))
                _print_part(table, metric, amounts, console)
        console.print()
        for note in data_notes(table, settings):
            console.print(Text(as_seen(note, console), style="red" if note.startswith(DESTROYED) else "dim"))


def _print_part(table: DataTable, metric: Column, amounts: Sequence[Amount], console: Console) -> None:
    rows = table.rows_in(amounts)
    method = Printed("method", tuple(Text(row.name, style=_style(row)) for row in rows))
    room = console.width - method.width
    beside, under = (
        [
            Printed(
                images_text(table, amount),
                tuple(_text(number(table, row, amount, metric), between, console) for row in rows),
            )
            for amount in amounts
        ]
        for between in (" ", "\n")
    )
    fits = len(packed(beside, room)) == 1
    for gap, fitting in packed(beside if fits else under, room):
        console.print()
        console.print(printed_table([method, *fitting], gap))


def _style(row: DataRow) -> str:
    return "italic" if row.role == "reference" else ""


def _text(cell: Cell, between: str, console: Console) -> Text:
    text = best_number(cell.value, cell.mark, cell.bold, console)
    return text.append(f"{between}{cell.spread}", style="not bold dim") if cell.spread else text
