"""Lines of methods over how much of something they had: points with intervals and seeds, and what has no place."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vdu_bench.measured import Estimate
from vdu_bench.reports.method_style import MethodStyle
from vdu_bench.reports.plots.contrast import text_color
from vdu_bench.reports.plots.style import FORGETTING_FLOOR, fit_axis, fit_forgetting
from vdu_bench.reports.plots.titles import folded, height_of
from vdu_bench.reports.plots.whiskers import Window, draw_interval, draw_seeds, seeds_of
from vdu_bench.reports.tables.leaderboard import Column, Row

_DODGE, _APART = 1.03, 1.18
"""By the first factor methods at one place stand apart, so that their intervals do not hide each other; by the second
all of them together at most, so that many do not reach the next place."""
LEGEND_LINE = 0.215
"""Inches, a line of a legend."""
LEGEND_NAME, _LETTER = 30, 0.075
"""Characters of a legend's name beside each other, and inches that one takes."""
_TITLE_LINE = 0.19
"""Inches, a line of a title over all panels."""
_USUAL = 26
"""Characters of a name that figures have the room for."""
_CLOSE = 1.8
"""Up to which factor two places on the axis have no room for their labels beside each other."""


@dataclass(frozen=True)
class LinePoint:
    """A row at a place of the axis."""

    x: float
    row: Row
    metric: str
    destroyed: bool

    @property
    def estimate(self) -> Estimate:
        """Over the seeds; NaN where there is none."""
        return self.row.estimates.get(self.metric, Estimate())

    @property
    def seeds(self) -> tuple[float, ...]:
        """The values to draw as dots."""
        return seeds_of(self.row, self.metric)

    @property
    def known(self) -> bool:
        """Whether it has a number."""
        return math.isfinite(self.estimate.value)


Lines = Mapping[str, Sequence[LinePoint]]
"""By what the legend calls them."""


def fit_lines(axes: Axes, column: Column, points: Sequence[LinePoint]) -> Window:
    """Limits of the vertical axis that hold all points, at least one of which has a number; as `fit_axis`."""
    known = [point for point in points if point.known]
    finite, seeds = [point.estimate for point in known], [point.seeds for point in known]
    fitted = fit_forgetting(axes, finite, seeds) if column.axis == "forgetting" else fit_axis(axes, "y", finite, seeds)
    if len(known) < len(points):
        _make_room(axes)
    return fitted


def draw_lines(axes: Axes, column: Column, lines: Lines, looks: Mapping[str, MethodStyle], window: Window) -> None:
    """The lines over a logarithmic axis, beside each other where they share a place.

    A run that diverged or failed is a cross at the bottom with the word, a destroyed model is crossed out.

    Args:
        axes: whose vertical limits are set.
        column: the metric.
        lines: their points from left to right.
        looks: by the lines' names.
        window: as from `fit_lines`.
    """
    floor = FORGETTING_FLOOR if column.axis == "forgetting" else -math.inf
    dodge = min(_DODGE, _APART ** (1 / max(1, len(lines) - 1)))
    for index, (name, line) in enumerate(lines.items()):
        _draw_line(axes, name, line, looks[name], dodge ** (index - (len(lines) - 1) / 2), floor, window)


def set_places(axes: Axes, labels: Mapping[float, str]) -> None:
    """A label at each place of the horizontal axis; one that comes close after another stands a line lower."""
    shown = {}
    previous, lowered = 0.0, True
    for place in sorted(labels):
        lowered = place < _CLOSE * previous and not lowered
        shown[place] = "\n" * lowered + labels[place]
        previous = place
    axes.set_xticks(list(shown), list(shown.values()))
    axes.set_xlim(min(shown) / 1.3, max(shown) * 1.3)


def legend_of(figure: Figure) -> None:
    """One legend beside all panels, each line once; the figure is made as tall as it, and wider for long names."""
    entries = {
        label: handle for axes in figure.axes for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    names = [folded(name, LEGEND_NAME) for name in entries]
    figure.set_figheight(max(figure.get_figheight(), 0.4 + height_of(names, LEGEND_LINE)))
    figure.set_figwidth(figure.get_figwidth() + more_for(names))
    figure.legend(entries.values(), names, loc="outside right upper", frameon=False)


def make_room(figure: Figure, title: str, lines: int) -> None:
    """Make a figure as much taller as a title of several lines has more of them than panels have the room for."""
    more = _TITLE_LINE * max(0, title.count("\n") + 1 - lines)
    figure.set_figheight(figure.get_figheight() + more)


def more_for(names: Iterable[str]) -> float:
    """Inches that a legend of folded names is wider than usual, which panels should not lose."""
    longest = max((len(line) for name in names for line in name.split("\n")), default=0)
    return _LETTER * max(0, longest - _USUAL)


def _make_room(axes: Axes) -> None:
    """A fifth of the panel at its lower edge, for words on what has no number."""
    low, high = axes.get_ylim()
    axes.set_ylim(low * (low / high) ** 0.25 if axes.get_yscale() == "log" else low - 0.25 * (high - low), high)


def _draw_line(
    axes: Axes, name: str, line: Sequence[LinePoint], look: MethodStyle, dodge: float, floor: float, window: Window
) -> None:
    reference = line[0].row.role == "reference"
    xs = [point.x * dodge for point in line]
    # What has no number leaves a gap in the line.
    ys = [max(point.estimate.value, floor) if point.known else math.nan for point in line]
    axes.plot(
        xs,
        ys,
        color=look.color,
        linestyle=":" if reference else "-",
        linewidth=1.2,
        marker=look.marker,
        markersize=9 if reference else 6,
        markeredgecolor="0.15",
        markeredgewidth=0.5,
        zorder=4 if reference else 3.5,
        label=name,
    )
    style = {"color": look.color, "capsize": 2.5, "elinewidth": 1.0, "zorder": 3}
    for point, x, y in zip(line, xs, ys, strict=True):
        if point.estimate.value >= floor:
            draw_interval(axes, "y", point.estimate, x, window, **style)
        else:
            _remark(axes, point, look, x)
        if point.destroyed and point.known:
            axes.plot(x, y, marker="x", color="0.15", markersize=10, markeredgewidth=1.2, zorder=5)
        draw_seeds(axes, [x] * len(point.seeds), point.seeds, look.color, Window(-math.inf, math.inf), window)


def _remark(axes: Axes, point: LinePoint, look: MethodStyle, x: float) -> None:
    """A word at the lower edge on a point that has no place of its own."""
    across = axes.get_xaxis_transform()
    word = f"{point.estimate.value:.0f}" if point.known else point.row.status if point.row.status != "ok" else "n/a"
    if not point.known:
        axes.plot(x, 0.03, marker="x", color=look.color, markersize=6, markeredgewidth=1.5, transform=across)
    axes.annotate(
        word,
        (x, 0.03),
        xycoords=across,
        xytext=(0, 6),
        textcoords="offset points",
        rotation=90,
        horizontalalignment="center",
        verticalalignment="bottom",
        fontsize="x-small",
        color=text_color(look.color),
    )
