"""What all figures share: fonts, a colour and a marker for each method, files that are the same bytes every time."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import seaborn as sns
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from vdu_bench.files import write_atomically
from vdu_bench.measured import Better, Estimate
from vdu_bench.records import Role
from vdu_bench.reports.tables.leaderboard import REFERENCES, Column, Leaderboard
from vdu_bench.reports.tables.text import has_interval, quantity

DIRECTION: dict[Better, str] = {"higher": "higher is better", "lower": "lower is better", "none": ""}

FORGETTING_FLOOR = -100.0
"""In percent; what is below is drawn at the edge, so that one collapsed method does not squeeze the others."""

_MARKERS = "osD^vPXp<>h"
_REFERENCE_LOOKS = (("#000000", "*"), ("#6e6e6e", "*"), ("#b4b4b4", "*"))
_DPI = 200
# Dates and program versions would make equal figures unequal files.
_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "pdf": {"Creator": "vdu-bench", "Producer": None, "CreationDate": None},
}


@dataclass(frozen=True)
class Look:
    """How a method is drawn in every figure."""

    color: str
    marker: str
    hatch: str
    """Of its bars; only references have one."""


def looks(boards: Iterable[Leaderboard]) -> dict[str, Look]:
    """A look for each method, the same for all the boards.

    References are black and grey stars, the original black. The others take the eight coloured hues of the colour-blind
    palette and eleven markers in the order of their names: 88 methods go by before two look alike.
    """
    return looks_of({row.method: row.role for board in boards for row in board.rows})


def looks_of(roles: Mapping[str, Role]) -> dict[str, Look]:
    """The looks of methods by their roles, as `looks`."""
    # From the end of their order in tables, so that the row of real images takes no colour from the models.
    references = sorted(
        (method for method, role in roles.items() if role == "reference"),
        key=lambda method: (-REFERENCES.index(method) if method in REFERENCES else 1, method),
    )
    others = sorted(method for method, role in roles.items() if role != "reference")
    hues = [color for index, color in enumerate(sns.color_palette("colorblind").as_hex()) if index not in (7, 8)]
    result = {}
    for index, method in enumerate(references):
        color, marker = _REFERENCE_LOOKS[min(index, len(_REFERENCE_LOOKS) - 1)]
        result[method] = Look(color, marker, hatch="////")
    for index, method in enumerate(others):
        result[method] = Look(hues[index % len(hues)], _MARKERS[index % len(_MARKERS)], hatch="")
    return result


def draw(file: Path, paint: Callable[[], Figure]) -> list[Path]:
    """Write the figure that `paint` makes, in the suite's style, as `file`.png (200 dpi) and `file`.pdf.

    Args:
        file: without a suffix.
    """
    theme: Any = {
        **sns.axes_style("whitegrid"),
        **sns.plotting_context("paper", font_scale=1.05),
        "font.family": "DejaVu Sans",  # ships with matplotlib, so that figures do not depend on the machine
        "pdf.fonttype": 42,
        "hatch.linewidth": 0.6,
        "savefig.dpi": _DPI,
    }
    written = []
    with rc_context(theme):
        figure = paint()
        for suffix, metadata in _METADATA.items():
            buffer = io.BytesIO()
            figure.savefig(buffer, format=suffix, metadata=metadata)
            # The layout of the first format holds for the second; to solve it again would take as long as to draw.
            figure.set_layout_engine("none")
            written.append(write_atomically(file.with_name(f"{file.name}.{suffix}"), buffer.getvalue()))
    return written


def axis_label(column: Column) -> str:
    """Such as ``pul (%), higher is better``."""
    return ", ".join(filter(None, (quantity(column), DIRECTION[column.better])))


def error_bar(estimate: Estimate) -> tuple[float, float]:
    """Lengths of the bar below and above the value, both 0 where there is no interval."""
    if not has_interval(estimate):
        return 0.0, 0.0
    # A resampled interval may miss its own estimate by a hair, and matplotlib takes no negative length.
    return max(0.0, estimate.value - estimate.low), max(0.0, estimate.high - estimate.value)


def fit_axis(axes: Axes, which: Literal["x", "y"], estimates: Sequence[Estimate]) -> None:
    """Limits that hold all the estimates with their bars; logarithmic where they span more than a decade.

    Set by hand, since a bar may reach below zero, where a logarithmic axis cannot.
    """
    values = [estimate.value for estimate in estimates]
    ends = [value + error_bar(estimate)[1] for value, estimate in zip(values, estimates, strict=True)]
    starts = [value - error_bar(estimate)[0] for value, estimate in zip(values, estimates, strict=True)]
    axis, set_scale, set_limits = (
        getattr(axes, name) for name in (f"{which}axis", f"set_{which}scale", f"set_{which}lim")
    )
    if min(values) > 0 and max(values) > 10 * min(values):
        set_scale("log", nonpositive="clip")
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:,g}")
        axis.set_minor_locator(NullLocator())
        positive = [start if start > 0 else value for start, value in zip(starts, values, strict=True)]
        set_limits(min(positive) / 1.25, max(ends) * 1.25)
    else:
        margin = 0.06 * (max(ends) - min(starts)) or 1.0
        set_limits(min(starts) - margin, max(ends) + margin)
