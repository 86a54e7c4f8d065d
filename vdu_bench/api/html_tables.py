"""Leaderboards as a notebook shows them: small HTML tables, of which everything from a record is escaped."""

from __future__ import annotations

import html
from collections.abc import Sequence

from vdu_bench.records import Record
from vdu_bench.reports.tables.leaderboard import Column, Leaderboard, Row, leaderboards
from vdu_bench.reports.tables.notes import table_notes
from vdu_bench.reports.tables.text import caption, header, method_text, row_marks, table_cell


def leaderboards_html(records: Sequence[Record]) -> str:
    """A table of the main metrics for each task, with its notes. Raises UserError where records do not compare."""
    return "".join(map(_board, leaderboards(records))) or "<p>no records</p>"


def _board(board: Leaderboard) -> str:
    columns = board.main_columns
    head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in ("method", *map(header, columns)))
    rows = "".join(_row(board, row, columns) for row in board.rows)
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in table_notes(board))
    return (
        f"<h4>{html.escape(board.variant)}</h4><p>{html.escape(caption(board))}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" + (f"<ul>{notes}</ul>" if notes else "")
    )


def _row(board: Leaderboard, row: Row, columns: Sequence[Column]) -> str:
    name = html.escape(method_text(row) + row_marks(board, row.method))
    name = f"<i>{name}</i>" if row.role == "reference" else name
    numbers = "".join(_number(board, row, column) for column in columns)
    return f'<tr><th scope="row">{name}</th>{numbers}</tr>'


def _number(board: Leaderboard, row: Row, column: Column) -> str:
    found = table_cell(board, row, column)
    value = html.escape(found.value)
    value = f"<b>{value}</b>" if found.bold else value
    spread = f"<br><small>{html.escape(found.spread)}</small>" if found.spread else ""
    return f"<td>{value}{html.escape(found.mark)}{spread}</td>"
