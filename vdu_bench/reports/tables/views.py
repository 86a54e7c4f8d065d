"""A leaderboard with some of its columns, or in another order: what is shown changes, and no number or mark."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import zip_longest

from vdu_bench.errors import UserError, did_you_mean
from vdu_bench.measured import NOT_REACHED, Estimate
from vdu_bench.metrics.catalog import METRICS, metric_facts
from vdu_bench.probes.catalog import is_attack
from vdu_bench.reports.tables.leaderboard import Column, Leaderboard, Row, gaps

HEADLINES = 5
"""Columns of the table that a run ends with."""
UNATTACKED = "no model was put under attack here; vdu-bench run --attacks all does it"


def with_columns(board: Leaderboard, columns: Sequence[Column]) -> Leaderboard:
    """The board with some of its columns, in this order, all of them main ones; notes on others are left out."""
    names = {column.name for column in columns}
    of_all = set(gaps(board.rows, board.columns))
    notes = [note for note in board.notes if note not in of_all]
    return replace(
        board,
        columns=tuple(replace(column, headline=True) for column in columns),
        hidden=tuple(column for column in (*board.columns, *board.hidden) if column.name not in names),
        rows=tuple(
            replace(row, apart={key: row.apart[key] for key in row.apart if key in names}) for row in board.rows
        ),
        notes=(*notes, *gaps(board.rows, columns)),
        best={name: found for name, found in board.best.items() if name in names},
    )


def headlines(board: Leaderboard) -> Leaderboard:
    """The board with its most important columns.

    The two axes of the comparison come first, then the first headline metric of each group, then each one's second...
    They stand in their usual order.
    """
    groups: dict[str, list[Column]] = {}
    for column in board.main_columns:
        groups.setdefault(column.group, []).append(column)
    ranked = [column for turn in zip_longest(*groups.values()) for column in turn if column is not None]
    # Forgetting says nothing without what it cost the model, and an attack's column may not take that one's place.
    axes = [next((one for one in board.main_columns if one.axis == axis), None) for axis in ("forgetting", "distance")]
    names = dict.fromkeys(column.name for column in (*axes, *ranked) if column is not None)
    chosen = set(list(names)[:HEADLINES])
    return with_columns(board, [column for column in board.main_columns if column.name in chosen])


def with_metrics(boards: Iterable[Leaderboard], names: Sequence[str]) -> list[Leaderboard]:
    """The boards with these metrics alone, in this order; a board that lacks one goes without.

    A board whose models were put under no attack says so, where the metrics of attacks are shown.

    Raises UserError for a metric that none has.
    """
    boards = list(boards)
    for name in names:
        _check_known(boards, name, "--metrics")
    shown = [
        with_columns(board, [column for name in names for column in board.columns if column.name == name])
        for board in boards
    ]
    of_attacks = [any(column.group == "robustness" for column in board.columns) for board in shown]
    if not any(of_attacks):
        return shown
    return [
        board if attacked else replace(board, notes=(*board.notes, UNATTACKED))
        for board, attacked in zip(shown, of_attacks, strict=True)
    ]


def sorted_by(boards: Iterable[Leaderboard], name: str) -> list[Leaderboard]:
    """The boards with their rows by a metric, the best first, or by ``method``, their names.

    References stay on top. Who is beyond the quality limit still comes after who is not, and who failed comes last. A
    number that lies beyond all that was tried, as of a model that held out against an attack, is the best there is.
    Raises UserError for a metric that no board has.
    """
    boards = list(boards)
    if name != "method":
        _check_known(boards, name, "--sort")
    return [replace(board, rows=_sorted(board, name)) for board in boards]


def viewed(boards: Sequence[Leaderboard], metrics: Sequence[str] = (), sort: str | None = None) -> list[Leaderboard]:
    """The boards with `metrics` alone, where there are any, and sorted by `sort`, where it is given."""
    found = sorted_by(boards, sort) if sort is not None else list(boards)
    return with_metrics(found, metrics) if metrics else found


def _sorted(board: Leaderboard, name: str) -> tuple[Row, ...]:
    column = next((one for one in (*board.columns, *board.hidden) if one.name == name), None)
    if column is None and name != "method":
        return board.rows
    references = [row for row in board.rows if row.role == "reference"]
    others = [row for row in board.rows if row.role != "reference"]

    def place(row: Row) -> tuple[int, float, str]:
        estimate = Estimate() if column is None else row.estimates.get(column.name, Estimate())
        value = estimate.value
        if column is not None and column.better != "lower":
            value = -math.inf if NOT_REACHED in (estimate.reason or "") else -value
        group = 2 if row.status != "ok" else int(row.method in board.destroyed)
        return group, math.inf if math.isnan(value) else value, row.method

    return (*references, *sorted(others, key=place))


def _check_known(boards: Sequence[Leaderboard], name: str, option: str) -> None:
    known = dict.fromkeys(column.name for board in boards for column in (*board.columns, *board.hidden))
    if name in known:
        return
    if name in METRICS.entries():
        raise UserError(f"{option}: {name} was not measured in these records{_measured_by(name)}")
    hint = did_you_mean(name, known) or f" (there are {', '.join(known)})"
    raise UserError(f"{option}: no record has a metric {name!r}{hint}")


def _measured_by(name: str) -> str:
    """Which option of a run measures a metric; empty where none is needed."""
    facts = metric_facts(name)
    if facts.group != "robustness":
        return ""
    return f"; vdu-bench run --attacks {facts.probe if is_attack(facts.probe) else 'all'} measures it"
