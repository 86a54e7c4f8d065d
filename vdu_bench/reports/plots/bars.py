"""One small panel per metric, a bar per method."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from vdu_bench.measured import Estimate
from vdu_bench.reports.plots.style import DIRECTION, Look, draw
from vdu_bench.reports.plots.whiskers import Window, draw_interval, draw_seeds, seeds_of, spread, window
from vdu_bench.reports.tables.leaderboard import Column, Leaderboard
from vdu_bench.reports.tables.text import DESTROYED, cell, method_text

_ACROSS = 3
_BREADTH = 0.6
"""Over which part of a bar's own width its seeds are laid out, in their order."""


def draw_bars(board: Leaderboard, looks: Mapping[str, Look], file: Path) -> list[Path]:
    """All metrics of a task, written as `file`.png and .pdf; returns what was written.

    Each panel has its own scale, unit and direction. A method that diverged or lacks a number keeps its line, with
    the word in place of the bar. What has destroyed the model is marked and crossed out. Nothing is drawn where there
    is no number at all.
    """
    columns = [
        column
        for column in board.columns
        if any(math.isfinite(row.estimates.get(column.name, Estimate()).value) for row in board.rows)
    ]
    return draw(file, lambda: _figure(board, columns, looks)) if columns else []


def _figure(board: Leaderboard, columns: list[Column], looks: Mapping[str, Look]) -> Figure:
    down = math.ceil(len(columns) / _ACROSS)
    across = min(_ACROSS, len(columns))
    height = 0.75 + 0.24 * len(board.rows)
    figure = Figure(figsize=(1.2 + 2.3 * across, 0.4 + height * down), layout=ConstrainedLayoutEngine(wspace=0.06))
    panels = figure.subplots(down, across, sharey=True, squeeze=False)
    for index, axes in enumerate(panels.flat):
        if index < len(columns):
            _panel(axes, board, columns[index], looks)
        else:
            axes.remove()
    crossed = f"; {DESTROYED} has destroyed the model" if board.destroyed else ""
    figure.suptitle(f"{board.variant}: forgetting {board.forget}\nlines are 95 % intervals, dots seeds{crossed}")
    return figure


def _panel(axes: Axes, board: Leaderboard, column: Column, looks: Mapping[str, Look]) -> None:
    found = [row.estimates.get(column.name, Estimate()) for row in board.rows]
    means = [estimate.value for estimate in found if math.isfinite(estimate.value)]
    drawn = window([0.0, *means], spread(found, [seeds_of(row, column.name) for row in board.rows]))
    span = (drawn.high - drawn.low) or 1.0
    # Room to the right of the longest bar, for its number.
    axes.set_xlim(drawn.low - (0.05 * span if drawn.low < 0 else 0.0), drawn.high + 0.33 * span)
    for position, row in enumerate(board.rows):
        estimate = row.estimates.get(column.name, Estimate())
        look = looks[row.method]
        hatch = "xxxx" if row.method in board.destroyed else look.hatch
        value = estimate.value if math.isfinite(estimate.value) else 0.0
        seeds = seeds_of(row, column.name)
        axes.barh(
            position,
            value,
            height=0.72,
            color="white" if hatch else look.color,
            edgecolor=look.color,
            hatch=hatch,
            linewidth=0.8,
        )
        draw_interval(axes, "x", estimate, position, drawn, color="0.15", capsize=2, elinewidth=1, capthick=1)
        # Seeds that do not differ, as of a cost that is counted, would only hide the end of their bar.
        dots = seeds if len(set(seeds)) > 1 else ()
        steps = [(index + 0.5) / len(dots) - 0.5 for index in range(len(dots))]
        draw_seeds(
            axes, dots, [position + _BREADTH * step for step in steps], "white", drawn, Window(-math.inf, math.inf)
        )
        axes.annotate(
            cell(row, column)[0],
            (drawn.clip(max([0.0, value, *spread([estimate], [seeds])])), position),
            xytext=(5, 0),
            textcoords="offset points",
            verticalalignment="center",
            fontsize="x-small",
        )
    axes.axvline(0, color="0.4", linewidth=0.8)
    axes.set_ylim(len(board.rows) - 0.4, -0.6)
    names = [method_text(row) + f" {DESTROYED}" * (row.method in board.destroyed) for row in board.rows]
    axes.set_yticks(range(len(names)), names)
    axes.grid(visible=False, axis="y")
    axes.locator_params(axis="x", nbins=4)
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.set_title(column.shown, fontsize="medium")
    axes.set_xlabel(", ".join(filter(None, (column.unit, DIRECTION[column.better]))), fontsize="small")
