"""The picture of a search: each trial's forgetting over its distance, and what was chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from vdu_bench.measured import Estimate
from vdu_bench.reports.limits import bound
from vdu_bench.reports.plots.style import FORGETTING_FLOOR, axis_label, draw, draw_limit, fit_axis, fit_forgetting
from vdu_bench.reports.tables.leaderboard import Column
from vdu_bench.tuning.tune import Finalist, Found

_TRIAL, _FINALIST = "#0173b2", "#de8f05"


def draw_trials(found: Found, file: Path) -> list[Path]:
    """The trials, filled where they are within the limits, later ones darker; and the finalists' means.

    Written as `file`.png; returns what was written, nothing where no trial has a place. The limit that is shown is the
    distance's, from the original with the trials' seed; a trial before it may be beyond another one.
    """
    if not found.distance or not _places(found):
        return []
    return draw(file, lambda: _figure(found), formats=("png",))


def _places(found: Found) -> list[tuple[float, float]]:
    runs: list[tuple[float, float]] = [(one.judged.distance, one.judged.objective) for one in found.trials]
    runs += [(one.distance, one.objective) for one in found.finalists]
    return [place for place in runs if all(map(math.isfinite, place))]


def _figure(found: Found) -> Figure:
    figure = Figure(figsize=(6.6, 3.9), layout="constrained")
    axes = figure.add_subplot()
    base = found.original.metrics
    objective, distance = (Column.of(name, base[name]) for name in (found.objective, found.distance))
    start = base[found.distance].estimate.value
    places = _places(found)
    fit_axis(axes, "x", [Estimate(value=x) for x in (start, *(x for x, _ in places))], [])
    if objective.axis == "forgetting":
        fit_forgetting(axes, [Estimate(value=y) for _, y in places], [])
    else:
        fit_axis(axes, "y", [Estimate(value=y) for _, y in places], [])
    limits = found.original.protocol.limits if found.original.protocol is not None else {}
    # Another seed's original is at another distance, and finalists are held against those of their own seeds.
    draw_limit(axes, bound(distance.limit, distance.better, start, limits), label="beyond the trials' quality limit")
    axes.axvline(start, color="0.6", linestyle=":", linewidth=1, zorder=1, label="the original's distance")
    _trials(axes, found)
    _finalists(axes, found.finalists, found.chosen)
    axes.set_xlabel(axis_label(distance))
    axes.set_ylabel(axis_label(objective))
    axes.set_title(f"{found.method} tuned on {found.task.name}: {len(found.trials)} trials")
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def _trials(axes: Axes, found: Found) -> None:
    shown = [one for one in found.trials if math.isfinite(one.judged.objective + one.judged.distance)]
    lost = len(found.trials) - len(shown)
    for kept, label in ((True, "trial within the limits"), (False, "trial beyond a limit")):
        some = [one for one in shown if one.judged.kept == kept]
        if not some:
            continue
        shades = [0.35 + 0.65 * (one.number + 1) / len(found.trials) for one in some]
        axes.scatter(
            [one.judged.distance for one in some],
            [max(one.judged.objective, FORGETTING_FLOOR) for one in some],
            s=34,
            facecolors=[(*to_rgb(_TRIAL), shade if kept else 0.0) for shade in shades],
            edgecolors=[(*to_rgb(_TRIAL), shade) for shade in shades],
            zorder=3,
            label=label,
        )
    if lost:
        axes.plot([], [], linestyle="", label=f"{lost} without numbers")


def _finalists(axes: Axes, finalists: Sequence[Finalist], chosen: Finalist | None) -> None:
    for one in finalists:
        if not math.isfinite(one.objective + one.distance):
            continue
        best = one is chosen
        axes.plot(
            one.distance,
            max(one.objective, FORGETTING_FLOOR),
            color=_FINALIST if one.kept else "none",
            marker="*" if best else "D",
            markersize=15 if best else 6,
            markeredgecolor="0.15" if one.kept else _FINALIST,
            markeredgewidth=0.6 if one.kept else 1.2,
            linestyle="",
            zorder=5 if best else 4,
            label="chosen, its mean" if best else "_",
        )
    others = {one.kept for one in finalists if one is not chosen}
    for kept, label in ((True, "another finalist, its mean"), (False, "finalist, a run beyond a limit")):
        if kept in others:
            face = _FINALIST if kept else "none"
            axes.plot(
                [], [], linestyle="", marker="D", color=face, markeredgecolor=_FINALIST, markersize=6, label=label
            )
