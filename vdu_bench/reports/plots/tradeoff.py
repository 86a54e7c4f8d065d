"""Forgetting against quality: a point per method, with the Pareto front."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vdu_bench.measured import Estimate
from vdu_bench.reports.plots.style import (
    FORGETTING_FLOOR,
    Look,
    axis_label,
    draw,
    draw_limit,
    fit_axis,
    fit_forgetting,
)
from vdu_bench.reports.plots.whiskers import Window, draw_interval, draw_seeds, seeds_of
from vdu_bench.reports.tables.leaderboard import Column, Leaderboard, Row


@dataclass(frozen=True)
class _Point:
    row: Row
    quality: Estimate
    forgetting: Estimate

    @property
    def place(self) -> tuple[float, float]:
        return self.quality.value, self.forgetting.value


def draw_tradeoff(board: Leaderboard, looks: Mapping[str, Look], file: Path) -> list[Path]:
    """The first forgetting axis over the first distance, written as `file`.png and .pdf; returns what was written.

    The front is the board's: references bound the plot, they do not compete, and neither do models beyond the quality
    limit, which are crossed out. Nothing is drawn where no method has both numbers.
    """
    quality, forgetting = next(iter(board.on_axis("distance")), None), next(iter(board.on_axis("forgetting")), None)
    if quality is None or forgetting is None:
        return []
    points = [
        _Point(row, *(row.estimates.get(column.name, Estimate()) for column in (quality, forgetting)))
        for row in board.rows
        # Real images have forgotten nothing: what has no place for a good reason is not said to be missing.
        if row.role != "reference" or row.status != "ok" or math.isfinite(_forgotten(row, forgetting))
    ]
    if not any(all(map(math.isfinite, point.place)) for point in points):
        return []
    return draw(file, lambda: _figure(board, quality, forgetting, points, looks))


def _forgotten(row: Row, forgetting: Column) -> float:
    return row.estimates.get(forgetting.name, Estimate()).value


def _figure(
    board: Leaderboard, quality: Column, forgetting: Column, points: Sequence[_Point], looks: Mapping[str, Look]
) -> Figure:
    figure = Figure(figsize=(6.6, 3.9), layout="constrained")
    axes = figure.add_subplot()
    finite = [point for point in points if all(map(math.isfinite, point.place))]
    across = [seeds_of(point.row, quality.name) for point in finite]
    along = [seeds_of(point.row, forgetting.name) for point in finite]
    x_window = fit_axis(axes, "x", [point.quality for point in finite], across)
    y_window = fit_forgetting(axes, [point.forgetting for point in finite], along)
    draw_limit(axes, board.bound(quality))
    for point in points:
        destroyed = point.row.method in board.destroyed
        _draw_point(axes, point, looks[point.row.method], destroyed, x_window, y_window)
    for point, xs, ys in zip(finite, across, along, strict=True):
        draw_seeds(axes, xs, ys, looks[point.row.method].color, x_window, y_window)
    _front(axes, sorted(point.place for point in points if point.row.method in board.front))
    axes.set_xlabel(axis_label(quality))
    axes.set_ylabel(axis_label(forgetting))
    axes.set_title(f"{board.variant}: forgetting {board.forget} against quality\nlines are 95 % intervals, dots seeds")
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def _draw_point(axes: Axes, point: _Point, look: Look, destroyed: bool, x_window: Window, y_window: Window) -> None:
    x, y = point.place
    label = f"{point.row.method} (external)" if point.row.role == "external" else point.row.method
    if not (math.isfinite(x) and math.isfinite(y)):
        reason = point.row.status if point.row.status != "ok" else "not measured"
        axes.plot([], [], color=look.color, marker=look.marker, markersize=8, linestyle="", label=f"{label}: {reason}")
        return
    if y < FORGETTING_FLOOR:
        label = f"{label} ({y:.0f} %, below)"
    if destroyed:
        label = f"{label} (destroyed)"
        axes.plot(x, max(y, FORGETTING_FLOOR), marker="x", color="0.15", markersize=15, markeredgewidth=1.4, zorder=5)
    style = {"color": look.color, "capsize": 2.5, "elinewidth": 1.2, "zorder": 3}
    draw_interval(axes, "x", point.quality, max(y, FORGETTING_FLOOR), x_window, **style)
    if y >= FORGETTING_FLOOR:
        draw_interval(axes, "y", point.forgetting, x, y_window, **style)
    # Apart from its bars, so that the legend shows the marker alone.
    axes.plot(
        x,
        max(y, FORGETTING_FLOOR),
        color=look.color,
        marker=look.marker,
        markersize=12 if point.row.role == "reference" else 8,
        markeredgecolor="0.15",
        markeredgewidth=0.6,
        linestyle="",
        zorder=4,
        label=label,
    )


def _front(axes: Axes, front: Sequence[tuple[float, float]]) -> None:
    if not front:
        return
    xs = [x for x, _ in front]
    ys = [max(y, FORGETTING_FLOOR) for _, y in front]
    axes.plot(
        xs,
        ys,
        color="0.45",
        linestyle="--",
        linewidth=1,
        marker="o",
        markersize=16,
        markerfacecolor="none",
        markeredgecolor="0.45",
        drawstyle="steps-post",
        zorder=2,
        label="Pareto front",
    )
