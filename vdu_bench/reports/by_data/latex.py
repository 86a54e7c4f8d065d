"""The table of data as LaTeX."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from vdu_bench.reports.by_data.cells import images_text, numbers
from vdu_bench.reports.by_data.notes import cells_caption, data_caption, data_notes
from vdu_bench.reports.by_data.parts import parts
from vdu_bench.reports.by_data.table import Amount, DataTable
from vdu_bench.reports.tables.fitting import GAP, NARROW, SMALL
from vdu_bench.reports.tables.floats import floats, latex_row, latex_spans
from vdu_bench.reports.tables.render import latex_escape, latex_lines, latex_notes
from vdu_bench.reports.tables.text import Cell


def to_latex(tables: Iterable[DataTable], settings: bool = False) -> str:
    """A `table*` environment for each task, or several that continue it; needs the booktabs package.

    Regimes that do not fit beside each other stand under each other, each part with the methods before it.
    """
    return "\n".join(_table(table, settings) for table in tables)


def _table(table: DataTable, settings: bool) -> str:
    blocks = [_tabular(table, amounts) for amounts in parts(table, NARROW, _width, GAP)]
    notes = latex_notes(data_notes(table, settings))
    title = f"{table.setup}, by how much data"
    return floats(
        [*blocks, (len(notes), notes)],
        f"{title}. {data_caption(table)} {cells_caption(table)}",
        f"{title}, continued.",
        f"tab:data-{table.setup}",
    )


def _width(cell: Cell) -> float:
    return len(cell.value) + len(cell.mark) + (SMALL * len(cell.spread) + 1 if cell.spread else 0)


def _tabular(table: DataTable, amounts: Sequence[Amount]) -> tuple[int, list[str]]:
    """With its height in lines."""
    regimes = [(regime, len(list(group))) for regime, group in groupby(amount.regime for amount in amounts)]
    head = [rf"\begin{{tabular}}{{@{{}}l{'r' * len(amounts)}@{{}}}}", r"\toprule", *latex_spans(regimes)]
    head.append(latex_row(["method", *(latex_escape(images_text(table, amount)) for amount in amounts)]))
    body: list[str] = []
    height = 5
    for _, rows in groupby(table.rows_in(amounts), key=lambda row: row.role):
        body.append(r"\midrule")
        for row in rows:
            cells = [numbers(table, row, amount) for amount in amounts]
            body.append(latex_row([latex_escape(row.name), *(latex_lines([*map(_number, one)], "t") for one in cells)]))
            height += max(map(len, cells))
    return height, [*head, *body, r"\bottomrule", r"\end{tabular}"]


def _number(cell: Cell) -> str:
    value = rf"\textbf{{{latex_escape(cell.value)}}}" if cell.bold else latex_escape(cell.value)
    spread = rf" {{\scriptsize {latex_escape(cell.spread)}}}" if cell.spread else ""
    return value + spread + latex_escape(cell.mark)
