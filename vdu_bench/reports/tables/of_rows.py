"""What a table says of its rows besides numbers: regime, seeds, status, and where their settings are from."""

from __future__ import annotations

from dataclasses import dataclass

from vdu_bench.errors import flat
from vdu_bench.reports.tables.leaderboard import Leaderboard
from vdu_bench.reports.tables.text import seeds_text, settings_lines, tuning_text


@dataclass(frozen=True)
class OfRows:
    """A column for what differs between rows, a sentence for what is the same in all."""

    columns: dict[str, list[str]]
    """By header, a text for each row in the order of the rows."""
    shared: str
    """Such as ``all rows: regime full, status ok``; empty where nothing is shared."""


def of_rows(board: Leaderboard, settings: bool = False) -> OfRows:
    """What is known of the rows.

    Args:
        board: of one task.
        settings: whether each row's settings are among it, where they are from, and what a search for them took.
    """
    told = {
        "regime": [flat(row.regime) for row in board.rows],
        "seeds": [seeds_text(row.seeds) for row in board.rows],
        "status": [str(row.status) for row in board.rows],
    }
    same = {name: texts[0] for name, texts in told.items() if len(set(texts)) == 1 and texts[0]}
    columns = {name: texts for name, texts in told.items() if name not in same}
    if settings:
        columns["settings"] = ["\n".join(settings_lines(row)) for row in board.rows]
        columns["from"] = [flat(row.settings_from) for row in board.rows]
        if any(row.tuning_cost for row in board.rows):
            columns["tuning"] = [tuning_text(row).replace(", ", "\n", 1) for row in board.rows]
    shared = ", ".join(f"{name} {text}" for name, text in same.items())
    return OfRows(columns, f"all rows: {shared}" if shared else "")
