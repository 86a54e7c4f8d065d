"""One small panel per metric, a bar per method."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

from vdu_bench.measured import Better, Estimate
from vdu_bench.reports.method_style import MethodStyle
from vdu_bench.reports.plots.style import draw
from vdu_bench.reports.plots.titles import exact, folded, words
from vdu_bench.reports.plots.whiskers import Window, draw_interval, draw_seeds, seeds_of, spread, window
from vdu_bench.reports.tables.leaderboard import Column, Leaderboard, Row
from vdu_bench.reports.tables.text import DESTROYED, cell, method_text

_ACROSS = 4
_WIDE = 5.0
"""From which factor between the largest and the smallest on a cost is drawn on a logarithmic axis."""
_BREADTH = 0.6
"""Over which part of a bar's own width its seeds are laid out, in their order."""
_TITLE = 28
"""Characters of a title beside each other."""
_NAME = 44
"""Characters of a row's name beside each other."""
_LETTER = 0.095
"""Inches, the breadth of a letter of the title over all."""
_BETTER: dict[Better, str] = {"higher": "more is better", "lower": "less is better", "none": ""}


def draw_bars(
    board: Leaderboard, looks: Mapping[str, MethodStyle], file: Path, *, of_attacks: bool = False
) -> list[Path]:
    """The metrics of a task, written as `file`.png and .pdf; returns what was written.

    All but those of robustness, or these alone: in one bitmap all of them would be too small to read.

    Each panel has its own scale, unit and direction; costs that differ by a factor of five are logarithmic. A metric
    that only restates another one has no panel. A row that diverged or lacks a number keeps its line, with the word in
    place of the bar. What has destroyed the model is marked and hollow, and does not set the axis. Nothing is drawn
    where there is no number at all.
    """
    columns = [
        column
        for column in board.columns
        # What the gate never tests is read off another metric.
        if (column.group == "robustness") is of_attacks
        and column.gate != "never"
        and any(math.isfinite(_estimate(row, column).value) for row in board.rows)
    ]
    columns = [column for column in columns if not _restates(board, column, columns)]
    if not columns:
        return []
    return draw(file, lambda: _figure(board, columns, looks))


def _estimate(row: Row, column: Column) -> Estimate:
    return row.estimates.get(column.name, Estimate())


def _restates(board: Leaderboard, column: Column, columns: Sequence[Column]) -> bool:
    """Whether a column counts what another one counts, or has its very numbers."""
    if column.covered_by in {other.name for other in columns}:
        return True
    own = [_estimate(row, column).value for row in board.rows]
    return len(board.rows) > 1 and any(
        all(a == b or (a != a and b != b) for a, b in zip(own, values, strict=True))
        for values in (
            [_estimate(row, other).value for row in board.rows] for other in columns[: columns.index(column)]
        )
    )


def _figure(board: Leaderboard, columns: list[Column], looks: Mapping[str, MethodStyle]) -> Figure:
    down = math.ceil(len(columns) / _ACROSS)
    across = min(_ACROSS, len(columns))
    names = [name.split("\n") for name in _names(board)]
    tallest, widest = max(map(len, names)), max(len(line) for name in names for line in name)
    # Each row is as high as the one with the most lines, since bars stand at equal distances.
    height = 0.95 + max(0.2, 0.05 + 0.12 * tallest) * len(board.rows)
    size = (0.5 + 0.075 * widest + 1.75 * across, 0.65 + height * down)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(wspace=0.04, hspace=0.04, rect=(0.015, 0, 0.98, 1)))
    panels = figure.subplots(down, across, sharey=True, squeeze=False)
    for index, axes in enumerate(panels.flat):
        if index < len(columns):
            _panel(axes, board, columns[index], looks)
        else:
            axes.remove()
    crossed = f"; {DESTROYED} has destroyed the model" if board.destroyed else ""
    title = f"{board.variant}: forgetting {board.forget}\nlines are 95 % intervals, dots seeds{crossed}"
    figure.suptitle(folded(title, int(size[0] / _LETTER)), x=0.02, horizontalalignment="left")
    return figure


def _names(board: Leaderboard) -> list[str]:
    """Of the rows, each over as many lines as it takes."""
    return [folded(method_text(row) + f" {DESTROYED}" * (row.method in board.destroyed), _NAME) for row in board.rows]


