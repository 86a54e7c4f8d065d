"""Columns of text on a terminal: cut where it is too narrow, never within a number."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from vdu_bench.reports.tables.fitting import fitted

_GAPS = (2, 1)  # blank characters between columns: the narrow one where it saves a table from being cut


@dataclass(frozen=True)
class Printed:
    """A column as text: the header's words may wrap, the cells' lines may not."""

    header: str
    cells: tuple[Text, ...]

    @property
    def width(self) -> int:
        """The fewest characters it can be printed in."""
        lines = [line for cell in self.cells for line in cell.plain.split("\n")]
        return max(map(len, [*self.header.split(" "), *lines]))


def packed(columns: Sequence[Printed], width: int) -> list[tuple[int, list[Printed]]]:
    """The columns in order, cut into groups that fit `width` characters (one at least), each with its gap."""
    for gap in _GAPS:
        if sum(column.width + gap for column in columns) <= width:
            return [(gap, list(columns))]
    widest = _GAPS[0]
    return [(widest, group) for group in fitted(((column.width + widest, column) for column in columns), width)]


def printed_table(columns: Sequence[Printed], gap: int) -> Table:
    """A table of a first column to the left and others to the right, `gap` blanks apart."""
    # The box itself puts one blank between columns.
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, gap - 1, 0, 0), pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(
            Text("\n".join(textwrap.wrap(column.header, column.width, break_long_words=False))),
            justify="right" if index else "left",
            width=column.width,
            no_wrap=True,
            header_style="bold",
        )
    for cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*cells)
    return table
