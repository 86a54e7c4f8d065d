"""The table's columns in parts that fit beside each other."""

from __future__ import annotations

from collections.abc import Callable

from vdu_bench.reports.by_data.cells import images_text, numbers
from vdu_bench.reports.by_data.table import Amount, DataTable
from vdu_bench.reports.tables.fitting import fitted
from vdu_bench.reports.tables.text import Cell


def parts(table: DataTable, room: float, width: Callable[[Cell], float], gap: float) -> list[list[Amount]]:
    """The columns in order, in groups as wide as `room`; a regime is cut only where it alone is wider.

    Args:
        table: whose columns they are; the rows' names stand before each part.
        room: in characters.
        width: of a number.
        gap: what stands between two columns, in characters.
    """
    left = room - max(len(row.name) for row in table.rows)
    blocks: list[tuple[float, list[Amount]]] = []
    for _, amounts in table.by_regime():
        widths = {amount: gap + _width(table, amount, width) for amount in amounts}
        whole = sum(widths.values())
        blocks += [(whole, amounts)] if whole <= left else [(widths[amount], [amount]) for amount in amounts]
    return [[amount for block in group for amount in block] for group in fitted(blocks, left)]


def _width(table: DataTable, amount: Amount, width: Callable[[Cell], float]) -> float:
    shown = [width(one) for row in table.rows for one in numbers(table, row, amount)]
    return max([len(images_text(table, amount)), *shown])
