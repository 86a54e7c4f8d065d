"""What stands in the cells and headers of the paper's table, the same in every format."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vdu_bench.reports.paper.table import PaperClass, PaperColumn, PaperTable, PublishedColumn
from vdu_bench.reports.tables.leaderboard import Column
from vdu_bench.reports.tables.text import ABSENT, cell, half_width_text, header


@dataclass(frozen=True)
class Cell:
    """One cell as text."""

    value: str
    spread: str = ""
    """Such as ``± 3.1`` over seeds, ``[60.2, 65.8]`` of one; empty where there is no interval."""
    bold: bool = False


def measured(found: PaperClass, column: PaperColumn, method: str) -> Cell:
    """A method's number; a dash where the method was not run, and the status where it diverged or failed."""
    row = found.row(method)
    if row is None:
        return Cell(ABSENT)
    value, interval = cell(row, column.column)
    if interval and len(row.seeds) > 1:
        interval = half_width_text(row.estimates[column.column.name], column.column.unit)
    return Cell(value, interval, method in column.best.methods)


def published(column: PaperColumn, source: PublishedColumn, method: str) -> Cell:
    """A published number with the digits that its file gives it; a dash where there is none of this row."""
    number = source.numbers.get(method)
    if number is None:
        return Cell(ABSENT)
    return Cell(f"{number.value:,} {number.unit}" if number.unit != column.column.unit else f"{number.value:,}")


def paper_header(column: Column) -> str:
    """Such as ``PUL (%) ↑``."""
    return header(replace(column, label=column.title) if column.title else column)


def row_title(table: PaperTable, method: str) -> str:
    """The method's name; a checkpoint that was unlearned elsewhere is marked."""
    return f"{method} (external)" if table.role(method) == "external" else method
