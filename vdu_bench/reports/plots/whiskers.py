"""What surrounds a mean: its interval and a dot for each seed, cut where one collapsed seed would set the axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from matplotlib.axes import Axes

from vdu_bench.measured import Estimate
from vdu_bench.reports.tables.leaderboard import Row
from vdu_bench.reports.tables.text import has_interval

Which = Literal["x", "y"]

_ROOM = 1.0
"""How far beyond the means an axis may reach for intervals and seeds, as a share of what the means span."""
_FACTOR = 3.0
"""The same, as a factor, on a logarithmic axis."""
_ARROWS: dict[Which, tuple[str, str]] = {"x": ("<", ">"), "y": ("v", "^")}


@dataclass(frozen=True)
class Window:
    """The part of an axis that is drawn on; what lies beyond is marked by an arrow at its edge."""

    low: float
    high: float

    def clip(self, value: float) -> float:
        """The nearest number inside."""
        return min(max(value, self.low), self.high)

    def beyond(self, value: float) -> int:
        """-1 below, 1 above, 0 inside."""
        return int(value > self.high) - int(value < self.low)


def seeds_of(row: Row, metric: str) -> tuple[float, ...]:
    """The values to draw as dots: those of several seeds, where they have a mean."""
    values = row.by_seed.get(metric, ())
    known = metric in row.estimates and math.isfinite(row.estimates[metric].value)
    return values if known and len(values) > 1 else ()


def window(means: Sequence[float], others: Sequence[float], *, logarithmic: bool = False) -> Window:
    """From what to what an axis is drawn: all of the means, and the other numbers unless they lie far beyond.

    Args:
        means: finite, at least one; with the point that the axis has to hold in any case, such as 0.
        others: ends of intervals and seeds, finite.
        logarithmic: room is then made by a factor; all of `means` are above 0.
    """
    low, high = min(means), max(means)
    if logarithmic:
        bounds = Window(low / _FACTOR, high * _FACTOR)
    else:
        # Means that lie close together do not forbid to show how far their seeds scatter.
        room = _ROOM * max(high - low, 0.5 * max(abs(low), abs(high)))
        bounds = Window(low - room, high + room) if room else Window(-math.inf, math.inf)
    inside = [bounds.clip(other) for other in others]
    return Window(min([low, *inside]), max([high, *inside]))


def spread(estimates: Sequence[Estimate], seeds: Sequence[Sequence[float]]) -> list[float]:
    """The ends of all intervals and all seeds."""
    ends = [end for estimate in estimates if has_interval(estimate) for end in (estimate.low, estimate.high)]
    return ends + [value for values in seeds for value in values]


def ends_of(estimate: Estimate, window: Window) -> tuple[float, float] | None:
    """From where to where an interval is drawn; None where there is none."""
    return (window.clip(estimate.low), window.clip(estimate.high)) if has_interval(estimate) else None


def draw_interval(axes: Axes, which: Which, estimate: Estimate, at: float, window: Window, **style: Any) -> None:
    """The interval as a line along an axis; an arrow at an end that lies beyond the window.

    Args:
        axes: whose limits are set.
        which: the axis that the estimate is drawn along.
        estimate: nothing is drawn where it has no interval.
        at: its place on the other axis.
        window: of the axis.
        style: of `Axes.errorbar`, with a `color`.
    """
    if not has_interval(estimate):
        return
    value = window.clip(estimate.value)
    # A resampled interval may miss its own estimate by a hair, and matplotlib takes no negative length.
    ends = [min(window.clip(estimate.low), value), max(window.clip(estimate.high), value)]
    x, y = (value, at) if which == "x" else (at, value)
    error: Any = {f"{which}err": [[value - ends[0]], [ends[1] - value]]}
    _, caps, _ = axes.errorbar(x, y, **error, linestyle="", **style)
    for side, (end, drawn) in enumerate(zip((estimate.low, estimate.high), ends, strict=True)):
        if window.beyond(end):
            if caps:
                caps[side].set_visible(False)
            x, y = (drawn, at) if which == "x" else (at, drawn)
            arrow = _ARROWS[which][side]
            axes.plot(x, y, arrow, color=style["color"], markersize=4, zorder=style.get("zorder", 3), clip_on=False)


def draw_seeds(
    axes: Axes,
    xs: Sequence[float],
    ys: Sequence[float],
    color: str,
    x_window: Window,
    y_window: Window,
    *,
    size: float = 3.6,
) -> None:
    """A small, half transparent dot for each seed, under the mean; an arrow at the window's edge for one beyond."""
    places: dict[str, list[tuple[float, float]]] = {}
    for x, y in zip(xs, ys, strict=True):
        if math.isfinite(x) and math.isfinite(y):
            across, along = x_window.beyond(x), y_window.beyond(y)
            marker = _ARROWS["x"][across > 0] if across else _ARROWS["y"][along > 0] if along else "o"
            places.setdefault(marker, []).append((x_window.clip(x), y_window.clip(y)))
    for marker, found in places.items():
        axes.plot(
            *zip(*found, strict=True),
            linestyle="",
            marker=marker,
            markersize=size,
            markerfacecolor=color,
            markeredgecolor="0.15",
            markeredgewidth=0.5,
            alpha=0.6,
            zorder=2.6,
            clip_on=False,
        )
