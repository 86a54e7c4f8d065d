"""What all figures share: fonts, axes, files that are the same bytes every time."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from PIL import Image

from vdu_bench.files import write_atomically
from vdu_bench.measured import Better, Estimate
from vdu_bench.reports.method_style import LIGHT_COLORS
from vdu_bench.reports.plots.titles import in_words
from vdu_bench.reports.plots.whiskers import Which, Window, spread, window
from vdu_bench.reports.tables.leaderboard import Column

DIRECTION: dict[Better, str] = {"higher": "higher is better", "lower": "lower is better", "none": ""}

FORGETTING_FLOOR = -100.0
"""In percent; what is below is drawn at the edge, so that one collapsed method does not squeeze the others."""
_BELOW = 25.0
"""How far below all means, and below 0, an interval or a seed may take the axis: few seeds make long intervals."""

_DPI, _LOWEST_DPI = 200, 40
"""Dots per inch: as many as leave a file small enough."""
LARGEST = 150_000
"""Bytes that a bitmap may take: plots are committed beside the records."""
_FLAT = 8192
"""Up to how many colours a figure is drawn in plain ones, of which few are enough; photographs have more."""
_PALETTE, _KEPT = 256, 96
# Dates and program versions would make equal figures unequal files.
_PDF_METADATA: dict[str, Any] = {"Creator": "vdu-bench", "Producer": None, "CreationDate": None}


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
        "text.parse_math": False,  # two dollar signs in a name are no formula
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
    """As PNG, with a palette where colours are few or the file would be too large without one."""
    plain = io.BytesIO()
    figure.savefig(plain, format="png", dpi=dpi)
    # The layout that was found holds from here on; to solve it again would take as long as to draw.
    figure.set_layout_engine("none")
    image = Image.open(plain).convert("RGB")
    if image.getcolors(_FLAT) is not None:
        return _png(_with_palette(image))
    full = _png(image)
    # Photographs lose less by few colours than by half of their pixels.
    return full if len(full) <= LARGEST else _png(_with_palette(image))


def _with_palette(image: Image.Image) -> Image.Image:
    """In few colours: those of methods and the most frequent ones as they are, and the means of others."""
    weights = np.array([1 << 16, 1 << 8, 1], dtype=np.uint32)
    codes = np.asarray(image, dtype=np.uint32) @ weights
    colors, counts = np.unique(codes, return_counts=True)
    # A method's marker beside a row of samples is a few pixels, and its hue is what it is known by.
    looks = np.array([int(color[1:], 16) for color in LIGHT_COLORS], dtype=np.uint32)
    order = np.lexsort((colors, -counts, ~np.isin(colors, looks)))
    kept = np.sort(colors[order[:_KEPT]])
    rest = image.quantize(_PALETTE - len(kept), Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    nearest = np.searchsorted(kept, codes).clip(max=len(kept) - 1)
    places = np.where(kept[nearest] == codes, nearest, np.asarray(rest) + len(kept))
    found = Image.fromarray(places.astype(np.uint8), mode="P")
    parts = [int(part) for code in kept for part in (code >> 16, code >> 8 & 255, code & 255)]
    found.putpalette(parts + (rest.getpalette() or []))
    return found


def _png(image: Image.Image) -> bytes:
    small = io.BytesIO()
    image.save(small, format="png", optimize=True)
    return small.getvalue()


def axis_label(column: Column) -> str:
    """Such as ``strict PUL (%), higher is better``."""
    return ", ".join(filter(None, (in_words(column), DIRECTION[column.better])))


def fit_axis(
    axes: Axes,
    which: Which,
    estimates: Sequence[Estimate],
    seeds: Sequence[Sequence[float]],
    *,
    always_log: bool = False,
) -> Window:
    """Limits that hold all the estimates, with their intervals and seeds as far as these do not lie far beyond.

    Logarithmic where the estimates span more than a decade, or `always_log` is asked for and all are above 0. Set by
    hand, since an interval may reach below zero, where a logarithmic axis cannot.

    Returns:
        What is drawn in; the limits leave a margin around it.
    """
    values, others = [estimate.value for estimate in estimates], spread(estimates, seeds)
    axis, set_scale, set_limits = (
        getattr(axes, name) for name in (f"{which}axis", f"set_{which}scale", f"set_{which}lim")
    )
    if min(values) > 0 and (always_log or max(values) > 10 * min(values)):
        set_scale("log", nonpositive="clip")
        drawn = window(values, [other for other in others if other > 0], logarithmic=True)
        axis.set_major_locator(LogLocator(subs=_ticks(math.log10(drawn.high / drawn.low))))
        axis.set_major_formatter("{x:,g}")
        axis.set_minor_locator(NullLocator())
        set_limits(drawn.low / 1.25, drawn.high * 1.25)
    else:
        drawn = window(values, others)
        margin = 0.06 * (drawn.high - drawn.low) or 1.0
        set_limits(drawn.low - margin, drawn.high + margin)
    return drawn


def _ticks(decades: float) -> tuple[float, ...]:
    """How a decade of an axis is divided, so that its labels do not meet."""
    if decades <= 1.5:
        return 1, 2, 5
    return (1, 3) if decades <= 2.5 else (1,)


def draw_limit(axes: Axes, bound: float, which: Which = "x", label: str = "beyond the quality limit") -> None:
    """Shade what is beyond a quality limit of an axis, behind a line; nothing where it is NaN or out of the picture."""
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    span, line = (axes.axvspan, axes.axvline) if which == "x" else (axes.axhspan, axes.axhline)
    if bound < high:
        span(max(bound, low), high, color="0.94", zorder=0, label=label)
        if bound > low:
            line(bound, color="0.25", linestyle="--", linewidth=1, zorder=1)


def fit_forgetting(axes: Axes, estimates: Sequence[Estimate], seeds: Sequence[Sequence[float]]) -> Window:
    """Limits of a vertical axis from 0 to 100, lower where estimates are, but for `FORGETTING_FLOOR`."""
    values = [max(estimate.value, FORGETTING_FLOOR) for estimate in estimates]
    drawn = window([0.0, 100.0, *values], spread(estimates, seeds))
    drawn = Window(max(drawn.low, min(0.0, *values) - _BELOW, FORGETTING_FLOOR), 100.0)
    axes.set_ylim(drawn.low - 7, 107)
    return drawn
