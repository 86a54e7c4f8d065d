"""A grid of samples: a row per method, the same initial noise in each column, framed by what the judge sees."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image

from vdu_bench.reports.method_style import MethodStyle
from vdu_bench.reports.plots.contrast import text_color
from vdu_bench.reports.plots.style import draw
from vdu_bench.sample_grid import GridRow, SampleGrid

Images = NDArray[np.uint8]

_CELL = 0.5  # inches, the width of a sample
_GAP = 0.1  # of a sample's width, between columns
_HALVES = 0.45  # of a sample's width, between the two halves
_WORD = 0.15  # inches, under each sample for the judge's word
_LINE = 0.105  # inches, a line of a prompt
_PIXELS = 64  # of a sample in the image that is drawn; about its share of the page
_LARGEST = 2 * _PIXELS
_PROMPT = 12  # characters of a prompt beside each other over a sample
_WORDS = 14  # characters of the judge's word under a sample
_LETTER = 0.65  # of the font's size, the width of a bold letter

_SHOWN: dict[str, Any] = {"edgecolor": "#d55e00", "linewidth": 2.0}
_JUNK: dict[str, Any] = {"edgecolor": "0.25", "linewidth": 1.1, "linestyle": (0, (2, 1.5))}
_ELSE: dict[str, Any] = {"edgecolor": "0.78", "linewidth": 0.6}


def sample_grid(
    grid: SampleGrid, labels: Mapping[str, str], looks: Mapping[str, MethodStyle], file: Path, title: str, concept: str
) -> list[Path]:
    """Draw the samples, written as `file`.png and .pdf; returns what was written.

    On the left the columns in which the original model shows the concept, on the right those in which it does not.

    Args:
        grid: the samples.
        labels: by row, what it is called, from top to bottom; rows of the grid that are not here are left out.
        looks: by row, its colour and marker.
        file: without a suffix.
        title: stands over all.
        concept: what was to be forgotten.

    Raises:
        ValueError: no row of the grid has a label.
    """
    rows = {row: grid.rows[row] for row in labels if row in grid.rows}
    if not rows:
        raise ValueError("no rows of samples")
    return draw(file, lambda: _figure(grid, rows, labels, looks, title, concept))


@dataclass(frozen=True)
class _Places:
    """Where samples stand, in inches from the upper left corner of the first one."""

    lefts: tuple[float, ...]
    """Of each column."""
    tall: float
    """A sample."""

    @property
    def wide(self) -> float:
        return self.lefts[-1] + _CELL

    def top(self, row: int) -> float:
        return row * (self.tall + _WORD)


def _figure(
    grid: SampleGrid,
    rows: Mapping[str, GridRow],
    labels: Mapping[str, str],
    looks: Mapping[str, MethodStyle],
    title: str,
    concept: str,
) -> Figure:
    height, width = next(iter(rows.values())).images.shape[1:3]
    first = sum(column.shows for column in grid.columns)
    steps = [index * (1 + _GAP) + _HALVES * (0 < first <= index) for index in range(len(grid.columns))]
    places = _Places(tuple(_CELL * step for step in steps), _CELL * height / width)
    prompts = [textwrap.wrap(column.prompt, _PROMPT) for column in grid.columns]
    # From the top: title, headings, prompts, samples, legend.
    over = 0.62 + _LINE * max(map(len, prompts)) + 0.06 * any(prompts)
    left, right, under = 0.38 + 0.075 * max(len(labels[row]) for row in rows), 0.1, 0.3
    # Wide enough for title and legend, however few the samples.
    total_width = max(left + places.wide + right, 0.3 + 0.09 * len(title), 5.6)
    total_height = over + places.top(len(rows)) + under
    figure = Figure(figsize=(total_width, total_height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(-left, total_width - left)
    axes.set_ylim(total_height - over, -over)
    for index, (name, row) in enumerate(rows.items()):
        top = places.top(index)
        look = looks[name]
        middle = top + places.tall / 2
        axes.plot(-0.14, middle, marker=look.marker, color=look.color, markersize=7 if look.marker != "*" else 10)
        axes.text(-0.26, middle, labels[name], horizontalalignment="right", verticalalignment="center", fontsize=9)
        _row(axes, row, places, top)
    for prompt, x in zip(prompts, places.lefts, strict=True):
        axes.text(
            x + _CELL / 2,
            -0.06,
            "\n".join(prompt),
            horizontalalignment="center",
            verticalalignment="bottom",
            fontsize=5.8,
            linespacing=1.05,
        )
    axes.text(-left + 0.1, -over + 0.2, title, fontsize=11, verticalalignment="center")
    _headings(axes, places, first, concept, -over + 0.45)
    _legend(axes, -left + 0.1, total_height - over - 0.13, concept)
    return figure


def _row(axes: Axes, row: GridRow, places: _Places, top: float) -> None:
    # Neighbours' words must not touch.
    fits = 72 * _CELL * (1 + _GAP / 2) / _LETTER
    for index, (image, x) in enumerate(zip(_shrunk(row.images), places.lefts, strict=True)):
        colored = image if image.ndim == 3 else image[..., None].repeat(3, axis=2)
        extent = (x, x + _CELL, top + places.tall, top)
        axes.imshow(_enlarged(colored), interpolation="nearest", extent=extent, aspect="auto", zorder=1)
        style = _SHOWN if row.shows[index] else _JUNK if row.junk[index] else _ELSE
        axes.add_patch(Rectangle((x, top), _CELL, places.tall, fill=False, zorder=2, **style))
        word = textwrap.shorten(row.words[index], _WORDS, placeholder="…")
        axes.text(
            x + _CELL / 2,
            top + places.tall + 0.02,
            word,
            horizontalalignment="center",
            verticalalignment="top",
            fontsize=min(6.5, fits / max(1, len(word))),
            color=text_color(_SHOWN["edgecolor"]) if row.shows[index] else "0.3",
            fontweight="bold" if row.shows[index] else "normal",
        )


def _headings(axes: Axes, places: _Places, first: int, concept: str, y: float) -> None:
    count = len(places.lefts)
    for start, end, text in ((0, first, f"the original shows {concept}"), (first, count, "it does not")):
        if start < end:
            x0, x1 = places.lefts[start], places.lefts[end - 1] + _CELL
            axes.plot([x0, x1], [y + 0.09] * 2, color="0.5", linewidth=0.8)
            axes.text(x0, y, text, fontsize=8, verticalalignment="center", color="0.25")


def _legend(axes: Axes, x: float, y: float, concept: str) -> None:
    entries = ((_SHOWN, f"the judge sees {concept}"), (_JUNK, "junk, as the judge reads it"), (_ELSE, "neither"))
    for style, text in entries:
        axes.add_patch(Rectangle((x, y - 0.06), 0.12, 0.12, fill=False, **style))
        axes.text(x + 0.18, y, text, fontsize=8, verticalalignment="center", color="0.25")
        x += 0.4 + 0.062 * len(text)


def _shrunk(images: Images) -> Images:
    """Images of at most `_LARGEST` pixels on the longer side: a page shows no more, and photographs fill the memory."""
    height, width = images.shape[1:3]
    factor = _LARGEST / max(height, width)
    if factor >= 1:
        return images
    size = max(1, round(factor * width)), max(1, round(factor * height))
    return np.stack([np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX)) for image in images])


def _enlarged(image: Images) -> Images:
    """By a whole factor, so that a PDF shows squares in place of what its reader makes of few pixels."""
    scale = max(1, round(_PIXELS / image.shape[0]))
    return image.repeat(scale, axis=0).repeat(scale, axis=1)
