"""What comes back with an attacker's effort: a curve for each method, with the model that never knew as the floor."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vdu_bench.reports.courses import Course, Courses
from vdu_bench.reports.method_style import MethodStyle, method_styles
from vdu_bench.reports.plots.lines import LEGEND_LINE, LEGEND_NAME, make_room, more_for
from vdu_bench.reports.plots.style import draw
from vdu_bench.reports.plots.titles import folded, height_of
from vdu_bench.reports.tables.text import DESTROYED

_LETTER, _SMALL = 0.11, 0.075
"""Inches, the breadth of a letter of the title, and of the words under the panels."""


def draw_courses(courses: Courses, file: Path) -> list[Path]:
    """A panel for each series, written as `file`.png and .pdf; returns what was written.

    A line is the mean over the seeds, which stand as faint dots. References are dashed. Efforts stand at equal
    distances, since each is a few times the one before. The legend names lines from the highest end to the lowest.
    """
    looks = method_styles(course.row for ways in courses.series.values() for course in ways)
    return draw(file, lambda: _figure(courses, looks))


def _figure(courses: Courses, looks: Mapping[str, MethodStyle]) -> Figure:
    count = len(courses.series)
    names = {_name(course) for ways in courses.series.values() for course in ways}
    beside, height = max(3.2 * count, 4.0), max(3.6, 0.4 + height_of(names, LEGEND_LINE))
    more = more_for(names)
    figure = Figure(figsize=(1.6 + more + beside, height), layout="constrained")
    panels = figure.subplots(1, count, sharey=True, squeeze=False)[0]
    for axes, (name, ways) in zip(panels, courses.series.items(), strict=True):
        for course in ways:
            _line(axes, course, looks[course.row])
        axes.set_title(name, fontsize="medium")
        axes.set_xticks(range(len(courses.efforts)), [f"{effort:,}" for effort in courses.efforts])
        axes.set_xlabel(f"{courses.counted} of the attacker")
    panels[0].set_ylabel(f"{courses.title} ({courses.unit})" if courses.unit else courses.title)
    if courses.unit == "%":
        # Nothing to 100 where all is near 0; and 0 always stands in the picture, for it is what is hoped for.
        most = max(
            (v for ways in courses.series.values() for one in ways for v in one.means if math.isfinite(v)), default=0
        )
        panels[0].set_ylim(-0.03 * max(most, 10), 1.08 * max(most, 10))
    figure.legend(*_in_order(panels[-1]), loc="outside right upper", frameon=False)
    direction = {"lower": "; lower is better", "higher": "; higher is better"}.get(courses.better, "")
    # Over one panel a title in one line would reach into the legend.
    apart = "\n" if count == 1 else ": "
    title = folded(f"{courses.variant}{apart}{courses.title}{direction}", int(beside / _LETTER))
    make_room(figure, title, 2)
    # In the middle of the figure a wide one would reach into the legend.
    figure.suptitle(title, **({"x": 0.01, "ha": "left"} if "\n" in title or more else {}))
    notes = []
    if any(course.destroyed for ways in courses.series.values() for course in ways):
        notes.append(f"{DESTROYED} has destroyed the model")
    if courses.missing:
        notes.append(f"not known with every seed: {', '.join(courses.missing)}")
    if notes:
        figure.supxlabel(folded("; ".join(notes), int(figure.get_figwidth() / _SMALL)), fontsize="small")
    return figure


def _name(course: Course) -> str:
    """What the legend calls a row, over as many lines as it takes."""
    return folded(course.row + f" {DESTROYED}" * course.destroyed, LEGEND_NAME)


def _in_order(axes: Axes) -> tuple[list[Any], list[str]]:
    """Lines and their names for a legend, from the highest end to the lowest; those without an end last."""
    entries = zip(*axes.get_legend_handles_labels(), strict=True)

    def end(entry: tuple[Any, str]) -> float:
        last = float(entry[0].get_ydata()[-1])
        return -last if math.isfinite(last) else math.inf

    handles, labels = zip(*sorted(entries, key=end), strict=True)
    return list(handles), list(labels)


def _line(axes: Axes, course: Course, look: MethodStyle) -> None:
    places = range(len(course.means))
    reference = course.role == "reference"
    if len(course.seeds) > 1:
        for seed in course.seeds:
            axes.plot(places, seed, linestyle="none", marker=".", markersize=4, color=look.color, alpha=0.35)
    axes.plot(
        places,
        course.means,
        color=look.color,
        marker=look.marker,
        markersize=5,
        linestyle="--" if reference else "-",
        linewidth=1.6 if reference else 1.2,
        label=_name(course),
        zorder=3 if reference else 2,
    )
