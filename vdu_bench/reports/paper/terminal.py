"""The paper's table for the terminal, a table for each data set. Imports no pandas."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from vdu_bench.errors import flat
from vdu_bench.reports.paper.cells import measured, published, row_title
from vdu_bench.reports.paper.table import DataSet, PaperTable
from vdu_bench.reports.screen import as_seen, best_number, shown_whole
from vdu_bench.reports.tables.printed import Printed, packed, printed_table
from vdu_bench.reports.tables.text import ABSENT, DESTROYED, Cell, header


def print_paper(tables: Iterable[PaperTable], console: Console) -> None:
    """Print each scale's tables, each cut where the console is too narrow; an interval stands under its value."""
    for table in tables:
        title = flat(f"{table.scale.capitalize() or 'Unknown'} scale")
        caption = as_seen(table.caption.removeprefix(f"{title}: "), console)
        console.print(Text.assemble("\n", (title, "bold"), "  ", (caption, "dim")), soft_wrap=shown_whole(console))
        for group in table.data_sets:
            console.print(Text(f"\n{group.family}", style="bold"))
            _print_data_set(table, group, console)
        if table.notes:
            console.print()
        for note in table.notes:
            console.print(Text(note, style="red" if DESTROYED in note else "dim"), soft_wrap=shown_whole(console))


def _print_data_set(table: PaperTable, group: DataSet, console: Console) -> None:
    rows = [method for section in table.sections for method in section]
    columns: list[tuple[str, list[Cell]]] = []
    for found in group.classes:
        for column in found.columns:
            name = f"{found.title}: {header(column.column)}"
            columns.append((name, [measured(found, column, method) for method in rows]))
            for source in column.published:
                columns.append((f"published [{source.marker}]", [published(column, source, method) for method in rows]))
    # A row of another data set, or one whose numbers are published beside another, has nothing here.
    kept = [index for index in range(len(rows)) if any(cells[index].value != ABSENT for _, cells in columns)]
    method = Printed("method", tuple(_title(table, rows[index]) for index in kept))
    printed = [
        Printed(name.replace("_", " "), tuple(_text(cells[index], console) for index in kept))
        for name, cells in columns
    ]
    for gap, fitting in packed(printed, console.width - method.width):
        console.print()
        console.print(printed_table([method, *fitting], gap))


def _title(table: PaperTable, method: str) -> Text:
    return Text(row_title(table, method), style="italic" if table.role(method) == "reference" else "")


def _text(cell: Cell, console: Console) -> Text:
    text = best_number(cell.value, cell.mark, cell.bold, console)
    return text.append(f"\n{cell.spread}", style="not bold dim") if cell.spread else text
