"""The leaderboard for the terminal. Imports neither pandas nor matplotlib: it is printed after every run."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vdu_bench.reports.tables.leaderboard import Column, Leaderboard, Row
from vdu_bench.reports.tables.text import caption, cell, header, seeds_text

_GAPS = (2, 1)  # blank characters between columns: the narrow one where it saves a table from being cut


@dataclass(frozen=True)
class _Printed:
    """A column as text: the header's words may wrap, the cells' lines may not."""

    header: str
    cells: tuple[Text, ...]

    @property
    def width(self) -> int:
        """The fewest characters it can be printed in."""
        lines = [line for cell in self.cells for line in cell.plain.split("\n")]
        return max(map(len, [*self.header.split(" "), *lines]))


def print_leaderboards(boards: Iterable[Leaderboard], console: Console) -> None:
    """Print each task's tables: the main metrics, then the rest, each cut where the console is too narrow.

    An interval stands under its value; costs are shown without (the files have them).
    """
    for board in boards:
        console.print(Text.assemble("\n", (board.variant, "bold"), "  ", (caption(board), "dim")))
        method = _Printed("method", tuple(map(_method, board.rows)))
        main = [_metric(board, column) for column in board.main_columns]
        rest = [_metric(board, column) for column in board.other_columns]
        rest += [
            _texts("regime", board, lambda row: row.regime),
            _texts("seeds", board, lambda row: seeds_text(row.seeds)),
            _texts("status", board, lambda row: row.status),
        ]
        for columns in (main, rest):
            for gap, fitting in _packed(columns, console.width - method.width):
                console.print()
                console.print(_table([method, *fitting], gap))
        if board.notes:
            console.print()
        for note in board.notes:
            console.print(Text(note, style="dim"))


def _method(row: Row) -> Text:
    text = Text(row.method, style="italic" if row.role == "reference" else "bold")
    return text.append("\nexternal", style="not bold dim") if row.role == "external" else text


def _metric(board: Leaderboard, column: Column) -> _Printed:
    return _Printed(header(column).replace("_", " "), tuple(_number(row, column) for row in board.rows))


def _number(row: Row, column: Column) -> Text:
    value, interval = cell(row, column)
    text = Text(value, style="" if row.status == "ok" else "red")
    return text.append(f"\n{interval}", style="dim") if interval and column.group != "cost" else text


def _texts(name: str, board: Leaderboard, text: Callable[[Row], str]) -> _Printed:
    return _Printed(name, tuple(Text(text(row)) for row in board.rows))


def _packed(columns: Sequence[_Printed], width: int) -> list[tuple[int, list[_Printed]]]:
    """The columns in order, cut into groups that fit `width` characters (one at least), each with its gap."""
    for gap in _GAPS:
        if sum(column.width + gap for column in columns) <= width:
            return [(gap, list(columns))]
    groups: list[tuple[int, list[_Printed]]] = []
    left = 0
    for column in columns:
        needed = column.width + _GAPS[0]
        if not groups or needed > left:
            groups.append((_GAPS[0], []))
            left = width
        groups[-1][1].append(column)
        left -= needed
    return groups


def _table(columns: Sequence[_Printed], gap: int) -> Table:
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
