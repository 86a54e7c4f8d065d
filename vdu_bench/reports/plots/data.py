"""What methods do with how much data: a panel for each regime over forget images, and one over snapshots."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from vdu_bench.reports.by_data.cells import images_text
from vdu_bench.reports.by_data.table import Amount, DataRow, DataTable, Place
from vdu_bench.reports.method_style import MethodStyle, method_styles
from vdu_bench.reports.plots.lines import LinePoint, draw_lines, fit_lines, legend_of, make_room, set_places
from vdu_bench.reports.plots.style import axis_label, draw, draw_limit
from vdu_bench.reports.plots.sweep import images_of
from vdu_bench.reports.plots.titles import folded
from vdu_bench.reports.tables.leaderboard import Column

_LABEL = 32
"""Characters of a label beside each other along a panel's height."""
_TITLE = 28
"""Characters of the title over a panel's breadth."""


@dataclass(frozen=True)
class _Panel:
    """A column of the figure: by the lines' names, what stands where on its axis."""

    title: str
    axis: str
    labels: Mapping[float, str]
    lines: Mapping[str, Mapping[float, Place]]


def draw_data(table: DataTable, file: Path) -> list[Path]:
    """Forgetting over distance, a column for each regime, written as `file`.png and .pdf; returns what was written.

    A line for each method, over a logarithmic axis of forget images on which all of them stand at their number; in a
    last column, where there are such rows, over the number of the posterior's snapshots with the most data that these
    were run with. A destroyed model is crossed out. Panels of a row share their axis.

    Args:
        table: of one task.
        file: without a suffix.

    Raises:
        UserError: no record says how many forget images there are, so that all of them have no place on the axis.
    """
    panels = [*_regimes(table), *_snapshots(table)]
    looks = method_styles(row.base for row in table.rows)
    return draw(file, lambda: _figure(table, panels, looks))


def _regimes(table: DataTable) -> list[_Panel]:
    rows = [row for row in table.rows if row.snapshots is None]
    panels = []
    for regime, amounts in table.by_regime():
        places = {amount: float(_images(table, amount)) for amount in amounts}
        labels = {
            place: f"{place:,.0f}" if amount.forget_images is not None else images_text(table, amount)
            for amount, place in places.items()
        }
        lines = {row.base: _line(table, row, places) for row in rows}
        panels.append(
            _Panel(regime, "number of forget images", labels, {name: line for name, line in lines.items() if line})
        )
    return panels


def _images(table: DataTable, amount: Amount) -> int:
    boards = table.boards
    (board, *_) = [board for board in boards if board.forget_images == amount.forget_images]
    return images_of(board, boards)


def _line(table: DataTable, row: DataRow, places: Mapping[Amount, float]) -> dict[float, Place]:
    return {place: table.places[row, amount] for amount, place in places.items() if (row, amount) in table.places}


def _snapshots(table: DataTable) -> list[_Panel]:
    others = [(row, amount) for row, amount in table.places if row.snapshots is not None]
    if not others:
        return []
    most = max((amount for _, amount in others), key=lambda amount: amount.place)
    lines: dict[str, dict[float, Place]] = {}
    for row in table.rows:
        number = row.snapshots or table.own_snapshots
        named = {other.base for other, amount in others if amount == most}
        if row.base in named and number is not None and (row, most) in table.places:
            lines.setdefault(row.base, {})[float(number)] = table.places[row, most]
    labels = {place: f"{place:,.0f}" for line in lines.values() for place in line}
    for row in table.rows:
        if row.role == "reference" and (row, most) in table.places:
            lines[row.base] = dict.fromkeys(sorted(labels), table.places[row, most])
    title = f"{most.regime}, {images_text(table, most)}"
    return [_Panel(title, "number of posterior snapshots", labels, lines)]


def _figure(table: DataTable, panels: list[_Panel], looks: Mapping[str, MethodStyle]) -> Figure:
    figure = Figure(figsize=(2.0 + 2.9 * len(panels), 1.0 + 2.7 * len(table.metrics)), layout="constrained")
    grid = figure.subplots(len(table.metrics), len(panels), squeeze=False, sharey="row", sharex="col")
    for metric, across in zip(table.metrics, grid, strict=True):
        drawn = [
            {
                name: [
                    LinePoint(place, found.row, metric.name, found.destroyed)
                    for place, found in sorted(line.items())
                    if metric.name in found.row.estimates
                ]
                for name, line in panel.lines.items()
                # Real images were made by no model, and forget nothing.
                if any(point.row.role != "reference" or _known(point, metric) for point in line.values())
            }
            for panel in panels
        ]
        points = [point for lines in drawn for line in lines.values() for point in line]
        if not any(point.known for point in points):
            continue
        window = fit_lines(across[0], metric, points)
        bounds = [board.bound(metric) for board in table.boards]
        for axes, lines in zip(across, drawn, strict=True):
            axes.set_xscale("log")
            if metric.better == "lower":
                draw_limit(axes, max(filter(math.isfinite, bounds), default=math.nan), "y")
            draw_lines(axes, metric, {name: line for name, line in lines.items() if line}, looks, window)
        across[0].set_ylabel(textwrap.fill(axis_label(metric), _LABEL))
    for panel, top, bottom in zip(panels, grid[0], grid[-1], strict=True):
        _name(panel, top, bottom)
    legend_of(figure)
    about = f"{table.setup}: forgetting {table.boards[0].forget} with little data"
    told = "vertical lines are 95 % intervals, dots seeds; crossed out: a destroyed model"
    # Over the panels alone, since a longer line would run into the legend.
    title = folded(f"{about}\n{told}", _TITLE * len(panels))
    make_room(figure, title, 4)
    figure.suptitle(title, x=0.02, horizontalalignment="left")
    return figure


def _known(place: Place, metric: Column) -> bool:
    return math.isfinite(place.estimate(metric).value)


def _name(panel: _Panel, top: Axes, bottom: Axes) -> None:
    top.set_title(panel.title)
    set_places(bottom, panel.labels)
    bottom.xaxis.set_minor_locator(NullLocator())
    bottom.set_xlabel(panel.axis)
