"""What stands in the cells and headers of the paper's table, the same in every format."""

from __future__ import annotations

from dataclasses import replace

from vdu_bench.reports.paper.table import PaperClass, PaperColumn, PaperTable, PublishedColumn
from vdu_bench.reports.tables.text import ABSENT, DESTROYED, Cell, table_cell


def measured(found: PaperClass, column: PaperColumn, method: str) -> Cell:
    """A method's number; a dash where the method was not run, and the status where it diverged or failed.

    What is beyond the quality limit is marked in every column, since a class has no row of its own here.
    """
    row = found.row(method)
    if row is None:
        return Cell(ABSENT)
    cell = table_cell(found.board, row, column.column)
    return replace(cell, mark=DESTROYED) if method in found.board.destroyed else cell


def published(column: PaperColumn, source: PublishedColumn, method: str) -> Cell:
    """A published number with the digits that its file gives it; a dash where there is none of this row."""
    number = source.numbers.get(method)
    if number is None:
        return Cell(ABSENT)
    return Cell(f"{number.value:,} {number.unit}" if number.unit != column.column.unit else f"{number.value:,}")


def row_title(table: PaperTable, method: str) -> str:
    """The method's name; a checkpoint that was unlearned elsewhere is marked."""
    return f"{method} (external)" if table.role(method) == "external" else method
