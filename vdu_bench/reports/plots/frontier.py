"""A curve for each method of a sweep: forgetting against distance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vdu_bench.measured import Estimate
from vdu_bench.reports.frontier import Curve, Frontier, Point, budgets
from vdu_bench.reports.method_style import MethodStyle, method_styles
from vdu_bench.reports.plots.lines import LEGEND_LINE, LEGEND_NAME, more_for
from vdu_bench.reports.plots.style import (
    FORGETTING_FLOOR,
    axis_label,
    draw,
    draw_limit,
    fit_axis,
    fit_forgetting,
)
from vdu_bench.reports.plots.titles import folded, height_of
from vdu_bench.reports.plots.whiskers import Window, draw_seeds

_TITLE = 50
"""Characters of the title beside each other."""


def draw_frontier(frontier: Frontier, file: Path) -> list[Path]:
    """The curves with their values, written as `file`.png and .pdf; returns what was written.

    A point is the mean over the seeds, which stand as faint dots around it. Rings on several curves that one dashed
    line joins took equally many evaluations of the denoiser; between two runs their place is interpolated. Stars are
    the references. What diverged is named in the legend. Nothing is drawn where no point has both numbers.
    """
    points = [point for curve in frontier.curves for point in curve.points]
    if not any(point.known for point in points):
        return []
    looks = method_styles([curve.name for curve in frontier.curves] + [one.row.method for one in frontier.references])
    return draw(file, lambda: _figure(frontier, looks))


def _figure(frontier: Frontier, looks: Mapping[str, MethodStyle]) -> Figure:
    figure = Figure(figsize=(7.0, 4.3), layout="constrained")
    axes = figure.add_subplot()
    known = [point for curve in frontier.curves for point in curve.points if point.known]
    known += [point for point in frontier.references if point.known]
    # Without their intervals, which would cover the curves.
    (xs, across), (ys, along) = (
        ([Estimate(value=point.place[axis]) for point in known], [[dot[axis] for dot in point.dots] for point in known])
        for axis in (0, 1)
    )
    windows = fit_axis(axes, "x", xs, across), fit_forgetting(axes, ys, along)
    draw_limit(axes, frontier.board.bound(frontier.distance))
    for curve in frontier.curves:
        _curve(axes, curve, looks[curve.name], windows)
    for point in frontier.references:
        _reference(axes, point, looks[point.row.method], windows)
    _equal_evaluations(axes, frontier.curves)
    axes.set_xlabel(axis_label(frontier.distance))
    axes.set_ylabel(axis_label(frontier.forgetting))
    settings = ", ".join(sorted({curve.setting for curve in frontier.curves}))
    title = f"{frontier.board.variant}: forgetting {frontier.board.forget}, swept over {settings}"
    axes.set_title(folded(title, _TITLE))
    handles, labels = axes.get_legend_handles_labels()
    names = [folded(label, LEGEND_NAME) for label in labels]
    figure.set_figheight(max(figure.get_figheight(), 0.4 + height_of(names, LEGEND_LINE)))
    figure.set_figwidth(figure.get_figwidth() + more_for(names))
    figure.legend(handles, names, loc="outside right upper", frameon=False)
    return figure


def _shown(place: tuple[float, float]) -> tuple[float, float]:
    return place[0], max(place[1], FORGETTING_FLOOR)


def _curve(axes: Axes, curve: Curve, look: MethodStyle, windows: tuple[Window, Window]) -> None:
    known = [point for point in curve.points if point.known]
    lost = [
        f"{point.value} {point.row.status if point.row.status != 'ok' else 'n/a'}"
        for point in curve.points
        if not point.known
    ]
    label = f"{curve.name} ({', '.join(lost)})" if lost else curve.name
    for point in known:
        _dots(axes, point, look, windows)
    axes.plot(
        *zip(*(_shown(point.place) for point in known), strict=True) if known else ([], []),
        color=look.color,
        marker=look.marker,
        markersize=6,
        markeredgecolor="0.15",
        markeredgewidth=0.5,
        linewidth=1.4,
        zorder=4,
        label=label,
    )
    for point in known:
        axes.annotate(
            str(point.value),
            _shown(point.place),
            xytext=(5, -9),
            textcoords="offset points",
            fontsize="x-small",
            color=look.color,
            zorder=6,
        )


def _reference(axes: Axes, point: Point, look: MethodStyle, windows: tuple[Window, Window]) -> None:
    if not point.known:
        return
    _dots(axes, point, look, windows)
    x, y = _shown(point.place)
    axes.plot(
        x,
        y,
        color=look.color,
        marker=look.marker,
        markersize=12,
        markeredgecolor="0.15",
        markeredgewidth=0.6,
        linestyle="",
        zorder=5,
        label=point.row.method,
    )


def _dots(axes: Axes, point: Point, look: MethodStyle, windows: tuple[Window, Window]) -> None:
    draw_seeds(axes, [x for x, _ in point.dots], [y for _, y in point.dots], look.color, *windows)


def _equal_evaluations(axes: Axes, curves: Sequence[Curve]) -> None:
    log = axes.get_xscale() == "log"
    label = "equal evaluations\n(denoiser, forward)"
    for count in budgets(curves):
        places = [_between(*found, log) for curve in curves if (found := curve.at(count)) is not None]
        places.sort(key=lambda place: place[1])
        axes.plot(
            *zip(*places, strict=True),
            color="0.35",
            linestyle="--",
            linewidth=0.8,
            marker="o",
            markersize=10,
            markerfacecolor="none",
            markeredgewidth=0.9,
            zorder=5,
            label=label,
        )
        label = "_"
        axes.annotate(
            f"{count:,.0f}",
            places[-1],
            xytext=(0, 8),
            textcoords="offset points",
            horizontalalignment="center",
            fontsize="x-small",
            color="0.35",
            zorder=6,
        )


def _between(before: Point, after: Point, share: float, log: bool) -> tuple[float, float]:
    """A place on the line between two points, `share` of the way, which is straight on the axes as they are."""
    (x0, y0), (x1, y1) = _shown(before.place), _shown(after.place)
    x = math.exp(math.log(x0) * (1 - share) + math.log(x1) * share) if log else x0 * (1 - share) + x1 * share
    return x, y0 * (1 - share) + y1 * share
