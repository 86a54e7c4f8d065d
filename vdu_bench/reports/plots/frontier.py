"""A curve for each method of a sweep: forgetting against distance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vdu_bench.measured import Estimate
from vdu_bench.records import Role
from vdu_bench.reports.frontier import Curve, Frontier, Point, budgets
from vdu_bench.reports.plots.style import FORGETTING_FLOOR, Look, axis_label, draw, fit_axis, looks_of


def draw_frontier(frontier: Frontier, file: Path) -> list[Path]:
    """The curves with their values, written as `file`.png and .pdf; returns what was written.

    A point is the mean over the seeds, which stand as faint dots around it. Rings on several curves that one dashed
    line joins took equally many evaluations of the denoiser; between two runs their place is interpolated. Stars are
    the references. What diverged is named in the legend. Nothing is drawn where no point has both numbers.
    """
    points = [point for curve in frontier.curves for point in curve.points]
    if not any(point.known for point in points):
        return []
    roles: dict[str, Role] = {curve.name: "contestant" for curve in frontier.curves}
    looks = looks_of(roles | {point.row.method: point.row.role for point in frontier.references})
    return draw(file, lambda: _figure(frontier, looks))


def _figure(frontier: Frontier, looks: Mapping[str, Look]) -> Figure:
    figure = Figure(figsize=(7.0, 4.3), layout="constrained")
    axes = figure.add_subplot()
    known = [point for curve in frontier.curves for point in curve.points if point.known]
    known += [point for point in frontier.references if point.known]
    dots = [place for point in known for place in point.seeds]
    fit_axis(axes, "x", [Estimate(value=x) for x in [*(point.place[0] for point in known), *(x for x, _ in dots)]])
    lowest = min([0.0, *(point.place[1] for point in known), *(y for _, y in dots)])
    axes.set_ylim(max(FORGETTING_FLOOR, lowest) - 7, 107)
    _limit(axes, frontier.limit)
    for curve in frontier.curves:
        _curve(axes, curve, looks[curve.name])
    for point in frontier.references:
        _reference(axes, point, looks[point.row.method])
    _equal_evaluations(axes, frontier.curves)
    axes.set_xlabel(axis_label(frontier.distance))
    axes.set_ylabel(axis_label(frontier.forgetting))
    settings = ", ".join(sorted({curve.setting for curve in frontier.curves}))
    axes.set_title(f"{frontier.board.variant}: forgetting {frontier.board.forget}, swept over {settings}")
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def _shown(place: tuple[float, float]) -> tuple[float, float]:
    return place[0], max(place[1], FORGETTING_FLOOR)


def _curve(axes: Axes, curve: Curve, look: Look) -> None:
    known = [point for point in curve.points if point.known]
    lost = [
        f"{point.value} {point.row.status if point.row.status != 'ok' else 'n/a'}"
        for point in curve.points
        if not point.known
    ]
    label = f"{curve.name} ({', '.join(lost)})" if lost else curve.name
    _dots(axes, known, look)
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


def _reference(axes: Axes, point: Point, look: Look) -> None:
    if not point.known:
        return
    _dots(axes, [point], look)
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


def _dots(axes: Axes, points: Sequence[Point], look: Look) -> None:
    places = [_shown(place) for point in points if len(point.seeds) > 1 for place in point.seeds]
    if places:
        axes.plot(
            *zip(*places, strict=True), color=look.color, marker=".", markersize=4, linestyle="", alpha=0.4, zorder=3
        )


def _limit(axes: Axes, limit: float) -> None:
    low, high = axes.get_xlim()
    if math.isfinite(limit) and limit < high:
        axes.axvspan(max(limit, low), high, color="0.93", zorder=0, label="beyond the quality limit")


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