def _panel(axes: Axes, board: Leaderboard, column: Column, looks: Mapping[str, MethodStyle]) -> None:
    drawn, start = _fit(axes, board, column)
    for position, row in enumerate(board.rows):
        _bar(axes, board, row, column, looks[row.method], position, drawn, start)
    if start <= 0:
        axes.axvline(0, color="0.4", linewidth=0.8)
    axes.set_ylim(len(board.rows) - 0.4, -0.6)
    names = _names(board)
    axes.set_yticks(range(len(names)), names, fontsize="small", linespacing=0.95)
    axes.tick_params(axis="x", labelsize="x-small", pad=1)
    axes.grid(visible=False, axis="y")
    title = textwrap.fill(words(column), _TITLE)
    axes.set_title(title, fontsize="small", fontweight="bold", pad=3)
    facts = ", ".join(filter(None, ("" if column.unit in words(column) else column.unit, _BETTER[column.better])))
    label = textwrap.fill(exact(column), _TITLE)
    axes.set_xlabel("\n".join(filter(None, (facts, label))), fontsize="x-small", labelpad=2)


def _fit(axes: Axes, board: Leaderboard, column: Column) -> tuple[Window, float]:
    """Limits by the rows that did not destroy the model, with room for a number; where bars start."""
    # What a destroyed model took says as much as what others took.
    framing = [row for row in board.rows if row.method not in board.destroyed or column.group == "cost"]
    if not any(math.isfinite(_estimate(row, column).value) for row in framing):
        framing = list(board.rows)
    found = [estimate for row in framing if math.isfinite((estimate := _estimate(row, column)).value)]
    others = spread(found, [seeds_of(row, column.name) for row in framing])
    # A destroyed model may stand as far out as the longest of the other bars are.
    far = [_estimate(row, column).value for row in board.rows if math.isfinite(_estimate(row, column).value)]
    positive = [one.value for one in found if one.value > 0]
    if (
        column.group == "cost"
        and positive
        and min(one.value for one in found) >= 0
        and max(positive) >= _WIDE * min(positive)
    ):
        drawn = window(positive, [one for one in others if one > 0], logarithmic=True)
        start = drawn.low / 2.5
        axes.set_xscale("log", nonpositive="clip")
        axes.xaxis.set_major_locator(LogLocator(numticks=4))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.set_xlim(start, drawn.high * (drawn.high / start) ** 0.55)
        return drawn, start
    drawn = window([0.0, *(one.value for one in found)], others)
    span = (drawn.high - drawn.low) or 1.0
    if far and max(far) <= drawn.high + 0.5 * span:
        drawn = Window(drawn.low, max(drawn.high, *far))
        span = (drawn.high - drawn.low) or 1.0
    # Room to the right of the longest bar, for its number.
    axes.set_xlim(drawn.low - (0.05 * span if drawn.low < 0 else 0.0), drawn.high + 0.42 * span)
    axes.locator_params(axis="x", nbins=3)
    axes.xaxis.set_major_formatter("{x:,g}")
    return drawn, 0.0


def _bar(
    axes: Axes,
    board: Leaderboard,
    row: Row,
    column: Column,
    look: MethodStyle,
    position: int,
    drawn: Window,
    start: float,
) -> None:
    estimate, seeds = _estimate(row, column), seeds_of(row, column.name)
    text = cell(row, column)[0]
    # On a logarithmic axis nothing is no bar.
    has_bar = math.isfinite(estimate.value) and (start == 0 or estimate.value > 0)
    end = start
    if has_bar:
        end = drawn.clip(estimate.value)
        light: Any = tuple(0.45 * part + 0.55 for part in to_rgb(look.color))
        face = "white" if row.method in board.destroyed else light
        axes.barh(position, end - start, left=start, height=0.74, color=face, edgecolor=look.color, linewidth=0.7)
        inside = not drawn.beyond(estimate.value)
        if inside:
            draw_interval(axes, "x", estimate, position, drawn, color="0.15", capsize=1.5, elinewidth=0.8, capthick=0.8)
        size = 6 if look.marker == "*" else 4.4
        axes.plot(
            end, position, look.marker, color=look.color, markersize=size, markeredgecolor="0.15", markeredgewidth=0.4
        )
        # Seeds that do not differ, as of a cost that is counted, would only hide the end of their bar.
        dots = seeds if inside and len(set(seeds)) > 1 else ()
        steps = [(index + 0.5) / len(dots) - 0.5 for index in range(len(dots))]
        anywhere = Window(-math.inf, math.inf)
        draw_seeds(axes, dots, [position + _BREADTH * step for step in steps], "white", drawn, anywhere, size=2.4)
        end = max([end, *(drawn.clip(one) for one in spread([estimate], [seeds]))])
        text += "" if inside else " →" if drawn.beyond(estimate.value) > 0 else " ←"
    axes.annotate(
        text,
        (end, position),
        xytext=(4, 0),
        textcoords="offset points",
        verticalalignment="center",
        fontsize="x-small",
    )
