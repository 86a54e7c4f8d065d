"""A leaderboard as the page's data: what stands in each cell, and the numbers that figures are drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vdu_bench.measured import Estimate
from vdu_bench.records import Record
from vdu_bench.reports.page.packing import number
from vdu_bench.reports.page.sweeps import matrix_curves, series, swept
from vdu_bench.reports.tables.leaderboard import Column, Leaderboard, Row
from vdu_bench.reports.tables.notes import destroyed, table_notes
from vdu_bench.reports.tables.text import (
    caption,
    header,
    method_text,
    quantity,
    row_marks,
    seeds_text,
    settings_lines,
    table_cell,
    tuning_text,
)

_NONE = Estimate()


def board_data(board: Leaderboard, records: Sequence[Record]) -> dict[str, Any]:
    """All that the page shows of a task, but for what is behind a row.

    Args:
        board: of one variant.
        records: its records.
    """
    firsts: dict[str, Record] = {}
    for record in records:
        firsts.setdefault(record.row, record)
    words: dict[str, int] = {}
    alarms = set(destroyed(board))
    return {
        "variant": board.variant,
        "forget": board.forget,
        "caption": caption(board),
        "columns": [_column(board, column) for column in board.columns],
        "rows": [_row(board, row, words) for row in board.rows],
        "words": list(words),
        "notes": [[note, note in alarms] for note in table_notes(board)],
        "axes": {axis: _first(board, axis) for axis in ("distance", "forgetting")},
        "sweeps": swept(firsts),
        "series": series(board),
        "curves": matrix_curves(records),
    }


def _first(board: Leaderboard, axis: Any) -> int | None:
    return next((index for index, column in enumerate(board.columns) if column.axis == axis), None)


def _column(board: Leaderboard, column: Column) -> dict[str, Any]:
    return {
        "header": header(column).replace("_", " "),
        "quantity": quantity(column).replace("_", " "),
        "name": column.name,
        "label": column.label,
        "unit": column.unit,
        "better": column.better,
        "group": column.group,
        "main": column.headline,
        "bound": number(board.bound(column)),
    }


def _row(board: Leaderboard, row: Row, words: dict[str, int]) -> dict[str, Any]:
    return {
        "method": row.method,
        "text": method_text(row),
        "mark": row_marks(board, row.method).strip(),
        "role": row.role,
        "regime": row.regime,
        "seeds": seeds_text(row.seeds),
        "status": row.status,
        "destroyed": row.method in board.destroyed,
        "front": row.method in board.front,
        "settings": settings_lines(row),
        "from": row.settings_from,
        "tuning": tuning_text(row),
        "cells": [_cell(board, row, column, words) for column in board.columns],
        "dots": [_dots(row, column) for column in board.columns],
    }


def _cell(board: Leaderboard, row: Row, column: Column, words: dict[str, int]) -> list[Any]:
    """Value, its interval, both as text, the mark, whether it is the best, and the place of a sentence on it."""
    shown = table_cell(board, row, column)
    estimate = row.estimates.get(column.name, _NONE)
    why = estimate.reason or estimate.method
    place = words.setdefault(why, len(words)) if why else -1
    ends = [number(end) for end in (estimate.value, estimate.low, estimate.high)]
    return [*ends, shown.value, shown.spread, shown.mark, int(shown.bold), place]


def _dots(row: Row, column: Column) -> list[float | None]:
    """A number for each seed; none of a single one, which is the row's own."""
    found = row.by_seed.get(column.name, ())
    return [number(value) for value in found] if len(found) > 1 else []
