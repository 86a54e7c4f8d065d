"""What all figures share: fonts, a colour and a marker for each method, files that are the same bytes every time."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import seaborn as sns
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from PIL import Image

from vdu_bench.files import write_atomically
from vdu_bench.measured import Better, Estimate
from vdu_bench.records import Role
from vdu_bench.reports.plots.whiskers import Which, Window, spread, window
from vdu_bench.reports.tables.leaderboard import REFERENCES, Column, Leaderboard
from vdu_bench.reports.tables.text import quantity

DIRECTION: dict[Better, str] = {"higher": "higher is better", "lower": "lower is better", "none": ""}

FORGETTING_FLOOR = -100.0
"""In percent; what is below is drawn at the edge, so that one collapsed method does not squeeze the others."""

_MARKERS = "osD^vPXp<>h"
_REFERENCE_LOOKS = (("#000000", "*"), ("#6e6e6e", "*"), ("#b4b4b4", "*"))
_DPI, _LOWEST_DPI = 200, 40
"""Dots per inch: as many as leave a file small enough."""
LARGEST = 150_000
"""Bytes that a bitmap may take: plots are committed beside the records."""
_FLAT = 4096
"""Up to how many colours a figure is drawn in plain ones, of which few are enough; photographs have more."""
_PALETTE = 128
# Dates and program versions would make equal figures unequal files.
_PDF_METADATA: dict[str, Any] = {"Creator": "vdu-bench", "Producer": None, "CreationDate": None}


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


def draw(file: Path, paint: Callable[[], Figure], formats: Sequence[str] = ("png", "pdf")) -> list[Path]:
    """Write the figure that `paint` makes, in the suite's style, as `file`.png (200 dpi or less) and `file`.pdf.

    The bitmap takes at most `LARGEST` bytes, unless it does so at no resolution.

    Args:
        file: without a suffix.
        formats: which of the two.
    """
    theme: Any = {
        **sns.axes_style("whitegrid"),
        **sns.plotting_context("paper", font_scale=1.05),
        "font.family": "DejaVu Sans",  # ships with matplotlib, so that figures do not depend on the machine
        "pdf.fonttype": 42,
        "hatch.linewidth": 0.6,
    }
    with rc_context(theme):
        figure = paint()
        dpi = _DPI
        while len(bitmap := _bitmap(figure, dpi)) > LARGEST and dpi > _LOWEST_DPI:
            # A file grows more slowly than its pixels.
            dpi = max(_LOWEST_DPI, int(dpi * min(0.9, 0.95 * LARGEST / len(bitmap))))
        vectors = io.BytesIO()
        if "pdf" in formats:
            figure.savefig(vectors, format="pdf", metadata=_PDF_METADATA)
    contents = {name: {"png": bitmap, "pdf": vectors.getvalue()}[name] for name in formats}
    return [write_atomically(file.with_name(f"{file.name}.{suffix}"), content) for suffix, content in contents.items()]


def _bitmap(figure: Figure, dpi: int) -> bytes:
    """As PNG, with a palette where colours are few."""
    plain = io.BytesIO()
    figure.savefig(plain, format="png", dpi=dpi)
    # The layout that was found holds from here on; to solve it again would take as long as to draw.
    figure.set_layout_engine("none")
    image = Image.open(plain).convert("RGB")
    if image.getcolors(_FLAT) is not None:
        image = image.quantize(_PALETTE, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    small = io.BytesIO()
    image.save(small, format="png", optimize=True)
    return small.getvalue()


def axis_label(column: Column) -> str:
    """Such as ``pul (%), higher is better``."""
    return ", ".join(filter(None, (quantity(column), DIRECTION[column.better])))


def fit_axis(axes: Axes, which: Which, estimates: Sequence[Estimate], seeds: Sequence[Sequence[float]]) -> Window:
    """Limits that hold all the estimates, with their intervals and seeds as far as these do not lie far beyond.

    Logarithmic where the estimates span more than a decade. Set by hand, since an interval may reach below zero, where
    a logarithmic axis cannot.

    Returns:
        What is drawn in; the limits leave a margin around it.
    """
    values, others = [estimate.value for estimate in estimates], spread(estimates, seeds)
    axis, set_scale, set_limits = (
        getattr(axes, name) for name in (f"{which}axis", f"set_{which}scale", f"set_{which}lim")
    )
    if min(values) > 0 and max(values) > 10 * min(values):
        set_scale("log", nonpositive="clip")
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:,g}")
        axis.set_minor_locator(NullLocator())
        drawn = window(values, [other for other in others if other > 0], logarithmic=True)
        set_limits(drawn.low / 1.25, drawn.high * 1.25)
    else:
        drawn = window(values, others)
        margin = 0.06 * (drawn.high - drawn.low) or 1.0
        set_limits(drawn.low - margin, drawn.high + margin)
    return drawn


def draw_limit(axes: Axes, bound: float, which: Which = "x") -> None:
    """Shade what is beyond a quality limit of an axis, behind a line; nothing where it is NaN or out of the picture."""
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    span, line = (axes.axvspan, axes.axvline) if which == "x" else (axes.axhspan, axes.axhline)
    if bound < high:
        span(max(bound, low), high, color="0.94", zorder=0, label="beyond the quality limit")
        if bound > low:
            line(bound, color="0.25", linestyle="--", linewidth=1, zorder=1)


def fit_forgetting(axes: Axes, estimates: Sequence[Estimate], seeds: Sequence[Sequence[float]]) -> Window:
    """Limits of a vertical axis from 0 to 100, lower where estimates are, but for `FORGETTING_FLOOR`."""
    values = [max(estimate.value, FORGETTING_FLOOR) for estimate in estimates]
    drawn = window([0.0, 100.0, *values], spread(estimates, seeds))
    drawn = Window(max(drawn.low, FORGETTING_FLOOR), 100.0)
    axes.set_ylim(drawn.low - 7, 107)
    return drawn
