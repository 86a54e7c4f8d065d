"""What a subset of the forget set is enough for: forgetting and distance against the number of forget images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from vdu_bench.errors import UserError
from vdu_bench.reports.method_style import MethodStyle
from vdu_bench.reports.plots.lines import LinePoint, draw_lines, fit_lines, legend_of, make_room, set_places
from vdu_bench.reports.plots.style import axis_label, draw
from vdu_bench.reports.plots.titles import folded
from vdu_bench.reports.tables.leaderboard import Column, Leaderboard
from vdu_bench.reports.tables.text import method_text

_LABEL = 40
"""Characters of a label beside each other along a panel's height."""


def draw_sweep(boards: Sequence[Leaderboard], looks: Mapping[str, MethodStyle], file: Path) -> list[Path]:
    """A panel for each axis of the comparison, written as `file`.png and .pdf; returns what was written.

    A line for each method, over a logarithmic axis of forget images on which all of them stand at their number. A run
    that diverged or failed is a cross at the bottom with the word. Nothing is drawn without any number.

    Args:
        boards: the variants of one task, which agree in all but their forget images (see `check_sweep`).
        looks: as from `vdu_bench.reports.method_style.method_styles`.
        file: without a suffix.

    Raises:
        UserError: no record says how many forget images there are, so that all of them have no place on the axis.
    """
    places = {board.variant: images_of(board, boards) for board in boards}
    found = {column.name: column for board in boards for column in board.on_axis("forgetting")}
    found |= {column.name: column for board in boards for column in board.on_axis("distance")}
    panels = {column: _lines(boards, places, column) for column in found.values()}
    panels = {
        column: lines
        for column, lines in panels.items()
        if any(point.known for line in lines.values() for point in line)
    }
    return draw(file, lambda: _figure(boards, places, panels, looks)) if panels else []


def images_of(board: Leaderboard, boards: Sequence[Leaderboard]) -> int:
    """How many forget images a variant has. Raises UserError where none of a task's boards tells how many all are."""
    sizes = {one.forget_set for one in boards if one.forget_set is not None}
    if board.forget_images is not None:
        return min([board.forget_images, *sizes])
    if not sizes:
        raise UserError(
            f"{board.setup}: no record says how many images show {board.forget!r}; run one of the cells again"
        )
    return max(sizes)


def _lines(boards: Sequence[Leaderboard], places: Mapping[str, int], column: Column) -> dict[str, list[LinePoint]]:
    lines: dict[str, list[LinePoint]] = {}
    for board in sorted(boards, key=lambda board: places[board.variant]):
        for row in board.rows:
            if column.name in row.estimates:
                point = LinePoint(places[board.variant], row, column.name, row.method in board.destroyed)
                lines.setdefault(method_text(row), []).append(point)
    return lines


def _figure(
    boards: Sequence[Leaderboard],
    places: Mapping[str, int],
    panels: Mapping[Column, Mapping[str, Sequence[LinePoint]]],
    looks: Mapping[str, MethodStyle],
) -> Figure:
    figure = Figure(figsize=(1.6 + 3.4 * len(panels), 3.9), layout="constrained")
    named = {method_text(row): looks[row.method] for board in boards for row in board.rows}
    labels = {
        float(places[board.variant]): f"{places[board.variant]:,}"
        if board.forget_images is not None
        else f"all ({places[board.variant]:,})"
        for board in boards
    }
    for axes, (column, lines) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        window = fit_lines(axes, column, [point for line in lines.values() for point in line])
        draw_lines(axes, column, lines, named, window)
        axes.set_xscale("log")
        set_places(axes, labels)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("number of forget images")
        axes.set_ylabel(folded(axis_label(column), _LABEL))
    legend_of(figure)
    # In two lines and from the left, since a long one would run into the legend.
    title = folded(f"{boards[0].setup}: forgetting {boards[0].forget} with some of its images", 30 * len(panels))
    title += "\nvertical lines are 95 % intervals, dots seeds"
    make_room(figure, title, 2)
    figure.suptitle(title, x=0.02, horizontalalignment="left")
    return figure
