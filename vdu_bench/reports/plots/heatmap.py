"""All tasks in one picture: what each method forgot on each of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from vdu_bench.measured import Estimate
from vdu_bench.reports.method_style import MethodStyle
from vdu_bench.reports.plots.contrast import text_on
from vdu_bench.reports.plots.style import DIRECTION, draw
from vdu_bench.reports.plots.titles import folded, words
from vdu_bench.reports.tables.leaderboard import REFERENCES, Column, Leaderboard, Row
from vdu_bench.reports.tables.text import ABSENT, DESTROYED, method_text, value_text

_TASK = 28
"""Characters of a task's name beside each other."""


def across_tasks(boards: Sequence[Leaderboard]) -> Column | None:
    """The forgetting axis that most of the boards have; None where fewer than two have one."""
    found = [column for board in boards for column in board.on_axis("forgetting")]
    names = [column.name for column in found]
    best = max(found, key=lambda column: (names.count(column.name), -column.rank), default=None)
    return best if best is not None and names.count(best.name) > 1 else None


def draw_heatmap(
    boards: Sequence[Leaderboard], column: Column, looks: Mapping[str, MethodStyle], file: Path
) -> list[Path]:
    """Rows against tasks, a colour for each number, written as `file`.png and .pdf; returns what was written.

    References come first; then who left the most models within the quality limit, of these who forgot most on average.
    A destroyed model has no colour: its number is no success. Real images, which have forgotten nothing, have no row.

    Args:
        boards: at least one; a task each.
        column: what is shown, in percent.
        looks: by row.
        file: without a suffix.
    """
    boards = [board for board in boards if column in board.columns]
    names = [
        name for name in _order(boards, column) if any(_value(board, name, column) is not None for board in boards)
    ]
    return draw(file, lambda: _figure(boards, names, column, looks)) if names else []


def _find(board: Leaderboard, name: str) -> Row | None:
    return next((row for row in board.rows if row.method == name), None)


def _value(board: Leaderboard, name: str, column: Column) -> float | None:
    """None where there is no row, or a reference that has no such number; NaN where it was lost."""
    row = _find(board, name)
    if row is None or (row.role == "reference" and column.name not in row.estimates):
        return None
    value = row.estimates.get(column.name, Estimate()).value
    return None if row.role == "reference" and not math.isfinite(value) else value


def _order(boards: Sequence[Leaderboard], column: Column) -> list[str]:
    roles = {row.method: row.role for board in boards for row in board.rows}

    def place(name: str) -> tuple[int, float, float, str]:
        if roles[name] == "reference":
            return 0, REFERENCES.index(name) if name in REFERENCES else len(REFERENCES), 0, name
        values = [_value(board, name, column) for board in boards if name not in board.destroyed]
        kept = [value for value in values if value is not None and math.isfinite(value)]
        return 1, -len(kept), -sum(kept) / len(kept) if kept else 0.0, name

    return sorted(roles, key=place)


def _figure(
    boards: Sequence[Leaderboard], names: Sequence[str], column: Column, looks: Mapping[str, MethodStyle]
) -> Figure:
    wide, tall, widest = 0.9, 0.27, max(len(name) for name in names)
    figure = Figure(
        figsize=(max(4.6, 0.7 + 0.08 * widest + wide * len(boards)), 2.0 + tall * len(names)), layout="constrained"
    )
    axes = figure.add_subplot()
    # Without the darkest and the lightest, so that an empty place is no number and text can be read on all of them.
    colors = ListedColormap(sns.color_palette("crest", 256))
    scale = Normalize(0, 100, clip=True)
    gone = False
    for y, name in enumerate(names):
        for x, board in enumerate(boards):
            row = _find(board, name)
            value = _value(board, name, column)
            if row is None or value is None:
                axes.text(x, y, ABSENT, horizontalalignment="center", verticalalignment="center", color="0.4")
                continue
            destroyed = name in board.destroyed
            gone |= destroyed
            known = math.isfinite(value)
            plain = destroyed or not known
            color: Any = "0.93" if plain else colors(scale(value))
            axes.add_patch(
                Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=color, edgecolor="white", linewidth=1.5, zorder=1)
            )
            text = value_text(row.estimates[column.name], column.unit) if known else _lost(row)
            shade = "0.35" if plain else text_on(color)
            axes.text(
                x,
                y,
                f"{text} {DESTROYED}" if destroyed else text,
                horizontalalignment="center",
                verticalalignment="center",
                color=shade,
                fontsize="small",
                zorder=2,
            )
    _sides(axes, boards, names, looks)
    about = ", ".join(filter(None, (column.unit, DIRECTION[column.better])))
    figure.suptitle(f"{words(column)} on each task\n{about}", x=0.03, horizontalalignment="left")
    note = f"{DESTROYED} beyond the quality limit: a destroyed model\n" * gone
    figure.supxlabel(f"{note}order: models within the limit, then the mean over them", fontsize="small", color="0.35")
    return figure


def _lost(row: Row) -> str:
    return row.status if row.status != "ok" else "n/a"


def _sides(axes: Axes, boards: Sequence[Leaderboard], names: Sequence[str], looks: Mapping[str, MethodStyle]) -> None:
    rows = {row.method: row for board in boards for row in board.rows}
    axes.set_xlim(-0.5, len(boards) - 0.5)
    axes.set_ylim(len(names) - 0.5, -0.5)
    titles = [folded(board.variant.replace("-", "-\n"), _TASK) for board in boards]
    axes.set_xticks(range(len(boards)), titles, fontsize="small", rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), [method_text(rows[name]) for name in names])
    axes.tick_params(length=0)
    axes.tick_params(axis="y", pad=16)
    across = axes.get_yaxis_transform()
    for y, name in enumerate(names):
        look = looks[name]
        axes.plot(-0.09 / max(1, len(boards)), y, marker=look.marker, color=look.color, transform=across, clip_on=False)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
