"""A grid of samples: a row per method, the same initial noise in each column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from vdu_bench.reports.plots.style import draw

Images = NDArray[np.uint8]

_CELL = 0.42  # inches, the side of a sample
_GAP = 0.07  # of a sample's side
_PIXELS = 64  # of a sample in the image that is drawn; about its share of the page at 200 dpi
_LARGEST = 2 * _PIXELS
_LONGEST = 7.0  # inches, the width of the samples together; more of them get smaller


def sample_grid(rows: Mapping[str, Images], file: Path, title: str) -> list[Path]:
    """Draw the samples, written as `file`.png and .pdf; returns what was written.

    Args:
        rows: by label, from top to bottom, uint8 images ``[n, H, W]`` (grey) or ``[n, H, W, 3]`` (RGB), of one shape;
            column i of every row was made from the same noise.
        file: without a suffix.

    Raises:
        ValueError: for no rows, other shapes or dtypes, or rows that differ in shape.
    """
    if not rows:
        raise ValueError("no rows of samples")
    shapes = {images.shape for images in rows.values()}
    shape = next(iter(shapes))
    if len(shapes) > 1 or any(images.dtype != np.uint8 for images in rows.values()):
        raise ValueError(f"rows of samples must be uint8 and of one shape, got {sorted(shapes)}")
    if shape[0] == 0 or not (len(shape) == 3 or (len(shape) == 4 and shape[3] == 3)):
        raise ValueError(f"samples must be [n, H, W] or [n, H, W, 3], got {list(shape)}")
    return draw(file, lambda: _figure(rows, title))


def _figure(rows: Mapping[str, Images], title: str) -> Figure:
    mosaic, side, gap = _mosaic(list(rows.values()))
    height, width = mosaic.shape[:2]
    across = min(_LONGEST, next(iter(rows.values())).shape[0] * _CELL)
    tall = across * height / width
    left, right, top, bottom = 0.25 + 0.085 * max(map(len, rows)), 0.1, 0.4, 0.1
    # Wide enough for the title, however few the samples.
    total_width, total_height = max(left + across + right, 0.2 + 0.085 * len(title)), top + tall + bottom
    figure = Figure(figsize=(total_width, total_height))
    axes = figure.add_axes((left / total_width, bottom / total_height, across / total_width, tall / total_height))
    axes.imshow(mosaic, interpolation="nearest", aspect="auto")
    axes.set_yticks([gap + side / 2 + index * (side + gap) for index in range(len(rows))], list(rows))
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    figure.text(0.1 / total_width, 1 - 0.2 / total_height, title, fontsize="large", verticalalignment="center")
    return figure


def _shrunk(images: Images) -> Images:
    """Images of at most `_LARGEST` pixels on the longer side: a page shows no more, and photographs fill the memory."""
    height, width = images.shape[1:3]
    factor = _LARGEST / max(height, width)
    if factor >= 1:
        return images
    size = max(1, round(factor * width)), max(1, round(factor * height))
    return np.stack([np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX)) for image in images])


def _mosaic(rows: Sequence[Images]) -> tuple[Images, int, int]:
    """All samples on white, uint8 ``[height, width, 3]``; the side of one and the gap between two, in its pixels."""
    rows = [_shrunk(images) for images in rows]
    count, height, width = rows[0].shape[:3]
    scale = max(1, round(_PIXELS / height))
    side, step = height * scale, width * scale
    gap = max(1, round(_GAP * side))
    shape = (gap + len(rows) * (side + gap), gap + count * (step + gap), 3)
    mosaic = np.full(shape, 255, dtype=np.uint8)
    for i, images in enumerate(rows):
        for j, image in enumerate(images):
            colored = image if image.ndim == 3 else image[..., None].repeat(3, axis=2)
            y, x = gap + i * (side + gap), gap + j * (step + gap)
            mosaic[y : y + side, x : x + step] = colored.repeat(scale, axis=0).repeat(scale, axis=1)
    return mosaic, side, gap
