"""Names beside their points: where each of them hides the least, joined to its point by a line where that is far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from vdu_bench.reports.plots.contrast import text_color

Floats = NDArray[np.float64]

_DISTANCES = (7.0, 10.0, 14.0, 20.0, 28.0, 38.0, 50.0, 65.0, 85.0)
"""In points, from a marker to its name."""
_ANGLES = np.deg2rad(np.arange(0, 360, 15))
_JOINED = 11.0
"""From this distance on a line shows whose name it is, in points."""
_MARKER = 5.5
"""Half of the side of a marker, in points."""
_ROUNDS = 6
_OVERLAP, _OUTSIDE, _COVERED, _CROSSED = 1000.0, 3000.0, 250.0, 120.0
"""What it costs to overlap a name, to leave the axes, to hide a marker, to be crossed by the line of another name;
against 1 a point of distance."""
_DOT = 9.0
"""What it costs to hide a dot, or a stretch of a line as long."""


@dataclass(frozen=True)
class Label:
    """A name for a point."""

    text: str
    place: tuple[float, float]
    """Of the point, in data."""
    color: str


def place_labels(
    axes: Axes, labels: Sequence[Label], dots: Sequence[tuple[float, float]] = (), taken: Sequence[Bbox] = ()
) -> list[Annotation]:
    """Write the names, without an overlap where there is room for that.

    Each name in turn takes the place that costs the least with all others as they are, some rounds long: the same
    picture every time. The layout of the figure is solved for this, and holds from here on.

    Args:
        axes: whose limits are set.
        labels: their points are kept free of all names.
        dots: what had better not be hidden, in data: seeds, and lines as rows of dots.
        taken: what must not be hidden, in pixels.
    """
    figure = axes.get_figure(root=True)
    if figure is None or not labels:
        return []
    if not isinstance(figure.canvas, FigureCanvasAgg):
        FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    point = figure.dpi / 72
    written = [_written(axes, label) for label in labels]
    renderer = cast(FigureCanvasAgg, figure.canvas).get_renderer()
    sizes = [found.get_window_extent(renderer) for found in written]
    centres = np.array([axes.transData.transform(label.place) for label in labels], dtype=float)
    hidden = axes.transData.transform(np.array(dots, dtype=float)) if len(dots) else np.empty((0, 2))
    tables = [
        _Candidates.around(centre, (size.width, size.height), point)
        for centre, size in zip(centres, sizes, strict=True)
    ]
    alone = [table.cost_alone(axes.get_window_extent(), centres, hidden, taken, point) for table in tables]
    chosen = [int(cost.argmin()) for cost in alone]
    for _ in range(_ROUNDS):
        before = list(chosen)
        for index, table in enumerate(tables):
            others = [(tables[other], chosen[other]) for other in range(len(tables)) if other != index]
            chosen[index] = int((alone[index] + table.cost_beside(others)).argmin())
        if chosen == before:
            break
    for found, table, choice, centre in zip(written, tables, chosen, centres, strict=True):
        _move(found, (table.boxes[choice].reshape(2, 2).mean(axis=0) - centre) / point, table.distances[choice])
    return written


def _written(axes: Axes, label: Label) -> Annotation:
    found = axes.annotate(
        label.text,
        label.place,
        xytext=(0, 0),
        textcoords="offset points",
        horizontalalignment="center",
        verticalalignment="center",
        fontsize="small",
        color=text_color(label.color),
        linespacing=0.95,
        zorder=7,
        annotation_clip=False,
        arrowprops={"arrowstyle": "-", "color": label.color, "linewidth": 0.7, "shrinkA": 1, "shrinkB": 4},
    )
    found.set_path_effects([withStroke(linewidth=2.2, foreground="white", alpha=0.85)])
    found.set_in_layout(False)
    return found


def _move(found: Annotation, offset: Floats, distance: float) -> None:
    found.set_position((float(offset[0]), float(offset[1])))
    if found.arrow_patch is not None:
        found.arrow_patch.set_visible(bool(distance >= _JOINED))


@dataclass(frozen=True)
class _Candidates:
    """The places that a name may take, in pixels."""

    boxes: Floats
    """``[C, 4]``: left, bottom, right, top."""
    joins: Floats
    """``[C, S, 2]``: points of the line to the marker; NaN where there is none."""
    distances: Floats
    """``[C]``, in points."""

    @classmethod
    def around(cls, centre: Floats, size: tuple[float, float], point: float) -> _Candidates:
        distances = np.repeat(_DISTANCES, len(_ANGLES))
        ways = np.tile(np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1), (len(_DISTANCES), 1))
        half = np.array(size) / 2
        middles = centre + ways * (distances[:, None] * point + half)
        ends = np.clip(centre, middles - half, middles + half)
        steps = np.linspace(0.25, 0.95, 8)[None, :, None]
        joins = centre + steps * (ends[:, None, :] - centre)
        joins[distances < _JOINED] = np.nan
        return cls(np.concatenate([middles - half, middles + half], axis=1), joins, distances)

    def cost_alone(self, area: Bbox, markers: Floats, dots: Floats, taken: Sequence[Bbox], point: float) -> Floats:
        """``[C]``: what each place costs whatever the other names do."""
        left, bottom, right, top = self.boxes.T
        # Of places that are equal otherwise, the one to the right.
        cost = self.distances + 0.1 * (np.arange(len(self.boxes)) % len(_ANGLES)) / len(_ANGLES)
        inner = area.padded(-2 * point)
        cost += _OUTSIDE * ((left < inner.x0) | (bottom < inner.y0) | (right > inner.x1) | (top > inner.y1))
        for box in taken:
            cost += _OVERLAP * _overlap(self.boxes, np.array([box.x0, box.y0, box.x1, box.y1]))
        half = _MARKER * point
        for marker in markers:
            cost += _COVERED * _overlap(self.boxes, np.concatenate([marker - half, marker + half]))
        cost += _DOT * _inside(dots[None], self.boxes[:, None]).sum(axis=1)
        return cost

    def cost_beside(self, others: Sequence[tuple[_Candidates, int]]) -> Floats:
        """``[C]``: what each place costs beside the other names at theirs."""
        cost = np.zeros(len(self.boxes))
        for table, choice in others:
            box = table.boxes[choice]
            cost += _OVERLAP * _overlap(self.boxes, box + np.array([-2, -1, 2, 1]))
            cost += _CROSSED * _inside(self.joins, box[None, None]).any(axis=1)
            cost += _CROSSED * _inside(table.joins[choice][None], self.boxes[:, None]).any(axis=1)
        return cost


def _overlap(boxes: Floats, box: Floats) -> NDArray[np.bool_]:
    """bool ``[C]``: which of ``[C, 4]`` share area with one ``[4]``."""
    found: NDArray[np.bool_] = (
        (boxes[:, 0] < box[2]) & (boxes[:, 2] > box[0]) & (boxes[:, 1] < box[3]) & (boxes[:, 3] > box[1])
    )
    return found


def _inside(points: Floats, boxes: Floats) -> NDArray[np.bool_]:
    """Which points ``[..., 2]`` lie inside boxes ``[..., 4]``; NaN lies in none."""
    found: NDArray[np.bool_] = (
        (points[..., 0] > boxes[..., 0])
        & (points[..., 0] < boxes[..., 2])
        & (points[..., 1] > boxes[..., 1])
        & (points[..., 1] < boxes[..., 3])
    )
    return found
