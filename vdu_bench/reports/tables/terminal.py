"""The leaderboard for the terminal. Imports neither pandas nor matplotlib: it is printed after every run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from rich.console import Console
from rich.text import Text

from vdu_bench.reports.screen import as_seen, best_number, shown_whole
from vdu_bench.reports.tables.leaderboard import Column, Leaderboard, Row
from vdu_bench.reports.tables.notes import destroyed, table_notes
from vdu_bench.reports.tables.of_rows import of_rows
from vdu_bench.reports.tables.printed import Printed, packed, printed_table
from vdu_bench.reports.tables.text import (
    caption,
    header,
    row_marks,
    table_cell,
)
from vdu_bench.reports.tables.views import headlines


def print_headlines(boards: Iterable[Leaderboard], console: Console, where: str) -> None:
    """Print each task's most important columns, what a method has destroyed, and where the rest is.

    Args:
        boards: one for each task, with all its columns.
        console: where to.
        where: how to get at the rest, such as a command.
    """
    for board in boards:
        shown = headlines(board)
        _print_title(shown, console)
        _print_tables(shown, [_metric(shown, column, console, bare=True) for column in shown.columns], console)
        _print_notes(shown, console)
        if shown.hidden:
            more = f"{len(shown.hidden)} more columns, regimes, seeds and status: {where}"
            console.print(Text(more), soft_wrap=shown_whole(console))


def print_leaderboards(boards: Iterable[Leaderboard], console: Console, settings: bool = False) -> None:
    """Print each task's tables: the main metrics, then the rest, each cut where the console is too narrow.

    An interval stands under its value; costs are shown without (the files have them).

    Args:
        boards: one for each task.
        console: where to.
        settings: whether each row's settings are shown, where they are from, and what a search for them took.
    """
    for board in boards:
        _print_title(board, console)
        main = [_metric(board, column, console) for column in board.main_columns]
        rest = [_metric(board, column, console) for column in board.other_columns]
        told = of_rows(board, settings)
        rest += [Printed(name, tuple(map(Text, texts))) for name, texts in told.columns.items()]
        # What is known of the rows needs no table of its own where it is all the rest.
        for columns in (main, rest) if board.other_columns else ([*main, *rest],):
            _print_tables(board, columns, console)
        _print_notes(board, console, told.shared)


def _print_title(board: Leaderboard, console: Console) -> None:
    title = Text.assemble("\n", (board.variant, "bold"), "  ", (caption(board), "dim"))
    console.print(title, soft_wrap=shown_whole(console))


def _print_tables(board: Leaderboard, columns: Sequence[Printed], console: Console) -> None:
    method = Printed("method", tuple(_method(board, row) for row in board.rows))
    for gap, fitting in packed(columns, console.width - method.width):
        console.print()
        console.print(printed_table([method, *fitting], gap))


def _print_notes(board: Leaderboard, console: Console, last: str = "") -> None:
    notes, alarms = [*table_notes(board), *[last] * bool(last)], destroyed(board)
    if notes:
        console.print()
    for note in notes:
        text = (
            Text(f"Warning: {note}", style="bold red") if note in alarms else Text(as_seen(note, console), style="dim")
        )
        console.print(text, soft_wrap=shown_whole(console))


def _method(board: Leaderboard, row: Row) -> Text:
    text = Text(row.method, style="italic" if row.role == "reference" else "")
    text.append(row_marks(board, row.method))
    return text.append("\nexternal", style="not bold dim") if row.role == "external" else text


def _metric(board: Leaderboard, column: Column, console: Console, bare: bool = False) -> Printed:
    # A unit that is a word makes a column wide, and its title says what is counted.
    shown = replace(column, unit="") if bare and len(column.unit) > len("MiB") else column
    return Printed(header(shown).replace("_", " "), tuple(_number(board, row, column, console) for row in board.rows))


def _number(board: Leaderboard, row: Row, column: Column, console: Console) -> Text:
    found = table_cell(board, row, column)
    if row.status != "ok":
        return Text(found.value + found.mark, style="red")
    text = best_number(found.value, found.mark, found.bold, console)
    if not found.spread or column.group == "cost":
        return text
    return text.append(f"\n{found.spread}", style="not bold dim")
