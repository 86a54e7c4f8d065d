"""Forgetting against quality: a point for each row with its name, and the Pareto front."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from vdu_bench.measured import Estimate
from vdu_bench.reports.method_style import MethodStyle
from vdu_bench.reports.plots.labels import Label, place_labels
from vdu_bench.reports.plots.style import (
    FORGETTING_FLOOR,
    axis_label,
    draw,
    draw_limit,
    fit_axis,
    fit_forgetting,
)
from vdu_bench.reports.plots.titles import folded
from vdu_bench.reports.plots.whiskers import Window, draw_interval, draw_seeds, ends_of, seeds_of
from vdu_bench.reports.tables.leaderboard import Column, Leaderboard, Row
from vdu_bench.reports.tables.text import DESTROYED, method_text, value_text

_ZONE = (0.25, 0.45)
"""How far beyond all others the axis reaches for destroyed models, at least and at most, as a share of it."""
_CORNERS = ((0.03, 0.97), (0.03, 0.55), (0.2, 0.97), (0.4, 0.97), (0.03, 0.3), (0.6, 0.97), (0.75, 0.6), (0.5, 0.5))
"""Where "better" may stand, its upper left corner in parts of the axes."""
_TITLE, _CAPTION, _NAME = 68, 120, 30
"""Characters beside each other over the axes, under them, and of a name in them."""


@dataclass(frozen=True)
class _Point:
    row: Row
    quality: Estimate
    forgetting: Estimate
    destroyed: bool

    @property
    def place(self) -> tuple[float, float]:
        return self.quality.value, self.forgetting.value

    @property
    def known(self) -> bool:
        return all(map(math.isfinite, self.place))


def draw_tradeoff(board: Leaderboard, looks: Mapping[str, MethodStyle], file: Path) -> list[Path]:
    """The first forgetting axis over the first distance, written as `file`.png and .pdf; returns what was written.

    The distance is logarithmic. The front is the board's: references bound the plot, they do not compete, and neither
    do models beyond the quality limit. These are hollow; one that is so far out that it would press all others into a
    corner stands at the right edge, with its distance. Nothing is drawn where no method has both numbers.
    """
    quality, forgetting = next(iter(board.on_axis("distance")), None), next(iter(board.on_axis("forgetting")), None)
    if quality is None or forgetting is None:
        return []
    points = [
        _Point(
            row,
            row.estimates.get(quality.name, Estimate()),
            row.estimates.get(forgetting.name, Estimate()),
            row.method in board.destroyed,
        )
        for row in board.rows
        # Real images have forgotten nothing: what has no place for a good reason is not said to be missing.
        if row.role != "reference" or row.status != "ok" or math.isfinite(_forgotten(row, forgetting))
    ]
    if not any(point.known for point in points):
        return []
    return draw(file, lambda: _figure(board, quality, forgetting, points, looks))


def _forgotten(row: Row, forgetting: Column) -> float:
    return row.estimates.get(forgetting.name, Estimate()).value


def _figure(
    board: Leaderboard,
    quality: Column,
    forgetting: Column,
    points: Sequence[_Point],
    looks: Mapping[str, MethodStyle],
) -> Figure:
    figure = Figure(figsize=(7.0, 4.6), layout="constrained")
    axes = figure.add_subplot()
    known = [point for point in points if point.known]
    windows = _fit(axes, board, quality, forgetting, known)
    draw_limit(axes, board.bound(quality))
    labels, dots = [], []
    for point in known:
        found = _draw_point(axes, point, looks[point.row.method], quality, forgetting, windows)
        labels.append(found[0])
        dots += found[1]
    front = sorted(point.place for point in known if point.row.method in board.front)
    dots += _front(axes, front)
    axes.set_xlabel(axis_label(quality))
    axes.set_ylabel(axis_label(forgetting))
    axes.set_title(folded(f"{board.variant}: forgetting {board.forget} against quality", _TITLE), loc="left")
    figure.supxlabel(_caption(board, quality, points), fontsize="small", color="0.35")
    figure.draw_without_rendering()
    taken = _better(axes, quality, forgetting, [label.place for label in labels], dots)
    place_labels(axes, labels, dots, taken)
    return figure


def _caption(board: Leaderboard, quality: Column, points: Sequence[_Point]) -> str:
    parts = ["dots: seeds", "lines: 95 % intervals"]
    if len(board.front) > 1:
        parts.append("dashed: Pareto front")
    if math.isfinite(board.bound(quality)):
        parts.append("grey: beyond the quality limit")
    if any(point.destroyed and point.known for point in points):
        parts.append(f"{DESTROYED} destroyed the model")
    lost = [
        f"{method_text(point.row)} ({point.row.status if point.row.status != 'ok' else 'not measured'})"
        for point in points
        if not point.known
    ]
    lines = ["; ".join(parts)]
    # Some three names fill a line.
    lines += ["no place: " * (at == 0) + ", ".join(lost[at : at + 3]) for at in range(0, len(lost), 3)]
    return folded("\n".join(lines), _CAPTION)


def _fit(
    axes: Axes, board: Leaderboard, quality: Column, forgetting: Column, known: Sequence[_Point]
) -> tuple[Window, Window]:
    """Limits by the rows that did not destroy the model, and by the quality limit; with room for the others."""
    framing = [point for point in known if not point.destroyed] or list(known)
    across = [seeds_of(point.row, quality.name) for point in framing]
    along = [seeds_of(point.row, forgetting.name) for point in framing]
    bound = board.bound(quality)
    held = [Estimate(value=bound)] if math.isfinite(bound) else []
    x_window = fit_axis(axes, "x", [point.quality for point in framing] + held, across, always_log=True)
    y_window = fit_forgetting(axes, [point.forgetting for point in framing], along)
    far = [point.quality.value for point in known if point.quality.value > x_window.high]
    if far and axes.get_xscale() == "log":
        low, high = axes.get_xlim()
        span = max(math.log(high / low), math.log(3))
        reach = math.log(1.2 * max(far) / high)
        edge = high * math.exp(min(max(reach, _ZONE[0] * span), _ZONE[1] * span))
        axes.set_xlim(low, edge)
        x_window = Window(x_window.low, edge * math.exp(-0.03 * math.log(edge / low)))
    elif far:
        low, high = axes.get_xlim()
        axes.set_xlim(low, high + _ZONE[1] * (high - low))
        x_window = Window(x_window.low, high + (_ZONE[1] - 0.05) * (high - low))
    return x_window, y_window


def _draw_point(
    axes: Axes,
    point: _Point,
    look: MethodStyle,
    quality: Column,
    forgetting: Column,
    windows: tuple[Window, Window],
) -> tuple[Label, list[tuple[float, float]]]:
    """Draw a row; returns its name, with what is beyond the picture, and what a name should not hide."""
    x_window, y_window = windows
    x, y = x_window.clip(point.quality.value), y_window.clip(point.forgetting.value)
    beyond = bool(x_window.beyond(point.quality.value) or y_window.beyond(point.forgetting.value))
    reference = point.row.role == "reference"
    dots = []
    if not beyond:
        style = {"color": look.color, "capsize": 0, "elinewidth": 1.1, "alpha": 0.55, "zorder": 3}
        draw_interval(axes, "x", point.quality, y, x_window, **style)
        draw_interval(axes, "y", point.forgetting, x, y_window, **style)
        dots += _stretch(axes, "x", ends_of(point.quality, x_window), y)
        dots += _stretch(axes, "y", ends_of(point.forgetting, y_window), x)
    seeds = list(zip(seeds_of(point.row, quality.name), seeds_of(point.row, forgetting.name), strict=False))
    if beyond:
        # Those inside alone: arrows of all others would hide each other at the edge.
        seeds = [(a, b) for a, b in seeds if not (x_window.beyond(a) or y_window.beyond(b))]
    draw_seeds(axes, [a for a, _ in seeds], [b for _, b in seeds], look.color, x_window, y_window)
    dots += [(x_window.clip(a), y_window.clip(b)) for a, b in seeds if math.isfinite(a + b)]
    axes.plot(
        x,
        y,
        color=look.color,
        marker=look.marker,
        markersize=(13 if look.marker == "*" else 10) if reference else 8,
        markerfacecolor="white" if point.destroyed else look.color,
        markeredgecolor=look.color if point.destroyed else "0.15",
        markeredgewidth=1.6 if point.destroyed else 0.6,
        linestyle="",
        zorder=5,
        clip_on=False,
    )
    name = folded(method_text(point.row) + f" {DESTROYED}" * point.destroyed, _NAME)
    facts = []
    if x_window.beyond(point.quality.value):
        facts.append(f"{value_text(point.quality, quality.unit)} →")
    if y_window.beyond(point.forgetting.value):
        facts.append(f"{point.forgetting.value:,.0f} % ↓")
    return Label("\n".join([name, *facts]), (x, y), look.color), dots


def _stretch(axes: Axes, which: str, ends: tuple[float, float] | None, at: float) -> list[tuple[float, float]]:
    """A line as a row of dots."""
    if ends is None:
        return []
    log = axes.get_xscale() == "log" and which == "x" and min(ends) > 0
    steps = np.geomspace(*ends, 9) if log else np.linspace(*ends, 9)
    return [(float(step), at) if which == "x" else (at, float(step)) for step in steps]


def _front(axes: Axes, front: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    if not front:
        return []
    xs = [x for x, _ in front]
    ys = [max(y, FORGETTING_FLOOR) for _, y in front]
    axes.plot(
        xs,
        ys,
        color="0.35",
        linestyle="--",
        linewidth=1.1,
        drawstyle="steps-post",
        zorder=2,
        label="Pareto front",
    )
    dots = []
    for (x0, y0), (x1, y1) in itertools.pairwise(front):
        dots += _stretch(axes, "x", (x0, x1), y0) + _stretch(axes, "y", (y0, y1), x1)
    return dots


def _better(
    axes: Axes,
    quality: Column,
    forgetting: Column,
    points: Sequence[tuple[float, float]],
    dots: Sequence[tuple[float, float]],
) -> list[Bbox]:
    """An arrow to the better side, where it hides the least; returns what it takes, in pixels."""
    if "none" in (quality.better, forgetting.better):
        return []
    # Points weigh more than what surrounds them.
    found = axes.transAxes.inverted().transform(axes.transData.transform(np.array([*points, *points, *points, *dots])))
    wide, tall = 0.13, 0.14

    def hidden(corner: tuple[float, float]) -> int:
        (x, y), (a, b) = corner, found.T
        return int(((a > x - 0.03) & (a < x + wide + 0.03) & (b < y + 0.03) & (b > y - tall - 0.03)).sum())

    left, top = min(_CORNERS, key=hidden)
    tip_x = left if quality.better == "lower" else left + wide
    tail_x = left + wide - tip_x + left
    tip_y, tail_y = (top, top - tall) if forgetting.better == "higher" else (top - tall, top)
    arrow = {"arrowstyle": "-|>", "color": "0.45", "linewidth": 1.6, "mutation_scale": 13}
    text = axes.annotate(
        "better",
        (tip_x, tip_y),
        xytext=(tail_x, tail_y),
        xycoords="axes fraction",
        textcoords="axes fraction",
        horizontalalignment="center",
        verticalalignment="top" if tail_y < tip_y else "bottom",
        color="0.35",
        fontstyle="italic",
        arrowprops=arrow,
        zorder=1.5,
    )
    text.set_in_layout(False)
    low, high = axes.transAxes.transform([(left, top - tall - 0.07), (left + wide + 0.05, top)])
    return [Bbox([low, high])]
