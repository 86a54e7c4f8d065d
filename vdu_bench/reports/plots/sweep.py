"""What a subset of the forget set is enough for: forgetting and distance against the number of forget images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from vdu_bench.errors import UserError
from vdu_bench.measured import Estimate
from vdu_bench.reports.plots.style import FORGETTING_FLOOR, Look, axis_label, draw, fit_axis, fit_forgetting
from vdu_bench.reports.plots.whiskers import Window, draw_interval, draw_seeds, seeds_of
from vdu_bench.reports.tables.leaderboard import Column, Leaderboard, Row
from vdu_bench.reports.tables.text import method_text

_DODGE = 1.03
"""By which factor methods stand apart, so that their intervals do not hide each other."""


_CLOSE = 1.8
"""Up to which factor two places on the axis have no room for their labels beside each other."""


@dataclass(frozen=True)
class _Point:
    images: int
    row: Row
    estimate: Estimate
    seeds: tuple[float, ...]


def draw_sweep(boards: Sequence[Leaderboard], looks: Mapping[str, Look], file: Path) -> list[Path]:
    """A panel for each axis of the comparison, written as `file`.png and .pdf; returns what was written.

    A line for each method, over a logarithmic axis of forget images on which all of them stand at their number. A run
    that diverged or failed is a cross at the bottom with the word. Nothing is drawn without any number.

    Args:
        boards: the variants of one task, which agree in all but their forget images (see `check_sweep`).
        looks: as from `vdu_bench.reports.plots.style.looks`.
        file: without a suffix.

    Raises:
        UserError: no record says how many forget images there are, so that all of them have no place on the axis.
    """
    places = {board.variant: _images(board, boards) for board in boards}
    found = {column.name: column for board in boards for column in board.on_axis("forgetting")}
    found |= {column.name: column for board in boards for column in board.on_axis("distance")}
    panels = {column: _lines(boards, places, column) for column in found.values()}
    panels = {
        column: lines
        for column, lines in panels.items()
        if any(math.isfinite(point.estimate.value) for line in lines.values() for point in line)
    }
    return draw(file, lambda: _figure(boards, places, panels, looks)) if panels else []


def _images(board: Leaderboard, boards: Sequence[Leaderboard]) -> int:
    sizes = {one.forget_set for one in boards if one.forget_set is not None}
    if board.forget_images is not None:
        return min([board.forget_images, *sizes])
    if not sizes:
        raise UserError(
            f"{board.setup}: no record says how many images show {board.forget!r}; run one of the cells again"
        )
    return max(sizes)


def _lines(boards: Sequence[Leaderboard], places: Mapping[str, int], column: Column) -> dict[str, list[_Point]]:
    lines: dict[str, list[_Point]] = {}
    for board in sorted(boards, key=lambda board: places[board.variant]):
        for row in board.rows:
            estimate = row.estimates.get(column.name)
            if estimate is not None:
                point = _Point(places[board.variant], row, estimate, seeds_of(row, column.name))
                lines.setdefault(row.method, []).append(point)
    return lines


def _figure(
    boards: Sequence[Leaderboard],
    places: Mapping[str, int],
    panels: Mapping[Column, Mapping[str, Sequence[_Point]]],
    looks: Mapping[str, Look],
) -> Figure:
    figure = Figure(figsize=(1.6 + 3.4 * len(panels), 3.9), layout="constrained")
    for axes, (column, lines) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        _panel(axes, column, lines, looks)
        axes.set_xscale("log")
        ticks = _ticks(boards, places)
        axes.set_xticks(list(ticks), list(ticks.values()))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlim(min(ticks) / 1.3, max(ticks) * 1.3)
        axes.set_xlabel("number of forget images")
        axes.set_ylabel(axis_label(column))
    entries = {
        label: handle for axes in figure.axes for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(entries.values(), entries.keys(), loc="outside right upper", frameon=False)
    # In two lines, since a long one would run into the legend.
    title = f"{boards[0].setup}: forgetting {boards[0].forget} with some of its images"
    figure.suptitle(f"{title}\nvertical lines are 95 % intervals, dots seeds")
    return figure


def _ticks(boards: Sequence[Leaderboard], places: Mapping[str, int]) -> dict[int, str]:
    """A label for each place; one that comes close after another stands a line lower."""
    labels = {}
    for board in boards:
        images = places[board.variant]
        labels[images] = f"{images:,}" if board.forget_images is not None else f"all ({images:,})"
    previous, lowered = 0.0, True
    for images in sorted(labels):
        lowered = images < _CLOSE * previous and not lowered
        labels[images] = "\n" * lowered + labels[images]
        previous = images
    return labels


def _panel(axes: Axes, column: Column, lines: Mapping[str, Sequence[_Point]], looks: Mapping[str, Look]) -> None:
    floor = FORGETTING_FLOOR if column.axis == "forgetting" else -math.inf
    points = [point for line in lines.values() for point in line if math.isfinite(point.estimate.value)]
    finite, seeds = [point.estimate for point in points], [point.seeds for point in points]
    forgetting = column.axis == "forgetting"
    window = fit_forgetting(axes, finite, seeds) if forgetting else fit_axis(axes, "y", finite, seeds)
    if len(finite) < sum(map(len, lines.values())):
        _make_room(axes)
    for index, (method, line) in enumerate(lines.items()):
        dodge = _DODGE ** (index - (len(lines) - 1) / 2)
        _draw_line(axes, line, looks[method], dodge, floor, window)


def _make_room(axes: Axes) -> None:
    """A fifth of the panel at its lower edge, for words on what has no number."""
    low, high = axes.get_ylim()
    axes.set_ylim(low * (low / high) ** 0.25 if axes.get_yscale() == "log" else low - 0.25 * (high - low), high)


def _draw_line(axes: Axes, line: Sequence[_Point], look: Look, dodge: float, floor: float, window: Window) -> None:
    reference = line[0].row.role == "reference"
    shown = [point.estimate.value >= floor for point in line]
    axes.plot(
        [point.images * dodge for point in line],
        # What has no number leaves a gap in the line.
        [math.nan if math.isnan(point.estimate.value) else max(point.estimate.value, floor) for point in line],
        color=look.color,
        linestyle=":" if reference else "-",
        linewidth=1.2,
        marker=look.marker,
        markersize=9 if reference else 6,
        markeredgecolor="0.15",
        markeredgewidth=0.5,
        zorder=4 if reference else 3.5,
        label=method_text(line[0].row),
    )
    for point, inside in zip(line, shown, strict=True):
        x = point.images * dodge
        if inside:
            draw_interval(axes, "y", point.estimate, x, window, color=look.color, capsize=2.5, elinewidth=1.0, zorder=3)
        else:
            _remark(axes, point, look, dodge)
        draw_seeds(axes, [x] * len(point.seeds), point.seeds, look.color, Window(-math.inf, math.inf), window)


def _remark(axes: Axes, point: _Point, look: Look, dodge: float) -> None:
    """A word at the lower edge on a point that has no place of its own."""
    value, missing = point.estimate.value, math.isnan(point.estimate.value)
    word = f"{value:.0f}" if not missing else point.row.status if point.row.status != "ok" else "n/a"
    x, across = point.images * dodge, axes.get_xaxis_transform()
    if missing:
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
        color=look.color,
    )
