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
from vdu_bench.reports.tables.notes import destroyed, table_notes
from vdu_bench.reports.tables.text import (
    caption,
    header,
    row_marks,
    seeds_text,
    settings_lines,
    table_cell,
    tuning_text,
)

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


def print_leaderboards(boards: Iterable[Leaderboard], console: Console, settings: bool = False) -> None:
    """Print each task's tables: the main metrics, then the rest, each cut where the console is too narrow.

    An interval stands under its value; costs are shown without (the files have them).

    Args:
        boards: one for each task.
        console: where to.
        settings: whether each row's settings are shown, how they were come by, and what a search for them took.
    """
    for board in boards:
        console.print(Text.assemble("\n", (board.variant, "bold"), "  ", (caption(board), "dim")))
        method = _Printed("method", tuple(_method(board, row) for row in board.rows))
        main = [_metric(board, column) for column in board.main_columns]
        rest = [_metric(board, column) for column in board.other_columns]
        rest += [
            _texts("regime", board, lambda row: row.regime),
            _texts("seeds", board, lambda row: seeds_text(row.seeds)),
            _texts("status", board, lambda row: row.status),
        ]
        if settings:
            rest.append(_texts("settings", board, lambda row: "\n".join(settings_lines(row))))
            rest.append(_texts("from", board, lambda row: row.settings_from))
            if any(row.tuning_cost for row in board.rows):
                rest.append(_texts("tuning", board, lambda row: tuning_text(row).replace(", ", "\n", 1)))
        for columns in (main, rest):
            for gap, fitting in _packed(columns, console.width - method.width):
                console.print()
                console.print(_table([method, *fitting], gap))
        notes, alarms = table_notes(board), destroyed(board)
        if notes:
            console.print()
        for note in notes:
            console.print(Text(note, style="red" if note in alarms else "dim"))


def _method(board: Leaderboard, row: Row) -> Text:
    text = Text(row.method, style="italic" if row.role == "reference" else "")
    text.append(row_marks(board, row.method))
    return text.append("\nexternal", style="not bold dim") if row.role == "external" else text


def _metric(board: Leaderboard, column: Column) -> _Printed:
    return _Printed(header(column).replace("_", " "), tuple(_number(board, row, column) for row in board.rows))


def _number(board: Leaderboard, row: Row, column: Column) -> Text:
    found = table_cell(board, row, column)
    text = Text(found.value + found.mark, style="bold" * found.bold if row.status == "ok" else "red")
    if not found.spread or column.group == "cost":
        return text
    return text.append(f"\n{found.spread}", style="not bold dim")


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
